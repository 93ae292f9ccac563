/* Activations and norms as exporters spell them out are recognised, and keep their function. */
#include <criterion/criterion.h>
#include <math.h>

#include "tests/unit/graph_fixture.h"

TestSuite(graph_patterns, .fini = expect_no_leaks);

static int plus(kas_graph *g, int x, float c)
{
    return binary(g, KAS_ADD, x, scalar(g, c));
}

static int times(kas_graph *g, int x, float c)
{
    return binary(g, KAS_MUL, x, scalar(g, c));
}

/* One function of one is left, of the input. */
static void expect_act(kas_graph *g, int output, kas_act act)
{
    finish(g, output);
    simplify_keeping_function(g);
    cr_assert_eq(g->node_count, 1, "%zu nodes are left", g->node_count);
    cr_expect_eq(g->nodes[0].op, KAS_OP_UNARY);
    cr_expect_eq(g->nodes[0].act, act, "it is %s", kas_act_name(g->nodes[0].act));
    cr_expect_eq(g->nodes[0].inputs[0], g->input);
    kas_graph_destroy(g);
}

static int erf_gate(kas_graph *g, int x)
{
    int scaled = binary(g, KAS_DIV, x, scalar(g, 1.41421354f));
    return plus(g, unary(g, KAS_ACT_ERF, 0, 0, scaled), 1);
}

Test(graph_patterns, gelu_of_trace)
{
    kas_graph *g = graph_new(SHAPE(5));
    int product = binary(g, KAS_MUL, g->input, erf_gate(g, g->input));
    expect_act(g, times(g, product, 0.5f), KAS_ACT_GELU);
}

Test(graph_patterns, gelu_with_the_half_at_x)
{
    kas_graph *g = graph_new(SHAPE(5));
    int half = times(g, g->input, 0.5f);
    expect_act(g, binary(g, KAS_MUL, half, erf_gate(g, g->input)), KAS_ACT_GELU);
}

Test(graph_patterns, gelu_with_the_half_at_the_gate)
{
    kas_graph *g = graph_new(SHAPE(5));
    int gate = binary(g, KAS_MUL, scalar(g, 0.5f), erf_gate(g, g->input));
    expect_act(g, binary(g, KAS_MUL, gate, g->input), KAS_ACT_GELU);
}

static int tanh_gate(kas_graph *g, int inner)
{
    return plus(g, unary(g, KAS_ACT_TANH, 0, 0, times(g, inner, 0.797884583f)), 1);
}

Test(graph_patterns, gelu_tanh_with_products)
{
    kas_graph *g = graph_new(SHAPE(5));
    int cube = binary(g, KAS_MUL, g->input, binary(g, KAS_MUL, g->input, g->input));
    int inner = binary(g, KAS_ADD, g->input, times(g, cube, 0.044715f));
    int product = binary(g, KAS_MUL, g->input, tanh_gate(g, inner));
    expect_act(g, times(g, product, 0.5f), KAS_ACT_GELU_TANH);
}

Test(graph_patterns, gelu_tanh_with_power)
{
    kas_graph *g = graph_new(SHAPE(5));
    int cube = binary(g, KAS_POW, g->input, scalar(g, 3));
    int inner = binary(g, KAS_ADD, g->input, times(g, cube, 0.044715f));
    int half = times(g, g->input, 0.5f);
    expect_act(g, binary(g, KAS_MUL, half, tanh_gate(g, inner)), KAS_ACT_GELU_TANH);
}

Test(graph_patterns, gelu_tanh_with_x_taken_out)
{
    kas_graph *g = graph_new(SHAPE(5));
    int square = binary(g, KAS_MUL, times(g, g->input, 0.044715f), g->input);
    int inner = binary(g, KAS_MUL, g->input, plus(g, square, 1));
    int half = times(g, g->input, 0.5f);
    expect_act(g, binary(g, KAS_MUL, half, tanh_gate(g, inner)), KAS_ACT_GELU_TANH);
}

Test(graph_patterns, a_gate_with_other_constants_is_no_gelu)
{
    kas_graph *g = graph_new(SHAPE(5));
    int gate = plus(g, unary(g, KAS_ACT_ERF, 0, 0, times(g, g->input, 0.7f)), 1);
    finish(g, times(g, binary(g, KAS_MUL, g->input, gate), 0.5f));
    simplify_keeping_function(g);
    for (size_t i = 0; i < g->node_count; ++i)
        cr_expect_neq(g->nodes[i].act, KAS_ACT_GELU);
    kas_graph_destroy(g);
}

Test(graph_patterns, a_gate_of_higher_degree_is_no_gelu)
{
    kas_graph *g = graph_new(SHAPE(5));
    int square = binary(g, KAS_MUL, g->input, g->input);
    int cube = binary(g, KAS_MUL, square, g->input);
    int inner = binary(g, KAS_ADD, g->input, times(g, cube, 0.044715f));
    inner = binary(g, KAS_ADD, inner, binary(g, KAS_MUL, square, square));
    finish(g, times(g, binary(g, KAS_MUL, g->input, tanh_gate(g, inner)), 0.5f));
    simplify_keeping_function(g);
    for (size_t i = 0; i < g->node_count; ++i)
        cr_expect_neq(g->nodes[i].act, KAS_ACT_GELU_TANH);
    kas_graph_destroy(g);
}

Test(graph_patterns, a_gelu_without_its_half_keeps_its_function)
{
    kas_graph *g = graph_new(SHAPE(5));
    finish(g, binary(g, KAS_MUL, g->input, erf_gate(g, g->input)));
    simplify_keeping_function(g);
    kas_graph_destroy(g);
}

Test(graph_patterns, silu)
{
    kas_graph *g = graph_new(SHAPE(5));
    expect_act(g, binary(g, KAS_MUL, g->input, unary(g, KAS_ACT_SIGMOID, 0, 0, g->input)), KAS_ACT_SILU);
}

Test(graph_patterns, silu_of_a_shifted_input)
{
    kas_graph *g = graph_new(SHAPE(5));
    int x = plus(g, g->input, 0.25f);
    finish(g, binary(g, KAS_MUL, unary(g, KAS_ACT_SIGMOID, 0, 0, x), x));
    simplify_keeping_function(g);
    cr_assert_eq(g->node_count, 2);
    cr_expect_eq(g->nodes[1].act, KAS_ACT_SILU);
    kas_graph_destroy(g);
}

static int one_plus_exp(kas_graph *g, int x)
{
    return plus(g, unary(g, KAS_ACT_EXP, 0, 0, x), 1);
}

Test(graph_patterns, sigmoid_and_silu_from_exp)
{
    kas_graph *g = graph_new(SHAPE(5));
    int below = one_plus_exp(g, unary(g, KAS_ACT_NEG, 0, 0, g->input));
    expect_act(g, binary(g, KAS_DIV, scalar(g, 1), below), KAS_ACT_SIGMOID);
    g = graph_new(SHAPE(5));
    below = one_plus_exp(g, unary(g, KAS_ACT_NEG, 0, 0, g->input));
    expect_act(g, binary(g, KAS_DIV, g->input, below), KAS_ACT_SILU);
}

Test(graph_patterns, softsign)
{
    kas_graph *g = graph_new(SHAPE(5));
    int below = plus(g, unary(g, KAS_ACT_ABS, 0, 0, g->input), 1);
    expect_act(g, binary(g, KAS_DIV, g->input, below), KAS_ACT_SOFTSIGN);
}

Test(graph_patterns, mish)
{
    kas_graph *g = graph_new(SHAPE(5));
    int gate = unary(g, KAS_ACT_TANH, 0, 0, unary(g, KAS_ACT_SOFTPLUS, 0, 0, g->input));
    expect_act(g, binary(g, KAS_MUL, g->input, gate), KAS_ACT_MISH);
    g = graph_new(SHAPE(5));
    int spelled = unary(g, KAS_ACT_LOG, 0, 0, one_plus_exp(g, g->input));
    expect_act(g, binary(g, KAS_MUL, unary(g, KAS_ACT_TANH, 0, 0, spelled), g->input), KAS_ACT_MISH);
}

static int thresholded(kas_graph *g, int compared, int x, int curve, float threshold)
{
    int condition = binary(g, KAS_GREATER, compared, scalar(g, threshold));
    kas_node node = {.op = KAS_OP_SELECT, .inputs = {condition, x, curve}, .input_count = 3};
    return append(g, node, shape_of(g, x));
}

Test(graph_patterns, softplus_with_threshold)
{
    kas_graph *g = graph_new(SHAPE(5));
    int curve = unary(g, KAS_ACT_SOFTPLUS, 0, 0, g->input);
    expect_act(g, thresholded(g, g->input, g->input, curve, 20), KAS_ACT_SOFTPLUS);
}

Test(graph_patterns, softplus_with_threshold_and_beta)
{
    kas_graph *g = graph_new(SHAPE(5));
    int scaled = times(g, g->input, 3);
    int curve = binary(g, KAS_DIV, unary(g, KAS_ACT_SOFTPLUS, 0, 0, scaled), scalar(g, 3));
    finish(g, thresholded(g, scaled, g->input, curve, 20));
    simplify_keeping_function(g);
    for (size_t i = 0; i < g->node_count; ++i)
        cr_expect_eq(g->nodes[i].op, KAS_OP_UNARY);
    kas_graph_destroy(g);
}

Test(graph_patterns, a_low_threshold_stays)
{
    kas_graph *g = graph_new(SHAPE(5));
    int curve = unary(g, KAS_ACT_SOFTPLUS, 0, 0, g->input);
    finish(g, thresholded(g, g->input, g->input, curve, 2));
    simplify_keeping_function(g);
    cr_expect_eq(g->nodes[g->node_count - 1].op, KAS_OP_SELECT);
    kas_graph_destroy(g);
}

Test(graph_patterns, hard_sigmoid_and_hard_swish)
{
    kas_graph *g = graph_new(SHAPE(5));
    int gate = unary(g, KAS_ACT_HARD_SIGMOID, 1.0f / 6, 0.5f, g->input);
    expect_act(g, binary(g, KAS_MUL, g->input, gate), KAS_ACT_HARD_SWISH);
    g = graph_new(SHAPE(5));
    int clipped = unary(g, KAS_ACT_CLIP, 0, 6, plus(g, g->input, 3));
    expect_act(g, binary(g, KAS_DIV, clipped, scalar(g, 6)), KAS_ACT_HARD_SIGMOID);
    g = graph_new(SHAPE(5));
    clipped = unary(g, KAS_ACT_CLIP, 0, 6, plus(g, g->input, 3));
    expect_act(g, binary(g, KAS_DIV, binary(g, KAS_MUL, g->input, clipped), scalar(g, 6)),
               KAS_ACT_HARD_SWISH);
}

Test(graph_patterns, a_hard_sigmoid_of_keras_is_no_hard_swish)
{
    kas_graph *g = graph_new(SHAPE(5));
    int gate = unary(g, KAS_ACT_HARD_SIGMOID, 0.2f, 0.5f, g->input);
    finish(g, binary(g, KAS_MUL, g->input, gate));
    simplify_keeping_function(g);
    cr_expect_eq(g->node_count, 2);
    kas_graph_destroy(g);
}

Test(graph_patterns, bounds)
{
    kas_graph *g = graph_new(SHAPE(5));
    int low = binary(g, KAS_MAX, g->input, scalar(g, -1));
    expect_act(g, binary(g, KAS_MIN, scalar(g, 2), low), KAS_ACT_CLIP);
    g = graph_new(SHAPE(5));
    expect_act(g, binary(g, KAS_MAX, g->input, scalar(g, 0)), KAS_ACT_RELU);
    g = graph_new(SHAPE(5));
    expect_act(g, binary(g, KAS_MIN, unary(g, KAS_ACT_RELU, 0, 0, g->input), scalar(g, 3)), KAS_ACT_CLIP);
}

Test(graph_patterns, bounds_that_cross_stay)
{
    kas_graph *g = graph_new(SHAPE(5));
    finish(g, unary(g, KAS_ACT_CLIP, 2, -1, unary(g, KAS_ACT_RELU, 0, 0, g->input)));
    simplify_keeping_function(g);
    cr_expect_eq(g->node_count, 2);
    kas_graph_destroy(g);
}

Test(graph_patterns, powers)
{
    static const struct {
        float exponent;
        kas_act act;
    } cases[] = {{2, KAS_ACT_SQUARE},
                 {-1, KAS_ACT_RECIPROCAL},
                 {0.5f, KAS_ACT_SQRT},
                 {-0.5f, KAS_ACT_RSQRT},
                 {3, KAS_ACT_POW}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        kas_graph *g = graph_new(SHAPE(5));
        expect_act(g, binary(g, KAS_POW, g->input, scalar(g, cases[i].exponent)), cases[i].act);
    }
}

/* ---- norms ---- */

static void expect_norm(kas_graph *g, int output, bool centred, int axes, size_t nodes)
{
    finish(g, output);
    simplify_keeping_function(g);
    cr_assert_eq(g->node_count, nodes, "%zu nodes are left", g->node_count);
    cr_expect_eq(g->nodes[0].op, KAS_OP_NORM);
    cr_expect_eq(g->nodes[0].centred, centred);
    cr_expect_eq(g->nodes[0].axis, axes);
    cr_expect_float_eq((double)g->nodes[0].epsilon, 1e-5, 1e-10);
    kas_graph_destroy(g);
}

static int mean_over(kas_graph *g, int x, int axes)
{
    int rank = shape_of(g, x).rank;
    for (int i = 1; i <= axes; ++i)
        x = reduce(g, KAS_REDUCE_MEAN, x, rank - i);
    return x;
}

static int layer_norm(kas_graph *g, int x, int axes)
{
    int d = binary(g, KAS_SUB, x, mean_over(g, x, axes));
    int variance = mean_over(g, binary(g, KAS_POW, d, scalar(g, 2)), axes);
    int deviation = unary(g, KAS_ACT_SQRT, 0, 0, plus(g, variance, 1e-5f));
    return binary(g, KAS_DIV, d, deviation);
}

Test(graph_patterns, layer_norm_with_scale_and_shift)
{
    kas_graph *g = graph_new(SHAPE(3, 7));
    int scaled = binary(g, KAS_MUL, layer_norm(g, g->input, 1), constant_random(g, SHAPE(7), 2));
    expect_norm(g, binary(g, KAS_ADD, scaled, constant_random(g, SHAPE(7), 2)), true, 1, 1);
}

Test(graph_patterns, layer_norm_over_two_dimensions)
{
    kas_graph *g = graph_new(SHAPE(2, 3, 4));
    int scaled = binary(g, KAS_MUL, layer_norm(g, g->input, 2), constant_random(g, SHAPE(3, 4), 2));
    expect_norm(g, binary(g, KAS_ADD, constant_random(g, SHAPE(3, 1), 2), scaled), true, 2, 1);
}

Test(graph_patterns, layer_norm_with_a_scale_of_another_dimension)
{
    kas_graph *g = graph_new(SHAPE(3, 7));
    expect_norm(g, binary(g, KAS_MUL, layer_norm(g, g->input, 1), constant_random(g, SHAPE(3, 1), 2)), true,
                1, 2);
}

Test(graph_patterns, layer_norm_with_two_differences)
{
    kas_graph *g = graph_new(SHAPE(7));
    int mean = reduce(g, KAS_REDUCE_MEAN, g->input, 0);
    int first = binary(g, KAS_SUB, g->input, mean), second = binary(g, KAS_SUB, g->input, mean);
    int variance = reduce(g, KAS_REDUCE_MEAN, binary(g, KAS_MUL, first, first), 0);
    int inverse = unary(g, KAS_ACT_RSQRT, 0, 0, plus(g, variance, 1e-5f));
    expect_norm(g, binary(g, KAS_MUL, second, inverse), true, 1, 1);
}

Test(graph_patterns, rms_norm_of_dynamo)
{
    kas_graph *g = graph_new(SHAPE(3, 7));
    int mean = reduce(g, KAS_REDUCE_MEAN, binary(g, KAS_POW, g->input, scalar(g, 2)), 1);
    int root = unary(g, KAS_ACT_SQRT, 0, 0, plus(g, mean, 1e-5f));
    int normed = binary(g, KAS_MUL, g->input, unary(g, KAS_ACT_RECIPROCAL, 0, 0, root));
    expect_norm(g, binary(g, KAS_MUL, normed, constant_random(g, SHAPE(7), 2)), false, 1, 1);
}

Test(graph_patterns, a_scaled_variance_is_no_norm)
{
    kas_graph *g = graph_new(SHAPE(7));
    int mean = times(g, reduce(g, KAS_REDUCE_MEAN, unary(g, KAS_ACT_SQUARE, 0, 0, g->input), 0), 2);
    finish(g, binary(g, KAS_DIV, g->input, unary(g, KAS_ACT_SQRT, 0, 0, plus(g, mean, 1e-5f))));
    simplify_keeping_function(g);
    cr_expect_eq(g->nodes[g->node_count - 1].op, KAS_OP_BINARY);
    kas_graph_destroy(g);
}

Test(graph_patterns, a_mean_over_other_dimensions_does_not_centre)
{
    kas_graph *g = graph_new(SHAPE(3, 7));
    int d = binary(g, KAS_SUB, g->input, mean_over(g, g->input, 2));
    int variance = mean_over(g, binary(g, KAS_MUL, d, d), 1);
    int inverse = unary(g, KAS_ACT_RSQRT, 0, 0, plus(g, variance, 1e-5f));
    finish(g, binary(g, KAS_MUL, d, inverse));
    simplify_keeping_function(g);
    const kas_node *last = &g->nodes[g->node_count - 1];
    cr_expect_eq(last->op, KAS_OP_NORM);
    cr_expect_not(last->centred);
    kas_graph_destroy(g);
}

Test(graph_patterns, a_mean_over_the_first_dimension_is_no_norm)
{
    kas_graph *g = graph_new(SHAPE(3, 7));
    int mean = reduce(g, KAS_REDUCE_MEAN, unary(g, KAS_ACT_SQUARE, 0, 0, g->input), 0);
    int root = unary(g, KAS_ACT_SQRT, 0, 0, plus(g, mean, 1e-5f));
    finish(g, binary(g, KAS_DIV, g->input, root));
    simplify_keeping_function(g);
    for (size_t i = 0; i < g->node_count; ++i)
        cr_expect_neq(g->nodes[i].op, KAS_OP_NORM);
    kas_graph_destroy(g);
}
