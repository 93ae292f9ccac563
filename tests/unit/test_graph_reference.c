/* The float64 evaluator against values worked out by hand. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/alloc.h"
#include "tests/unit/graph_fixture.h"

TestSuite(graph_reference, .fini = expect_no_leaks);

/* Evaluates one row and compares; frees the graph. */
static void expect_row(kas_graph *g, int output, const float *x, const double *expected)
{
    finish(g, output);
    size_t count = g->tensors[output].elements;
    double *y = kas_alloc_array(count, sizeof *y);
    cr_assert_null(kas_graph_reference(g, x, 1, y));
    for (size_t i = 0; i < count; ++i)
        cr_expect(fabs(y[i] - expected[i]) <= 1e-9, "element %zu is %.12g, not %.12g", i, y[i], expected[i]);
    kas_free(y);
    kas_graph_destroy(g);
}

#define ROW(...)                                                                                             \
    (const float[])                                                                                          \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define GIVES(...)                                                                                           \
    (const double[])                                                                                         \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

Test(graph_reference, rows_are_independent)
{
    kas_graph *g = graph_new(SHAPE(2));
    finish(g, reduce(g, KAS_REDUCE_SUM, g->input, 0));
    double y[3];
    cr_assert_null(kas_graph_reference(g, ROW(1, 2, 3, 4, 5, 6), 3, y));
    cr_expect_eq(y[0], 3);
    cr_expect_eq(y[1], 7);
    cr_expect_eq(y[2], 11);
    finish(g, g->input);
    double same[2];
    cr_assert_null(kas_graph_reference(g, ROW(1, 2), 1, same));
    cr_expect_eq(same[1], 2);
    kas_graph_destroy(g);
}

Test(graph_reference, linear)
{
    kas_graph *g = graph_new(SHAPE(2, 2));
    int w = constant_of(g, SHAPE(3, 2), ROW(1, 0, 0, 1, 1, 1));
    expect_row(g, linear(g, g->input, w, constant_of(g, SHAPE(3), ROW(10, 20, 30))), ROW(1, 2, 3, 4),
               GIVES(11, 22, 33, 13, 24, 37));
    g = graph_new(SHAPE(2));
    kas_node node = {.op = KAS_OP_LINEAR, .act = KAS_ACT_RELU, .input_count = 2};
    node.inputs[1] = constant_of(g, SHAPE(2, 2), ROW(1, 1, -1, -1));
    expect_row(g, append(g, node, SHAPE(2)), ROW(1, 2), GIVES(3, 0));
}

Test(graph_reference, matmul_broadcasts_leading_dimensions)
{
    kas_graph *g = graph_new(SHAPE(2, 1, 2));
    int b = constant_of(g, SHAPE(2, 2), ROW(1, 2, 3, 4));
    expect_row(g, matmul(g, g->input, b), ROW(1, 0, 0, 1), GIVES(1, 2, 3, 4));
    g = graph_new(SHAPE(1, 2));
    b = constant_of(g, SHAPE(2, 2, 1), ROW(1, 2, 3, 4));
    expect_row(g, matmul(g, g->input, b), ROW(10, 1), GIVES(12, 34));
}

Test(graph_reference, unary)
{
    static const struct {
        kas_act act;
        float a, b, x;
        double y;
    } cases[] = {
        {KAS_ACT_NONE, 0, 0, 3, 3},
        {KAS_ACT_RELU, 0, 0, -1, 0},
        {KAS_ACT_RELU, 0, 0, 2, 2},
        {KAS_ACT_GELU, 0, 0, 1, 0.841344746068543},
        {KAS_ACT_GELU_TANH, 0, 0, 1, 0.841191990608307},
        {KAS_ACT_SIGMOID, 0, 0, 1, 0.731058578630005},
        {KAS_ACT_SIGMOID, 0, 0, -1, 0.268941421369995},
        {KAS_ACT_TANH, 0, 0, 1, 0.761594155955765},
        {KAS_ACT_SILU, 0, 0, 2, 1.76159415595576},
        {KAS_ACT_LEAKY_RELU, 0.25f, 0, -2, -0.5},
        {KAS_ACT_LEAKY_RELU, 0.25f, 0, 2, 2},
        {KAS_ACT_ELU, 2, 0, -1, -1.264241117657115},
        {KAS_ACT_SELU, 2, 3, -1, -3.792723352971346},
        {KAS_ACT_SELU, 2, 3, 1, 3},
        {KAS_ACT_CELU, 2, 0, -1, -0.786938680574733},
        {KAS_ACT_CELU, 2, 0, 1, 1},
        {KAS_ACT_SOFTPLUS, 0, 0, 0, 0.693147180559945},
        {KAS_ACT_SOFTPLUS, 0, 0, 1000, 1000},
        {KAS_ACT_SOFTPLUS, 0, 0, -1000, 0},
        {KAS_ACT_SOFTSIGN, 0, 0, -3, -0.75},
        {KAS_ACT_MISH, 0, 0, 1, 0.865098388267310},
        {KAS_ACT_HARD_SIGMOID, 0.25f, 0.5f, 1, 0.75},
        {KAS_ACT_HARD_SIGMOID, 0.25f, 0.5f, 9, 1},
        {KAS_ACT_HARD_SIGMOID, 0.25f, 0.5f, -9, 0},
        {KAS_ACT_HARD_SWISH, 0, 0, 1, 2.0 / 3},
        {KAS_ACT_HARD_SWISH, 0, 0, -4, 0},
        {KAS_ACT_CLIP, -1, 2, -3, -1},
        {KAS_ACT_CLIP, -1, 2, 3, 2},
        {KAS_ACT_THRESHOLDED_RELU, 1, 0, 1, 0},
        {KAS_ACT_THRESHOLDED_RELU, 1, 0, 1.5f, 1.5},
        {KAS_ACT_EXP, 0, 0, 1, 2.718281828459045},
        {KAS_ACT_LOG, 0, 0, 2, 0.693147180559945},
        {KAS_ACT_SQRT, 0, 0, 2, 1.414213562373095},
        {KAS_ACT_RSQRT, 0, 0, 4, 0.5},
        {KAS_ACT_RECIPROCAL, 0, 0, 4, 0.25},
        {KAS_ACT_ERF, 0, 0, 0.5f, 0.520499877813047},
        {KAS_ACT_ABS, 0, 0, -2, 2},
        {KAS_ACT_NEG, 0, 0, -2, 2},
        {KAS_ACT_SIGN, 0, 0, -2, -1},
        {KAS_ACT_SIGN, 0, 0, 0, 0},
        {KAS_ACT_FLOOR, 0, 0, -1.5f, -2},
        {KAS_ACT_CEIL, 0, 0, -1.5f, -1},
        {KAS_ACT_ROUND, 0, 0, 2.5f, 2},
        {KAS_ACT_ROUND, 0, 0, -1.5f, -2},
        {KAS_ACT_SQUARE, 0, 0, -3, 9},
        {KAS_ACT_AFFINE, 2, 1, 3, 7},
        {KAS_ACT_POW, 3, 0, -2, -8},
        {KAS_ACT_NOT, 0, 0, 0, 1},
        {KAS_ACT_NOT, 0, 0, 5, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        kas_graph *g = graph_new(SHAPE());
        expect_row(g, unary(g, cases[i].act, cases[i].a, cases[i].b, g->input), &cases[i].x, &cases[i].y);
    }
}

Test(graph_reference, activations_keep_nan)
{
    static const kas_act acts[] = {
        KAS_ACT_RELU,       KAS_ACT_CLIP, KAS_ACT_HARD_SIGMOID, KAS_ACT_HARD_SWISH,
        KAS_ACT_LEAKY_RELU, KAS_ACT_SIGN, KAS_ACT_CELU,         KAS_ACT_THRESHOLDED_RELU};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; ++i) {
        kas_graph *g = graph_new(SHAPE());
        finish(g, unary(g, acts[i], 1, 1, g->input));
        double y;
        cr_assert_null(kas_graph_reference(g, ROW(NAN), 1, &y));
        cr_expect(isnan(y), "%s of NaN is %f", kas_act_name(acts[i]), y);
        kas_graph_destroy(g);
    }
}

Test(graph_reference, binary)
{
    static const struct {
        kas_binary function;
        double y[4]; /* of (1, 2), (2, 1), (2, 2), (0, 3) */
    } cases[] = {
        {KAS_ADD, {3, 3, 4, 3}},           {KAS_SUB, {-1, 1, 0, -3}}, {KAS_MUL, {2, 2, 4, 0}},
        {KAS_DIV, {0.5, 2, 1, 0}},         {KAS_POW, {1, 2, 4, 0}},   {KAS_MIN, {1, 1, 2, 0}},
        {KAS_MAX, {2, 2, 2, 3}},           {KAS_EQUAL, {0, 0, 1, 0}}, {KAS_GREATER, {0, 1, 0, 0}},
        {KAS_GREATER_EQUAL, {0, 1, 1, 0}}, {KAS_LESS, {1, 0, 0, 1}},  {KAS_LESS_EQUAL, {1, 0, 1, 1}},
        {KAS_AND, {1, 1, 1, 0}},           {KAS_OR, {1, 1, 1, 1}},    {KAS_XOR, {0, 0, 0, 1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        kas_graph *g = graph_new(SHAPE(4));
        int y = constant_of(g, SHAPE(4), ROW(2, 1, 2, 3));
        expect_row(g, binary(g, cases[i].function, g->input, y), ROW(1, 2, 2, 0), cases[i].y);
    }
}

Test(graph_reference, binary_broadcasts_both_sides)
{
    kas_graph *g = graph_new(SHAPE(2, 1));
    int y = constant_of(g, SHAPE(3), ROW(10, 20, 30));
    expect_row(g, binary(g, KAS_ADD, g->input, y), ROW(1, 2), GIVES(11, 21, 31, 12, 22, 32));
}

Test(graph_reference, select)
{
    kas_graph *g = graph_new(SHAPE(3));
    kas_node node = {.op = KAS_OP_SELECT, .inputs = {g->input}, .input_count = 3};
    node.inputs[1] = constant_of(g, SHAPE(3), ROW(1, 2, 3));
    node.inputs[2] = scalar(g, -7);
    expect_row(g, append(g, node, SHAPE(3)), ROW(0, 5, -1), GIVES(-7, 2, 3));
}

Test(graph_reference, softmax)
{
    kas_graph *g = graph_new(SHAPE(2, 2));
    kas_node node = {.op = KAS_OP_SOFTMAX, .input_count = 1, .axis = 0};
    double third = 1.0 / 3;
    expect_row(g, append(g, node, SHAPE(2, 2)), ROW(0, 1000, 0.693147182464600f, 1000),
               GIVES(third - 4.2336e-10, 0.5, 2 * third + 4.2336e-10, 0.5));
}

Test(graph_reference, norm)
{
    kas_graph *g = graph_new(SHAPE(2, 2));
    kas_node node = {.op = KAS_OP_NORM, .inputs = {0, -1}, .input_count = 2, .axis = 1, .centred = true};
    node.epsilon = 1;
    double inverse = 1 / sqrt(2);
    expect_row(g, append(g, node, SHAPE(2, 2)), ROW(1, 3, 6, 6), GIVES(-inverse, inverse, 0, 0));
    g = graph_new(SHAPE(2, 2));
    node = (kas_node){.op = KAS_OP_NORM, .input_count = 3, .axis = 2};
    node.inputs[1] = constant_of(g, SHAPE(2, 2), ROW(1, 2, 3, 4));
    node.inputs[2] = constant_of(g, SHAPE(2, 2), ROW(0, 0, 0, 10));
    double root = sqrt(7);
    expect_row(g, append(g, node, SHAPE(2, 2)), ROW(1, 1, 1, 5),
               GIVES(1 / root, 2 / root, 3 / root, 20 / root + 10));
}

Test(graph_reference, reduce)
{
    static const struct {
        kas_reduce reduce;
        double y[2];
    } cases[] = {{KAS_REDUCE_SUM, {6, 9}},
                 {KAS_REDUCE_MEAN, {2, 3}},
                 {KAS_REDUCE_MAX, {4, 5}},
                 {KAS_REDUCE_MIN, {-1, 1}},
                 {KAS_REDUCE_PROD, {-12, 15}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        kas_graph *g = graph_new(SHAPE(3, 2));
        expect_row(g, reduce(g, cases[i].reduce, g->input, 0), ROW(3, 1, -1, 3, 4, 5), cases[i].y);
    }
}

Test(graph_reference, conv_of_one_dimension_in_groups)
{
    kas_graph *g = graph_new(SHAPE(2, 4));
    int w = constant_of(g, SHAPE(2, 1, 2), ROW(1, 10, 100, 1000));
    expect_row(g, conv(g, g->input, w, constant_of(g, SHAPE(2), ROW(0.5f, 0)), 0),
               ROW(1, 2, 3, 4, 5, 6, 7, 8), GIVES(21.5, 32.5, 43.5, 6500, 7600, 8700));
}

Test(graph_reference, conv_of_two_dimensions_with_padding_stride_and_dilation)
{
    kas_graph *g = graph_new(SHAPE(1, 3, 3));
    kas_node node = {.op = KAS_OP_CONV, .input_count = 2};
    node.window = (kas_window){.spatial = 2,
                               .kernel = {2, 2},
                               .stride = {2, 1},
                               .dilation = {1, 2},
                               .before = {1, 0},
                               .after = {0, 1},
                               .groups = 1};
    node.inputs[1] = constant_of(g, SHAPE(1, 1, 2, 2), ROW(1, 10, 100, 1000));
    expect_row(g, append(g, node, SHAPE(1, 2, 2)), ROW(1, 2, 3, 4, 5, 6, 7, 8, 9),
               GIVES(3100, 200, 9764, 805));
}

static int pool(kas_graph *g, bool average, bool count_padding)
{
    kas_node node = {.op = KAS_OP_POOL, .input_count = 1};
    node.window = (kas_window){.spatial = 1,
                               .kernel = {2},
                               .stride = {2},
                               .dilation = {1},
                               .before = {1},
                               .after = {1},
                               .average = average,
                               .count_padding = count_padding};
    return append(g, node, SHAPE(1, 3));
}

Test(graph_reference, pool)
{
    kas_graph *g = graph_new(SHAPE(1, 4));
    expect_row(g, pool(g, false, false), ROW(-1, -2, -3, -4), GIVES(-1, -2, -4));
    g = graph_new(SHAPE(1, 4));
    expect_row(g, pool(g, true, true), ROW(-1, -2, -3, -4), GIVES(-0.5, -2.5, -2));
    g = graph_new(SHAPE(1, 4));
    expect_row(g, pool(g, true, false), ROW(-1, -2, -3, -4), GIVES(-1, -2.5, -4));
}

Test(graph_reference, strided)
{
    kas_graph *g = graph_new(SHAPE(2, 3));
    kas_node node = {.op = KAS_OP_STRIDED, .input_count = 1, .stride = {-1, 3, 0}, .offset = 2};
    expect_row(g, append(g, node, SHAPE(2, 2, 2)), ROW(0, 1, 2, 3, 4, 5), GIVES(2, 2, 5, 5, 1, 1, 4, 4));
}

Test(graph_reference, concat)
{
    kas_graph *g = graph_new(SHAPE(2, 1));
    kas_node node = {.op = KAS_OP_CONCAT, .inputs = {0}, .input_count = 3, .axis = 1};
    node.inputs[1] = constant_of(g, SHAPE(2, 2), ROW(10, 11, 12, 13));
    expect_row(g, append(g, node, SHAPE(2, 4)), ROW(1, 2), GIVES(1, 10, 11, 1, 2, 12, 13, 2));
}

Test(graph_reference, gather)
{
    kas_graph *g = graph_new(SHAPE(2, 3));
    kas_node node = {.op = KAS_OP_GATHER, .input_count = 1, .axis = 1, .index_count = 4};
    node.indices = kas_memdup((const int32_t[]){2, 0, 0, 1}, 4 * sizeof(int32_t));
    expect_row(g, append(g, node, SHAPE(2, 4)), ROW(0, 1, 2, 3, 4, 5), GIVES(2, 0, 0, 1, 5, 3, 3, 4));
}

Test(graph_reference, pad)
{
    kas_graph *g = graph_new(SHAPE(2, 2));
    kas_node node = {.op = KAS_OP_PAD, .input_count = 1, .value = 9, .before = {0, 1}};
    expect_row(g, append(g, node, SHAPE(3, 4)), ROW(1, 2, 3, 4), GIVES(9, 1, 2, 9, 9, 3, 4, 9, 9, 9, 9, 9));
}
