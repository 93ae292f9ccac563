/* Expressions of the serialised code. */
#include <math.h>
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

/* ---- dotted names ---- */

/* "torch.nn.relu", as it stands in the source, where the chain begins with a name that is no local one; else
 * empty. */
static kas_span global_name(const kas_script_reader *reader, const kas_script_expression *expression)
{
    const kas_script_expression *first = expression;
    while (first->kind == KAS_SCRIPT_ATTRIBUTE)
        first = first->base;
    if (first->kind != KAS_SCRIPT_NAME || kas_script_local(reader, first->text)) return (kas_span){NULL, 0};
    const uint8_t *end = expression->text.data + expression->text.size;
    return (kas_span){first->text.data, (size_t)(end - first->text.data)};
}

static kas_span after(kas_span name, const char *prefix)
{
    const size_t size = strlen(prefix);
    return (kas_span){name.data + size, name.size - size};
}

static kas_status evaluate_global(kas_script_reader *reader, kas_span name, kas_script_value *out)
{
    if (kas_span_begins(name, "CONSTANTS."))
        return kas_script_constant_value(reader, after(name, "CONSTANTS."), out);
    if (kas_span_begins(name, "__torch__.")) {
        *out = (kas_script_value){.kind = KAS_SCRIPT_VALUE_FUNCTION};
        return kas_script_find_function(reader, name, &out->function);
    }
    *out = kas_script_of_float(kas_span_is(name, "inf") ? (double)INFINITY : (double)NAN);
    if (kas_span_is(name, "inf") || kas_span_is(name, "nan")) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "\"%.*s\" is undefined", KAS_SPAN_ARGS(name));
}

static kas_status evaluate_name(kas_script_reader *reader, const kas_script_expression *expression,
                                kas_script_value *out)
{
    const kas_script_value *found = kas_script_local(reader, expression->text);
    if (!found) return evaluate_global(reader, expression->text, out);
    *out = *found;
    return NULL;
}

static kas_status evaluate_attribute(kas_script_reader *reader, const kas_script_expression *expression,
                                     kas_script_value *out)
{
    const kas_span name = global_name(reader, expression);
    kas_script_value base;
    if (name.size) return evaluate_global(reader, name, out);
    KAS_TRY(kas_script_evaluate(reader, expression->base, &base));
    if (base.kind == KAS_SCRIPT_VALUE_OBJECT)
        return kas_script_attribute(reader, base.object, expression->text, out);
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the attribute \"%.*s\" of %s", KAS_SPAN_ARGS(expression->text),
                      kas_script_kind_name(base.kind));
}

/* ---- containers ---- */

static kas_status evaluate_items(kas_script_reader *reader, const kas_script_expression *expression,
                                 kas_script_value *out)
{
    const bool is_list = expression->kind == KAS_SCRIPT_LIST;
    KAS_TRY(kas_script_list_new(reader, is_list ? KAS_SCRIPT_VALUE_LIST : KAS_SCRIPT_VALUE_TUPLE,
                                expression->count, out));
    for (const kas_script_expression *item = expression->first; item; item = item->next) {
        kas_script_value value;
        KAS_TRY(kas_script_evaluate(reader, item, &value));
        KAS_TRY(kas_script_list_append(reader, out->list, value));
    }
    return NULL;
}

static kas_status evaluate_index(kas_script_reader *reader, const kas_script_expression *expression,
                                 kas_script_value *out)
{
    kas_script_value base, index;
    KAS_TRY(kas_script_evaluate(reader, expression->base, &base));
    if (expression->count != 1 || (base.kind != KAS_SCRIPT_VALUE_LIST && base.kind != KAS_SCRIPT_VALUE_TUPLE))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "an index into %s", kas_script_kind_name(base.kind));
    KAS_TRY(kas_script_evaluate(reader, expression->first, &index));
    if (index.kind != KAS_SCRIPT_VALUE_INT || index.integer.kind != KAS_INTEGER_KNOWN)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "an index that is no known integer");
    const int64_t count = (int64_t)base.list->count, at = index.integer.value;
    if (at < -count || at >= count)
        return kas_refuse(KAS_REASON_MALFORMED, "the index %lld is out of range of %lld items", (long long)at,
                          (long long)count);
    *out = base.list->items[at < 0 ? at + count : at];
    return NULL;
}

/* ---- calls ---- */

/* `self` goes first, unless it is NULL. */
static kas_status evaluate_arguments(kas_script_reader *reader, const kas_script_expression *call,
                                     const kas_script_value *self, kas_script_arguments *out)
{
    void *room;
    const size_t most = call->count + (self != NULL);
    KAS_TRY(kas_arena_take(reader->arena, most, sizeof *out->values, &room));
    out->values = room;
    KAS_TRY(kas_arena_take(reader->arena, most, sizeof *out->keywords, &room));
    out->keywords = room;
    out->count = most;
    size_t at = 0;
    if (self) out->values[at++] = *self;
    for (const kas_script_expression *argument = call->first; argument; argument = argument->next, ++at) {
        out->keywords[at] = argument->keyword;
        KAS_TRY(kas_script_evaluate(reader, argument, &out->values[at]));
    }
    return NULL;
}

static kas_status call_function(kas_script_reader *reader, const kas_script_function *function,
                                const kas_script_expression *call, const kas_script_value *self,
                                kas_script_value *out)
{
    kas_script_arguments arguments;
    KAS_TRY(evaluate_arguments(reader, call, self, &arguments));
    return kas_script_run(reader, function, &arguments, out);
}

/* annotate(T, value), unchecked_cast(T, value), uninitialized(T): the type says nothing that is needed. */
static kas_status call_with_type(kas_script_reader *reader, const kas_script_expression *call,
                                 kas_script_value *out)
{
    const bool has_value = !kas_span_is(call->base->text, "uninitialized");
    if (call->count != (has_value ? 2 : 1))
        return kas_refuse(KAS_REASON_MALFORMED, "%.*s with %zu arguments", KAS_SPAN_ARGS(call->base->text),
                          call->count);
    *out = (kas_script_value){.kind = KAS_SCRIPT_VALUE_UNINITIALIZED};
    return has_value ? kas_script_evaluate(reader, call->first->next, out) : NULL;
}

static bool takes_type(const kas_script_expression *callee)
{
    return callee->kind == KAS_SCRIPT_NAME &&
           (kas_span_is(callee->text, "annotate") || kas_span_is(callee->text, "unchecked_cast") ||
            kas_span_is(callee->text, "uninitialized"));
}

/* A name that is not the archive's own: the allow-list decides. Nothing is evaluated for what is not on it.
 */
static kas_status call_global(kas_script_reader *reader, kas_span name, const kas_script_expression *call,
                              kas_script_value *out)
{
    kas_script_arguments arguments;
    const kas_script_function *function;
    const kas_script_op *op;
    bool in_place;
    if (kas_span_begins(name, "__torch__.")) {
        KAS_TRY(kas_script_find_function(reader, name, &function));
        return call_function(reader, function, call, NULL, out);
    }
    KAS_TRY(kas_script_find_op(name, &op, &in_place));
    KAS_TRY(evaluate_arguments(reader, call, NULL, &arguments));
    return kas_script_call_op(reader, op, in_place, &arguments, out);
}

static kas_status call_method(kas_script_reader *reader, const kas_script_value *self,
                              const kas_script_expression *call, kas_script_value *out)
{
    const kas_script_function *method;
    const kas_span name = call->base->text;
    if (self->kind != KAS_SCRIPT_VALUE_OBJECT)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "the method \"%.*s\" of %s", KAS_SPAN_ARGS(name),
                          kas_script_kind_name(self->kind));
    KAS_TRY(kas_script_find_method(reader, self->object, name, &method));
    return call_function(reader, method, call, self, out);
}

static kas_status evaluate_call(kas_script_reader *reader, const kas_script_expression *call,
                                kas_script_value *out)
{
    const kas_script_expression *callee = call->base;
    const kas_span name = global_name(reader, callee);
    kas_script_value value;
    if (takes_type(callee)) return call_with_type(reader, call, out);
    if (name.size) return call_global(reader, name, call, out);
    if (callee->kind == KAS_SCRIPT_ATTRIBUTE) {
        KAS_TRY(kas_script_evaluate(reader, callee->base, &value));
        return call_method(reader, &value, call, out);
    }
    KAS_TRY(kas_script_evaluate(reader, callee, &value));
    if (value.kind == KAS_SCRIPT_VALUE_FUNCTION)
        return call_function(reader, value.function, call, NULL, out);
    return kas_refuse(KAS_REASON_MALFORMED, "%s is called", kas_script_kind_name(value.kind));
}

/* ---- all ---- */

static kas_status evaluate(kas_script_reader *reader, const kas_script_expression *expression,
                           kas_script_value *out)
{
    switch (expression->kind) {
    case KAS_SCRIPT_NAME:
        return evaluate_name(reader, expression, out);
    case KAS_SCRIPT_INT:
        *out = kas_script_of_int(expression->integer);
        return NULL;
    case KAS_SCRIPT_FLOAT:
        *out = kas_script_of_float(expression->number);
        return NULL;
    case KAS_SCRIPT_STRING:
        *out = (kas_script_value){.kind = KAS_SCRIPT_VALUE_TEXT, .text = expression->text};
        return NULL;
    case KAS_SCRIPT_BOOL:
        *out = kas_script_of_bool(expression->integer != 0);
        return NULL;
    case KAS_SCRIPT_NONE:
        return NULL;
    case KAS_SCRIPT_LIST:
    case KAS_SCRIPT_TUPLE:
        return evaluate_items(reader, expression, out);
    case KAS_SCRIPT_ATTRIBUTE:
        return evaluate_attribute(reader, expression, out);
    case KAS_SCRIPT_CALL:
        return evaluate_call(reader, expression, out);
    case KAS_SCRIPT_INDEX:
        return evaluate_index(reader, expression, out);
    default:
        return kas_refuse(KAS_REASON_UNSUPPORTED, "a dict is not supported");
    }
}

kas_status kas_script_evaluate(kas_script_reader *reader, const kas_script_expression *expression,
                               kas_script_value *out)
{
    *out = (kas_script_value){0};
    if (reader->depth_left == 0)
        return kas_refuse(KAS_REASON_LIMIT, "calls and expressions are nested deeper than the limit of %d",
                          (int)KAS_SCRIPT_MAX_DEPTH);
    KAS_TRY(kas_script_spend(reader, KAS_SCRIPT_EXPRESSION_STEPS));
    --reader->depth_left;
    kas_status status = evaluate(reader, expression, out);
    ++reader->depth_left;
    return kas_script_locate(reader, expression->line, status);
}
