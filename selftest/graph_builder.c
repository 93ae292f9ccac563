#include "selftest/graph_builder.h"

#include "base/alloc.h"
#include "engine/graph/shape.h"
#include "selftest/need.h"

static uint64_t random_state = 1;

void random_restart(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15ull + 1;
}

static uint32_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32);
}

uint32_t random_below(uint32_t bound)
{
    return random_next() % bound;
}

float random_within(float limit)
{
    return limit * ((float)(random_next() >> 8) / (float)(1 << 23) - 1);
}

kas_graph *graph_new(kas_shape input)
{
    kas_graph *graph;
    selftest_need(kas_graph_create(&graph), "a graph");
    selftest_need(kas_graph_add_tensor(graph, "x", &input, &graph->input), "a graph");
    return graph;
}

kas_shape shape_of(const kas_graph *graph, int tensor)
{
    return graph->tensors[tensor].shape;
}

static int add_constant(kas_graph *graph, kas_shape shape, float *values)
{
    int tensor;
    selftest_need(kas_graph_add_constant(graph, "c", &shape, values, &tensor), "a graph");
    return tensor;
}

static size_t elements_of(kas_shape shape)
{
    size_t count;
    selftest_check(kas_shape_elements(&shape, &count), "a valid shape");
    return count;
}

int constant_of(kas_graph *graph, kas_shape shape, const float *values)
{
    return add_constant(graph, shape, kas_memdup(values, elements_of(shape) * sizeof *values));
}

int constant_filled(kas_graph *graph, kas_shape shape, float value)
{
    size_t count = elements_of(shape);
    float *values = selftest_alloc(count, sizeof *values);
    for (size_t i = 0; i < count; ++i)
        values[i] = value;
    return add_constant(graph, shape, values);
}

int constant_random(kas_graph *graph, kas_shape shape, float limit)
{
    size_t count = elements_of(shape);
    float *values = selftest_alloc(count, sizeof *values);
    for (size_t i = 0; i < count; ++i)
        values[i] = random_within(limit);
    return add_constant(graph, shape, values);
}

int scalar(kas_graph *graph, float value)
{
    return constant_of(graph, SHAPE(), &value);
}

int append(kas_graph *graph, kas_node node, kas_shape output)
{
    selftest_need(kas_graph_add_tensor(graph, "t", &output, &node.output), "a graph");
    selftest_need(kas_graph_add_node(graph, &node), "a graph");
    return node.output;
}

int unary(kas_graph *graph, kas_act act, float a, float b, int x)
{
    kas_node node = {.op = KAS_OP_UNARY, .act = act, .act_a = a, .act_b = b, .inputs = {x}, .input_count = 1};
    return append(graph, node, shape_of(graph, x));
}

int binary(kas_graph *graph, kas_binary function, int x, int y)
{
    kas_node node = {.op = KAS_OP_BINARY, .binary = function, .inputs = {x, y}, .input_count = 2};
    kas_shape left = shape_of(graph, x), right = shape_of(graph, y), output;
    selftest_check(kas_shape_broadcast(&left, &right, &output), "a valid shape");
    return append(graph, node, output);
}

int linear(kas_graph *graph, int x, int w, int b)
{
    kas_node node = {.op = KAS_OP_LINEAR, .inputs = {x, w, b}, .input_count = 3};
    kas_shape output = shape_of(graph, x);
    output.dims[output.rank - 1] = shape_of(graph, w).dims[0];
    return append(graph, node, output);
}

int matmul(kas_graph *graph, int a, int b)
{
    kas_node node = {.op = KAS_OP_MATMUL, .inputs = {a, b}, .input_count = 2};
    kas_shape left = shape_of(graph, a), right = shape_of(graph, b), output;
    int64_t m = left.dims[left.rank - 2], n = right.dims[right.rank - 1];
    left.rank -= 2;
    right.rank -= 2;
    selftest_check(kas_shape_broadcast(&left, &right, &output), "a valid shape");
    output.dims[output.rank++] = m;
    output.dims[output.rank++] = n;
    return append(graph, node, output);
}

int reduce(kas_graph *graph, kas_reduce function, int x, int axis)
{
    kas_node node = {.op = KAS_OP_REDUCE, .reduce = function, .inputs = {x}, .input_count = 1, .axis = axis};
    kas_shape output = shape_of(graph, x);
    output.dims[axis] = 1;
    return append(graph, node, output);
}

int reshape(kas_graph *graph, int x, kas_shape shape)
{
    kas_node node = {.op = KAS_OP_STRIDED, .inputs = {x}, .input_count = 1};
    kas_shape_strides(&shape, node.stride);
    return append(graph, node, shape);
}

int conv(kas_graph *graph, int x, int w, int b, int64_t padding)
{
    kas_shape input = shape_of(graph, x), weight = shape_of(graph, w), output = input;
    kas_node node = {.op = KAS_OP_CONV, .inputs = {x, w, b}, .input_count = 3};
    node.window.spatial = input.rank - 1;
    node.window.groups = input.dims[0] / weight.dims[1];
    output.dims[0] = weight.dims[0];
    for (int d = 0; d < node.window.spatial; ++d) {
        node.window.kernel[d] = weight.dims[2 + d];
        node.window.stride[d] = node.window.dilation[d] = 1;
        node.window.before[d] = node.window.after[d] = padding;
        output.dims[1 + d] += 2 * padding - weight.dims[2 + d] + 1;
    }
    return append(graph, node, output);
}

void finish(kas_graph *graph, int output)
{
    graph->output = output;
    selftest_need(kas_graph_check(graph), "a graph");
}
