/* Lowering operators along a dimension: SOFTMAX, REDUCE, NORM. */
#include "engine/graph/lower.h"

_Static_assert((int)KAS_REDUCE_SUM == FOLD_SUM && (int)KAS_REDUCE_MEAN == FOLD_MEAN &&
                   (int)KAS_REDUCE_MAX == FOLD_MAX && (int)KAS_REDUCE_MIN == FOLD_MIN &&
                   (int)KAS_REDUCE_PROD == FOLD_PROD,
               "kernels and graphs number reductions alike");

/* A shape seen from one dimension: `outer` blocks of `inner` lines of `size` elements. */
typedef struct lanes {
    int outer, size, inner;
} lanes;

static lanes lanes_of(const kas_shape *shape, int axis)
{
    lanes result = {1, (int)shape->dims[axis], 1};
    for (int d = 0; d < axis; ++d)
        result.outer *= (int)shape->dims[d];
    for (int d = axis + 1; d < shape->rank; ++d)
        result.inner *= (int)shape->dims[d];
    return result;
}

static kas_grid_rule lanes_grid(lanes view)
{
    uint32_t strips =
        (uint32_t)(view.inner + ACROSS_GROUP - 1) / ACROSS_GROUP; /* 1 for lines without others inside */
    return (kas_grid_rule){.per_row = (uint32_t)view.outer * strips, .divisor = 1};
}

kas_status kas_lower_softmax(kas_lowering *lowering, const kas_node *node)
{
    lanes view = lanes_of(&kas_lower_tensor(lowering, node->output)->shape, node->axis);
    kas_operand operands[2];
    KAS_TRY(kas_lower_activation(lowering, node, 0, &operands[0]));
    KAS_TRY(kas_lower_output(lowering, node->output, &operands[1]));
    struct softmax_args args = {.size = view.size, .inner = view.inner};
    kas_lower_count(lowering, 4 * operands[0].elements, 4 * operands[0].elements);
    return kas_lower_emit_x(lowering, view.inner == 1 ? KAS_KERNEL_softmax : KAS_KERNEL_softmax_across,
                            operands, 2, &args, sizeof args, lanes_grid(view));
}

kas_status kas_lower_reduce(kas_lowering *lowering, const kas_node *node)
{
    lanes view = lanes_of(&kas_lower_tensor(lowering, node->inputs[0])->shape, node->axis);
    kas_operand operands[2];
    KAS_TRY(kas_lower_activation(lowering, node, 0, &operands[0]));
    KAS_TRY(kas_lower_output(lowering, node->output, &operands[1]));
    struct reduce_args args = {.op = (int)node->reduce, .size = view.size, .inner = view.inner};
    kas_lower_count(lowering, operands[0].elements, operands[0].elements + operands[1].elements);
    return kas_lower_emit_x(lowering, view.inner == 1 ? KAS_KERNEL_reduce : KAS_KERNEL_reduce_across,
                            operands, 2, &args, sizeof args, lanes_grid(view));
}

kas_status kas_lower_norm(kas_lowering *lowering, const kas_node *node)
{
    const kas_shape *shape = &kas_lower_tensor(lowering, node->output)->shape;
    lanes view = lanes_of(shape, shape->rank - node->axis);
    struct layernorm_args args = {.size = view.size * view.inner,
                                  .lines_per_row = view.outer,
                                  .centred = node->centred,
                                  .epsilon = node->epsilon,
                                  .has_scale = node->input_count > 1 && node->inputs[1] >= 0,
                                  .has_shift = node->input_count > 2 && node->inputs[2] >= 0};
    kas_operand operands[4];
    KAS_TRY(kas_lower_activation(lowering, node, 0, &operands[0]));
    operands[1] = operands[2] = operands[0];
    if (args.has_scale) KAS_TRY(kas_lower_input(lowering, node, 1, &operands[1]));
    if (args.has_shift) KAS_TRY(kas_lower_input(lowering, node, 2, &operands[2]));
    KAS_TRY(kas_lower_output(lowering, node->output, &operands[3]));
    args.scale_row = (int)operands[1].row;
    args.shift_row = (int)operands[2].row;
    kas_lower_count(lowering, 8 * operands[0].elements, 4 * operands[0].elements);
    return kas_lower_emit_x(lowering, KAS_KERNEL_layernorm, operands, 4, &args, sizeof args,
                            (kas_grid_rule){.per_row = (uint32_t)view.outer, .divisor = 1});
}
