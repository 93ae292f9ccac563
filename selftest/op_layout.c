/* Operators that move elements. */
#include "base/alloc.h"
#include "engine/graph/shape.h"
#include "selftest/graph_builder.h"
#include "selftest/op_graphs.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const kas_shape shapes[] = {
    {.rank = 1, .dims = {1}},         {.rank = 1, .dims = {37}},
    {.rank = 2, .dims = {5, 33}},     {.rank = 3, .dims = {4, 3, 7}},
    {.rank = 3, .dims = {2, 31, 64}}, {.rank = 6, .dims = {2, 2, 1, 3, 2, 2}},
    {.rank = 2, .dims = {3, 1033}},   {.rank = 4, .dims = {2, 4, 16, 8}},
};

typedef enum view { TRANSPOSED, SLICED, BACKWARDS, EXPANDED, RESHAPED, VIEWS } view;

/* Swaps a dimension with the last. */
static void transpose(kas_node *node, kas_shape *out, int d)
{
    int last = out->rank - 1;
    int64_t stride = node->stride[d], size = out->dims[d];
    node->stride[d] = node->stride[last];
    node->stride[last] = stride;
    out->dims[d] = out->dims[last];
    out->dims[last] = size;
}

static void expand(kas_node *node, kas_shape *out)
{
    if (out->rank == KAS_MAX_RANK) return;
    for (int d = out->rank++; d > 0; --d) {
        node->stride[d] = node->stride[d - 1];
        out->dims[d] = out->dims[d - 1];
    }
    node->stride[0] = 0;
    out->dims[0] = 5;
}

kas_graph *op_strided(size_t variant)
{
    if (variant >= VIEWS * COUNT(shapes)) return NULL;
    kas_shape shape = shapes[variant / VIEWS], out = shape;
    kas_graph *graph = graph_new(shape);
    kas_node node = {.op = KAS_OP_STRIDED, .inputs = {graph->input}, .input_count = 1};
    kas_shape_strides(&shape, node.stride);
    int d = shape.rank / 2;
    int64_t step = node.stride[d], size = shape.dims[d];
    switch ((view)(variant % VIEWS)) {
    case TRANSPOSED:
        transpose(&node, &out, 0);
        break;
    case SLICED: /* every other one, but for the first */
        if (size < 3) break;
        node.offset = step;
        node.stride[d] = 2 * step;
        out.dims[d] = size / 2;
        break;
    case BACKWARDS:
        node.offset = step * (size - 1);
        node.stride[d] = -step;
        break;
    case EXPANDED:
        expand(&node, &out);
        break;
    default: {
        size_t elements;
        (void)kas_shape_elements(&shape, &elements);
        out = SHAPE((int64_t)elements, 1);
        kas_shape_strides(&out, node.stride);
    }
    }
    finish(graph, append(graph, node, out));
    return graph;
}

kas_graph *op_concat(size_t variant)
{
    enum { KINDS = 3 };
    if (variant >= KINDS * COUNT(shapes)) return NULL;
    kas_shape shape = shapes[variant / KINDS], out = shape, part = shape;
    kas_graph *graph = graph_new(shape);
    int axis = variant % KINDS == 0 ? 0 : shape.rank - 1;
    part.dims[axis] = 3;
    kas_node node = {
        .op = KAS_OP_CONCAT, .inputs = {graph->input, graph->input}, .input_count = 2, .axis = axis};
    if (variant % KINDS == 2) { /* a constant between the two */
        node.inputs[1] = constant_random(graph, part, 1);
        node.inputs[node.input_count++] = unary(graph, KAS_ACT_NEG, 0, 0, graph->input);
    }
    for (int i = 1; i < node.input_count; ++i)
        out.dims[axis] += shape_of(graph, node.inputs[i]).dims[axis];
    finish(graph, append(graph, node, out));
    return graph;
}

kas_graph *op_gather(size_t variant)
{
    enum { KINDS = 2 };
    if (variant >= KINDS * COUNT(shapes)) return NULL;
    kas_shape shape = shapes[variant / KINDS];
    kas_graph *graph = graph_new(shape);
    kas_node node = {.op = KAS_OP_GATHER, .inputs = {graph->input}, .input_count = 1};
    node.axis = variant % KINDS ? shape.rank - 1 : 0;
    node.index_count = variant % KINDS ? 19 : 3;
    node.indices = kas_alloc_array(node.index_count, sizeof *node.indices);
    for (size_t i = 0; i < node.index_count; ++i)
        node.indices[i] = (int32_t)random_below((uint32_t)shape.dims[node.axis]);
    shape.dims[node.axis] = (int64_t)node.index_count;
    finish(graph, append(graph, node, shape));
    return graph;
}

kas_graph *op_pad(size_t variant)
{
    enum { KINDS = 3 };
    if (variant >= KINDS * COUNT(shapes)) return NULL;
    kas_shape shape = shapes[variant / KINDS];
    kas_graph *graph = graph_new(shape);
    kas_node node = {
        .op = KAS_OP_PAD, .inputs = {graph->input}, .input_count = 1, .value = 0.5f * (float)variant};
    for (int d = 0; d < shape.rank; ++d) {
        int64_t before = (d + (int)variant) % 3, after = variant % KINDS == 2 && shape.rank < 4 ? 4 : d % 2;
        if (variant % KINDS == 0 && d + 1 < shape.rank) continue; /* the last dimension alone */
        node.before[d] = before;
        shape.dims[d] += before + after;
    }
    finish(graph, append(graph, node, shape));
    return graph;
}
