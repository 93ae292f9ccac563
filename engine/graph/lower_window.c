/* Lowering operators with windows, CONV and POOL. One spatial dimension is two, the first of size 1. */
#include "engine/graph/lower.h"

typedef struct plane {
    int in[2], out[2], kernel[2], stride[2], dilation[2], before[2];
} plane;

static plane plane_of(const kas_lowering *lowering, const kas_node *node)
{
    const kas_window *window = &node->window;
    const kas_shape *x = &kas_lower_tensor(lowering, node->inputs[0])->shape;
    const kas_shape *y = &kas_lower_tensor(lowering, node->output)->shape;
    plane result = {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}};
    int skipped = 2 - window->spatial;
    for (int d = 0; d < window->spatial; ++d) {
        result.in[d + skipped] = (int)x->dims[1 + d];
        result.out[d + skipped] = (int)y->dims[1 + d];
        result.kernel[d + skipped] = (int)window->kernel[d];
        result.stride[d + skipped] = (int)window->stride[d];
        result.dilation[d + skipped] = (int)window->dilation[d];
        result.before[d + skipped] = (int)window->before[d];
    }
    return result;
}

static kas_status emit_conv(kas_lowering *lowering, const kas_operand operands[4], kas_weight_type type,
                            const struct conv_args *args)
{
    uint32_t positions = (uint32_t)(args->out_height * args->out_width);
    uint32_t strips = (positions + CONV_GROUP - 1) / CONV_GROUP;
    uint32_t blocks = (uint32_t)(args->groups * ((args->group_outputs + CONV_CHANNELS - 1) / CONV_CHANNELS));
    uint64_t taps =
        (uint64_t)args->kernel_height * (uint64_t)args->kernel_width * (uint64_t)args->group_inputs;
    kas_lower_count(lowering, 2 * operands[3].elements * taps, operands[0].elements + operands[3].elements);
    return kas_lower_emit_x(lowering, kas_kernel_over(KAS_KERNEL_conv, type), operands, 4, args, sizeof *args,
                            (kas_grid_rule){.per_row = strips * blocks, .divisor = 1});
}

kas_status kas_lower_conv(kas_lowering *lowering, const kas_node *node)
{
    const kas_tensor *w = kas_lower_constant(lowering, node, 1);
    plane p = plane_of(lowering, node);
    int groups = (int)node->window.groups;
    bool has_bias = node->input_count > 2 && node->inputs[2] >= 0;
    kas_operand operands[4];
    KAS_TRY(kas_lower_activation(lowering, node, 0, &operands[0]));
    const kas_weight_type type = kas_lower_weight_type(lowering, w);
    KAS_TRY(kas_lower_piece(lowering,
                            (kas_piece){.kind = KAS_PIECE_CONV, .tensor = w, .node = node, .type = type},
                            &operands[1]));
    operands[2] = operands[1];
    if (has_bias) KAS_TRY(kas_lower_input(lowering, node, 2, &operands[2]));
    kas_ending ending = kas_lower_ending(lowering, node);
    KAS_TRY(kas_lower_output(lowering, ending.output, &operands[3]));
    struct conv_args args = {.groups = groups,
                             .group_inputs = (int)w->shape.dims[1],
                             .group_outputs = (int)w->shape.dims[0] / groups,
                             .height = p.in[0],
                             .width = p.in[1],
                             .out_height = p.out[0],
                             .out_width = p.out[1],
                             .kernel_height = p.kernel[0],
                             .kernel_width = p.kernel[1],
                             .stride_height = p.stride[0],
                             .stride_width = p.stride[1],
                             .dilation_height = p.dilation[0],
                             .dilation_width = p.dilation[1],
                             .before_height = p.before[0],
                             .before_width = p.before[1],
                             .act = ending.act,
                             .act_a = ending.a,
                             .act_b = ending.b,
                             .has_bias = has_bias};
    return emit_conv(lowering, operands, type, &args);
}

/* Elements of the input that a window can hold at most: what the kernel's loops are bounded by. */
static uint64_t window_elements(const plane *p)
{
    uint64_t count = 1;
    for (int d = 0; d < 2; ++d)
        count *= (uint64_t)(p->kernel[d] < p->in[d] ? p->kernel[d] : p->in[d]);
    return count;
}

kas_status kas_lower_pool(kas_lowering *lowering, const kas_node *node)
{
    plane p = plane_of(lowering, node);
    kas_operand operands[2];
    KAS_TRY(kas_lower_activation(lowering, node, 0, &operands[0]));
    KAS_TRY(kas_lower_output(lowering, node->output, &operands[1]));
    struct pool_args args = {.channels = (int)kas_lower_tensor(lowering, node->inputs[0])->shape.dims[0],
                             .height = p.in[0],
                             .width = p.in[1],
                             .out_height = p.out[0],
                             .out_width = p.out[1],
                             .kernel_height = p.kernel[0],
                             .kernel_width = p.kernel[1],
                             .stride_height = p.stride[0],
                             .stride_width = p.stride[1],
                             .dilation_height = p.dilation[0],
                             .dilation_width = p.dilation[1],
                             .before_height = p.before[0],
                             .before_width = p.before[1],
                             .average = node->window.average,
                             .count_padding = node->window.count_padding};
    size_t elements = operands[1].elements;
    kas_lower_count(lowering, elements * window_elements(&p), elements * window_elements(&p));
    return kas_lower_emit_x(lowering, KAS_KERNEL_pool, operands, 2, &args, sizeof args,
                            (kas_grid_rule){.per_row = (uint32_t)elements, .divisor = SCATTER_GROUP});
}
