/* Every rule of kas_graph_check refuses what breaks it, names the node and says what is wrong. */
#include <criterion/criterion.h>
#include <math.h>

#include "base/alloc.h"
#include "tests/unit/graph_fixture.h"

TestSuite(graph_check, .fini = expect_no_leaks);

static void expect_check(kas_graph *g, int output, const char *reason, const char *part)
{
    g->output = output;
    expect_refusal(kas_graph_check(g), reason, part);
    kas_graph_destroy(g);
}

/* Appends the node to a graph with this input and expects the check to refuse it. */
static void expect_node(kas_graph *g, kas_node node, kas_shape output, const char *reason, const char *part)
{
    expect_check(g, append(g, node, output), reason, part);
}

Test(graph_check, the_identity_is_a_graph)
{
    kas_graph *g = graph_new(SHAPE(4));
    finish(g, g->input);
    kas_graph_destroy(g);
}

Test(graph_check, ends)
{
    kas_graph *g = graph_new(SHAPE(4));
    expect_check(g, -1, "malformed", "output");
    g = graph_new(SHAPE(4));
    expect_check(g, 1, "malformed", "output is no tensor: 1, of 1");
    g = graph_new(SHAPE(4));
    expect_check(g, scalar(g, 1), "malformed", "is a constant; a node must make it");
    g = graph_new(SHAPE(4));
    g->input = -1;
    expect_check(g, 0, "malformed", "input is no tensor");
    g = graph_new(SHAPE(4));
    g->input = scalar(g, 1);
    expect_check(g, 0, "malformed", "input \"c\" [] is a constant");
    g = graph_new(SHAPE(4));
    int orphan;
    cr_assert_null(kas_graph_add_tensor(g, "orphan", &SHAPE(4), &orphan));
    expect_check(g, orphan, "malformed", "nothing makes the graph's output \"orphan\" [4]");
}

Test(graph_check, order_and_single_producers)
{
    kas_graph *g = graph_new(SHAPE(4));
    int later;
    cr_assert_null(kas_graph_add_tensor(g, "later", &SHAPE(4), &later));
    expect_check(g, unary(g, KAS_ACT_RELU, 0, 0, later), "malformed",
                 "\"later\" [4], is read before anything");

    g = graph_new(SHAPE(4));
    int twice = unary(g, KAS_ACT_RELU, 0, 0, g->input);
    kas_node again = g->nodes[0];
    cr_assert_null(kas_graph_add_node(g, &again));
    expect_check(g, twice, "malformed", "node 1 (unary, makes \"t\"): its output \"t\" [4] is made already");

    g = graph_new(SHAPE(4));
    kas_node over = {.op = KAS_OP_UNARY, .inputs = {g->input}, .input_count = 1};
    over.output = constant_filled(g, SHAPE(4), 1);
    cr_assert_null(kas_graph_add_node(g, &over));
    expect_check(g, g->input, "malformed", "is a constant already");

    g = graph_new(SHAPE(4));
    over.output = g->input;
    cr_assert_null(kas_graph_add_node(g, &over));
    expect_check(g, g->input, "malformed", "is made already");
}

Test(graph_check, indices)
{
    kas_graph *g = graph_new(SHAPE(4));
    kas_node node = {.op = KAS_OP_UNARY, .inputs = {99}, .input_count = 1};
    expect_node(g, node, SHAPE(4), "malformed", "input 0 is tensor 99, of 2");
    g = graph_new(SHAPE(4));
    node.inputs[0] = -1;
    expect_node(g, node, SHAPE(4), "malformed", "input 0 is tensor -1");
    g = graph_new(SHAPE(4));
    node.input_count = 0;
    expect_node(g, node, SHAPE(4), "malformed", "reads 0 tensors");
    g = graph_new(SHAPE(4));
    node = (kas_node){.op = KAS_OP_UNARY, .input_count = 1, .output = 5};
    cr_assert_null(kas_graph_add_node(g, &node));
    expect_check(g, 0, "malformed", "its output is tensor 5, of 1");
    g = graph_new(SHAPE(4));
    node = (kas_node){.op = KAS_OP_COUNT, .input_count = 1};
    expect_node(g, node, SHAPE(4), "malformed", "operator 14 is not known");
}

Test(graph_check, attributes)
{
    kas_graph *g = graph_new(SHAPE(4));
    expect_check(g, unary(g, KAS_ACT_COUNT, 0, 0, g->input), "malformed", "is not known");
    g = graph_new(SHAPE(4));
    expect_check(g, unary(g, KAS_ACT_AFFINE, NAN, 0, g->input), "not_finite", "affine must be finite");
    g = graph_new(SHAPE(4));
    expect_check(g, unary(g, KAS_ACT_CLIP, 0, INFINITY, g->input), "not_finite", "clip must be finite");
    g = graph_new(SHAPE(4));
    expect_check(g, unary(g, KAS_ACT_CELU, 0, 0, g->input), "malformed", "celu");
    g = graph_new(SHAPE(4));
    kas_node node = {.op = KAS_OP_SOFTMAX, .act = KAS_ACT_RELU, .input_count = 1};
    expect_node(g, node, SHAPE(4), "malformed", "activation relu cannot follow");
    g = graph_new(SHAPE(4));
    node = (kas_node){.op = KAS_OP_SOFTMAX, .input_count = 1, .indices = kas_alloc(4), .index_count = 1};
    expect_node(g, node, SHAPE(4), "malformed", "only gather");
}

Test(graph_check, constants_are_finite)
{
    kas_graph *g = graph_new(SHAPE(2));
    int c = constant_of(g, SHAPE(2), (const float[]){1, NAN});
    expect_check(g, binary(g, KAS_ADD, g->input, c), "not_finite", "\"c\" [2]: element 1 is");
    g = graph_new(SHAPE(2));
    c = constant_of(g, SHAPE(2), (const float[]){-INFINITY, 1});
    expect_check(g, binary(g, KAS_ADD, g->input, c), "not_finite", "element 0 is -inf");
}

Test(graph_check, tensors)
{
    kas_graph *g = graph_new(SHAPE(2));
    g->tensors[0].shape.dims[0] = 0;
    expect_check(g, 0, "limit", "\"x\" [0]");
    g = graph_new(SHAPE(2));
    g->tensors[0].elements = 3;
    expect_check(g, 0, "shape", "holds 3 elements, not 2");
}

Test(graph_check, linear)
{
    kas_graph *g = graph_new(SHAPE(2, 3));
    expect_check(g, linear(g, g->input, constant_filled(g, SHAPE(5, 4), 1), -1), "shape",
                 "the input \"x\" [2, 3] has rows of 3, the weight \"c\" [5, 4] takes 4");
    g = graph_new(SHAPE(3));
    int w = constant_filled(g, SHAPE(5, 3), 1);
    expect_check(g, linear(g, g->input, w, constant_filled(g, SHAPE(4), 1)), "shape",
                 "bias \"c\" [4] should");
    g = graph_new(SHAPE(3));
    w = constant_filled(g, SHAPE(5, 3), 1);
    expect_check(g, linear(g, g->input, w, constant_filled(g, SHAPE(5, 1), 1)), "shape", "have shape [5]");
    g = graph_new(SHAPE(3));
    kas_node node = {.op = KAS_OP_LINEAR, .input_count = 2};
    node.inputs[1] = constant_filled(g, SHAPE(5, 3), 1);
    expect_node(g, node, SHAPE(3), "shape", "output \"t\" [3] should have shape [5]");
    g = graph_new(SHAPE(3));
    node.inputs[1] = constant_filled(g, SHAPE(3), 1);
    expect_node(g, node, SHAPE(3), "shape", "should be [..., k] and [n, k]");
    g = graph_new(SHAPE(3, 3));
    expect_check(g, linear(g, g->input, g->input, -1), "malformed", "weight \"x\" [3, 3] must be a constant");
    g = graph_new(SHAPE(3));
    w = constant_filled(g, SHAPE(3, 3), 1);
    expect_check(g, linear(g, g->input, w, g->input), "malformed", "bias \"x\" [3] must be a constant");
}

Test(graph_check, matmul)
{
    kas_node node = {.op = KAS_OP_MATMUL, .input_count = 2};
    kas_graph *g = graph_new(SHAPE(2, 3));
    node.inputs[1] = constant_filled(g, SHAPE(4, 5), 1);
    expect_node(g, node, SHAPE(2, 5), "shape", "\"x\" [2, 3] and \"c\" [4, 5]");
    g = graph_new(SHAPE(3));
    node.inputs[1] = constant_filled(g, SHAPE(3, 5), 1);
    expect_node(g, node, SHAPE(5), "shape", "[..., m, k] and [..., k, n]");
    g = graph_new(SHAPE(2, 2, 3));
    node.inputs[1] = constant_filled(g, SHAPE(3, 3, 5), 1);
    expect_node(g, node, SHAPE(2, 2, 5), "shape", "[..., m, k] and [..., k, n]");
    g = graph_new(SHAPE(2, 3));
    node.inputs[1] = constant_filled(g, SHAPE(3, 5), 1);
    expect_node(g, node, SHAPE(5, 2), "shape", "should have shape [2, 5]");
}

Test(graph_check, elementwise)
{
    kas_graph *g = graph_new(SHAPE(2));
    kas_node node = {.op = KAS_OP_UNARY, .act = KAS_ACT_RELU, .input_count = 1};
    expect_node(g, node, SHAPE(3), "shape", "should have shape [2]");
    node = (kas_node){.op = KAS_OP_BINARY, .input_count = 2};
    g = graph_new(SHAPE(2));
    node.inputs[1] = constant_filled(g, SHAPE(3), 1);
    expect_node(g, node, SHAPE(3), "shape", "\"x\" [2] and \"c\" [3] do not broadcast");
    g = graph_new(SHAPE(2, 1));
    node.inputs[1] = constant_filled(g, SHAPE(3), 1);
    expect_node(g, node, SHAPE(2, 1), "shape", "should have shape [2, 3]");
    g = graph_new(SHAPE(2));
    node.binary = KAS_BINARY_COUNT;
    node.inputs[1] = g->input;
    expect_node(g, node, SHAPE(2), "malformed", "function 15 of two");
    node = (kas_node){.op = KAS_OP_SELECT, .input_count = 3};
    g = graph_new(SHAPE(2));
    node.inputs[0] = constant_filled(g, SHAPE(3), 1);
    expect_node(g, node, SHAPE(2), "shape", "condition \"c\" [3]");
    g = graph_new(SHAPE(2));
    node.inputs[0] = constant_filled(g, SHAPE(3, 1), 1);
    expect_node(g, node, SHAPE(2), "shape", "should have shape [3, 2]");
}

Test(graph_check, statistics)
{
    kas_node node = {.op = KAS_OP_SOFTMAX, .input_count = 1, .axis = 1};
    expect_node(graph_new(SHAPE(2)), node, SHAPE(2), "shape", "axis 1 does not lie in the input \"x\" [2]");
    node.axis = -1;
    expect_node(graph_new(SHAPE(2)), node, SHAPE(2), "shape", "axis -1");
    node = (kas_node){.op = KAS_OP_REDUCE, .input_count = 1};
    expect_node(graph_new(SHAPE(2)), node, SHAPE(2), "shape", "should have shape [1]");
    node.axis = 2;
    expect_node(graph_new(SHAPE(2)), node, SHAPE(1), "shape", "axis 2");
    node = (kas_node){.op = KAS_OP_REDUCE, .input_count = 1, .reduce = (kas_reduce)9};
    expect_node(graph_new(SHAPE(2)), node, SHAPE(1), "malformed", "reduction 9");
}

Test(graph_check, norm)
{
    kas_node node = {.op = KAS_OP_NORM, .input_count = 1, .axis = 2};
    expect_node(graph_new(SHAPE(2)), node, SHAPE(2), "shape", "last 2 dimensions of the input \"x\" [2]");
    node.axis = 0;
    expect_node(graph_new(SHAPE(2)), node, SHAPE(2), "shape", "last 0 dimensions");
    node = (kas_node){.op = KAS_OP_NORM, .input_count = 1, .axis = 1, .epsilon = -1};
    expect_node(graph_new(SHAPE(2)), node, SHAPE(2), "malformed", "epsilon is -1");
    node.epsilon = NAN;
    expect_node(graph_new(SHAPE(2)), node, SHAPE(2), "not_finite", "epsilon is");
    node = (kas_node){.op = KAS_OP_NORM, .input_count = 2, .axis = 1};
    kas_graph *g = graph_new(SHAPE(2, 3));
    node.inputs[1] = constant_filled(g, SHAPE(2), 1);
    expect_node(g, node, SHAPE(2, 3), "shape", "scale \"c\" [2]");
    g = graph_new(SHAPE(2, 3));
    node.input_count = 3;
    node.inputs[1] = -1;
    node.inputs[2] = constant_filled(g, SHAPE(2, 3), 1);
    expect_node(g, node, SHAPE(2, 3), "shape", "shift \"c\" [2, 3]");
}

static kas_node window_of(kas_op op, int64_t kernel)
{
    return (kas_node){
        .op = op,
        .input_count = op == KAS_OP_CONV ? 2 : 1,
        .window = {
            .spatial = 1, .kernel = {kernel}, .stride = {1}, .dilation = {1}, .groups = op == KAS_OP_CONV}};
}

Test(graph_check, conv)
{
    kas_graph *g = graph_new(SHAPE(4, 8));
    kas_node node = window_of(KAS_OP_CONV, 3);
    node.inputs[1] = constant_filled(g, SHAPE(6, 4, 2), 1);
    expect_node(g, node, SHAPE(6, 6), "shape", "weight \"c\" [6, 4, 2] does not fit the input \"x\" [4, 8]");
    g = graph_new(SHAPE(4, 8));
    node.inputs[1] = constant_filled(g, SHAPE(6, 4, 3), 1);
    expect_node(g, node, SHAPE(6, 8), "shape", "should have shape [6, 6]");
    g = graph_new(SHAPE(4, 8));
    node.inputs[1] = constant_filled(g, SHAPE(6, 4, 3), 1);
    node.window.groups = 4;
    expect_node(g, node, SHAPE(6, 6), "shape", "4 groups do not divide");
    g = graph_new(SHAPE(4, 8));
    node = window_of(KAS_OP_CONV, 9);
    node.inputs[1] = constant_filled(g, SHAPE(6, 4, 9), 1);
    expect_node(g, node, SHAPE(6, 1), "shape", "window of 9 does not fit into dimension 1");
    g = graph_new(SHAPE(4, 8));
    expect_check(g,
                 conv(g, g->input, constant_filled(g, SHAPE(6, 4, 3), 1), constant_filled(g, SHAPE(4), 1), 0),
                 "shape", "bias \"c\" [4] should have shape [6]");
    g = graph_new(SHAPE(4, 4, 4));
    expect_check(
        g, conv(g, g->input, unary(g, KAS_ACT_RELU, 0, 0, constant_filled(g, SHAPE(6, 4, 3, 3), 1)), -1, 0),
        "malformed", "must be constants");
}

Test(graph_check, windows)
{
    kas_node node = window_of(KAS_OP_POOL, 3);
    expect_node(graph_new(SHAPE(8)), node, SHAPE(6), "shape", "a channel and 1 spatial dimensions");
    node.window.spatial = 3;
    expect_node(graph_new(SHAPE(4, 8)), node, SHAPE(4, 6), "malformed", "3 spatial dimensions");
    node = window_of(KAS_OP_POOL, 0);
    expect_node(graph_new(SHAPE(4, 8)), node, SHAPE(4, 8), "limit", "kernel 0");
    node = window_of(KAS_OP_POOL, 3);
    node.window.stride[0] = 0;
    expect_node(graph_new(SHAPE(4, 8)), node, SHAPE(4, 6), "limit", "stride 0");
    node = window_of(KAS_OP_POOL, 3);
    node.window.before[0] = -1;
    expect_node(graph_new(SHAPE(4, 8)), node, SHAPE(4, 6), "limit", "padding -1");
    node = window_of(KAS_OP_POOL, 3);
    node.window.dilation[0] = INT64_MAX;
    expect_node(graph_new(SHAPE(4, 8)), node, SHAPE(4, 6), "limit", "dilation");
    node = window_of(KAS_OP_POOL, 3);
    expect_node(graph_new(SHAPE(4, 8)), node, SHAPE(4, 7), "shape", "should have shape [4, 6]");
}

Test(graph_check, pooling_windows_hold_an_element)
{
    kas_node node = window_of(KAS_OP_POOL, 2);
    node.window.before[0] = 2;
    expect_node(graph_new(SHAPE(4, 8)), node, SHAPE(4, 9), "shape", "lies in the padding");
    node = window_of(KAS_OP_POOL, 2);
    node.window.after[0] = 2;
    expect_node(graph_new(SHAPE(4, 8)), node, SHAPE(4, 9), "shape", "lies in the padding");
    node = window_of(KAS_OP_POOL, 2); /* elements -1 and 2 of two */
    node.window.dilation[0] = 3;
    node.window.before[0] = 1;
    node.window.after[0] = 1;
    expect_node(graph_new(SHAPE(4, 2)), node, SHAPE(4, 1), "shape", "lies in the padding");
    kas_graph *g = graph_new(SHAPE(4, 8));
    node = window_of(KAS_OP_POOL, 2);
    node.window.before[0] = node.window.after[0] = 1;
    finish(g, append(g, node, SHAPE(4, 9)));
    kas_graph_destroy(g);
}

Test(graph_check, strided)
{
    kas_node node = {.op = KAS_OP_STRIDED, .input_count = 1, .stride = {1}};
    expect_node(graph_new(SHAPE(4)), node, SHAPE(5), "shape", "reads elements 0 to 4 of the input \"x\" [4]");
    node.offset = -1;
    expect_node(graph_new(SHAPE(4)), node, SHAPE(4), "shape", "reads elements -1 to 2");
    node = (kas_node){.op = KAS_OP_STRIDED, .input_count = 1, .stride = {-1}, .offset = 2};
    expect_node(graph_new(SHAPE(4)), node, SHAPE(4), "shape", "reads elements -1 to 2");
    node = (kas_node){.op = KAS_OP_STRIDED, .input_count = 1, .stride = {INT64_MAX}};
    expect_node(graph_new(SHAPE(4)), node, SHAPE(4), "limit", "out of range");
    node = (kas_node){.op = KAS_OP_STRIDED, .input_count = 1, .stride = {1}, .offset = INT64_MAX};
    expect_node(graph_new(SHAPE(4)), node, SHAPE(4), "limit", "out of range");
}

Test(graph_check, concat)
{
    kas_node node = {.op = KAS_OP_CONCAT, .input_count = 2, .axis = 1};
    kas_graph *g = graph_new(SHAPE(2, 3));
    node.inputs[1] = constant_filled(g, SHAPE(3, 3), 1);
    expect_node(g, node, SHAPE(2, 6), "shape", "\"c\" [3, 3], does not continue \"x\" [2, 3] along axis 1");
    g = graph_new(SHAPE(2, 3));
    node.inputs[1] = constant_filled(g, SHAPE(2), 1);
    expect_node(g, node, SHAPE(2, 6), "shape", "does not continue");
    g = graph_new(SHAPE(2, 3));
    node.inputs[1] = g->input;
    expect_node(g, node, SHAPE(2, 5), "shape", "should have shape [2, 6]");
    g = graph_new(SHAPE(2, 3));
    node.axis = 2;
    expect_node(g, node, SHAPE(2, 6), "shape", "axis 2");
    g = graph_new(SHAPE(2, 3));
    node = (kas_node){.op = KAS_OP_CONCAT, .input_count = 2, .inputs = {0, -1}};
    expect_node(g, node, SHAPE(4, 3), "malformed", "input 1 is tensor -1");
}

static kas_node gather_of(int32_t index)
{
    kas_node node = {.op = KAS_OP_GATHER, .input_count = 1, .index_count = 1};
    node.indices = kas_memdup(&index, sizeof index);
    return node;
}

Test(graph_check, gather)
{
    expect_node(graph_new(SHAPE(4)), gather_of(4), SHAPE(1), "shape",
                "index 0 is 4; axis 0 of the input \"x\" [4]");
    expect_node(graph_new(SHAPE(4)), gather_of(-1), SHAPE(1), "shape", "index 0 is -1");
    expect_node(graph_new(SHAPE(4)), gather_of(3), SHAPE(2), "shape", "should have shape [1]");
    kas_node node = gather_of(3);
    node.axis = 1;
    expect_node(graph_new(SHAPE(4)), node, SHAPE(1), "shape", "axis 1");
    node = (kas_node){.op = KAS_OP_GATHER, .input_count = 1};
    expect_node(graph_new(SHAPE(4)), node, SHAPE(1), "limit", "0 indices");
}

Test(graph_check, pad)
{
    kas_node node = {.op = KAS_OP_PAD, .input_count = 1, .before = {2}};
    expect_node(graph_new(SHAPE(4)), node, SHAPE(5), "shape",
                "output \"t\" [5] does not hold the input \"x\" [4]");
    expect_node(graph_new(SHAPE(4)), node, SHAPE(6, 1), "shape", "does not hold");
    node.before[0] = -1;
    expect_node(graph_new(SHAPE(4)), node, SHAPE(5), "shape", "does not hold");
    node.before[0] = INT64_MAX;
    expect_node(graph_new(SHAPE(4)), node, SHAPE(5), "shape", "does not hold");
    node = (kas_node){.op = KAS_OP_PAD, .input_count = 1, .value = INFINITY};
    expect_node(graph_new(SHAPE(4)), node, SHAPE(5), "not_finite", "it pads with inf");
}
