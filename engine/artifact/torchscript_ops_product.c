/* Products of matrices. With constant weights they become LINEAR, with two activations MATMUL. */
#include <math.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

static const int swap[2] = {1, 0};

static bool is_constant(const kas_script_call *call, int tensor)
{
    return call->lower->graph->tensors[tensor].constant != NULL;
}

/* ---- linear ---- */

static kas_status check_linear(const kas_reader_value *x, const kas_reader_value *weight,
                               const kas_reader_value *bias)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    if (x->rank < 1 || weight->rank != 2 || weight->batch_axis >= 0)
        return kas_refuse(KAS_REASON_SHAPE, "the weight has the shape %s for an input of %s",
                          kas_reader_shape_text(weight, a), kas_reader_shape_text(x, b));
    if (x->batch_axis == x->rank - 1)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "the product of %s sums over the batch",
                          kas_reader_shape_text(x, a));
    if (x->dims[x->rank - 1] != weight->dims[1])
        return kas_refuse(KAS_REASON_SHAPE, "the input's shape %s does not fit the weight's %s",
                          kas_reader_shape_text(x, a), kas_reader_shape_text(weight, b));
    if (bias && (bias->rank != 1 || bias->batch_axis >= 0 || bias->dims[0] != weight->dims[0]))
        return kas_refuse(KAS_REASON_SHAPE, "the bias has the shape %s for %lld outputs",
                          kas_reader_shape_text(bias, a), (long long)weight->dims[0]);
    return NULL;
}

static kas_status emit_linear(kas_script_call *call, kas_reader_value *x, kas_reader_value *weight,
                              kas_reader_value *bias, kas_reader_value *out)
{
    kas_node node = {.op = KAS_OP_LINEAR, .input_count = bias ? 3 : 2};
    kas_shape shape;
    KAS_TRY(kas_reader_tensor_index(call->lower, x, &node.inputs[0]));
    KAS_TRY(kas_reader_tensor_index(call->lower, weight, &node.inputs[1]));
    if (bias) KAS_TRY(kas_reader_tensor_index(call->lower, bias, &node.inputs[2]));
    KAS_TRY(kas_reader_row_shape(out, &shape));
    return kas_reader_emit(call->lower, &node, &shape, &out->tensor);
}

kas_status kas_script_linear(kas_script_call *call, kas_reader_value *x, kas_reader_value *weight,
                             kas_reader_value *bias, kas_reader_value **out)
{
    int w, b = -1;
    kas_reader_value *turned;
    if (x->rank > 0 && weight->rank == 2)
        KAS_TRY(kas_script_show_width(call->reader, x, x->rank - 1, weight->dims[1]));
    KAS_TRY(check_linear(x, weight, bias));
    KAS_TRY(kas_reader_tensor_index(call->lower, weight, &w));
    if (bias) KAS_TRY(kas_reader_tensor_index(call->lower, bias, &b));
    if (is_constant(call, w) && (!bias || is_constant(call, b)) && x->rank > 1) {
        KAS_TRY(kas_reader_value_new(call->lower, x, out));
        (*out)->dims[x->rank - 1] = weight->dims[0];
        return emit_linear(call, x, weight, bias, *out);
    }
    KAS_TRY(kas_reader_transpose(call->lower, weight, swap, &turned));
    KAS_TRY(kas_reader_matmul(call->lower, x, turned, out));
    return bias ? kas_reader_binary(call->lower, KAS_ADD, *out, bias, out) : NULL;
}

static kas_status lower_linear(kas_script_call *call)
{
    kas_reader_value *x, *weight, *bias, *value;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_tensor_at(call, 1, &weight));
    KAS_TRY(kas_script_optional_tensor(call, 2, &bias));
    KAS_TRY(kas_script_linear(call, x, weight, bias, &value));
    return kas_script_give(call, value);
}

/* ---- matmul ---- */

/* The inner dimensions tell the width; the rank of the second says which of its axes is summed over. */
static kas_status multiply(kas_script_call *call, kas_reader_value *a, kas_reader_value *b,
                           kas_reader_value **out)
{
    if (a->rank > 0 && b->rank > 0)
        KAS_TRY(kas_script_show_width(call->reader, a, a->rank - 1, b->dims[b->rank > 1 ? b->rank - 2 : 0]));
    return kas_reader_matmul(call->lower, a, b, out);
}

static kas_status lower_matmul(kas_script_call *call)
{
    kas_reader_value *a, *b, *value;
    KAS_TRY(kas_script_tensor_at(call, 0, &a));
    KAS_TRY(kas_script_tensor_at(call, 1, &b));
    if (call->op->variant && (a->rank != call->op->variant || b->rank != call->op->variant))
        return kas_refuse(KAS_REASON_SHAPE, "factors of rank %d and %d, not %d", a->rank, b->rank,
                          call->op->variant);
    KAS_TRY(multiply(call, a, b, &value));
    return kas_script_give(call, value);
}

static kas_status scale(kas_script_call *call, int index, kas_reader_value *x, kas_reader_value **out)
{
    double by;
    *out = x;
    KAS_TRY(kas_script_float_at(call, index, 1, &by));
    if (!isfinite(by)) return kas_refuse(KAS_REASON_NOT_FINITE, "a factor is not finite");
    return by == 1 ? NULL : kas_script_unary(call, KAS_ACT_AFFINE, by, 0, x, out);
}

/* beta·x + alpha·(a·b) */
static kas_status lower_addmm(kas_script_call *call)
{
    kas_reader_value *x, *a, *b, *value;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_tensor_at(call, 1, &a));
    KAS_TRY(kas_script_tensor_at(call, 2, &b));
    if (a->rank != 2 || b->rank != 2)
        return kas_refuse(KAS_REASON_SHAPE, "factors of rank %d and %d, not 2", a->rank, b->rank);
    KAS_TRY(scale(call, 3, x, &x));
    KAS_TRY(multiply(call, a, b, &value));
    KAS_TRY(scale(call, 4, value, &value));
    KAS_TRY(kas_script_binary(call, KAS_ADD, value, x, &value));
    return kas_script_give(call, value);
}

/* ---- attention ---- */

typedef struct attention {
    kas_reader_value *q, *k, *v;
    kas_reader_value *mask; /* what is added to the scores; NULL: nothing */
    bool causal;
    double scale;
} attention;

/* What is added to a score that must not count: exp of it is 0 beside any other. */
#define MASKED (-1e30f)

/* 0 on and below the diagonal, MASKED above: every position has one that counts. */
static kas_status causal_mask(kas_script_call *call, int64_t positions, int64_t keys, kas_reader_value **out)
{
    const kas_shape shape = {.rank = 2, .dims = {positions, keys}};
    size_t elements;
    float *values;
    if (!kas_shape_elements(&shape, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "the causal mask is too large");
    KAS_TRY(kas_reader_value_new(call->lower, NULL, out));
    (*out)->rank = 2;
    (*out)->dims[0] = positions;
    (*out)->dims[1] = keys;
    KAS_TRY(kas_reader_emit_constant_room(call->lower, elements, &values));
    for (int64_t i = 0; i < positions; ++i)
        for (int64_t k = 0; k < keys; ++k)
            values[i * keys + k] = k > i ? MASKED : 0;
    return kas_reader_emit_constant(call->lower, NULL, &shape, values, &(*out)->tensor);
}

/* q·kᵀ·scale + mask, over the last two axes. */
static kas_status score(kas_script_call *call, const attention *all, kas_reader_value **out)
{
    const int rank = all->k->rank;
    int order[KAS_READER_MAX_RANK];
    kas_reader_value *q, *keys, *mask;
    for (int i = 0; i < rank; ++i)
        order[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    KAS_TRY(kas_script_unary(call, KAS_ACT_AFFINE, all->scale, 0, all->q, &q));
    KAS_TRY(kas_reader_transpose(call->lower, all->k, order, &keys));
    KAS_TRY(multiply(call, q, keys, out));
    if (all->mask) KAS_TRY(kas_script_binary(call, KAS_ADD, *out, all->mask, out));
    if (!all->causal) return NULL;
    KAS_TRY(causal_mask(call, (*out)->dims[(*out)->rank - 2], (*out)->dims[(*out)->rank - 1], &mask));
    return kas_script_binary(call, KAS_ADD, *out, mask, out);
}

static kas_status attend(kas_script_call *call, const attention *all, kas_reader_value **out)
{
    kas_reader_value *scores;
    int axis;
    KAS_TRY(score(call, all, &scores));
    KAS_TRY(kas_reader_row_axis(scores, scores->rank - 1, &axis));
    KAS_TRY(kas_reader_emit_softmax(call->lower, scores->tensor, axis, &scores->tensor));
    return multiply(call, scores, all->v, out);
}

static kas_status read_attention(kas_script_call *call, attention *out)
{
    kas_reader_value **const factors[3] = {&out->q, &out->k, &out->v};
    double dropout;
    bool grouped;
    for (int i = 0; i < 3; ++i) {
        KAS_TRY(kas_script_tensor_at(call, i, factors[i]));
        if ((*factors[i])->rank < 2)
            return kas_refuse(KAS_REASON_SHAPE, "a factor of rank %d, which has no positions",
                              (*factors[i])->rank);
    }
    KAS_TRY(kas_script_optional_tensor(call, 3, &out->mask));
    KAS_TRY(kas_script_float_at(call, 4, 0, &dropout));
    KAS_TRY(kas_script_bool_at(call, 5, false, &out->causal));
    KAS_TRY(kas_script_float_at(call, 6, 1 / sqrt((double)out->q->dims[out->q->rank - 1]), &out->scale));
    KAS_TRY(kas_script_bool_at(call, 7, false, &grouped));
    if (dropout != 0 || grouped) return kas_refuse(KAS_REASON_UNSUPPORTED, "with dropout or enable_gqa");
    if (out->mask && !kas_onnx_type_is_float(out->mask->type))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "with a mask of booleans; one that is added is supported");
    return isfinite(out->scale) ? NULL : kas_refuse(KAS_REASON_NOT_FINITE, "the scale is not finite");
}

static kas_status lower_attention(kas_script_call *call)
{
    attention all;
    kas_reader_value *value;
    KAS_TRY(read_attention(call, &all));
    KAS_TRY(attend(call, &all, &value));
    return kas_script_give(call, value);
}

const kas_script_op kas_script_ops_product[] = {
    {"torch.addmm", lower_addmm, "self mat1 mat2 beta? alpha?", 0, false},
    {"torch.bmm", lower_matmul, "self mat2", 3, false},
    {"torch.linear", lower_linear, "input weight bias?", 0, false},
    {"torch.matmul", lower_matmul, "self other", 0, false},
    {"torch.mm", lower_matmul, "self mat2", 2, false},
    {"torch.scaled_dot_product_attention", lower_attention,
     "query key value attn_mask? dropout_p? is_causal? scale? enable_gqa?", 0, false},
    {NULL, NULL, NULL, 0, false},
};
