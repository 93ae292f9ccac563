/* Products in the form that devices are fastest at: a constant right side as weight, padding as the
 * convolution's own, the activation that follows in the epilogue. */
#include "base/alloc.h"
#include "engine/graph/rules.h"
#include "engine/graph/shape.h"

/* a[…, m, k] · b[k, n] with constant b: each line of a is a row of a linear layer with weight bᵀ. */
kas_status kas_fold_matmul(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_MATMUL || !kas_rewrite_has_room(rewrite, 1)) return NULL;
    const kas_tensor *b = kas_rewrite_tensor(rewrite, node->inputs[1]);
    size_t k = (size_t)b->shape.dims[b->shape.rank - 2], n = (size_t)b->shape.dims[b->shape.rank - 1];
    if (!b->constant || b->elements != k * n) return NULL;
    if (kas_rewrite_tensor(rewrite, node->inputs[0])->shape.rank < b->shape.rank) return NULL;
    if (!kas_rewrite_spend_on(rewrite, node->inputs[1])) return NULL;
    float *transposed = kas_alloc_array(b->elements, sizeof *transposed);
    if (!transposed) return kas_out_of_memory();
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j < k; ++j)
            transposed[i * k + j] = b->constant[j * n + i];
    kas_shape shape = {.rank = 2, .dims = {(int64_t)n, (int64_t)k}};
    kas_node linear = {.op = KAS_OP_LINEAR, .inputs = {node->inputs[0]}, .input_count = 2};
    KAS_TRY(kas_graph_add_constant(rewrite->graph, b->name, &shape, transposed, &linear.inputs[1]));
    kas_rewrite_replace(rewrite, index, &linear);
    return NULL;
}

kas_status kas_fold_padding(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_CONV) return NULL;
    const kas_node *pad = kas_rewrite_producer(rewrite, node->inputs[0], KAS_OP_PAD);
    if (!pad || pad->value != 0) return NULL;
    const kas_shape *x = &kas_rewrite_tensor(rewrite, pad->inputs[0])->shape;
    const kas_shape *padded = &kas_rewrite_tensor(rewrite, pad->output)->shape;
    if (x->dims[0] != padded->dims[0]) return NULL;
    kas_node conv = *node;
    conv.inputs[0] = pad->inputs[0];
    for (int d = 0; d < conv.window.spatial; ++d) {
        conv.window.before[d] += pad->before[1 + d];
        conv.window.after[d] += padded->dims[1 + d] - x->dims[1 + d] - pad->before[1 + d];
        if (conv.window.before[d] > (int64_t)KAS_GRAPH_MAX_ELEMENTS ||
            conv.window.after[d] > (int64_t)KAS_GRAPH_MAX_ELEMENTS)
            return NULL;
    }
    kas_rewrite_replace(rewrite, index, &conv);
    return NULL;
}

kas_status kas_fold_activation(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_UNARY || rewrite->reads[node->inputs[0]] != 1) return NULL;
    int before = rewrite->producer[node->inputs[0]];
    if (before < 0) return NULL;
    kas_node product = *kas_rewrite_node(rewrite, before);
    bool takes = product.op == KAS_OP_LINEAR || product.op == KAS_OP_CONV || product.op == KAS_OP_BINARY;
    if (!takes || product.act != KAS_ACT_NONE) return NULL;
    product.act = node->act;
    product.act_a = node->act_a;
    product.act_b = node->act_b;
    kas_rewrite_replace(rewrite, index, &product);
    return NULL;
}
