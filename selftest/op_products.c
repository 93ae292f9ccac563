/* Products, and operators with windows. */
#include "engine/graph/shape.h"
#include "selftest/graph_builder.h"
#include "selftest/op_graphs.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

kas_graph *op_linear(size_t variant)
{
    static const struct {
        int64_t lead, k, n; /* lead 0: the input is a vector */
        bool bias;
    } cases[] = {{0, 1, 1, false},  {3, 17, 5, true},    {0, 61, 67, true},    {2, 33, 130, false},
                 {7, 16, 64, true}, {0, 512, 256, true}, {0, 1200, 71, false}, {1, 31, 257, true}};
    if (variant >= COUNT(cases)) return NULL;
    int64_t lead = cases[variant].lead, k = cases[variant].k, n = cases[variant].n;
    kas_graph *graph = graph_new(lead ? SHAPE(lead, k) : SHAPE(k));
    int bias = cases[variant].bias ? constant_random(graph, SHAPE(n), 1) : -1;
    finish(graph, linear(graph, graph->input, constant_random(graph, SHAPE(n, k), 1), bias));
    return graph;
}

/* Every function after a product, in the product's own epilogue and as a node that lowering joins to it. */
kas_graph *op_linear_act(size_t variant)
{
    enum { ACTS = KAS_ACT_COUNT - 1 };
    if (variant >= 2 * ACTS) return NULL;
    kas_act act = (kas_act)(1 + variant % ACTS);
    float a = act == KAS_ACT_CLIP ? -0.5f : 0.75f, b = 1.25f;
    kas_graph *graph = graph_new(SHAPE(37));
    int y = linear(graph, graph->input, constant_random(graph, SHAPE(41, 37), 0.5f),
                   constant_random(graph, SHAPE(41), 1));
    if (variant < ACTS) {
        kas_node *node = &graph->nodes[graph->node_count - 1];
        node->act = act;
        node->act_a = a;
        node->act_b = b;
    } else {
        y = unary(graph, act, a, b, y);
    }
    finish(graph, y);
    return graph;
}

static int turned(kas_graph *graph, int x)
{
    kas_shape shape = shape_of(graph, x), out = shape;
    kas_node node = {.op = KAS_OP_STRIDED, .inputs = {x}, .input_count = 1};
    kas_shape_strides(&shape, node.stride);
    int64_t stride = node.stride[shape.rank - 1];
    node.stride[shape.rank - 1] = node.stride[shape.rank - 2];
    node.stride[shape.rank - 2] = stride;
    out.dims[shape.rank - 1] = shape.dims[shape.rank - 2];
    out.dims[shape.rank - 2] = shape.dims[shape.rank - 1];
    return append(graph, node, out);
}

kas_graph *op_matmul(size_t variant)
{
    kas_graph *graph;
    switch (variant) {
    case 0:
        graph = graph_new(SHAPE(1, 1));
        finish(graph, matmul(graph, graph->input, graph->input));
        return graph;
    case 1: /* x xᵀ, as attention has it */
        graph = graph_new(SHAPE(4, 16, 24));
        finish(graph, matmul(graph, graph->input, turned(graph, graph->input)));
        return graph;
    case 2: /* one constant matrix: a product with packed weights */
        graph = graph_new(SHAPE(5, 7, 13));
        finish(graph, matmul(graph, graph->input, constant_random(graph, SHAPE(13, 67), 1)));
        return graph;
    case 3: /* a constant on the left */
        graph = graph_new(SHAPE(13, 61));
        finish(graph, matmul(graph, constant_random(graph, SHAPE(9, 13), 1), graph->input));
        return graph;
    case 4: /* constant matrices, one for each of the leading dimension */
        graph = graph_new(SHAPE(3, 5, 7));
        finish(graph, matmul(graph, graph->input, constant_random(graph, SHAPE(3, 7, 65), 1)));
        return graph;
    case 5: /* leading dimensions broadcast on both sides */
        graph = graph_new(SHAPE(2, 1, 6, 5));
        finish(graph, matmul(graph, graph->input, constant_random(graph, SHAPE(3, 5, 4), 1)));
        return graph;
    case 6:
        graph = graph_new(SHAPE(64, 61));
        finish(graph, matmul(graph, turned(graph, graph->input), graph->input));
        return graph;
    case 7: /* one constant matrix and a function after it */
        graph = graph_new(SHAPE(3, 31));
        finish(graph, unary(graph, KAS_ACT_TANH, 0, 0,
                            matmul(graph, graph->input, constant_random(graph, SHAPE(31, 33), 1))));
        return graph;
    default:
        return NULL;
    }
}

/* ---- windows ---- */

/* One line a spatial dimension. */
typedef struct extent {
    int64_t in, kernel, stride, dilation, before, after;
} extent;

static int64_t out_of(const extent *e)
{
    return (e->in + e->before + e->after - e->dilation * (e->kernel - 1) - 1) / e->stride + 1;
}

/* The window of a node, and the shapes of its input and output but for the channels. */
static void set_window(kas_window *window, const extent *extents, int spatial, kas_shape *x, kas_shape *y)
{
    window->spatial = spatial;
    x->rank = y->rank = 1 + spatial;
    for (int d = 0; d < spatial; ++d) {
        window->kernel[d] = extents[d].kernel;
        window->stride[d] = extents[d].stride;
        window->dilation[d] = extents[d].dilation;
        window->before[d] = extents[d].before;
        window->after[d] = extents[d].after;
        x->dims[1 + d] = extents[d].in;
        y->dims[1 + d] = out_of(&extents[d]);
    }
}

kas_graph *op_conv(size_t variant)
{
    static const struct {
        int64_t groups, inputs, outputs; /* of all groups */
        int spatial;
        extent extents[2];
        bool bias;
        kas_act act;
    } cases[] = {
        {1, 1, 1, 1, {{1, 1, 1, 1, 0, 0}}, false, KAS_ACT_NONE},
        {1, 3, 5, 1, {{17, 3, 1, 1, 1, 1}}, true, KAS_ACT_RELU},
        {2, 4, 18, 2, {{5, 3, 2, 1, 1, 0}, {7, 2, 1, 2, 0, 2}}, true, KAS_ACT_NONE},
        {1, 3, 16, 2, {{16, 3, 1, 1, 1, 1}, {16, 3, 1, 1, 1, 1}}, true, KAS_ACT_SILU},
        {8, 8, 8, 2, {{13, 3, 1, 1, 1, 1}, {11, 3, 2, 1, 1, 1}}, false, KAS_ACT_NONE},
        {1, 16, 31, 2, {{19, 5, 2, 1, 2, 2}, {23, 5, 3, 1, 2, 2}}, true, KAS_ACT_GELU},
        {3, 6, 9, 1, {{127, 7, 3, 2, 6, 5}}, true, KAS_ACT_NONE},
    };
    if (variant >= COUNT(cases)) return NULL;
    kas_node node = {.op = KAS_OP_CONV, .input_count = 3, .act = cases[variant].act};
    kas_shape x = {0}, y = {0}, w = {.rank = 2 + cases[variant].spatial};
    set_window(&node.window, cases[variant].extents, cases[variant].spatial, &x, &y);
    node.window.groups = cases[variant].groups;
    x.dims[0] = cases[variant].inputs;
    y.dims[0] = w.dims[0] = cases[variant].outputs;
    w.dims[1] = cases[variant].inputs / cases[variant].groups;
    for (int d = 0; d < node.window.spatial; ++d)
        w.dims[2 + d] = node.window.kernel[d];
    kas_graph *graph = graph_new(x);
    node.inputs[0] = graph->input;
    node.inputs[1] = constant_random(graph, w, 0.5f);
    node.inputs[2] = cases[variant].bias ? constant_random(graph, SHAPE(y.dims[0]), 1) : -1;
    finish(graph, append(graph, node, y));
    return graph;
}

kas_graph *op_pool(size_t variant)
{
    static const struct {
        int64_t channels;
        int spatial;
        extent extents[2];
    } cases[] = {
        {1, 1, {{1, 1, 1, 1, 0, 0}}},
        {2, 1, {{17, 3, 2, 1, 1, 1}}},
        {3, 2, {{7, 3, 2, 1, 1, 1}, {5, 3, 1, 1, 1, 1}}},
        {3, 2, {{9, 2, 2, 3, 1, 1}, {8, 3, 2, 2, 2, 1}}},
        {5, 2, {{6, 6, 1, 1, 0, 0}, {6, 6, 1, 1, 0, 0}}},
        {16, 2, {{31, 3, 2, 1, 0, 0}, {29, 3, 2, 1, 0, 0}}},
    };
    if (variant >= 3 * COUNT(cases)) return NULL;
    size_t i = variant / 3;
    kas_node node = {.op = KAS_OP_POOL, .input_count = 1};
    kas_shape x = {0}, y = {0};
    set_window(&node.window, cases[i].extents, cases[i].spatial, &x, &y);
    node.window.groups = 1;
    node.window.average = variant % 3 > 0;
    node.window.count_padding = variant % 3 > 1;
    x.dims[0] = y.dims[0] = cases[i].channels;
    kas_graph *graph = graph_new(x);
    node.inputs[0] = graph->input;
    finish(graph, append(graph, node, y));
    return graph;
}
