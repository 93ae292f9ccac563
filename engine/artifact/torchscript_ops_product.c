/* Products of matrices. With constant weights they become LINEAR, with two activations MATMUL. */
#include <math.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

static const int swap[2] = {1, 0};

static bool is_constant(const kas_script_call *call, int tensor)
{
    return call->lower->graph->tensors[tensor].constant != NULL;
}

/* ---- linear -------------------------------------------------------------------------------------------- */

static kas_status check_linear(const kas_onnx_value *x, const kas_onnx_value *weight,
                               const kas_onnx_value *bias)
{
    char a[KAS_ONNX_SHAPE_TEXT], b[KAS_ONNX_SHAPE_TEXT];
    if (x->rank < 1 || weight->rank != 2 || weight->batch_axis >= 0)
        return kas_refuse(KAS_REASON_SHAPE, "the weight has the shape %s for an input of %s",
                          kas_onnx_shape_text(weight, a), kas_onnx_shape_text(x, b));
    if (x->batch_axis == x->rank - 1)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "the product of %s sums over the batch",
                          kas_onnx_shape_text(x, a));
    if (x->dims[x->rank - 1] != weight->dims[1])
        return kas_refuse(KAS_REASON_SHAPE, "the input's shape %s does not fit the weight's %s",
                          kas_onnx_shape_text(x, a), kas_onnx_shape_text(weight, b));
    if (bias && (bias->rank != 1 || bias->batch_axis >= 0 || bias->dims[0] != weight->dims[0]))
        return kas_refuse(KAS_REASON_SHAPE, "the bias has the shape %s for %lld outputs",
                          kas_onnx_shape_text(bias, a), (long long)weight->dims[0]);
    return NULL;
}

/* Constants by constants are computed at once. */
static kas_status spend_on_product(const kas_script_call *call, int x, int weight, int64_t outputs)
{
    if (!is_constant(call, x) || !is_constant(call, weight)) return NULL;
    return kas_script_spend(call->reader, call->lower->graph->tensors[x].elements * (size_t)outputs /
                                              KAS_SCRIPT_CONSTANTS_A_STEP);
}

static kas_status emit_linear(kas_script_call *call, kas_onnx_value *x, kas_onnx_value *weight,
                              kas_onnx_value *bias, kas_onnx_value *out)
{
    kas_node node = {.op = KAS_OP_LINEAR, .input_count = bias ? 3 : 2};
    kas_shape shape;
    KAS_TRY(kas_onnx_tensor_index(call->lower, x, &node.inputs[0]));
    KAS_TRY(kas_onnx_tensor_index(call->lower, weight, &node.inputs[1]));
    if (bias) KAS_TRY(kas_onnx_tensor_index(call->lower, bias, &node.inputs[2]));
    KAS_TRY(spend_on_product(call, node.inputs[0], node.inputs[1], weight->dims[0]));
    KAS_TRY(kas_onnx_row_shape(out, &shape));
    return kas_onnx_emit(call->lower, &node, &shape, &out->tensor);
}

kas_status kas_script_linear(kas_script_call *call, kas_onnx_value *x, kas_onnx_value *weight,
                             kas_onnx_value *bias, kas_onnx_value **out)
{
    int w, b = -1;
    kas_onnx_value *turned;
    if (x->rank > 0 && weight->rank == 2)
        KAS_TRY(kas_script_show_width(call->reader, x, x->rank - 1, weight->dims[1]));
    KAS_TRY(check_linear(x, weight, bias));
    KAS_TRY(kas_onnx_tensor_index(call->lower, weight, &w));
    if (bias) KAS_TRY(kas_onnx_tensor_index(call->lower, bias, &b));
    if (is_constant(call, w) && (!bias || is_constant(call, b)) && x->rank > 1) {
        KAS_TRY(kas_onnx_value_new(call->lower, x, out));
        (*out)->dims[x->rank - 1] = weight->dims[0];
        return emit_linear(call, x, weight, bias, *out);
    }
    KAS_TRY(kas_onnx_transpose(call->lower, weight, swap, &turned));
    KAS_TRY(kas_onnx_matmul(call->lower, x, turned, out));
    return bias ? kas_onnx_binary(call->lower, KAS_ADD, *out, bias, out) : NULL;
}

static kas_status lower_linear(kas_script_call *call)
{
    kas_onnx_value *x, *weight, *bias, *value;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_tensor_at(call, 1, &weight));
    KAS_TRY(kas_script_optional_tensor(call, 2, &bias));
    KAS_TRY(kas_script_linear(call, x, weight, bias, &value));
    return kas_script_give(call, value);
}

/* ---- matmul -------------------------------------------------------------------------------------------- */

/* The inner dimensions tell the width; the rank of the first says which axis of the second is summed over. */
static kas_status multiply(kas_script_call *call, kas_onnx_value *a, kas_onnx_value *b, kas_onnx_value **out)
{
    int x, y;
    if (a->rank > 0 && b->rank > 0) {
        KAS_TRY(kas_script_show_width(call->reader, a, a->rank - 1, b->dims[b->rank > 1 ? b->rank - 2 : 0]));
        KAS_TRY(kas_onnx_tensor_index(call->lower, a, &x));
        KAS_TRY(kas_onnx_tensor_index(call->lower, b, &y));
        KAS_TRY(spend_on_product(call, x, y, b->dims[b->rank - 1]));
    }
    return kas_onnx_matmul(call->lower, a, b, out);
}

static kas_status lower_matmul(kas_script_call *call)
{
    kas_onnx_value *a, *b, *value;
    KAS_TRY(kas_script_tensor_at(call, 0, &a));
    KAS_TRY(kas_script_tensor_at(call, 1, &b));
    if (call->op->variant && (a->rank != call->op->variant || b->rank != call->op->variant))
        return kas_refuse(KAS_REASON_SHAPE, "factors of rank %d and %d, not %d", a->rank, b->rank,
                          call->op->variant);
    KAS_TRY(multiply(call, a, b, &value));
    return kas_script_give(call, value);
}

static kas_status scale(kas_script_call *call, int index, kas_onnx_value *x, kas_onnx_value **out)
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
    kas_onnx_value *x, *a, *b, *value;
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

/* ---- attention ----------------------------------------------------------------------------------------- */

/* softmax(q·kᵀ·scale)·v over the last two axes. */
static kas_status attend(kas_script_call *call, kas_onnx_value *q, kas_onnx_value *k, kas_onnx_value *v,
                         double factor, kas_onnx_value **out)
{
    int order[KAS_ONNX_MAX_RANK], axis;
    kas_onnx_value *keys, *scores;
    for (int i = 0; i < k->rank; ++i)
        order[i] = i;
    order[k->rank - 1] = k->rank - 2;
    order[k->rank - 2] = k->rank - 1;
    KAS_TRY(kas_script_unary(call, KAS_ACT_AFFINE, factor, 0, q, &q));
    KAS_TRY(kas_onnx_transpose(call->lower, k, order, &keys));
    KAS_TRY(multiply(call, q, keys, &scores));
    KAS_TRY(kas_onnx_row_axis(scores, scores->rank - 1, &axis));
    KAS_TRY(kas_onnx_emit_softmax(call->lower, scores->tensor, axis, &scores->tensor));
    return multiply(call, scores, v, out);
}

static kas_status lower_attention(kas_script_call *call)
{
    kas_onnx_value *factors[3], *value;
    double dropout, factor;
    bool causal, grouped;
    for (int i = 0; i < 3; ++i) {
        KAS_TRY(kas_script_tensor_at(call, i, &factors[i]));
        if (factors[i]->rank < 2)
            return kas_refuse(KAS_REASON_SHAPE, "a factor of rank %d, which has no positions",
                              factors[i]->rank);
    }
    KAS_TRY(kas_script_float_at(call, 4, 0, &dropout));
    KAS_TRY(kas_script_bool_at(call, 5, false, &causal));
    KAS_TRY(kas_script_bool_at(call, 7, false, &grouped));
    if (kas_script_given(call, 3) || dropout != 0 || causal || grouped)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "with a mask, dropout, is_causal or enable_gqa");
    const double head = (double)factors[0]->dims[factors[0]->rank - 1];
    KAS_TRY(kas_script_float_at(call, 6, 1 / sqrt(head), &factor));
    if (!isfinite(factor)) return kas_refuse(KAS_REASON_NOT_FINITE, "the scale is not finite");
    KAS_TRY(attend(call, factors[0], factors[1], factors[2], factor, &value));
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
