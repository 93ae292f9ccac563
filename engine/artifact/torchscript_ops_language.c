/* Words of the language and calls about values: nothing of them reaches the graph. */
#include <math.h>
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

static kas_status call_getattr(kas_script_call *call)
{
    kas_span name;
    KAS_TRY(kas_script_text_at(call, 1, NULL, &name));
    if (call->arguments[0]->kind != KAS_SCRIPT_VALUE_OBJECT)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "the attribute \"%.*s\" of %s", KAS_SPAN_ARGS(name),
                          kas_script_kind_name(call->arguments[0]->kind));
    return kas_script_attribute(call->reader, call->arguments[0]->object, name, &call->result);
}

/* ---- conversions ---- */

/* What depends on the size of the batch stays what it is. */
static kas_status call_int(kas_script_call *call)
{
    const kas_script_value *x = call->arguments[0];
    double number;
    KAS_TRY(kas_script_give_first(call));
    if (x->kind == KAS_SCRIPT_VALUE_INT) return NULL;
    if (!kas_script_number(x, &number))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "%s has no known value", kas_script_kind_name(x->kind));
    if (!(fabs(number) < 0x1p62))
        return kas_refuse(KAS_REASON_MALFORMED, "%g is out of range of an int", number);
    call->result = kas_script_of_int((int64_t)number);
    return NULL;
}

static kas_status call_float(kas_script_call *call)
{
    double number;
    if (!kas_script_number(call->arguments[0], &number))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "%s has no known value",
                          kas_script_kind_name(call->arguments[0]->kind));
    call->result = kas_script_of_float(number);
    return NULL;
}

static kas_status call_bool(kas_script_call *call)
{
    bool boolean;
    KAS_TRY(kas_script_truth(call->arguments[0], &boolean));
    call->result = kas_script_of_bool(boolean);
    return NULL;
}

static kas_status call_not(kas_script_call *call)
{
    bool boolean;
    KAS_TRY(kas_script_truth(call->arguments[0], &boolean));
    call->result = kas_script_of_bool(!boolean);
    return NULL;
}

/* A tensor of rank 0 made from a number is kept as that number. */
static kas_status call_same(kas_script_call *call)
{
    return kas_script_give_first(call);
}

/* ---- identity ---- */

/* None, or the same tensor or object under two names. Of other values no printed code asks this. */
static kas_status are_same(const kas_script_value *a, const kas_script_value *b, bool *out)
{
    *out = a->kind == b->kind;
    if (a->kind == KAS_SCRIPT_VALUE_NONE || b->kind == KAS_SCRIPT_VALUE_NONE || !*out) return NULL;
    if (a->kind == KAS_SCRIPT_VALUE_TENSOR) *out = a->tensor == b->tensor;
    if (a->kind == KAS_SCRIPT_VALUE_OBJECT) *out = a->object == b->object;
    if (a->kind == KAS_SCRIPT_VALUE_TENSOR || a->kind == KAS_SCRIPT_VALUE_OBJECT) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "of %s", kas_script_kind_name(a->kind));
}

static kas_status call_is(kas_script_call *call)
{
    bool same;
    KAS_TRY(are_same(call->arguments[0], call->arguments[1], &same));
    call->result = kas_script_of_bool(same == (call->op->variant != 0));
    return NULL;
}

/* ---- sizes ---- */

static kas_script_value size_of_axis(const kas_reader_value *x, int axis)
{
    const kas_integer_kind kind = axis == x->batch_axis ? KAS_INTEGER_BATCH : KAS_INTEGER_KNOWN;
    return (kas_script_value){.kind = KAS_SCRIPT_VALUE_INT,
                              .integer = {.kind = kind, .value = x->dims[axis]}};
}

static kas_status call_size(kas_script_call *call)
{
    kas_reader_value *x;
    int axis;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    if (kas_script_given(call, 1)) {
        KAS_TRY(kas_script_axis_at(call, 1, 0, x->rank, &axis));
        call->result = size_of_axis(x, axis);
        return NULL;
    }
    KAS_TRY(kas_script_list_new(call->reader, KAS_SCRIPT_VALUE_LIST, (size_t)x->rank, &call->result));
    for (axis = 0; axis < x->rank; ++axis)
        KAS_TRY(kas_script_list_append(call->reader, call->result.list, size_of_axis(x, axis)));
    return NULL;
}

static kas_status call_dim(kas_script_call *call)
{
    double number;
    kas_reader_value *x;
    call->result = kas_script_of_int(0);
    if (kas_script_number(call->arguments[0], &number)) return NULL;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    call->result = kas_script_of_int(x->rank);
    return NULL;
}

static kas_status call_len(kas_script_call *call)
{
    const kas_script_list *list;
    kas_reader_value *x;
    if (call->arguments[0]->kind == KAS_SCRIPT_VALUE_TENSOR) {
        KAS_TRY(kas_script_tensor_at(call, 0, &x));
        if (x->rank == 0) return kas_refuse(KAS_REASON_MALFORMED, "of a tensor of rank 0");
        call->result = size_of_axis(x, 0);
        return NULL;
    }
    if (call->arguments[0]->kind == KAS_SCRIPT_VALUE_TEXT) {
        call->result = kas_script_of_int((int64_t)call->arguments[0]->text.size);
        return NULL;
    }
    KAS_TRY(kas_script_list_at(call, 0, &list));
    call->result = kas_script_of_int((int64_t)list->count);
    return NULL;
}

static kas_status call_numel(kas_script_call *call)
{
    kas_reader_value *x;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    kas_integer elements = {.kind = x->batch_axis < 0 ? KAS_INTEGER_KNOWN : KAS_INTEGER_BATCH, .value = 1};
    for (int i = 0; i < x->rank; ++i)
        elements.value *= x->dims[i];
    call->result = (kas_script_value){.kind = KAS_SCRIPT_VALUE_INT, .integer = elements};
    return NULL;
}

/* ---- lists ---- */

static kas_status call_append(kas_script_call *call)
{
    if (call->arguments[0]->kind != KAS_SCRIPT_VALUE_LIST)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "to %s", kas_script_kind_name(call->arguments[0]->kind));
    if (call->arguments[0]->list->is_state)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "it changes a list of the module's own");
    KAS_TRY(kas_script_list_append(call->reader, call->arguments[0]->list, *call->arguments[1]));
    return kas_script_give_first(call);
}

/* A copy. */
static kas_status call_list(kas_script_call *call)
{
    const kas_script_list *list;
    KAS_TRY(kas_script_list_at(call, 0, &list));
    KAS_TRY(kas_script_spend(call->reader, list->count));
    KAS_TRY(kas_script_list_new(call->reader, KAS_SCRIPT_VALUE_LIST, list->count, &call->result));
    for (size_t i = 0; i < list->count; ++i)
        KAS_TRY(kas_script_list_append(call->reader, call->result.list, list->items[i]));
    return NULL;
}

static kas_status are_equal(const kas_script_value *a, const kas_script_value *b, bool *out)
{
    const bool texts = a->kind == KAS_SCRIPT_VALUE_TEXT && b->kind == KAS_SCRIPT_VALUE_TEXT;
    const bool integers = a->kind == KAS_SCRIPT_VALUE_INT && b->kind == KAS_SCRIPT_VALUE_INT;
    if (texts) *out = kas_span_equal(a->text, b->text);
    if (integers) *out = a->integer.value == b->integer.value;
    if (texts || (integers && !a->integer.kind && !b->integer.kind)) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "of %s and %s", kas_script_kind_name(a->kind),
                      kas_script_kind_name(b->kind));
}

static kas_status call_contains(kas_script_call *call)
{
    const kas_script_list *list;
    bool found = false;
    KAS_TRY(kas_script_list_at(call, 0, &list));
    KAS_TRY(kas_script_spend(call->reader, list->count));
    for (size_t i = 0; i < list->count && !found; ++i)
        KAS_TRY(are_equal(&list->items[i], call->arguments[1], &found));
    call->result = kas_script_of_bool(found);
    return NULL;
}

/* ---- ranges that do not begin with 0 ---- */

static kas_status read_range(const kas_script_call *call, int first, int64_t *low, int64_t *step)
{
    KAS_TRY(kas_script_int_at(call, first, 0, low));
    KAS_TRY(kas_script_int_at(call, call->op->variant, 1, step));
    if (*step == 0 || *step == INT64_MIN)
        return kas_refuse(KAS_REASON_MALFORMED, "a step of %lld", (long long)*step);
    return NULL;
}

/* How many of low, low + step … lie before high. */
static kas_status call_range_length(kas_script_call *call)
{
    int64_t low, high, step, span;
    KAS_TRY(read_range(call, 0, &low, &step));
    KAS_TRY(kas_script_int_at(call, 1, 0, &high));
    if (step > 0 ? __builtin_sub_overflow(high, low, &span) : __builtin_sub_overflow(low, high, &span))
        return kas_refuse(KAS_REASON_LIMIT, "the range is too large");
    const int64_t size = step > 0 ? step : -step;
    call->result = kas_script_of_int(span > 0 ? (span - 1) / size + 1 : 0);
    return NULL;
}

static kas_status call_derive_index(kas_script_call *call)
{
    int64_t index, low, step;
    KAS_TRY(kas_script_int_at(call, 0, 0, &index));
    KAS_TRY(read_range(call, 1, &low, &step));
    if (__builtin_mul_overflow(index, step, &step) || __builtin_add_overflow(low, step, &low))
        return kas_refuse(KAS_REASON_LIMIT, "the index is too large");
    call->result = kas_script_of_int(low);
    return NULL;
}

/* ---- what is said to people ---- */

/* The text with its {} as they are: it is for refusals only. */
static kas_status call_format(kas_script_call *call)
{
    if (call->arguments[0]->kind != KAS_SCRIPT_VALUE_TEXT)
        return kas_refuse(KAS_REASON_MALFORMED, "without a text");
    return kas_script_give_first(call);
}

static kas_status call_warn(kas_script_call *call)
{
    call->result = (kas_script_value){0};
    return NULL;
}

static kas_status call_raise(kas_script_call *call)
{
    kas_span text;
    KAS_TRY(kas_script_text_at(call, 0, "", &text));
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the code raises an exception here for any input: %.*s",
                      KAS_SPAN_ARGS(text));
}

/* ---- what is computed in float32, in eval mode, on no device in particular ---- */

static kas_status call_dtype(kas_script_call *call)
{
    enum { SCALAR_TYPE_FLOAT = 6 };
    call->result = kas_script_of_int(SCALAR_TYPE_FLOAT);
    return NULL;
}

static kas_status call_false(kas_script_call *call)
{
    call->result = kas_script_of_bool(false);
    return NULL;
}

const kas_script_op kas_script_ops_language[] = {
    {"bool", call_bool, "value", 0, false},
    {"float", call_float, "value", 0, false},
    {"getattr", call_getattr, "object name", 0, false},
    {"int", call_int, "value", 0, false},
    {"ops.prim.NumToTensor", call_same, "value", 0, false},
    {"ops.prim.RaiseException", call_raise, "message type?", 0, false},
    {"ops.prim.device", call_warn, "self", 0, false},
    {"ops.prim.dtype", call_dtype, "self", 0, false},
    {"ops.prim.is_cuda", call_false, "self", 0, false},
    {"ops.prim.is_nested", call_false, "self", 0, false},
    {"ops.prim.requires_grad", call_false, "self", 0, false},
    {"torch.FloatImplicit", call_float, "value", 0, false},
    {"torch.IntImplicit", call_int, "value", 0, false},
    {"torch.ScalarImplicit", call_same, "value", 0, false},
    {"torch.__contains__", call_contains, "list item", 0, false},
    {"torch.__derive_index", call_derive_index, "index start step", 2, false},
    {"torch.__is__", call_is, "self other", 1, false},
    {"torch.__isnot__", call_is, "self other", 0, false},
    {"torch.__not__", call_not, "self", 0, false},
    {"torch.__range_length", call_range_length, "lo hi step", 2, false},
    {"torch.append", call_append, "self item", 0, false},
    {"torch.dim", call_dim, "self", 0, false},
    {"torch.format", call_format, "self a? b? c? d? e? f? g?", 0, false},
    {"torch.is_autocast_enabled", call_false, "", 0, false},
    {"torch.is_grad_enabled", call_false, "", 0, false},
    {"torch.len", call_len, "self", 0, false},
    {"torch.list", call_list, "list", 0, false},
    {"torch.numel", call_numel, "self", 0, false},
    {"torch.size", call_size, "self dim?", 0, false},
    {"torch.warn", call_warn, "message stacklevel?", 0, false},
    {NULL, NULL, NULL, 0, false},
};
