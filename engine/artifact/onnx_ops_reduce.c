/* Reductions along axes: an attribute in older opsets (ReduceSum before 13, others before 18), an input in
 * newer. */
#include <string.h>

#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

typedef enum reduction {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_PROD,
    REDUCE_L1,
    REDUCE_L2,
    REDUCE_SUM_SQUARE,
    REDUCE_LOG_SUM,
    REDUCE_LOG_SUM_EXP,
} reduction;

/* What is done to each element, which reduction follows, and what is done to its result. */
typedef struct recipe {
    kas_act before;
    kas_reduce reduce;
    kas_act after;
} recipe;

static const recipe recipes[] = {
    [REDUCE_SUM] = {KAS_ACT_NONE, KAS_REDUCE_SUM, KAS_ACT_NONE},
    [REDUCE_MEAN] = {KAS_ACT_NONE, KAS_REDUCE_MEAN, KAS_ACT_NONE},
    [REDUCE_MAX] = {KAS_ACT_NONE, KAS_REDUCE_MAX, KAS_ACT_NONE},
    [REDUCE_MIN] = {KAS_ACT_NONE, KAS_REDUCE_MIN, KAS_ACT_NONE},
    [REDUCE_PROD] = {KAS_ACT_NONE, KAS_REDUCE_PROD, KAS_ACT_NONE},
    [REDUCE_L1] = {KAS_ACT_ABS, KAS_REDUCE_SUM, KAS_ACT_NONE},
    [REDUCE_L2] = {KAS_ACT_SQUARE, KAS_REDUCE_SUM, KAS_ACT_SQRT},
    [REDUCE_SUM_SQUARE] = {KAS_ACT_SQUARE, KAS_REDUCE_SUM, KAS_ACT_NONE},
    [REDUCE_LOG_SUM] = {KAS_ACT_NONE, KAS_REDUCE_SUM, KAS_ACT_LOG},
    [REDUCE_LOG_SUM_EXP] = {KAS_ACT_EXP, KAS_REDUCE_SUM, KAS_ACT_LOG},
};

/* Marks the axes to be reduced: all of them where none are listed. */
static kas_status read_axes(kas_onnx_call *call, int rank, bool *marked, bool *nothing)
{
    int64_t axes[KAS_ONNX_MAX_LIST], keep_if_empty;
    size_t count;
    bool given;
    KAS_TRY(kas_onnx_list(call, "axes", 1, axes, &count, &given));
    KAS_TRY(kas_onnx_attribute_int(call, "noop_with_empty_axes", 0, &keep_if_empty));
    *nothing = (!given || count == 0) && keep_if_empty;
    if (!given || count == 0) {
        for (int i = 0; i < rank; ++i)
            marked[i] = true;
        return NULL;
    }
    for (size_t i = 0; i < count; ++i) {
        int axis;
        KAS_TRY(kas_reader_axis(axes[i], rank, &axis));
        marked[axis] = true;
    }
    return NULL;
}

static kas_status emit_act(kas_reader *reader, kas_act act, int x, int *out)
{
    *out = x;
    return act == KAS_ACT_NONE ? NULL : kas_reader_emit_unary(reader, act, 0, 0, x, out);
}

static kas_status reduce_axes(kas_reader *reader, const kas_reader_value *x, const bool *marked,
                              kas_reduce kind, int tensor, int *out)
{
    for (int i = 0; i < x->rank; ++i) {
        int axis;
        if (!marked[i]) continue;
        KAS_TRY(kas_reader_row_axis(x, i, &axis));
        KAS_TRY(kas_reader_emit_reduce(reader, kind, tensor, axis, &tensor));
    }
    *out = tensor;
    return NULL;
}

/* max + ln Σ exp(x − max), so that large elements do not overflow. */
static kas_status log_sum_exp(kas_reader *reader, const kas_reader_value *x, const bool *marked, int tensor,
                              int *out)
{
    int greatest, rest;
    KAS_TRY(reduce_axes(reader, x, marked, KAS_REDUCE_MAX, tensor, &greatest));
    KAS_TRY(kas_reader_emit_binary(reader, KAS_SUB, tensor, greatest, &rest));
    KAS_TRY(emit_act(reader, KAS_ACT_EXP, rest, &rest));
    KAS_TRY(reduce_axes(reader, x, marked, KAS_REDUCE_SUM, rest, &rest));
    KAS_TRY(emit_act(reader, KAS_ACT_LOG, rest, &rest));
    return kas_reader_emit_binary(reader, KAS_ADD, greatest, rest, out);
}

static void reduced_shape(const kas_reader_value *x, const bool *marked, bool keep, kas_reader_value *out)
{
    out->rank = 0;
    out->batch_axis = -1;
    for (int i = 0; i < x->rank; ++i) {
        if (marked[i] && !keep) continue;
        if (i == x->batch_axis) out->batch_axis = out->rank;
        out->dims[out->rank++] = marked[i] ? 1 : x->dims[i];
    }
}

static kas_status lower_reduce(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    const recipe *how = &recipes[call->op->variant];
    kas_reader_value *x = call->inputs[0], *value;
    bool marked[KAS_READER_MAX_RANK] = {false}, nothing;
    int64_t keep;
    int tensor;
    KAS_TRY(kas_onnx_attribute_int(call, "keepdims", 1, &keep));
    KAS_TRY(read_axes(call, x->rank, marked, &nothing));
    if (nothing) memset(marked, 0, sizeof marked);
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    if (call->op->variant == REDUCE_LOG_SUM_EXP) {
        KAS_TRY(log_sum_exp(reader, x, marked, tensor, &tensor));
    } else {
        KAS_TRY(emit_act(reader, how->before, tensor, &tensor));
        KAS_TRY(reduce_axes(reader, x, marked, how->reduce, tensor, &tensor));
        KAS_TRY(emit_act(reader, how->after, tensor, &tensor));
    }
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    reduced_shape(x, marked, keep != 0, value);
    KAS_TRY(kas_reader_settle(reader, tensor, value));
    return kas_onnx_output(call, 0, value);
}

#define ATTRIBUTES "axes keepdims noop_with_empty_axes"

const kas_onnx_op kas_onnx_ops_reduce[] = {
    {"ReduceL1", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_L1},
    {"ReduceL2", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_L2},
    {"ReduceLogSum", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_LOG_SUM},
    {"ReduceLogSumExp", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_LOG_SUM_EXP},
    {"ReduceMax", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_MAX},
    {"ReduceMean", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_MEAN},
    {"ReduceMin", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_MIN},
    {"ReduceProd", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_PROD},
    {"ReduceSum", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_SUM},
    {"ReduceSumSquare", lower_reduce, ATTRIBUTES, 1, 2, REDUCE_SUM_SQUARE},
    {NULL, NULL, NULL, 0, 0, 0},
};
