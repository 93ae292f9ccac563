#include "tests/unit/graph_fixture.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/graph/shape.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CHECK_LEAKS 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define CHECK_LEAKS 1
#endif
#ifdef CHECK_LEAKS
#include <sanitizer/lsan_interface.h>
#endif

void expect_no_leaks(void)
{
#ifdef CHECK_LEAKS
    if (__lsan_do_recoverable_leak_check()) abort(); /* a failed assertion does not count at this point */
#endif
}

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
    cr_assert_null(kas_graph_create(&graph));
    cr_assert_null(kas_graph_add_tensor(graph, "x", &input, &graph->input));
    return graph;
}

kas_shape shape_of(const kas_graph *graph, int tensor)
{
    return graph->tensors[tensor].shape;
}

static int add_constant(kas_graph *graph, kas_shape shape, float *values)
{
    int tensor;
    cr_assert_null(kas_graph_add_constant(graph, "c", &shape, values, &tensor));
    return tensor;
}

static size_t elements_of(kas_shape shape)
{
    size_t count;
    cr_assert(kas_shape_elements(&shape, &count));
    return count;
}

int constant_of(kas_graph *graph, kas_shape shape, const float *values)
{
    return add_constant(graph, shape, kas_memdup(values, elements_of(shape) * sizeof *values));
}

int constant_filled(kas_graph *graph, kas_shape shape, float value)
{
    size_t count = elements_of(shape);
    float *values = kas_alloc_array(count, sizeof *values);
    for (size_t i = 0; i < count; ++i)
        values[i] = value;
    return add_constant(graph, shape, values);
}

int constant_random(kas_graph *graph, kas_shape shape, float limit)
{
    size_t count = elements_of(shape);
    float *values = kas_alloc_array(count, sizeof *values);
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
    cr_assert_null(kas_graph_add_tensor(graph, "t", &output, &node.output));
    cr_assert_null(kas_graph_add_node(graph, &node));
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
    cr_assert(kas_shape_broadcast(&left, &right, &output));
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
    cr_assert(kas_shape_broadcast(&left, &right, &output));
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
    kas_status status = kas_graph_check(graph);
    cr_assert_null(status, "%s", kas_status_message(status));
}

enum { ROWS = 3 };

static double *evaluate(const kas_graph *graph, const float *x)
{
    double *y = kas_alloc_array(ROWS * graph->tensors[graph->output].elements, sizeof *y);
    cr_assert_null(kas_graph_reference(graph, x, ROWS, y));
    return y;
}

void simplify_keeping_function(kas_graph *graph)
{
    size_t inputs = graph->tensors[graph->input].elements, outputs = graph->tensors[graph->output].elements;
    float *x = kas_alloc_array(ROWS * inputs, sizeof *x);
    for (size_t i = 0; i < ROWS * inputs; ++i)
        x[i] = random_within(4);
    double *before = evaluate(graph, x);
    cr_assert_null(kas_graph_simplify(graph));
    kas_status status = kas_graph_check(graph);
    cr_assert_null(status, "%s", kas_status_message(status));
    cr_assert_eq(graph->tensors[graph->output].elements, outputs);
    double *after = evaluate(graph, x);
    for (size_t i = 0; i < ROWS * outputs; ++i) {
        double tolerance = 5e-6 + 1e-5 * fabs(before[i]);
        bool close = fabs(after[i] - before[i]) <= tolerance;
        cr_assert(close || !isfinite(before[i]), "element %zu was %.9g, is %.9g", i, before[i], after[i]);
    }
    kas_free(x);
    kas_free(before);
    kas_free(after);
}

void expect_refusal(kas_status status, const char *reason, const char *part)
{
    cr_assert_not_null(status, "not refused; expected %s", reason);
    cr_expect_eq(kas_status_code(status), KAS_INVALID_ARTIFACT);
    cr_expect_str_eq(kas_status_reason(status), reason, "%s", kas_status_message(status));
    cr_expect_not_null(strstr(kas_status_message(status), part), "\"%s\" lacks \"%s\"",
                       kas_status_message(status), part);
    kas_status_free(status);
}
