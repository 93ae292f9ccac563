/* Random graphs of every operator. */
#include "tests/unit/random_graph.h"

#include <criterion/criterion.h>

#include "base/alloc.h"
#include "engine/graph/shape.h"

enum { NODES_MAX = 14, LIVE_MAX = 64 };

/* What may be read: the input, constants, outputs of nodes. */
typedef struct pool {
    kas_graph *graph;
    int tensors[LIVE_MAX];
    int count;
} pool;

static int pick(const pool *p)
{
    uint32_t recent = random_below(2) && p->count > 3 ? 3 : (uint32_t)p->count;
    return p->tensors[(uint32_t)p->count - 1 - random_below(recent)];
}

static int random_constant_for(pool *p, kas_shape shape)
{
    for (int d = 0; d < shape.rank; ++d)
        if (!random_below(3)) shape.dims[d] = 1;
    if (!random_below(3)) shape = SHAPE();
    static const float usual[] = {0, 1, 0.5f, -1, 2, 1.41421354f, 3};
    if (random_below(2)) return constant_filled(p->graph, shape, usual[random_below(7)]);
    return constant_random(p->graph, shape, 2);
}

static int random_unary(pool *p, int x)
{
    static const kas_act smooth[] = {KAS_ACT_RELU,        KAS_ACT_GELU, KAS_ACT_SIGMOID, KAS_ACT_TANH,
                                     KAS_ACT_SOFTPLUS,    KAS_ACT_ERF,  KAS_ACT_ABS,     KAS_ACT_NEG,
                                     KAS_ACT_AFFINE,      KAS_ACT_CLIP, KAS_ACT_NONE,    KAS_ACT_SQUARE,
                                     KAS_ACT_HARD_SIGMOID};
    kas_act act = smooth[random_below(13)];
    float a = random_within(2), b = random_within(2);
    if (act == KAS_ACT_CLIP && a > b) a = b - 1;
    return unary(p->graph, act, a, b, x);
}

static int random_binary(pool *p, int x)
{
    static const kas_binary functions[] = {KAS_ADD, KAS_SUB, KAS_MUL, KAS_MIN, KAS_MAX, KAS_ADD, KAS_MUL};
    int y = random_below(3) ? random_constant_for(p, shape_of(p->graph, x)) : pick(p);
    kas_shape left = shape_of(p->graph, x), right = shape_of(p->graph, y), output;
    if (!kas_shape_broadcast(&left, &right, &output)) y = random_constant_for(p, left);
    kas_binary function = functions[random_below(7)];
    return random_below(2) ? binary(p->graph, function, x, y) : binary(p->graph, function, y, x);
}

static int random_product(pool *p, int x)
{
    kas_shape shape = shape_of(p->graph, x);
    if (shape.rank < 1) return x;
    int64_t k = shape.dims[shape.rank - 1], n = 1 + random_below(4);
    if (shape.rank >= 2 && random_below(2))
        return matmul(p->graph, x, constant_random(p->graph, SHAPE(k, n), 1));
    int bias = random_below(2) ? constant_random(p->graph, SHAPE(n), 1) : -1;
    return linear(p->graph, x, constant_random(p->graph, SHAPE(n, k), 1), bias);
}

static int random_conv(pool *p, int x)
{
    kas_shape shape = shape_of(p->graph, x);
    if (shape.rank != 2 && shape.rank != 3) return x;
    int64_t groups = shape.dims[0] % 2 ? 1 : 2, outputs = 2 * groups;
    kas_shape weight = {.rank = shape.rank + 1, .dims = {outputs, shape.dims[0] / groups, 1, 1}};
    for (int d = 1; d < shape.rank; ++d)
        weight.dims[1 + d] = shape.dims[d] > 1 ? 2 : 1;
    int bias = random_below(2) ? constant_random(p->graph, SHAPE(outputs), 1) : -1;
    return conv(p->graph, x, constant_random(p->graph, weight, 1), bias, random_below(2));
}

/* An average or a maximum over windows of two, along every spatial dimension that has as many. */
static int random_pool(pool *p, int x)
{
    kas_shape shape = shape_of(p->graph, x), out = shape;
    if (shape.rank != 2 && shape.rank != 3) return x;
    kas_node node = {.op = KAS_OP_POOL, .inputs = {x}, .input_count = 1};
    node.window.spatial = shape.rank - 1;
    node.window.groups = 1;
    node.window.average = random_below(2);
    node.window.count_padding = random_below(2);
    for (int d = 0; d < node.window.spatial; ++d) {
        int64_t kernel = shape.dims[1 + d] > 1 ? 2 : 1, padding = kernel > 1 ? random_below(2) : 0;
        node.window.kernel[d] = kernel;
        node.window.stride[d] = 1 + random_below(2);
        node.window.dilation[d] = 1;
        node.window.before[d] = padding;
        out.dims[1 + d] = (shape.dims[1 + d] + padding - kernel) / node.window.stride[d] + 1;
    }
    return append(p->graph, node, out);
}

static int random_view(pool *p, int x)
{
    kas_shape shape = shape_of(p->graph, x), out = shape;
    kas_node node = {.op = KAS_OP_STRIDED, .inputs = {x}, .input_count = 1};
    kas_shape_strides(&shape, node.stride);
    uint32_t kind = random_below(4);
    if (shape.rank < 1 || kind == 0) {
        size_t elements;
        cr_assert(kas_shape_elements(&shape, &elements));
        return reshape(p->graph, x, SHAPE((int64_t)elements));
    }
    int d = (int)random_below((uint32_t)shape.rank), last = shape.rank - 1;
    if (kind == 1) { /* a transpose */
        int64_t stride = node.stride[d];
        node.stride[d] = node.stride[last];
        node.stride[last] = stride;
        out.dims[d] = shape.dims[last];
        out.dims[last] = shape.dims[d];
    } else if (kind == 2 && shape.dims[d] > 1) { /* a slice, backwards */
        node.offset = node.stride[d] * (shape.dims[d] - 1);
        node.stride[d] = -node.stride[d];
        out.dims[d] -= 1;
    } else if (out.rank < 4) { /* an expansion in front */
        for (int i = shape.rank; i > 0; --i) {
            node.stride[i] = node.stride[i - 1];
            out.dims[i] = out.dims[i - 1];
        }
        node.stride[0] = 0;
        out.dims[0] = 1 + random_below(3);
        ++out.rank;
    }
    return append(p->graph, node, out);
}

static int random_gather(pool *p, int x)
{
    kas_shape shape = shape_of(p->graph, x);
    if (shape.rank < 1) return x;
    kas_node node = {
        .op = KAS_OP_GATHER, .inputs = {x}, .input_count = 1, .index_count = 1 + random_below(3)};
    node.axis = (int)random_below((uint32_t)shape.rank);
    node.indices = kas_alloc_array(node.index_count, sizeof *node.indices);
    for (size_t i = 0; i < node.index_count; ++i)
        node.indices[i] = (int32_t)random_below((uint32_t)shape.dims[node.axis]);
    shape.dims[node.axis] = (int64_t)node.index_count;
    return append(p->graph, node, shape);
}

static int random_pad(pool *p, int x)
{
    kas_shape shape = shape_of(p->graph, x);
    kas_node node = {.op = KAS_OP_PAD, .inputs = {x}, .input_count = 1};
    node.value = random_below(2) ? 0 : 0.5f;
    for (int d = shape.rank > 1 ? 1 : 0; d < shape.rank; ++d) {
        node.before[d] = random_below(2);
        shape.dims[d] += node.before[d] + random_below(2);
    }
    return append(p->graph, node, shape);
}

static int random_statistic(pool *p, int x)
{
    kas_shape shape = shape_of(p->graph, x);
    if (shape.rank < 1) return x;
    int axis = (int)random_below((uint32_t)shape.rank);
    if (random_below(3) == 0) {
        kas_node node = {.op = KAS_OP_SOFTMAX, .inputs = {x}, .input_count = 1, .axis = axis};
        return append(p->graph, node, shape);
    }
    if (random_below(2)) return reduce(p->graph, (kas_reduce)random_below(4), x, axis);
    kas_node node = {.op = KAS_OP_NORM, .inputs = {x, -1, -1}, .input_count = 3, .axis = 1, .epsilon = 0.1f};
    node.centred = random_below(2);
    int64_t size = shape.dims[shape.rank - 1];
    if (random_below(2)) node.inputs[1] = constant_random(p->graph, SHAPE(size), 1);
    if (random_below(2)) node.inputs[2] = constant_random(p->graph, SHAPE(size), 1);
    return append(p->graph, node, shape);
}

static int random_join(pool *p, int x)
{
    kas_shape shape = shape_of(p->graph, x);
    if (shape.rank < 1 || random_below(2)) {
        kas_node node = {
            .op = KAS_OP_SELECT, .inputs = {random_constant_for(p, shape), x, x}, .input_count = 3};
        node.inputs[2] = random_constant_for(p, shape);
        return append(p->graph, node, shape);
    }
    kas_node node = {.op = KAS_OP_CONCAT, .inputs = {x, x}, .input_count = 1 + (int)random_below(2)};
    shape.dims[0] *= node.input_count;
    return append(p->graph, node, shape);
}

static int random_node(pool *p)
{
    static int (*const kinds[])(pool *, int) = {
        random_unary,   random_unary,     random_binary, random_binary, random_binary,
        random_product, random_conv,      random_view,   random_view,   random_gather,
        random_pad,     random_statistic, random_join,   random_pool,
    };
    return kinds[random_below(sizeof kinds / sizeof *kinds)](p, pick(p));
}

kas_graph *random_graph(void)
{
    static const int64_t dims[] = {1, 2, 3, 4};
    kas_shape input = {.rank = 1 + (int)random_below(3)};
    for (int d = 0; d < input.rank; ++d)
        input.dims[d] = dims[random_below(4)];
    pool p = {.graph = graph_new(input)};
    p.tensors[p.count++] = p.graph->input;
    p.tensors[p.count++] = random_constant_for(&p, input);
    p.tensors[p.count++] = p.graph->input;
    uint32_t nodes = 1 + random_below(NODES_MAX);
    for (uint32_t i = 0; i < nodes; ++i) {
        int made = random_node(&p);
        if (p.graph->tensors[made].elements < 2000) p.tensors[p.count++] = made;
    }
    int output = p.tensors[p.count - 1];
    if (p.graph->tensors[output].constant) output = reshape(p.graph, output, shape_of(p.graph, output));
    finish(p.graph, output);
    return p.graph;
}
