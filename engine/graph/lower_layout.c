/* Lowering moves that no strided view describes: GATHER and PAD. */
#include "engine/graph/lower.h"

_Static_assert(PAD_RANK == KAS_MAX_RANK, "all dimensions must fit pad_args");

static kas_grid_rule element_grid(size_t elements)
{
    return (kas_grid_rule){.per_row = (uint32_t)elements, .divisor = SCATTER_GROUP};
}

kas_status kas_lower_gather(kas_lowering *lowering, const kas_node *node)
{
    const kas_shape *x = &kas_lower_tensor(lowering, node->inputs[0])->shape;
    struct gather_args args = {
        .outer = 1, .size = (int)x->dims[node->axis], .inner = 1, .count = (int)node->index_count};
    for (int d = 0; d < node->axis; ++d)
        args.outer *= (int)x->dims[d];
    for (int d = node->axis + 1; d < x->rank; ++d)
        args.inner *= (int)x->dims[d];
    kas_operand operands[3];
    KAS_TRY(kas_lower_activation(lowering, node, 0, &operands[0]));
    KAS_TRY(kas_lower_piece(lowering, (kas_piece){.kind = KAS_PIECE_INDICES, .node = node}, &operands[1]));
    KAS_TRY(kas_lower_output(lowering, node->output, &operands[2]));
    kas_lower_count(lowering, 0, 3 * operands[2].elements);
    return kas_lower_emit_x(lowering, KAS_KERNEL_gather, operands, 3, &args, sizeof args,
                            element_grid(operands[2].elements));
}

kas_status kas_lower_pad(kas_lowering *lowering, const kas_node *node)
{
    const kas_shape *x = &kas_lower_tensor(lowering, node->inputs[0])->shape;
    const kas_shape *y = &kas_lower_tensor(lowering, node->output)->shape;
    kas_operand operands[2];
    KAS_TRY(kas_lower_activation(lowering, node, 0, &operands[0]));
    KAS_TRY(kas_lower_output(lowering, node->output, &operands[1]));
    struct pad_args args = {.elements = (int)operands[1].elements, .value = node->value, .rank = y->rank};
    for (int d = 0; d < y->rank; ++d) {
        args.size[d] = (int)y->dims[d];
        args.x_size[d] = (int)x->dims[d];
        args.before[d] = (int)node->before[d];
    }
    kas_lower_count(lowering, 0, 2 * operands[1].elements);
    return kas_lower_emit_x(lowering, KAS_KERNEL_pad, operands, 2, &args, sizeof args,
                            element_grid(operands[1].elements));
}
