/* Nodes that give their input back. Sums with 0 and products with 1 are functions of one by then
 * (fold_scalar.c). */
#include "engine/graph/rules.h"
#include "engine/graph/shape.h"

static bool is_plain_unary(const kas_node *node)
{
    if (node->act == KAS_ACT_NONE) return true;
    return node->act == KAS_ACT_AFFINE && node->act_a == 1 && node->act_b == 0;
}

static int decided_select(const kas_rewrite *rewrite, const kas_node *node)
{
    const kas_tensor *condition = kas_rewrite_tensor(rewrite, node->inputs[0]);
    if (node->inputs[1] == node->inputs[2]) return node->inputs[1];
    if (!condition->constant || condition->elements > KAS_FOLD_UNIFORM_MAX) return -1;
    bool first = condition->constant[0] != 0;
    for (size_t i = 1; i < condition->elements; ++i)
        if ((condition->constant[i] != 0) != first) return -1;
    return node->inputs[first ? 1 : 2];
}

static bool is_plain_gather(const kas_rewrite *rewrite, const kas_node *node)
{
    const kas_shape *x = &kas_rewrite_tensor(rewrite, node->inputs[0])->shape;
    bool plain = (int64_t)node->index_count == x->dims[node->axis];
    for (size_t i = 0; plain && i < node->index_count; ++i)
        plain = node->indices[i] == (int32_t)i;
    return plain;
}

static bool is_plain_pool(const kas_node *node)
{
    const kas_window *window = &node->window;
    bool plain = true;
    for (int d = 0; d < window->spatial; ++d)
        plain = plain && window->kernel[d] == 1 && window->stride[d] == 1 && !window->before[d] &&
                !window->after[d];
    return plain;
}

/* The input that the node gives back, whatever its shape, or -1. */
static int given_back(const kas_rewrite *rewrite, const kas_node *node)
{
    bool plain = false;
    switch (node->op) {
    case KAS_OP_SELECT:
        return decided_select(rewrite, node);
    case KAS_OP_UNARY:
        plain = is_plain_unary(node);
        break;
    case KAS_OP_REDUCE: /* over one element: its sum, mean, maximum … is that element */
    case KAS_OP_PAD:
        plain = true; /* where the shapes are equal */
        break;
    case KAS_OP_CONCAT:
        plain = node->input_count == 1;
        break;
    case KAS_OP_STRIDED:
        plain = kas_node_is_reshape(rewrite->graph, node);
        break;
    case KAS_OP_GATHER:
        plain = is_plain_gather(rewrite, node);
        break;
    case KAS_OP_POOL:
        plain = is_plain_pool(node);
        break;
    default:
        break;
    }
    return plain ? node->inputs[0] : -1;
}

kas_status kas_fold_identity(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    int same = given_back(rewrite, node);
    if (same < 0) return NULL;
    const kas_tensor *x = kas_rewrite_tensor(rewrite, same);
    bool is_output = node->output == rewrite->graph->output;
    if (!kas_shape_equal(&x->shape, &kas_rewrite_tensor(rewrite, node->output)->shape)) return NULL;
    if (is_output && x->constant && node->op == KAS_OP_STRIDED)
        return NULL; /* the copy that an output needs */
    kas_rewrite_alias(rewrite, index, same);
    return NULL;
}
