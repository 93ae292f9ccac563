/* Lowering operators that look at one element of each operand: UNARY, BINARY, SELECT, and the moves that are
 * two strided views: STRIDED, CONCAT. */
#include <string.h>

#include "engine/graph/lower.h"
#include "engine/graph/shape.h"

_Static_assert((int)KAS_ADD == PAIR_ADD && (int)KAS_POW == PAIR_POW && (int)KAS_MAX == PAIR_MAX &&
                   (int)KAS_LESS_EQUAL == PAIR_LESS_EQUAL && (int)KAS_XOR == PAIR_XOR &&
                   (int)KAS_BINARY_COUNT == PAIR_COUNT,
               "kernels and graphs number the functions of two alike");
_Static_assert(LINES_OUTER == KAS_MAX_RANK - 1, "all dimensions but the lines' own must fit");

kas_status kas_lower_activate(kas_lowering *lowering, const kas_operand *from, const kas_operand *to,
                              const kas_ending *ending)
{
    const kas_operand operands[2] = {*from, *to};
    size_t elements = to->elements;
    struct unary_args args = {
        .elements = (int)elements, .act = ending->act, .act_a = ending->a, .act_b = ending->b};
    kas_lower_count(lowering, elements, 2 * elements);
    return kas_lower_emit_x(lowering, KAS_KERNEL_unary, operands, 2, &args, sizeof args,
                            (kas_grid_rule){.per_row = (uint32_t)elements, .divisor = LINES_TILE});
}

kas_status kas_lower_unary(kas_lowering *lowering, const kas_node *node)
{
    const kas_ending ending = {(int)node->act, node->act_a, node->act_b, node->output};
    kas_operand from, to;
    KAS_TRY(kas_lower_activation(lowering, node, 0, &from));
    KAS_TRY(kas_lower_output(lowering, node->output, &to));
    return kas_lower_activate(lowering, &from, &to, &ending);
}

/* The inputs of an operator that broadcasts, as lines see them. */
static kas_status broadcast_inputs(kas_lowering *lowering, const kas_node *node, kas_operand *operands,
                                   kas_lines_operand *views)
{
    const kas_shape *shape = &kas_lower_tensor(lowering, node->output)->shape;
    for (int i = 0; i < node->input_count; ++i) {
        KAS_TRY(kas_lower_input(lowering, node, i, &operands[i]));
        views[i].row = (int64_t)operands[i].row;
        kas_shape_broadcast_strides(&kas_lower_tensor(lowering, node->inputs[i])->shape, shape,
                                    views[i].stride);
    }
    return NULL;
}

kas_status kas_lower_binary(kas_lowering *lowering, const kas_node *node)
{
    kas_operand operands[3];
    kas_lines_operand views[2];
    KAS_TRY(broadcast_inputs(lowering, node, operands, views));
    kas_ending ending = kas_lower_ending(lowering, node);
    KAS_TRY(kas_lower_output(lowering, ending.output, &operands[2]));
    kas_lines lines = kas_lines_collapse(&kas_lower_tensor(lowering, node->output)->shape, views, 2);
    struct binary_args args = {.op = (int)node->binary,
                               .act = ending.act,
                               .act_a = ending.a,
                               .act_b = ending.b,
                               .form = lines.form,
                               .inner = lines.inner,
                               .lines_per_row = lines.lines_per_row,
                               .lines_per_group = lines.lines_per_group,
                               .rank = lines.rank,
                               .a_row = lines.operand[0].row,
                               .a_inner = lines.operand[0].inner,
                               .b_row = lines.operand[1].row,
                               .b_inner = lines.operand[1].inner};
    memcpy(args.size, lines.size, sizeof args.size);
    memcpy(args.a_stride, lines.operand[0].stride, sizeof args.a_stride);
    memcpy(args.b_stride, lines.operand[1].stride, sizeof args.b_stride);
    kas_lower_count(lowering, operands[2].elements, 3 * operands[2].elements);
    return kas_lower_emit_x(lowering, KAS_KERNEL_binary, operands, 3, &args, sizeof args, lines.grid);
}

kas_status kas_lower_select(kas_lowering *lowering, const kas_node *node)
{
    kas_operand operands[4];
    kas_lines_operand views[3];
    KAS_TRY(broadcast_inputs(lowering, node, operands, views));
    KAS_TRY(kas_lower_output(lowering, node->output, &operands[3]));
    kas_lines lines = kas_lines_collapse(&kas_lower_tensor(lowering, node->output)->shape, views, 3);
    struct where_args args = {.form = lines.form,
                              .inner = lines.inner,
                              .lines_per_row = lines.lines_per_row,
                              .lines_per_group = lines.lines_per_group,
                              .rank = lines.rank,
                              .c_row = lines.operand[0].row,
                              .c_inner = lines.operand[0].inner,
                              .a_row = lines.operand[1].row,
                              .a_inner = lines.operand[1].inner,
                              .b_row = lines.operand[2].row,
                              .b_inner = lines.operand[2].inner};
    memcpy(args.size, lines.size, sizeof args.size);
    memcpy(args.c_stride, lines.operand[0].stride, sizeof args.c_stride);
    memcpy(args.a_stride, lines.operand[1].stride, sizeof args.a_stride);
    memcpy(args.b_stride, lines.operand[2].stride, sizeof args.b_stride);
    kas_lower_count(lowering, operands[3].elements, 4 * operands[3].elements);
    return kas_lower_emit_x(lowering, KAS_KERNEL_where, operands, 4, &args, sizeof args, lines.grid);
}

/* One launch of kernels/strided.k over `shape`: operands X and Y through their views, from their offsets on.
 */
static kas_status emit_strided(kas_lowering *lowering, const kas_operand operands[2], const kas_shape *shape,
                               const kas_lines_operand views[2], const int64_t offsets[2])
{
    kas_lines lines = kas_lines_collapse(shape, views, 2);
    struct strided_args args = {.form = lines.form,
                                .inner = lines.inner,
                                .lines_per_row = lines.lines_per_row,
                                .lines_per_group = lines.lines_per_group,
                                .rank = lines.rank,
                                .x_offset = (int)offsets[0],
                                .x_row = lines.operand[0].row,
                                .x_inner = lines.operand[0].inner,
                                .y_offset = (int)offsets[1],
                                .y_row = lines.operand[1].row,
                                .y_inner = lines.operand[1].inner};
    memcpy(args.size, lines.size, sizeof args.size);
    memcpy(args.x_stride, lines.operand[0].stride, sizeof args.x_stride);
    memcpy(args.y_stride, lines.operand[1].stride, sizeof args.y_stride);
    kas_lower_count(lowering, 0, 2 * (uint64_t)lines.lines_per_row * (uint64_t)lines.inner);
    return kas_lower_emit_x(lowering, KAS_KERNEL_strided, operands, 2, &args, sizeof args, lines.grid);
}

kas_status kas_lower_copy(kas_lowering *lowering, const kas_operand *from, const kas_operand *to)
{
    const kas_operand operands[2] = {*from, *to};
    const kas_shape shape = {.rank = 1, .dims = {(int64_t)to->elements}};
    const kas_lines_operand views[2] = {{.row = (int64_t)from->row, .stride = {1}},
                                        {.row = (int64_t)to->row, .stride = {1}}};
    return emit_strided(lowering, operands, &shape, views, (const int64_t[2]){0, 0});
}

kas_status kas_lower_strided(kas_lowering *lowering, const kas_node *node)
{
    const kas_shape *shape = &kas_lower_tensor(lowering, node->output)->shape;
    kas_operand operands[2];
    kas_lines_operand views[2];
    KAS_TRY(kas_lower_input(lowering, node, 0, &operands[0]));
    KAS_TRY(kas_lower_output(lowering, node->output, &operands[1]));
    for (int i = 0; i < 2; ++i)
        views[i].row = (int64_t)operands[i].row;
    memcpy(views[0].stride, node->stride, sizeof views[0].stride);
    kas_shape_strides(shape, views[1].stride);
    return emit_strided(lowering, operands, shape, views, (const int64_t[2]){node->offset, 0});
}

kas_status kas_lower_concat(kas_lowering *lowering, const kas_node *node)
{
    int64_t strides[KAS_MAX_RANK], done = 0;
    kas_operand operands[2], whole;
    kas_lines_operand views[2];
    KAS_TRY(kas_lower_output(lowering, node->output, &whole));
    kas_shape_strides(&kas_lower_tensor(lowering, node->output)->shape, strides);
    for (int i = 0; i < node->input_count; ++i) {
        const kas_shape *shape = &kas_lower_tensor(lowering, node->inputs[i])->shape;
        KAS_TRY(kas_lower_input(lowering, node, i, &operands[0]));
        operands[1] = whole;
        views[0].row = (int64_t)operands[0].row;
        views[1].row = (int64_t)whole.row;
        kas_shape_strides(shape, views[0].stride);
        memcpy(views[1].stride, strides, sizeof strides);
        KAS_TRY(emit_strided(lowering, operands, shape, views,
                             (const int64_t[2]){0, done * strides[node->axis]}));
        done += shape->dims[node->axis];
    }
    return NULL;
}
