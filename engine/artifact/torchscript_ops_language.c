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

/* ---- conversions --------------------------------------------------------------------------------------- */

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

/* ---- identity ------------------------------------------------------------------------------------------ */

/* In the code that PyTorch prints one of the two is None. */
static kas_status call_is(kas_script_call *call)
{
    const kas_script_value *a = call->arguments[0], *b = call->arguments[1];
    if (a->kind != KAS_SCRIPT_VALUE_NONE && b->kind != KAS_SCRIPT_VALUE_NONE)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "of two values neither of which is None");
    call->result = kas_script_of_bool((a->kind == b->kind) == (call->op->variant != 0));
    return NULL;
}

/* ---- sizes --------------------------------------------------------------------------------------------- */

static kas_script_value size_of_axis(const kas_onnx_value *x, int axis)
{
    const kas_integer_kind kind = axis == x->batch_axis ? KAS_INTEGER_BATCH : KAS_INTEGER_KNOWN;
    return (kas_script_value){.kind = KAS_SCRIPT_VALUE_INT,
                              .integer = {.kind = kind, .value = x->dims[axis]}};
}

static kas_status call_size(kas_script_call *call)
{
    kas_onnx_value *x;
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
    kas_onnx_value *x;
    call->result = kas_script_of_int(0);
    if (kas_script_number(call->arguments[0], &number)) return NULL;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    call->result = kas_script_of_int(x->rank);
    return NULL;
}

static kas_status call_len(kas_script_call *call)
{
    const kas_script_list *list;
    kas_onnx_value *x;
    if (call->arguments[0]->kind == KAS_SCRIPT_VALUE_TENSOR) {
        KAS_TRY(kas_script_tensor_at(call, 0, &x));
        if (x->rank == 0) return kas_refuse(KAS_REASON_MALFORMED, "of a tensor of rank 0");
        call->result = size_of_axis(x, 0);
        return NULL;
    }
    KAS_TRY(kas_script_list_at(call, 0, &list));
    call->result = kas_script_of_int((int64_t)list->count);
    return NULL;
}

static kas_status call_append(kas_script_call *call)
{
    if (call->arguments[0]->kind != KAS_SCRIPT_VALUE_LIST)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "to %s", kas_script_kind_name(call->arguments[0]->kind));
    KAS_TRY(kas_script_list_append(call->reader, call->arguments[0]->list, *call->arguments[1]));
    return kas_script_give_first(call);
}

/* ---- what is said to people ---------------------------------------------------------------------------- */

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

/* ---- what is computed in float32 on no device in particular -------------------------------------------- */

static kas_status call_dtype(kas_script_call *call)
{
    enum { SCALAR_TYPE_FLOAT = 6 };
    call->result = kas_script_of_int(SCALAR_TYPE_FLOAT);
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
    {"torch.FloatImplicit", call_float, "value", 0, false},
    {"torch.IntImplicit", call_int, "value", 0, false},
    {"torch.ScalarImplicit", call_same, "value", 0, false},
    {"torch.__is__", call_is, "self other", 1, false},
    {"torch.__isnot__", call_is, "self other", 0, false},
    {"torch.__not__", call_not, "self", 0, false},
    {"torch.append", call_append, "self item", 0, false},
    {"torch.dim", call_dim, "self", 0, false},
    {"torch.format", call_format, "self a? b? c? d? e? f? g?", 0, false},
    {"torch.len", call_len, "self", 0, false},
    {"torch.size", call_size, "self dim?", 0, false},
    {"torch.warn", call_warn, "message stacklevel?", 0, false},
    {NULL, NULL, NULL, 0, false},
};
