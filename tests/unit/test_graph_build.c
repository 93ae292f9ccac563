/* Building: limits hold while a graph is built, and what is handed over is never leaked. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/unit/graph_fixture.h"

TestSuite(graph_build, .fini = expect_no_leaks);

Test(graph_build, shapes)
{
    size_t elements = 7;
    cr_expect(kas_shape_elements(&SHAPE(), &elements));
    cr_expect_eq(elements, 1);
    cr_expect(kas_shape_elements(&SHAPE(3, 64), &elements));
    cr_expect_eq(elements, 192);
    cr_expect_not(kas_shape_elements(&SHAPE(3, 0), &elements));
    cr_expect_not(kas_shape_elements(&SHAPE(-1), &elements));
    cr_expect_not(kas_shape_elements(&SHAPE(1 << 26, 2), &elements));
    cr_expect_not(kas_shape_elements(&SHAPE(INT64_MAX, INT64_MAX), &elements));
    cr_expect_not(kas_shape_elements(&((kas_shape){.rank = 7}), &elements));
    cr_expect_eq(elements, 192, "unchanged by a refusal");
    cr_expect(kas_shape_elements(&SHAPE(1 << 13, 1 << 13), &elements));
    cr_expect_eq(elements, KAS_GRAPH_MAX_ELEMENTS);
}

Test(graph_build, text_of_shapes_is_always_terminated)
{
    char text[64];
    cr_expect_str_eq(kas_shape_text(&SHAPE(), text, sizeof text), "[]");
    cr_expect_str_eq(kas_shape_text(&SHAPE(3, 64), text, sizeof text), "[3, 64]");
    for (size_t size = 1; size < 8; ++size) {
        memset(text, '#', sizeof text);
        kas_shape_text(&SHAPE(3, 64), text, size);
        cr_expect_eq(strlen(text), size - 1);
        cr_expect_eq(strncmp(text, "[3, 64]", size - 1), 0);
    }
}

Test(graph_build, names)
{
    for (int op = 0; op < KAS_OP_COUNT; ++op)
        cr_expect_not_null(kas_op_name((kas_op)op));
    for (int act = 0; act < KAS_ACT_COUNT; ++act)
        cr_expect_not_null(kas_act_name((kas_act)act));
    cr_expect_str_eq(kas_op_name(KAS_OP_LINEAR), "linear");
    cr_expect_str_eq(kas_act_name(KAS_ACT_GELU_TANH), "gelu_tanh");
    cr_expect_str_eq(kas_op_name((kas_op)99), "unknown");
    cr_expect_str_eq(kas_act_name((kas_act)-1), "unknown");
}

/* The number of a line "#define ACT_GELU_TANH 3" for gelu_tanh, -1 for other lines. */
static int number_of_define(const char *line, const char *name)
{
    static const char before[] = "#define ACT_";
    if (strncmp(line, before, strlen(before)) != 0) return -1;
    line += strlen(before);
    for (; *name; ++name, ++line)
        if (*line != toupper((unsigned char)*name)) return -1;
    return *line == ' ' ? atoi(line) : -1;
}

static int number_in_kernels(const char *name)
{
    FILE *file = fopen(KASMINA_SOURCE_DIR "/kernels/act.h", "r");
    cr_assert_not_null(file);
    char line[256];
    int number = -1;
    while (number < 0 && fgets(line, sizeof line, file))
        number = number_of_define(line, name);
    fclose(file);
    return number;
}

Test(graph_build, kernels_number_the_activations_alike)
{
    for (int act = 0; act < KAS_ACT_COUNT; ++act)
        cr_expect_eq(number_in_kernels(kas_act_name((kas_act)act)), act, "%s", kas_act_name((kas_act)act));
    cr_expect_eq(number_in_kernels("count"), KAS_ACT_COUNT);
}

Test(graph_build, tensors_beyond_the_limits_are_refused)
{
    kas_graph *g = graph_new(SHAPE(4));
    int tensor;
    expect_refusal(kas_graph_add_tensor(g, "flat", &SHAPE(3, 0), &tensor), "shape", "\"flat\" [3, 0]");
    expect_refusal(kas_graph_add_tensor(g, "wide", &SHAPE(1 << 20, 1 << 20), &tensor), "limit", "\"wide\"");
    expect_refusal(kas_graph_add_tensor(g, NULL, &((kas_shape){.rank = 7}), &tensor), "limit",
                   "7 dimensions");
    expect_refusal(kas_graph_add_constant(g, "c", &SHAPE(0), kas_alloc(4), &tensor), "shape", "\"c\"");
    cr_expect_eq(g->tensor_count, 1);
    while (g->tensor_count < KAS_GRAPH_MAX_TENSORS)
        cr_assert_null(kas_graph_add_tensor(g, NULL, &SHAPE(1), &tensor));
    expect_refusal(kas_graph_add_tensor(g, "last", &SHAPE(1), &tensor), "limit", "\"last\"");
    kas_graph_destroy(g);
}

Test(graph_build, nodes_beyond_the_limits_are_refused)
{
    kas_graph *g = graph_new(SHAPE(4));
    kas_node node = {.op = KAS_OP_GATHER, .input_count = KAS_MAX_NODE_INPUTS + 1, .indices = kas_alloc(4)};
    expect_refusal(kas_graph_add_node(g, &node), "limit", "65 tensors");
    node = (kas_node){.op = KAS_OP_UNARY, .input_count = 1};
    for (int i = 0; i < KAS_GRAPH_MAX_NODES; ++i)
        cr_assert_null(kas_graph_add_node(g, &node));
    node.indices = kas_alloc(4);
    expect_refusal(kas_graph_add_node(g, &node), "limit", "4096 nodes");
    kas_graph_destroy(g);
    kas_graph_destroy(NULL);
}

Test(graph_build, a_shape_may_lie_in_the_graph_itself)
{
    kas_graph *g = graph_new(SHAPE(4, 5));
    for (int i = 0; i < 100; ++i) {
        int tensor;
        cr_assert_null(kas_graph_add_tensor(g, "t", &g->tensors[g->input].shape, &tensor));
        cr_assert_eq(g->tensors[tensor].elements, 20);
    }
    kas_graph_destroy(g);
}

/* ---- graphs that are one product ---- */

static bool is_affine(kas_graph *g, float **weight, float **bias)
{
    bool result;
    cr_assert_null(kas_graph_affine(g, &result, weight, bias));
    return result;
}

Test(graph_build, affine_gives_weight_and_bias)
{
    kas_graph *g = graph_new(SHAPE(3));
    int w = constant_of(g, SHAPE(2, 3), (const float[]){1, 2, 3, 4, 5, 6});
    finish(g, linear(g, g->input, w, constant_of(g, SHAPE(2), (const float[]){7, 8})));
    float *weight, *bias;
    cr_assert(is_affine(g, &weight, &bias));
    cr_expect_arr_eq(weight, ((float[]){1, 2, 3, 4, 5, 6}), 6 * sizeof(float));
    cr_expect_arr_eq(bias, ((float[]){7, 8}), 2 * sizeof(float));
    kas_free(weight);
    kas_free(bias);
    kas_graph_destroy(g);
}

Test(graph_build, affine_sees_through_reshapes_and_supplies_a_bias)
{
    kas_graph *g = graph_new(SHAPE(1, 3));
    int y = linear(g, reshape(g, g->input, SHAPE(3)), constant_filled(g, SHAPE(2, 3), 1), -1);
    finish(g, reshape(g, y, SHAPE(2, 1)));
    float *weight, *bias;
    cr_assert(is_affine(g, &weight, &bias));
    cr_expect_arr_eq(bias, ((float[]){0, 0}), 2 * sizeof(float));
    kas_free(weight);
    kas_free(bias);
    kas_graph_destroy(g);
}

Test(graph_build, what_is_more_than_one_product_is_not_affine)
{
    float *weight, *bias;
    kas_graph *g = graph_new(SHAPE(3));
    int w = constant_filled(g, SHAPE(3, 3), 1);
    int once = linear(g, g->input, w, -1), twice = linear(g, once, w, -1);
    finish(g, twice);
    cr_expect_not(is_affine(g, &weight, &bias), "two products");
    finish(g, unary(g, KAS_ACT_RELU, 0, 0, once));
    cr_expect_not(is_affine(g, &weight, &bias), "an activation");
    kas_graph_destroy(g);

    g = graph_new(SHAPE(2, 3));
    finish(g, linear(g, g->input, constant_filled(g, SHAPE(3, 3), 1), -1));
    cr_expect_not(is_affine(g, &weight, &bias), "several rows share the weight");
    kas_graph_destroy(g);

    g = graph_new(SHAPE(3));
    kas_node fused = {.op = KAS_OP_LINEAR, .act = KAS_ACT_RELU, .input_count = 2};
    fused.inputs[1] = constant_filled(g, SHAPE(3, 3), 1);
    finish(g, append(g, fused, SHAPE(3)));
    cr_expect_not(is_affine(g, &weight, &bias), "an activation in the product");
    kas_graph_destroy(g);

    g = graph_new(SHAPE(3));
    finish(g, g->input);
    cr_expect_not(is_affine(g, &weight, &bias), "the identity has no product");
    kas_graph_destroy(g);
}
