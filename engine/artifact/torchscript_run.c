/* Calls of the archive's own functions: names, statements, loops. */
#include <string.h>

#include "base/hash.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

typedef struct local {
    kas_span name; /* empty: free */
    kas_script_value value;
} local;

struct kas_script_frame {
    kas_script_frame *outer;
    const kas_script_function *function;
    local *locals;   /* open addressing */
    size_t capacity; /* a power of two, at least twice the names that the function binds */
    bool has_returned;
    kas_script_value result;
};

kas_status kas_script_spend(kas_script_reader *reader, uint64_t steps)
{
    if (steps > reader->steps_left)
        return kas_refuse(KAS_REASON_LIMIT, "evaluating the code takes more than the limit of %d steps",
                          (int)KAS_SCRIPT_MAX_STEPS);
    reader->steps_left -= (uint32_t)steps;
    return NULL;
}

kas_status kas_script_locate(kas_script_reader *reader, uint32_t line, kas_status status)
{
    if (!status || reader->is_located || !reader->frame) return status;
    reader->is_located = true;
    return kas_annotate(status, "%.*s:%u", KAS_SPAN_ARGS(reader->frame->function->file->path),
                        (unsigned)line);
}

/* ---- names ---- */

/* The entry of a name, or the free one where it would stand. */
static local *find_local(const kas_script_frame *frame, kas_span name)
{
    size_t at = (size_t)kas_fnv1a(name.data, name.size) & (frame->capacity - 1);
    while (frame->locals[at].name.size && !kas_span_equal(frame->locals[at].name, name))
        at = (at + 1) & (frame->capacity - 1);
    return &frame->locals[at];
}

const kas_script_value *kas_script_local(const kas_script_reader *reader, kas_span name)
{
    if (!reader->frame) return NULL;
    const local *found = find_local(reader->frame, name);
    return found->name.size ? &found->value : NULL;
}

static void bind(kas_script_frame *frame, kas_span name, kas_script_value value)
{
    *find_local(frame, name) = (local){.name = name, .value = value};
}

static kas_status enter(kas_script_reader *reader, const kas_script_function *function)
{
    void *room;
    if (reader->calls_left == 0)
        return kas_refuse(KAS_REASON_LIMIT,
                          "calls are nested deeper than the limit of %u: is %.*s recursive?",
                          (unsigned)reader->lower.limits->nesting, KAS_SPAN_ARGS(function->name));
    KAS_TRY(kas_script_spend(reader, function->name_count + 1));
    KAS_TRY(kas_arena_take(reader->arena, 1, sizeof(kas_script_frame), &room));
    kas_script_frame *frame = room;
    *frame = (kas_script_frame){.outer = reader->frame, .function = function, .capacity = 4};
    while (frame->capacity < 2 * function->name_count)
        frame->capacity *= 2;
    KAS_TRY(kas_arena_take(reader->arena, frame->capacity, sizeof(local), &room));
    frame->locals = room;
    reader->frame = frame;
    --reader->calls_left;
    return NULL;
}

static void leave(kas_script_reader *reader)
{
    reader->frame = reader->frame->outer;
    ++reader->calls_left;
}

/* ---- statements ---- */

static kas_status run_block(kas_script_reader *reader, const kas_script_statement *statements);

static kas_status unpack(kas_script_reader *reader, const kas_script_statement *statement,
                         kas_script_value value)
{
    if (value.kind != KAS_SCRIPT_VALUE_LIST && value.kind != KAS_SCRIPT_VALUE_TUPLE)
        return kas_refuse(KAS_REASON_MALFORMED, "%s cannot be taken apart", kas_script_kind_name(value.kind));
    if (value.list->count != statement->target_count)
        return kas_refuse(KAS_REASON_MALFORMED, "%zu values cannot be assigned to %zu names",
                          value.list->count, statement->target_count);
    const kas_script_expression *target = statement->targets;
    for (size_t i = 0; i < value.list->count; ++i, target = target->next)
        bind(reader->frame, target->text, value.list->items[i]);
    return NULL;
}

static kas_status run_assignment(kas_script_reader *reader, const kas_script_statement *statement)
{
    kas_script_value value;
    KAS_TRY(kas_script_evaluate(reader, statement->value, &value));
    if (statement->unpacks) return unpack(reader, statement, value);
    bind(reader->frame, statement->targets->text, value);
    return NULL;
}

static kas_status evaluate_condition(kas_script_reader *reader, const kas_script_expression *condition,
                                     bool *holds)
{
    kas_script_value value;
    KAS_TRY(kas_script_evaluate(reader, condition, &value));
    return kas_script_truth(&value, holds);
}

static kas_status run_if(kas_script_reader *reader, const kas_script_statement *statement)
{
    bool holds;
    KAS_TRY(kas_annotate(evaluate_condition(reader, statement->value, &holds), "the condition of an \"if\""));
    return run_block(reader, holds ? statement->body : statement->otherwise);
}

static bool is_range(const kas_script_expression *expression)
{
    return expression->kind == KAS_SCRIPT_CALL && expression->base->kind == KAS_SCRIPT_NAME &&
           kas_span_is(expression->base->text, "range") && expression->count == 1;
}

/* What is looped over: a list, or for `range(n)` n turns and no list. */
static kas_status evaluate_turns(kas_script_reader *reader, const kas_script_statement *statement,
                                 int64_t *turns, const kas_script_list **list)
{
    kas_script_value value;
    *list = NULL;
    const bool ranges = is_range(statement->value);
    KAS_TRY(kas_script_evaluate(reader, ranges ? statement->value->first : statement->value, &value));
    if (ranges && value.kind == KAS_SCRIPT_VALUE_INT) {
        *turns = value.integer.value;
        if (value.integer.kind != KAS_INTEGER_KNOWN)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "the loop's turns depend on the size of the batch");
    } else if (!ranges && (value.kind == KAS_SCRIPT_VALUE_LIST || value.kind == KAS_SCRIPT_VALUE_TUPLE)) {
        *list = value.list;
        *turns = (int64_t)value.list->count;
    } else {
        return kas_refuse(KAS_REASON_UNSUPPORTED, "a loop over %s", kas_script_kind_name(value.kind));
    }
    if (*turns <= KAS_SCRIPT_MAX_TURNS) return NULL;
    return kas_refuse(KAS_REASON_LIMIT, "a loop of %lld turns is over the limit of %d", (long long)*turns,
                      (int)KAS_SCRIPT_MAX_TURNS);
}

static kas_status run_for(kas_script_reader *reader, const kas_script_statement *statement)
{
    const kas_script_list *list;
    int64_t turns;
    KAS_TRY(evaluate_turns(reader, statement, &turns, &list));
    for (int64_t i = 0; i < turns && !reader->frame->has_returned; ++i) {
        bind(reader->frame, statement->targets->text, list ? list->items[i] : kas_script_of_int(i));
        KAS_TRY(kas_script_spend(reader, KAS_SCRIPT_EXPRESSION_STEPS));
        KAS_TRY(run_block(reader, statement->body));
    }
    return NULL;
}

static kas_status run_return(kas_script_reader *reader, const kas_script_statement *statement)
{
    if (statement->value) KAS_TRY(kas_script_evaluate(reader, statement->value, &reader->frame->result));
    reader->frame->has_returned = true;
    return NULL;
}

static kas_status run_statement(kas_script_reader *reader, const kas_script_statement *statement)
{
    kas_script_value ignored;
    switch (statement->kind) {
    case KAS_SCRIPT_PASS:
        return NULL;
    case KAS_SCRIPT_RETURN:
        return run_return(reader, statement);
    case KAS_SCRIPT_EVALUATE:
        return kas_script_evaluate(reader, statement->value, &ignored);
    case KAS_SCRIPT_ASSIGN:
        return run_assignment(reader, statement);
    case KAS_SCRIPT_IF:
        return run_if(reader, statement);
    case KAS_SCRIPT_FOR:
        return run_for(reader, statement);
    default:
        return kas_refuse(KAS_REASON_UNSUPPORTED, "\"%.*s\" is not supported",
                          KAS_SPAN_ARGS(statement->text));
    }
}

static kas_status run_block(kas_script_reader *reader, const kas_script_statement *statements)
{
    for (; statements && !reader->frame->has_returned; statements = statements->next) {
        KAS_TRY(kas_script_spend(reader, 1));
        KAS_TRY(kas_script_locate(reader, statements->line, run_statement(reader, statements)));
    }
    return NULL;
}

/* ---- calls ---- */

static const kas_script_parameter *find_parameter(const kas_script_function *function, kas_span name)
{
    const kas_script_parameter *parameter = function->parameters;
    while (parameter && !kas_span_equal(parameter->name, name))
        parameter = parameter->next;
    return parameter;
}

static kas_status bind_arguments(kas_script_reader *reader, const kas_script_arguments *arguments)
{
    const kas_script_function *function = reader->frame->function;
    const kas_script_parameter *next = function->parameters;
    for (size_t i = 0; i < arguments->count; ++i) {
        const kas_span keyword = arguments->keywords[i];
        const kas_script_parameter *parameter = keyword.size ? find_parameter(function, keyword) : next;
        if (!parameter && keyword.size)
            return kas_refuse(KAS_REASON_MALFORMED, "it has no parameter \"%.*s\"", KAS_SPAN_ARGS(keyword));
        if (!parameter)
            return kas_refuse(KAS_REASON_MALFORMED, "%zu arguments for %zu parameters", arguments->count,
                              function->parameter_count);
        if (!keyword.size) next = next->next;
        bind(reader->frame, parameter->name, arguments->values[i]);
    }
    return NULL;
}

static kas_status bind_defaults(kas_script_reader *reader)
{
    const kas_script_parameter *parameter = reader->frame->function->parameters;
    for (; parameter; parameter = parameter->next) {
        kas_script_value value;
        if (kas_script_local(reader, parameter->name)) continue;
        if (!parameter->absent)
            return kas_refuse(KAS_REASON_MALFORMED, "its parameter \"%.*s\" is not given",
                              KAS_SPAN_ARGS(parameter->name));
        KAS_TRY(kas_script_evaluate(reader, parameter->absent, &value));
        bind(reader->frame, parameter->name, value);
    }
    return NULL;
}

static kas_status check_statements(kas_script_reader *reader, const kas_script_function *function)
{
    const kas_script_statement *statement = function->unsupported;
    if (!statement) return NULL;
    return kas_script_locate(
        reader, statement->line,
        kas_refuse(KAS_REASON_UNSUPPORTED, "\"%.*s\" is not supported", KAS_SPAN_ARGS(statement->text)));
}

static kas_status run_entered(kas_script_reader *reader, const kas_script_arguments *arguments)
{
    const kas_script_function *function = reader->frame->function;
    KAS_TRY(check_statements(reader, function));
    kas_status status = bind_arguments(reader, arguments);
    if (!status) status = bind_defaults(reader);
    if (status)
        return kas_script_locate(reader, function->line,
                                 kas_annotate(status, "%.*s", KAS_SPAN_ARGS(function->name)));
    return run_block(reader, function->body);
}

kas_status kas_script_run(kas_script_reader *reader, const kas_script_function *function,
                          const kas_script_arguments *arguments, kas_script_value *out)
{
    KAS_TRY(enter(reader, function));
    kas_status status = run_entered(reader, arguments);
    *out = reader->frame->result;
    leave(reader);
    return status;
}
