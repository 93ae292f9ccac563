/* Folding: constants, scales and biases into products, views, what does nothing. Each keeps the function;
 * each also says what must be left. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/graph/shape.h"
#include "tests/unit/graph_fixture.h"

TestSuite(graph_fold, .fini = expect_no_leaks);

/* Simplifies and expects this many nodes; the graph is the caller's. */
static void expect_nodes(kas_graph *g, int output, size_t nodes)
{
    finish(g, output);
    simplify_keeping_function(g);
    cr_assert_eq(g->node_count, nodes, "%zu nodes are left, not %zu", g->node_count, nodes);
}

static void expect_single(kas_graph *g, int output, kas_op op, kas_act act)
{
    expect_nodes(g, output, 1);
    cr_expect_eq(g->nodes[0].op, op, "it is %s", kas_op_name(g->nodes[0].op));
    cr_expect_eq(g->nodes[0].act, act, "followed by %s", kas_act_name(g->nodes[0].act));
    cr_expect_eq(g->nodes[0].inputs[0], g->input);
    kas_graph_destroy(g);
}

static int weight(kas_graph *g, int64_t n, int64_t k)
{
    return constant_random(g, SHAPE(n, k), 1);
}

/* ---- products ---- */

Test(graph_fold, matmul_and_bias_first_become_linear)
{
    kas_graph *g = graph_new(SHAPE(3, 4));
    int product = matmul(g, g->input, constant_random(g, SHAPE(4, 5), 1));
    expect_single(g, binary(g, KAS_ADD, constant_random(g, SHAPE(5), 1), product), KAS_OP_LINEAR,
                  KAS_ACT_NONE);
}

Test(graph_fold, matmul_with_a_transposed_constant_becomes_linear)
{
    kas_graph *g = graph_new(SHAPE(3, 4));
    kas_node transpose = {.op = KAS_OP_STRIDED, .input_count = 1, .stride = {1, 4}};
    transpose.inputs[0] = weight(g, 5, 4);
    expect_single(g, matmul(g, g->input, append(g, transpose, SHAPE(4, 5))), KAS_OP_LINEAR, KAS_ACT_NONE);
}

Test(graph_fold, matmul_stays_where_no_line_is_a_row)
{
    kas_graph *g = graph_new(SHAPE(4, 3));
    expect_nodes(g, matmul(g, weight(g, 5, 4), g->input), 1);
    cr_expect_eq(g->nodes[0].op, KAS_OP_MATMUL, "the constant is on the left");
    kas_graph_destroy(g);
    g = graph_new(SHAPE(3, 4));
    expect_nodes(g, matmul(g, g->input, constant_random(g, SHAPE(2, 4, 5), 1)), 1);
    cr_expect_eq(g->nodes[0].op, KAS_OP_MATMUL, "there are two matrices");
    kas_graph_destroy(g);
    g = graph_new(SHAPE(3, 4));
    expect_nodes(g, matmul(g, g->input, constant_random(g, SHAPE(1, 4, 5), 1)), 1);
    cr_expect_eq(g->nodes[0].op, KAS_OP_MATMUL, "the result has one dimension more");
    kas_graph_destroy(g);
}

Test(graph_fold, batch_norm_after_linear)
{
    kas_graph *g = graph_new(SHAPE(4));
    int y = linear(g, g->input, weight(g, 6, 4), constant_random(g, SHAPE(6), 1));
    y = binary(g, KAS_SUB, y, constant_random(g, SHAPE(6), 1));
    y = binary(g, KAS_DIV, y, constant_filled(g, SHAPE(6), 1.7f));
    y = binary(g, KAS_MUL, constant_random(g, SHAPE(6), 2), y);
    y = binary(g, KAS_ADD, y, constant_random(g, SHAPE(6), 1));
    expect_single(g, unary(g, KAS_ACT_RELU, 0, 0, y), KAS_OP_LINEAR, KAS_ACT_RELU);
}

Test(graph_fold, batch_norm_before_linear)
{
    kas_graph *g = graph_new(SHAPE(3, 4));
    int y = binary(g, KAS_MUL, g->input, constant_random(g, SHAPE(4), 2));
    y = binary(g, KAS_ADD, y, constant_random(g, SHAPE(4), 1));
    expect_single(g, linear(g, y, weight(g, 6, 4), -1), KAS_OP_LINEAR, KAS_ACT_NONE);
}

Test(graph_fold, a_constant_minus_the_product)
{
    kas_graph *g = graph_new(SHAPE(4));
    int y = linear(g, g->input, weight(g, 6, 4), constant_random(g, SHAPE(6), 1));
    expect_single(g, binary(g, KAS_SUB, constant_random(g, SHAPE(6), 1), y), KAS_OP_LINEAR, KAS_ACT_NONE);
    g = graph_new(SHAPE(4));
    y = binary(g, KAS_SUB, constant_random(g, SHAPE(4), 1), g->input);
    expect_single(g, linear(g, y, weight(g, 6, 4), -1), KAS_OP_LINEAR, KAS_ACT_NONE);
}

Test(graph_fold, scalars_around_a_product)
{
    kas_graph *g = graph_new(SHAPE(4));
    int y = binary(g, KAS_DIV, binary(g, KAS_SUB, g->input, scalar(g, 0.5f)), scalar(g, 0.25f));
    y = linear(g, y, weight(g, 6, 4), -1);
    y = unary(g, KAS_ACT_NEG, 0, 0, binary(g, KAS_MUL, y, scalar(g, 3)));
    expect_single(g, y, KAS_OP_LINEAR, KAS_ACT_NONE);
}

Test(graph_fold, a_summand_that_cancels_stays_before_the_product)
{
    kas_graph *g = graph_new(SHAPE(4));
    int y = binary(g, KAS_SUB, g->input, constant_random(g, SHAPE(4), 3000));
    finish(g, linear(g, y, constant_filled(g, SHAPE(2, 4), 1), -1));
    cr_assert_null(kas_graph_simplify(g));
    cr_expect_eq(g->node_count, 2);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(4)); /* also when a division makes it large only afterwards */
    y = binary(g, KAS_SUB, g->input, scalar(g, 5));
    y = binary(g, KAS_DIV, y, scalar(g, 0.001f));
    finish(g, linear(g, y, constant_filled(g, SHAPE(2, 4), 1), -1));
    cr_assert_null(kas_graph_simplify(g));
    cr_expect_eq(g->node_count, 2);
    kas_graph_destroy(g);
}

Test(graph_fold, a_product_read_twice_is_not_changed)
{
    kas_graph *g = graph_new(SHAPE(4));
    int y = linear(g, g->input, weight(g, 4, 4), -1);
    int z = binary(g, KAS_MUL, y, constant_random(g, SHAPE(4), 2));
    expect_nodes(g, binary(g, KAS_MAX, z, y), 3);
    cr_expect_eq(g->nodes[1].op, KAS_OP_BINARY);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(4));
    y = linear(g, g->input, weight(g, 4, 4), -1);
    expect_nodes(g, binary(g, KAS_MAX, unary(g, KAS_ACT_TANH, 0, 0, y), y), 3);
    cr_expect_eq(g->nodes[1].op, KAS_OP_UNARY);
    kas_graph_destroy(g);
}

Test(graph_fold, a_bias_of_another_dimension_stays)
{
    kas_graph *g = graph_new(SHAPE(3, 4));
    int y = linear(g, g->input, weight(g, 4, 4), -1);
    expect_nodes(g, binary(g, KAS_ADD, y, constant_random(g, SHAPE(3, 1), 1)), 2);
    kas_graph_destroy(g);
}

Test(graph_fold, weights_that_would_overflow_stay)
{
    kas_graph *g = graph_new(SHAPE(2));
    int y = linear(g, g->input, constant_filled(g, SHAPE(2, 2), 1e30f), -1);
    expect_nodes(g, binary(g, KAS_MUL, y, constant_of(g, SHAPE(2), (const float[]){1e30f, 1})), 2);
    kas_graph_destroy(g);
}

Test(graph_fold, activations_go_into_what_makes_their_input)
{
    kas_graph *g = graph_new(SHAPE(4));
    int y = linear(g, g->input, weight(g, 4, 4), -1);
    expect_single(g, unary(g, KAS_ACT_LEAKY_RELU, 0.1f, 0, y), KAS_OP_LINEAR, KAS_ACT_LEAKY_RELU);
    g = graph_new(SHAPE(4));
    y = binary(g, KAS_SUB, g->input, constant_random(g, SHAPE(4), 2));
    expect_single(g, unary(g, KAS_ACT_TANH, 0, 0, y), KAS_OP_BINARY, KAS_ACT_TANH);
}

/* ---- convolutions ---- */

Test(graph_fold, batch_norm_after_conv)
{
    kas_graph *g = graph_new(SHAPE(4, 5, 5));
    int y = conv(g, g->input, constant_random(g, SHAPE(6, 2, 3, 3), 1), -1, 1);
    y = binary(g, KAS_MUL, y, constant_random(g, SHAPE(6, 1, 1), 2));
    y = binary(g, KAS_ADD, y, constant_random(g, SHAPE(6, 1, 1), 2));
    expect_single(g, unary(g, KAS_ACT_SILU, 0, 0, y), KAS_OP_CONV, KAS_ACT_SILU);
}

Test(graph_fold, batch_norm_before_conv_in_groups)
{
    kas_graph *g = graph_new(SHAPE(4, 5));
    int y = binary(g, KAS_MUL, g->input, constant_random(g, SHAPE(4, 1), 2));
    y = binary(g, KAS_ADD, y, constant_random(g, SHAPE(4, 1), 1));
    expect_single(g, conv(g, y, constant_random(g, SHAPE(6, 2, 3), 1), -1, 0), KAS_OP_CONV, KAS_ACT_NONE);
}

Test(graph_fold, only_a_factor_passes_a_padded_conv)
{
    kas_graph *g = graph_new(SHAPE(4, 5));
    int y = binary(g, KAS_ADD, g->input, constant_random(g, SHAPE(4, 1), 1));
    y = binary(g, KAS_MUL, y, constant_random(g, SHAPE(4, 1), 2));
    expect_nodes(g, conv(g, y, constant_random(g, SHAPE(6, 2, 3), 1), -1, 1), 2);
    cr_expect_eq(g->nodes[0].binary, KAS_ADD);
    kas_graph_destroy(g);
}

Test(graph_fold, a_factor_along_the_last_dimension_is_no_channel_of_a_conv)
{
    kas_graph *g = graph_new(SHAPE(4, 5));
    int y = conv(g, g->input, constant_random(g, SHAPE(5, 4, 1), 1), -1, 0);
    expect_nodes(g, binary(g, KAS_MUL, y, constant_random(g, SHAPE(5), 2)), 2);
    kas_graph_destroy(g);
}

static int pad(kas_graph *g, int x, float value, int64_t before, kas_shape output)
{
    kas_node node = {.op = KAS_OP_PAD, .input_count = 1, .value = value, .before = {0, before}};
    node.inputs[0] = x;
    return append(g, node, output);
}

Test(graph_fold, padding_goes_into_the_conv)
{
    kas_graph *g = graph_new(SHAPE(2, 5));
    int w = constant_random(g, SHAPE(3, 2, 3), 1);
    expect_single(g, conv(g, pad(g, g->input, 0, 2, SHAPE(2, 8)), w, -1, 1), KAS_OP_CONV, KAS_ACT_NONE);
    g = graph_new(SHAPE(2, 5));
    w = constant_random(g, SHAPE(3, 2, 3), 1);
    expect_nodes(g, conv(g, pad(g, g->input, 0.5f, 2, SHAPE(2, 8)), w, -1, 1), 2);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(1, 5)); /* channels are padded too */
    w = constant_random(g, SHAPE(3, 2, 3), 1);
    expect_nodes(g, conv(g, pad(g, g->input, 0, 2, SHAPE(2, 8)), w, -1, 1), 2);
    kas_graph_destroy(g);
}

/* ---- constants ---- */

Test(graph_fold, constants_are_computed_ahead)
{
    kas_graph *g = graph_new(SHAPE(3));
    int c = unary(g, KAS_ACT_EXP, 0, 0, constant_random(g, SHAPE(2, 3), 1));
    c = reduce(g, KAS_REDUCE_SUM, binary(g, KAS_MUL, c, scalar(g, 2)), 0);
    c = reshape(g, c, SHAPE(3));
    expect_single(g, binary(g, KAS_MUL, g->input, c), KAS_OP_BINARY, KAS_ACT_NONE);
}

Test(graph_fold, an_output_that_is_constant_is_made_by_a_copy)
{
    kas_graph *g = graph_new(SHAPE(3));
    int c = unary(g, KAS_ACT_EXP, 0, 0, constant_random(g, SHAPE(2, 3), 1));
    expect_nodes(g, c, 1);
    cr_expect_eq(g->nodes[0].op, KAS_OP_STRIDED);
    cr_expect_not_null(g->tensors[g->nodes[0].inputs[0]].constant);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(3));
    kas_node node = {.op = KAS_OP_SELECT, .input_count = 3};
    node.inputs[0] = scalar(g, 0);
    node.inputs[2] = constant_random(g, SHAPE(3), 1);
    expect_nodes(g, append(g, node, SHAPE(3)), 1);
    cr_expect_eq(g->nodes[0].op, KAS_OP_STRIDED);
    kas_graph_destroy(g);
}

Test(graph_fold, what_is_not_finite_is_not_made_a_constant)
{
    kas_graph *g = graph_new(SHAPE(3));
    int c = unary(g, KAS_ACT_LOG, 0, 0, constant_filled(g, SHAPE(3), 0));
    expect_nodes(g, binary(g, KAS_MUL, g->input, c), 2);
    kas_graph_destroy(g);
}

Test(graph_fold, an_expanded_constant_is_not_stored)
{
    kas_graph *g = graph_new(SHAPE(1));
    kas_node node = {.op = KAS_OP_STRIDED, .input_count = 1};
    node.inputs[0] = constant_random(g, SHAPE(1), 1);
    int wide = append(g, node, SHAPE(1 << 20));
    finish(g, binary(g, KAS_ADD, wide, g->input));
    cr_assert_null(kas_graph_simplify(g));
    cr_assert_null(kas_graph_check(g));
    for (size_t i = 0; i < g->tensor_count; ++i)
        cr_expect(!g->tensors[i].constant || g->tensors[i].elements == 1);
    kas_graph_destroy(g);
}

/* A pooling window of 2^52 elements over padding would take for ever to fold. */
Test(graph_fold, work_on_constants_is_bounded)
{
    kas_graph *g = graph_new(SHAPE(1));
    kas_node node = {.op = KAS_OP_POOL, .input_count = 1};
    node.inputs[0] = constant_random(g, SHAPE(1, 2, 2), 1);
    node.window = (kas_window){.spatial = 2,
                               .kernel = {1 << 26, 1 << 26},
                               .stride = {1, 1},
                               .dilation = {1, 1},
                               .before = {(1 << 26) - 2, (1 << 26) - 2},
                               .average = true};
    finish(g, binary(g, KAS_ADD, append(g, node, SHAPE(1, 1, 1)), g->input));
    cr_assert_null(kas_graph_simplify(g));
    cr_expect_eq(g->node_count, 2);
    kas_graph_destroy(g);
}

Test(graph_fold, a_shared_weight_is_not_stored_for_every_reader)
{
    kas_graph *g = graph_new(SHAPE(1, 200));
    int y = g->input, w = constant_filled(g, SHAPE(200, 200), 0.01f);
    for (int i = 0; i < 500; ++i)
        y = matmul(g, y, w);
    finish(g, y);
    cr_assert_null(kas_graph_simplify(g));
    cr_assert_null(kas_graph_check(g));
    size_t stored = 0;
    for (size_t i = 0; i < g->tensor_count; ++i)
        if (g->tensors[i].constant) stored += g->tensors[i].elements;
    cr_expect_lt(stored, (1 << 22) + 2 * 40000, "%zu elements are stored", stored);
    cr_expect_eq(g->node_count, 500);
    kas_graph_destroy(g);
}

/* ---- what does nothing ---- */

Test(graph_fold, identities_go)
{
    kas_graph *g = graph_new(SHAPE(1, 3));
    int y = binary(g, KAS_ADD, g->input, scalar(g, 0));
    y = binary(g, KAS_MUL, constant_filled(g, SHAPE(3), 1), y);
    y = binary(g, KAS_POW, binary(g, KAS_DIV, y, scalar(g, 1)), scalar(g, 1));
    y = reduce(g, KAS_REDUCE_PROD, unary(g, KAS_ACT_NONE, 0, 0, y), 0);
    y = reshape(g, pad(g, y, 1, 0, SHAPE(1, 3)), SHAPE(1, 3));
    kas_node node = {.op = KAS_OP_CONCAT, .inputs = {y}, .input_count = 1};
    y = append(g, node, SHAPE(1, 3));
    node = (kas_node){.op = KAS_OP_POOL, .inputs = {y}, .input_count = 1};
    node.window = (kas_window){.spatial = 1, .kernel = {1}, .stride = {1}, .dilation = {1}};
    y = append(g, node, SHAPE(1, 3));
    node = (kas_node){.op = KAS_OP_GATHER, .inputs = {y}, .input_count = 1, .axis = 1, .index_count = 3};
    node.indices = kas_memdup((const int32_t[]){0, 1, 2}, 3 * sizeof(int32_t));
    y = append(g, node, SHAPE(1, 3));
    node = (kas_node){.op = KAS_OP_SELECT, .inputs = {scalar(g, 1), y, g->input}, .input_count = 3};
    expect_nodes(g, append(g, node, SHAPE(1, 3)), 0);
    cr_expect_eq(g->output, g->input);
    cr_expect_eq(g->tensor_count, 1);
    kas_graph_destroy(g);
}

Test(graph_fold, what_only_looks_like_an_identity_stays)
{
    kas_graph *g = graph_new(SHAPE(3));
    expect_nodes(g, binary(g, KAS_SUB, scalar(g, 0), g->input), 1);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(3)); /* it expands */
    expect_nodes(g, binary(g, KAS_ADD, g->input, constant_filled(g, SHAPE(2, 1), 0)), 1);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(2, 2)); /* it transposes */
    kas_node node = {.op = KAS_OP_STRIDED, .input_count = 1, .stride = {1, 2}};
    expect_nodes(g, append(g, node, SHAPE(2, 2)), 1);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(2)); /* its conditions differ */
    node = (kas_node){.op = KAS_OP_SELECT, .input_count = 3};
    node.inputs[0] = constant_of(g, SHAPE(2), (const float[]){1, 0});
    node.inputs[2] = scalar(g, 3);
    expect_nodes(g, append(g, node, SHAPE(2)), 1);
    kas_graph_destroy(g);
}

Test(graph_fold, what_nobody_reads_goes)
{
    kas_graph *g = graph_new(SHAPE(3));
    int y = unary(g, KAS_ACT_RELU, 0, 0, g->input);
    int unread = linear(g, y, weight(g, 5, 3), -1);
    (void)unary(g, KAS_ACT_EXP, 0, 0, unread);
    expect_single(g, y, KAS_OP_UNARY, KAS_ACT_RELU);
}

Test(graph_fold, affine_functions_in_a_row)
{
    kas_graph *g = graph_new(SHAPE(3));
    int y = unary(g, KAS_ACT_NEG, 0, 0, binary(g, KAS_ADD, g->input, scalar(g, 2)));
    expect_nodes(g, binary(g, KAS_MUL, y, scalar(g, 3)), 1);
    cr_expect_eq(g->nodes[0].act_a, -3);
    cr_expect_eq(g->nodes[0].act_b, -6);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(3)); /* 1000·(x − 5): near 5, float32 needs the difference */
    y = binary(g, KAS_SUB, g->input, scalar(g, 5));
    expect_nodes(g, binary(g, KAS_MUL, y, scalar(g, 1000)), 2);
    kas_graph_destroy(g);
}

/* ---- views ---- */

static int view(kas_graph *g, int x, int64_t offset, const int64_t *stride, kas_shape output)
{
    kas_node node = {.op = KAS_OP_STRIDED, .inputs = {x}, .input_count = 1, .offset = offset};
    memcpy(node.stride, stride, (size_t)output.rank * sizeof *stride);
    return append(g, node, output);
}

#define STRIDE(...)                                                                                          \
    (const int64_t[])                                                                                        \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

Test(graph_fold, views_of_views)
{
    kas_graph *g = graph_new(SHAPE(2, 3, 4)); /* transposed there and back */
    int y = view(g, g->input, 0, STRIDE(4, 12, 1), SHAPE(3, 2, 4));
    expect_nodes(g, view(g, y, 0, STRIDE(4, 8, 1), SHAPE(2, 3, 4)), 0);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(24)); /* cut into heads and transposed */
    y = reshape(g, g->input, SHAPE(2, 3, 4));
    expect_nodes(g, view(g, y, 0, STRIDE(4, 12, 1), SHAPE(3, 2, 4)), 1);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(6, 4)); /* a slice of a slice, backwards */
    y = view(g, g->input, 4, STRIDE(8, 1), SHAPE(3, 4));
    expect_nodes(g, view(g, y, 11, STRIDE(-4, -2), SHAPE(3, 2)), 1);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(3)); /* an expansion of a flipped row */
    y = view(g, g->input, 2, STRIDE(-1), SHAPE(3));
    expect_nodes(g, view(g, y, 0, STRIDE(0, 1), SHAPE(5, 3)), 1);
    kas_graph_destroy(g);
}

Test(graph_fold, a_flattened_transpose_is_no_view)
{
    kas_graph *g = graph_new(SHAPE(2, 3));
    int y = view(g, g->input, 0, STRIDE(1, 3), SHAPE(3, 2));
    expect_nodes(g, reshape(g, y, SHAPE(6)), 2);
    kas_graph_destroy(g);
}

Test(graph_fold, functions_of_elements_pass_a_reshape)
{
    kas_graph *g = graph_new(SHAPE(1, 4)); /* a vector as a matrix of one row */
    int y = reshape(g, matmul(g, g->input, constant_random(g, SHAPE(4, 6), 1)), SHAPE(6));
    y = unary(g, KAS_ACT_RELU, 0, 0, binary(g, KAS_ADD, constant_random(g, SHAPE(6), 1), y));
    expect_nodes(g, y, 2);
    cr_expect_eq(g->nodes[0].op, KAS_OP_LINEAR);
    cr_expect_eq(g->nodes[0].act, KAS_ACT_RELU);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(2, 3)); /* the constant would meet other elements */
    y = reshape(g, linear(g, g->input, weight(g, 3, 3), -1), SHAPE(3, 2));
    expect_nodes(g, binary(g, KAS_MUL, y, constant_random(g, SHAPE(2), 1)), 3);
    kas_graph_destroy(g);
    g = graph_new(SHAPE(2, 3)); /* the constant has more dimensions than the product */
    y = reshape(g, linear(g, g->input, weight(g, 4, 3), -1), SHAPE(2, 2, 2));
    expect_nodes(g, binary(g, KAS_MUL, y, constant_random(g, SHAPE(2, 1, 1), 1)), 3);
    cr_expect_eq(g->nodes[0].op, KAS_OP_LINEAR);
    kas_graph_destroy(g);
}

static int gather(kas_graph *g, int x, int axis, const int32_t *indices, size_t count)
{
    kas_node node = {
        .op = KAS_OP_GATHER, .inputs = {x}, .input_count = 1, .axis = axis, .index_count = count};
    node.indices = kas_memdup(indices, count * sizeof *indices);
    kas_shape shape = shape_of(g, x);
    shape.dims[axis] = (int64_t)count;
    return append(g, node, shape);
}

Test(graph_fold, evenly_spaced_gathers_are_views)
{
    kas_graph *g = graph_new(SHAPE(2, 5));
    expect_single(g, gather(g, g->input, 1, (const int32_t[]){4, 2, 0}, 3), KAS_OP_STRIDED, KAS_ACT_NONE);
    g = graph_new(SHAPE(2, 5));
    expect_single(g, gather(g, g->input, 0, (const int32_t[]){1}, 1), KAS_OP_STRIDED, KAS_ACT_NONE);
    g = graph_new(SHAPE(2, 5));
    expect_single(g, gather(g, g->input, 1, (const int32_t[]){0, 1, 3}, 3), KAS_OP_GATHER, KAS_ACT_NONE);
}
