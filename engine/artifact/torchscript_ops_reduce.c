/* Reductions: over listed axes, or over all of them, the batch among them, which is refused. */
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

/* Axes of the second argument; all where it is left out or empty. */
static kas_status read_axes(const kas_script_call *call, int rank, bool *marked)
{
    int64_t axes[KAS_ONNX_MAX_RANK];
    size_t count;
    KAS_TRY(kas_script_ints_at(call, 1, KAS_ONNX_MAX_RANK, axes, &count));
    for (int i = 0; count == 0 && i < rank; ++i)
        marked[i] = true;
    for (size_t i = 0; i < count; ++i) {
        int axis;
        KAS_TRY(kas_onnx_axis(axes[i], rank, &axis));
        marked[axis] = true;
    }
    return NULL;
}

static kas_status drop_axes(kas_script_call *call, kas_onnx_value *x, const bool *marked,
                            kas_onnx_value **out)
{
    kas_onnx_value *shape;
    KAS_TRY(kas_onnx_value_new(call->lower, x, &shape));
    shape->rank = 0;
    for (int i = 0; i < x->rank; ++i) {
        if (marked[i]) continue;
        if (i == x->batch_axis) shape->batch_axis = shape->rank;
        shape->dims[shape->rank++] = x->dims[i];
    }
    return kas_onnx_reshape(call->lower, x, shape, out);
}

static kas_status reduce(kas_script_call *call, kas_onnx_value *x, const bool *marked, bool keep)
{
    kas_onnx_value *value;
    int tensor, axis;
    KAS_TRY(kas_onnx_tensor_index(call->lower, x, &tensor));
    KAS_TRY(kas_onnx_value_new(call->lower, x, &value));
    for (int i = 0; i < x->rank; ++i) {
        if (!marked[i]) continue;
        KAS_TRY(kas_onnx_row_axis(x, i, &axis));
        KAS_TRY(kas_onnx_emit_reduce(call->lower, (kas_reduce)call->op->variant, tensor, axis, &tensor));
        value->dims[i] = 1;
    }
    value->tensor = tensor;
    if (!keep) KAS_TRY(drop_axes(call, value, marked, &value));
    return kas_script_give(call, value);
}

static kas_status lower_reduce(kas_script_call *call)
{
    kas_onnx_value *x;
    bool marked[KAS_ONNX_MAX_RANK] = {false}, keep;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(read_axes(call, x->rank, marked));
    KAS_TRY(kas_script_bool_at(call, 2, false, &keep));
    KAS_TRY(kas_script_check_dtype(call, 3));
    return reduce(call, x, marked, keep);
}

/* Of all elements, or of two tensors; with an axis it would give positions too. */
static kas_status lower_extreme(kas_script_call *call)
{
    kas_onnx_value *x, *y, *value;
    bool marked[KAS_ONNX_MAX_RANK];
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    if (!kas_script_given(call, 1)) {
        memset(marked, true, sizeof marked);
        return reduce(call, x, marked, false);
    }
    KAS_TRY(kas_script_tensor_at(call, 1, &y));
    KAS_TRY(kas_script_binary(call, call->op->variant == KAS_REDUCE_MAX ? KAS_MAX : KAS_MIN, x, y, &value));
    return kas_script_give(call, value);
}

const kas_script_op kas_script_ops_reduce[] = {
    {"torch.amax", lower_reduce, "self dim? keepdim?", KAS_REDUCE_MAX, false},
    {"torch.amin", lower_reduce, "self dim? keepdim?", KAS_REDUCE_MIN, false},
    {"torch.max", lower_extreme, "self other?", KAS_REDUCE_MAX, false},
    {"torch.mean", lower_reduce, "self dim? keepdim? dtype?", KAS_REDUCE_MEAN, false},
    {"torch.min", lower_extreme, "self other?", KAS_REDUCE_MIN, false},
    {"torch.sum", lower_reduce, "self dim? keepdim? dtype?", KAS_REDUCE_SUM, false},
    {NULL, NULL, NULL, 0, false},
};
