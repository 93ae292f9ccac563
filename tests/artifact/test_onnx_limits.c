/* Each limit of the ONNX reader: what is just inside loads, what is just outside is refused, with what and
 * where. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/artifact.h"
#include "tests/artifact/onnx_build.h"

TestSuite(onnx_limits);

/* Decodes and frees the model; NULL where it loads. */
static kas_status decode_with(message *model, const kas_artifact_limits *limits)
{
    kas_artifact artifact;
    kas_status status = kas_artifact_decode(model->bytes, model->size, "m.onnx", limits, &artifact);
    if (!status) kas_artifact_finish(&artifact);
    message_free(model);
    return status;
}

static void expect_loads(message model, const kas_artifact_limits *limits)
{
    kas_status status = decode_with(&model, limits);
    cr_expect_null(status, "%s", kas_status_message(status));
    kas_status_free(status);
}

static void expect_refused(message model, const kas_artifact_limits *limits, const char *reason,
                           const char *text)
{
    kas_status status = decode_with(&model, limits);
    cr_assert_not_null(status, "expected: %s", text);
    cr_expect_str_eq(kas_status_message(status), text);
    cr_expect_str_eq(kas_status_reason(status), reason);
    kas_status_free(status);
}

/* x → Relu → … → y, of `count` nodes. */
static message chain(size_t count)
{
    message graph = make_graph(4, 4);
    char from[24] = "x", to[24]; /* "h" and any size_t */
    for (size_t i = 0; i + 1 < count; ++i) {
        snprintf(to, sizeof to, "h%zu", i);
        put_node(&graph, "Relu", from, to);
        memcpy(from, to, sizeof from);
    }
    put_node(&graph, "Relu", from, "y");
    return make_model(&graph, 17);
}

Test(onnx_limits, nodes)
{
    const kas_artifact_limits five = {.nodes = 5};
    expect_loads(chain(5), &five);
    expect_refused(chain(6), &five, "limit", "onnx: 6 nodes are more than the limit of 5");
    expect_loads(chain(KAS_GRAPH_MAX_NODES), NULL);
    expect_refused(chain(KAS_GRAPH_MAX_NODES + 1), NULL, "limit",
                   "onnx: 4097 nodes are more than the limit of 4096");
}

/* x · w, with a weight of 4 × outputs zeros that the file need not hold. */
static message filled_weight(int64_t outputs)
{
    message graph = make_graph(4, outputs), list = make_tensor("shape", 7, (const int64_t[]){2}, 1);
    put_varint(&list, 7, 4);
    put_varint(&list, 7, (uint64_t)outputs);
    put_initializer(&graph, &list);
    put_node(&graph, "ConstantOfShape", "shape", "w");
    put_node(&graph, "MatMul", "x w", "y");
    return make_model(&graph, 17);
}

Test(onnx_limits, parameters)
{
    const kas_artifact_limits forty = {.parameters = 40};
    expect_loads(filled_weight(10), &forty);
    expect_refused(
        filled_weight(11), &forty, "limit",
        "onnx: node 0 ConstantOfShape \"\": a constant of 44 values is over the limit of 40 parameters");
}

Test(onnx_limits, memory)
{
    const kas_artifact_limits small = {.memory_bytes = 100000};
    expect_loads(filled_weight(1000), &small);
    kas_status status = NULL;
    message model = filled_weight(20000);
    status = decode_with(&model, &small);
    cr_assert_not_null(status);
    cr_expect_str_eq(kas_status_reason(status), "limit");
    cr_expect_not_null(strstr(kas_status_message(status), "decoding needs 320000 bytes of memory more, "));
    kas_status_free(status);
}

Test(onnx_limits, file)
{
    const kas_artifact_limits small = {.file_bytes = 50};
    message model = chain(10);
    const size_t size = model.size;
    kas_status status = decode_with(&model, &small);
    char text[100];
    snprintf(text, sizeof text, "the artifact has %zu bytes, the limit is 50", size);
    cr_assert_not_null(status);
    cr_expect_eq(kas_status_code(status), KAS_TOO_LARGE);
    cr_expect_str_eq(kas_status_message(status), text);
    kas_status_free(status);
}

/* y = x + (a · b) of two constants [n, n] that the file need not hold. */
static message product_of_constants(int64_t n)
{
    message graph = make_graph(n, n), list = make_tensor("shape", 7, (const int64_t[]){2}, 1);
    put_varint(&list, 7, (uint64_t)n);
    put_varint(&list, 7, (uint64_t)n);
    put_initializer(&graph, &list);
    put_node(&graph, "ConstantOfShape", "shape", "a");
    put_node(&graph, "MatMul", "a a", "b");
    put_node(&graph, "MatMul", "x b", "y");
    return make_model(&graph, 17);
}

Test(onnx_limits, work_on_constants)
{
    expect_loads(product_of_constants(100), NULL);
    expect_refused(
        product_of_constants(1000), NULL, "limit",
        "onnx: node 1 MatMul \"\": folding constants takes 1002000000 steps, 67108864 are left of its limit");
}

/* `depth` functions, each calling the next one `calls` times; the last is a Relu. */
static message functions(int depth, int calls)
{
    message graph = make_graph(4, 4), node = make_node("F0", "x", "y");
    put_text(&node, NODE_DOMAIN, "d");
    put_message(&graph, GRAPH_NODE, &node);
    message model = make_model(&graph, 17);
    message import = {0};
    put_text(&import, 1, "d");
    put_varint(&import, 2, 1);
    put_message(&model, MODEL_OPSET, &import);
    for (int i = 0; i < depth; ++i) {
        message function = {0};
        char name[16], from[16] = "a", to[16];
        snprintf(name, sizeof name, "F%d", i);
        put_text(&function, 1, name);
        put_text(&function, 10, "d");
        put_text(&function, 4, "a");
        snprintf(name, sizeof name, "F%d", i + 1);
        for (int c = 0; c < calls; ++c) {
            snprintf(to, sizeof to, "h%d", c);
            node = make_node(i + 1 < depth ? name : "Relu", from, to);
            if (i + 1 < depth) put_text(&node, NODE_DOMAIN, "d");
            put_message(&function, 7, &node);
            memcpy(from, to, sizeof from);
        }
        put_text(&function, 5, from);
        put_varint(&import, 2, 17);
        put_message(&function, 9, &import);
        put_message(&model, MODEL_FUNCTION, &function);
    }
    return model;
}

Test(onnx_limits, nesting)
{
    const kas_artifact_limits four = {.nesting = 4};
    expect_loads(functions(3, 1), &four);
    expect_refused(
        functions(4, 1), &four, "limit",
        "onnx: node 0 F0 \"\": function F0: node 0 F1 \"\": function F1: node 0 F2 \"\": function F2: "
        "node 0 F3 \"\": functions or subgraphs are nested deeper than the limit of 4");
}

/* 2¹⁴ nodes out of 28. */
Test(onnx_limits, nodes_of_functions_count_each_time)
{
    message model = functions(14, 2);
    kas_status status = decode_with(&model, NULL);
    cr_assert_not_null(status);
    cr_expect_str_eq(kas_status_reason(status), "limit");
    cr_expect_not_null(strstr(kas_status_message(status),
                              "with functions and subgraphs there are more nodes than the limit of 4096"));
    kas_status_free(status);
}

static message with_weight(message *tensor)
{
    message graph = make_graph(2, 2);
    put_initializer(&graph, tensor);
    put_node(&graph, "Add", "x w", "y");
    return make_model(&graph, 17);
}

Test(onnx_limits, dimensions)
{
    const int64_t ones[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1}, huge[2] = {1 << 14, 1 << 13}, negative[1] = {-2};
    message tensor = make_tensor("w", 1, ones, 9);
    expect_refused(with_weight(&tensor), NULL, "limit",
                   "onnx: initializer 0 \"w\": dims: the rank is over the limit of 8");
    tensor = make_tensor("w", 1, huge, 2);
    expect_refused(
        with_weight(&tensor), NULL, "limit",
        "onnx: initializer 0 \"w\": dims: the size is over the limit of 67108864 elements (dimension 1 is "
        "8192)");
    tensor = make_tensor("w", 1, negative, 1);
    expect_refused(with_weight(&tensor), NULL, "shape",
                   "onnx: initializer 0 \"w\": dims: the negative dimension -2");
}

static message with_list(size_t values)
{
    message graph = make_graph(4, 4), node = make_node("Constant", "", "c"), attribute = {0}, packed = {0};
    for (size_t i = 0; i < values; ++i)
        put_bare_varint(&packed, 1);
    put_text(&attribute, 1, "value_ints");
    put_message(&attribute, 8, &packed);
    put_varint(&attribute, 20, 7);
    put_message(&node, NODE_ATTRIBUTE, &attribute);
    put_message(&graph, GRAPH_NODE, &node);
    put_node(&graph, "Relu", "x", "y");
    return make_model(&graph, 17);
}

Test(onnx_limits, lists)
{
    expect_loads(with_list(4096), NULL);
    expect_refused(with_list(4097), NULL, "limit",
                   "onnx: node 0 Constant \"\": attribute \"value_ints\": a list of more than 4096 values");
}

static message with_arguments(int inputs)
{
    char names[512] = "";
    message graph = make_graph(4, 4);
    for (int i = 0; i < inputs; ++i)
        strcat(names, i ? " x" : "x");
    put_node(&graph, "Max", names, "y");
    return make_model(&graph, 17);
}

Test(onnx_limits, arguments)
{
    expect_loads(with_arguments(64), NULL);
    expect_refused(with_arguments(65), NULL, "limit",
                   "onnx: node 0 Max \"\": 65 inputs are more than the limit of 64");
}

static message with_attributes(int count)
{
    message graph = make_graph(4, 4), node = make_node("Elu", "x", "y");
    char name[16];
    for (int i = 0; i < count; ++i) {
        snprintf(name, sizeof name, "a%d", i);
        put_attribute_int(&node, name, 1);
    }
    put_message(&graph, GRAPH_NODE, &node);
    return make_model(&graph, 17);
}

Test(onnx_limits, attributes)
{
    expect_refused(with_attributes(33), NULL, "limit",
                   "onnx: node 0 Elu \"\": 33 attributes are more than the limit of 32");
    expect_refused(with_attributes(1), NULL, "malformed",
                   "onnx: node 0 Elu \"\": Elu has no attribute \"a0\"");
}

static message with_opset(int64_t opset)
{
    message graph = make_graph(4, 4);
    put_node(&graph, "Relu", "x", "y");
    return make_model(&graph, opset);
}

Test(onnx_limits, opsets)
{
    expect_loads(with_opset(7), NULL);
    expect_loads(with_opset(28), NULL);
    expect_refused(with_opset(6), NULL, "unsupported", "onnx: opset 6 is not supported; 7 to 28 are");
    expect_refused(with_opset(29), NULL, "unsupported", "onnx: opset 29 is not supported; 7 to 28 are");
}

/* y = BatchNormalization(x) of 2 channels; with the variance of the second, and ε. */
static message batch_norm(float variance, float epsilon)
{
    message graph = make_graph(2, 2), node = make_node("BatchNormalization", "x one zero zero variance", "y");
    message one = make_floats("one", (const int64_t[]){2}, 1, (const float[]){1, 1}, 2);
    message zero = make_floats("zero", (const int64_t[]){2}, 1, (const float[]){0, 0}, 2);
    message variances = make_floats("variance", (const int64_t[]){2}, 1, (const float[]){1, variance}, 2);
    put_initializer(&graph, &one);
    put_initializer(&graph, &zero);
    put_initializer(&graph, &variances);
    put_attribute_float(&node, "epsilon", epsilon);
    put_message(&graph, GRAPH_NODE, &node);
    return make_model(&graph, 17);
}

Test(onnx_limits, statistics_are_plausible)
{
    const char *where = "onnx: node 0 BatchNormalization \"\": ";
    char text[160];
    expect_loads(batch_norm(0, 1e-5f), NULL);
    snprintf(text, sizeof text, "%sthe variance of channel 1 is -1e-06: it cannot be negative", where);
    expect_refused(batch_norm(-1e-6f, 1e-5f), NULL, "statistics", text);
    snprintf(text, sizeof text, "%sthe variance of channel 1 is 0: and epsilon is 0 too", where);
    expect_refused(batch_norm(0, 0), NULL, "statistics", text);
    snprintf(text, sizeof text, "%sepsilon is -1, it cannot be negative", where);
    expect_refused(batch_norm(2, -1), NULL, "statistics", text);
}

Test(onnx_limits, types_of_operands)
{
    message graph = make_graph(2, 2), two = make_tensor("two", 7, (const int64_t[]){1}, 1);
    put_varint(&two, 7, 2);
    put_initializer(&graph, &two);
    put_node(&graph, "Add", "x two", "y");
    expect_refused(make_model(&graph, 17), NULL, "malformed",
                   "onnx: node 0 Add \"\": its operands \"x\" and \"two\" are of the types float and int64");
}

/* A graph's initializers are counted before anything else; weights in branches and Constant nodes when they
 * are met. */
Test(onnx_limits, parameters_together)
{
    const kas_artifact_limits six = {.parameters = 6};
    message graph = make_graph(4, 4);
    for (int i = 0; i < 2; ++i) {
        message node = make_node("Constant", "", i ? "b" : "a"), attribute = {0};
        message tensor = make_floats("", (const int64_t[]){4}, 1, (const float[]){1, 2, 3, 4}, 4);
        put_text(&attribute, 1, "value");
        put_message(&attribute, 5, &tensor);
        put_varint(&attribute, 20, 4);
        put_message(&node, NODE_ATTRIBUTE, &attribute);
        put_message(&graph, GRAPH_NODE, &node);
    }
    put_node(&graph, "Add", "x a", "h");
    put_node(&graph, "Add", "h b", "y");
    expect_refused(make_model(&graph, 17), &six, "limit",
                   "onnx: node 3 Add \"\": \"b\": with it there are 8 parameters, over the limit of 6");
}

/* Names of artifacts are shown in messages, cut and without control characters. */
Test(onnx_limits, names_in_messages)
{
    message graph = make_graph(4, 4);
    char name[201];
    memset(name, 'n', 200);
    name[0] = '\x1b';
    name[200] = 0;
    put_node(&graph, name, "x", "y");
    message model = make_model(&graph, 17);
    kas_status status = decode_with(&model, NULL);
    cr_assert_not_null(status);
    const char *text = kas_status_message(status);
    cr_expect_str_eq(kas_status_reason(status), "unsupported_operator");
    cr_expect_null(strchr(text, '\x1b'));
    cr_expect_lt(strlen(text), 400);
    kas_status_free(status);
}
