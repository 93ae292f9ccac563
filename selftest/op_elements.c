/* Operators element by element, and along a dimension. */
#include "engine/graph/shape.h"
#include "selftest/graph_builder.h"
#include "selftest/op_graphs.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const kas_shape shapes[] = {
    {.rank = 0},
    {.rank = 1, .dims = {1}},
    {.rank = 1, .dims = {31}},
    {.rank = 2, .dims = {5, 7}},
    {.rank = 3, .dims = {2, 3, 33}},
    {.rank = 6, .dims = {2, 1, 3, 2, 2, 3}},
    {.rank = 2, .dims = {3, 1031}},
    {.rank = 3, .dims = {8, 16, 32}},
};

kas_graph *op_unary(size_t variant)
{
    if (variant >= COUNT(shapes) + KAS_ACT_COUNT) return NULL;
    size_t act = variant < COUNT(shapes) ? KAS_ACT_GELU : variant - COUNT(shapes);
    kas_graph *graph = graph_new(variant < COUNT(shapes) ? shapes[variant] : SHAPE(67));
    finish(graph, unary(graph, (kas_act)act, act == KAS_ACT_CLIP ? -0.5f : 0.75f, 1.25f, graph->input));
    return graph;
}

/* A constant that stretches along the dimensions whose bit is set. */
static int stretched_constant(kas_graph *graph, kas_shape shape, size_t bits)
{
    for (int d = 0; d < shape.rank; ++d)
        if (bits >> d & 1) shape.dims[d] = 1;
    return constant_random(graph, shape, 2);
}

/* A part of the input that broadcasts against it: its first element along a dimension. */
static int stretched_input(kas_graph *graph, int dimension)
{
    kas_shape shape = shape_of(graph, graph->input);
    kas_node node = {.op = KAS_OP_STRIDED, .inputs = {graph->input}, .input_count = 1};
    kas_shape_strides(&shape, node.stride);
    if (shape.rank > 0) shape.dims[dimension % shape.rank] = 1;
    return append(graph, node, shape);
}

/* Each function against a constant, on either side, and against another part of the input; some end in a
 * function. */
kas_graph *op_binary(size_t variant)
{
    if (variant >= COUNT(shapes) * KAS_BINARY_COUNT) return NULL;
    kas_binary function = (kas_binary)(variant % KAS_BINARY_COUNT);
    size_t shape = variant / KAS_BINARY_COUNT, side = (variant + shape) % 3;
    kas_graph *graph = graph_new(shapes[shape]);
    int other = side == 2 ? stretched_input(graph, (int)variant)
                          : stretched_constant(graph, shapes[shape], variant * 2654435761u >> 8);
    int y = side == 0 ? binary(graph, function, graph->input, other)
                      : binary(graph, function, other, graph->input);
    if (variant % 4 == 3 && function < KAS_EQUAL) y = unary(graph, KAS_ACT_LEAKY_RELU, 0.25f, 0, y);
    finish(graph, y);
    return graph;
}

kas_graph *op_select(size_t variant)
{
    enum { KINDS = 4 };
    if (variant >= KINDS * COUNT(shapes)) return NULL;
    kas_shape shape = shapes[variant / KINDS];
    kas_graph *graph = graph_new(shape);
    int x = graph->input, positive = binary(graph, KAS_GREATER, x, scalar(graph, 0.125f));
    kas_node node = {.op = KAS_OP_SELECT, .inputs = {positive, x, scalar(graph, -3)}, .input_count = 3};
    if (variant % KINDS == 1) node.inputs[2] = stretched_constant(graph, shape, variant);
    if (variant % KINDS == 2) node.inputs[1] = stretched_input(graph, 1);
    if (variant % KINDS == 3) {
        node.inputs[0] = stretched_constant(graph, shape, 2);
        node.inputs[2] = stretched_input(graph, 0);
    }
    finish(graph, append(graph, node, shape));
    return graph;
}

/* ---- along a dimension ---- */

static const struct {
    kas_shape shape;
    int axis;
} lanes[] = {
    {{.rank = 1, .dims = {1}}, 0},          {{.rank = 1, .dims = {10}}, 0},
    {{.rank = 2, .dims = {3, 67}}, 1},      {{.rank = 2, .dims = {5, 65}}, 0},
    {{.rank = 3, .dims = {2, 31, 3}}, 1},   {{.rank = 3, .dims = {4, 16, 16}}, 2},
    {{.rank = 4, .dims = {2, 3, 4, 5}}, 0}, {{.rank = 2, .dims = {2, 1021}}, 1},
    {{.rank = 2, .dims = {100, 64}}, 0},
};

kas_graph *op_softmax(size_t variant)
{
    if (variant >= COUNT(lanes)) return NULL;
    kas_graph *graph = graph_new(lanes[variant].shape);
    kas_node node = {
        .op = KAS_OP_SOFTMAX, .inputs = {graph->input}, .input_count = 1, .axis = lanes[variant].axis};
    finish(graph, append(graph, node, lanes[variant].shape));
    return graph;
}

kas_graph *op_reduce(size_t variant)
{
    enum { FUNCTIONS = KAS_REDUCE_PROD + 1 };
    if (variant >= FUNCTIONS * COUNT(lanes)) return NULL;
    kas_reduce function = (kas_reduce)(variant % FUNCTIONS);
    kas_graph *graph = graph_new(lanes[variant / FUNCTIONS].shape);
    int x = graph->input;
    if (function == KAS_REDUCE_PROD)
        x = unary(graph, KAS_ACT_AFFINE, 0.01f, 1, x); /* what a float can hold */
    finish(graph, reduce(graph, function, x, lanes[variant / FUNCTIONS].axis));
    return graph;
}

/* Scale and shift: left out, constants, or made from the input. */
static int norm_parameter(kas_graph *graph, int kind, kas_shape shape)
{
    if (kind == 0) return -1;
    if (kind == 1) return constant_random(graph, shape, 1);
    kas_node node = {.op = KAS_OP_STRIDED, .inputs = {graph->input}, .input_count = 1};
    kas_shape_strides(&shape, node.stride);
    return append(graph, node, shape);
}

kas_graph *op_norm(size_t variant)
{
    static const struct {
        kas_shape shape;
        int axes;
    } cases[] = {{{.rank = 1, .dims = {1}}, 1},       {{.rank = 1, .dims = {64}}, 1},
                 {{.rank = 2, .dims = {5, 67}}, 1},   {{.rank = 3, .dims = {3, 7, 11}}, 2},
                 {{.rank = 2, .dims = {2, 1031}}, 1}, {{.rank = 3, .dims = {2, 31, 33}}, 3}};
    enum { KINDS = 2 * 3 * 3 };
    if (variant >= KINDS * COUNT(cases)) return NULL;
    kas_shape shape = cases[variant / KINDS].shape, last = {.rank = cases[variant / KINDS].axes};
    int kinds = (int)(variant % KINDS);
    for (int d = 0; d < last.rank; ++d)
        last.dims[d] = shape.dims[shape.rank - last.rank + d];
    kas_graph *graph = graph_new(shape);
    kas_node node = {.op = KAS_OP_NORM, .input_count = 3, .axis = last.rank, .epsilon = 1e-3f};
    node.centred = kinds % 2;
    node.inputs[0] = graph->input;
    node.inputs[1] = norm_parameter(graph, kinds / 2 % 3, last);
    node.inputs[2] = norm_parameter(graph, kinds / 6, last);
    finish(graph, append(graph, node, shape));
    return graph;
}
