/* Reductions: over listed axes, or over all of them, the batch among them, which is refused. */
#include <math.h>
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

/* Axes of an argument; all where it is left out or empty. */
static kas_status read_axes(const kas_script_call *call, int index, int rank, bool *marked)
{
    int64_t axes[KAS_READER_MAX_RANK];
    size_t count;
    KAS_TRY(kas_script_ints_at(call, index, KAS_READER_MAX_RANK, axes, &count));
    for (int i = 0; count == 0 && i < rank; ++i)
        marked[i] = true;
    for (size_t i = 0; i < count; ++i) {
        int axis;
        KAS_TRY(kas_reader_axis(axes[i], rank, &axis));
        marked[axis] = true;
    }
    return NULL;
}

static kas_status drop_axes(kas_script_call *call, kas_reader_value *x, const bool *marked,
                            kas_reader_value **out)
{
    kas_reader_value *shape;
    KAS_TRY(kas_reader_value_new(call->lower, x, &shape));
    shape->rank = 0;
    for (int i = 0; i < x->rank; ++i) {
        if (marked[i]) continue;
        if (i == x->batch_axis) shape->batch_axis = shape->rank;
        shape->dims[shape->rank++] = x->dims[i];
    }
    return kas_reader_reshape(call->lower, x, shape, out);
}

/* Of the marked axes, each of which is left with one element. */
static kas_status reduce(kas_script_call *call, kas_reader_value *x, const bool *marked, kas_reduce kind,
                         kas_reader_value **out)
{
    int tensor, axis;
    KAS_TRY(kas_reader_tensor_index(call->lower, x, &tensor));
    KAS_TRY(kas_reader_value_new(call->lower, x, out));
    for (int i = 0; i < x->rank; ++i) {
        if (!marked[i]) continue;
        KAS_TRY(kas_reader_row_axis(x, i, &axis));
        KAS_TRY(kas_reader_emit_reduce(call->lower, kind, tensor, axis, &tensor));
        (*out)->dims[i] = 1;
    }
    (*out)->tensor = tensor;
    return NULL;
}

static kas_status give_reduced(kas_script_call *call, kas_reader_value *value, const bool *marked, bool keep)
{
    if (!keep) KAS_TRY(drop_axes(call, value, marked, &value));
    return kas_script_give(call, value);
}

static kas_status lower_reduce(kas_script_call *call)
{
    kas_reader_value *x, *value;
    bool marked[KAS_READER_MAX_RANK] = {false}, keep;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(read_axes(call, 1, x->rank, marked));
    KAS_TRY(kas_script_bool_at(call, 2, false, &keep));
    KAS_TRY(kas_script_check_dtype(call, 3));
    KAS_TRY(reduce(call, x, marked, (kas_reduce)call->op->variant, &value));
    return give_reduced(call, value, marked, keep);
}

/* ---- max and min ---- */

/* With an axis: the values, and where they are, which is not known here. */
static kas_status give_values_and_positions(kas_script_call *call, kas_reader_value *x)
{
    kas_reader_value *value;
    kas_script_value pair;
    bool marked[KAS_READER_MAX_RANK] = {false}, keep;
    KAS_TRY(read_axes(call, 1, x->rank, marked));
    KAS_TRY(kas_script_bool_at(call, 2, false, &keep));
    KAS_TRY(reduce(call, x, marked, (kas_reduce)call->op->variant, &value));
    KAS_TRY(give_reduced(call, value, marked, keep));
    KAS_TRY(kas_script_list_new(call->reader, KAS_SCRIPT_VALUE_TUPLE, 2, &pair));
    KAS_TRY(kas_script_list_append(call->reader, pair.list, call->result));
    KAS_TRY(kas_script_list_append(call->reader, pair.list,
                                   (kas_script_value){.kind = KAS_SCRIPT_VALUE_UNINITIALIZED}));
    call->result = pair;
    return NULL;
}

/* Of all elements, along an axis, or of two tensors. */
static kas_status lower_extreme(kas_script_call *call)
{
    kas_reader_value *x, *y, *value;
    bool marked[KAS_READER_MAX_RANK];
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    if (!kas_script_given(call, 1)) {
        memset(marked, true, sizeof marked);
        KAS_TRY(reduce(call, x, marked, (kas_reduce)call->op->variant, &value));
        return give_reduced(call, value, marked, false);
    }
    if (call->arguments[1]->kind == KAS_SCRIPT_VALUE_INT) return give_values_and_positions(call, x);
    KAS_TRY(kas_script_tensor_at(call, 1, &y));
    KAS_TRY(kas_script_binary(call, call->op->variant == KAS_REDUCE_MAX ? KAS_MAX : KAS_MIN, x, y, &value));
    return kas_script_give(call, value);
}

/* ---- composed ---- */

/* The 1-, 2- or infinity norm; its order is the second argument, then come axes, keepdim and dtype. */
static kas_status lower_norm(kas_script_call *call)
{
    kas_reader_value *x, *value;
    double order;
    bool marked[KAS_READER_MAX_RANK] = {false}, keep;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_float_at(call, 1, 2, &order));
    KAS_TRY(read_axes(call, 2, x->rank, marked));
    KAS_TRY(kas_script_bool_at(call, 3, false, &keep));
    KAS_TRY(kas_script_check_dtype(call, 4));
    if (order != 1 && order != 2 && order != (double)INFINITY)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "of order %g; 1, 2 and infinity are supported", order);
    KAS_TRY(kas_script_unary(call, order == 2 ? KAS_ACT_SQUARE : KAS_ACT_ABS, 0, 0, x, &x));
    KAS_TRY(reduce(call, x, marked, isinf(order) ? KAS_REDUCE_MAX : KAS_REDUCE_SUM, &value));
    if (order == 2) KAS_TRY(kas_script_unary(call, KAS_ACT_SQRT, 0, 0, value, &value));
    return give_reduced(call, value, marked, keep);
}

/* Divided by the elements less `correction`: an int, or a bool that says if it is 1. */
static kas_status read_correction(const kas_script_call *call, double *out)
{
    const kas_script_value *correction = kas_script_given(call, 2) ? call->arguments[2] : NULL;
    *out = 1;
    if (!correction || kas_script_number(correction, out)) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the correction is %s", kas_script_kind_name(correction->kind));
}

static kas_status lower_variance(kas_script_call *call)
{
    kas_reader_value *x, *mean, *value;
    double correction, elements = 1;
    bool marked[KAS_READER_MAX_RANK] = {false}, keep;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(read_axes(call, 1, x->rank, marked));
    KAS_TRY(read_correction(call, &correction));
    KAS_TRY(kas_script_bool_at(call, 3, false, &keep));
    KAS_TRY(reduce(call, x, marked, KAS_REDUCE_MEAN, &mean));
    for (int i = 0; i < x->rank; ++i)
        if (marked[i]) elements *= (double)x->dims[i];
    if (!(correction >= 0 && correction < elements))
        return kas_refuse(KAS_REASON_SHAPE, "of %g elements with a correction of %g", elements, correction);
    KAS_TRY(kas_script_binary(call, KAS_SUB, x, mean, &value));
    KAS_TRY(kas_script_unary(call, KAS_ACT_SQUARE, 0, 0, value, &value));
    KAS_TRY(reduce(call, value, marked, KAS_REDUCE_MEAN, &value));
    KAS_TRY(kas_script_unary(call, KAS_ACT_AFFINE, elements / (elements - correction), 0, value, &value));
    if (call->op->variant) KAS_TRY(kas_script_unary(call, KAS_ACT_SQRT, 0, 0, value, &value));
    return give_reduced(call, value, marked, keep);
}

/* max + ln Σ exp(x − max) */
static kas_status lower_log_sum_exp(kas_script_call *call)
{
    kas_reader_value *x, *greatest, *value;
    bool marked[KAS_READER_MAX_RANK] = {false}, keep;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(read_axes(call, 1, x->rank, marked));
    KAS_TRY(kas_script_bool_at(call, 2, false, &keep));
    KAS_TRY(reduce(call, x, marked, KAS_REDUCE_MAX, &greatest));
    KAS_TRY(kas_script_binary(call, KAS_SUB, x, greatest, &value));
    KAS_TRY(kas_script_unary(call, KAS_ACT_EXP, 0, 0, value, &value));
    KAS_TRY(reduce(call, value, marked, KAS_REDUCE_SUM, &value));
    KAS_TRY(kas_script_unary(call, KAS_ACT_LOG, 0, 0, value, &value));
    KAS_TRY(kas_script_binary(call, KAS_ADD, value, greatest, &value));
    return give_reduced(call, value, marked, keep);
}

const kas_script_op kas_script_ops_reduce[] = {
    {"torch.amax", lower_reduce, "self dim? keepdim?", KAS_REDUCE_MAX, false},
    {"torch.amin", lower_reduce, "self dim? keepdim?", KAS_REDUCE_MIN, false},
    {"torch.linalg_vector_norm", lower_norm, "self ord? dim? keepdim? dtype?", 0, false},
    {"torch.logsumexp", lower_log_sum_exp, "self dim keepdim?", 0, false},
    {"torch.max", lower_extreme, "self other? keepdim?", KAS_REDUCE_MAX, false},
    {"torch.mean", lower_reduce, "self dim? keepdim? dtype?", KAS_REDUCE_MEAN, false},
    {"torch.min", lower_extreme, "self other? keepdim?", KAS_REDUCE_MIN, false},
    {"torch.norm", lower_norm, "self p? dim? keepdim? dtype?", 0, false},
    {"torch.std", lower_variance, "self dim? correction? keepdim?", 1, false},
    {"torch.sum", lower_reduce, "self dim? keepdim? dtype?", KAS_REDUCE_SUM, false},
    {"torch.var", lower_variance, "self dim? correction? keepdim?", 0, false},
    {NULL, NULL, NULL, 0, false},
};
