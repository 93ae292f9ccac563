/* A kernel's graph in a safetensors file: every operator is read, and each wrong member is refused. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/artifact/artifact.h"
#include "tests/unit/graph_fixture.h"

TestSuite(safetensors_graph, .fini = expect_no_leaks);

enum { FILE_BYTES = 16384, VALUES = 12 };

typedef struct file {
    unsigned char bytes[FILE_BYTES];
    size_t size;
} file;

/* Tensors: w [3, 2], k [2, 1, 2], b [2]: together the values 1 … 12. */
#define TENSORS                                                                                              \
    "\"w\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]},"                                     \
    "\"k\":{\"dtype\":\"F32\",\"shape\":[2,1,2],\"data_offsets\":[24,40]},"                                  \
    "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[40,48]}"

static file make_file(const char *graph)
{
    file out;
    json_t *text = json_string(graph);
    char *quoted = json_dumps(text, JSON_ENCODE_ANY), header[FILE_BYTES - 64];
    const int length =
        snprintf(header, sizeof header,
                 "{\"__metadata__\":{\"producer\":\"test\",\"kasmina.graph\":%s}," TENSORS "}", quoted);
    cr_assert((size_t)length < sizeof header);
    for (int i = 0; i < 8; ++i)
        out.bytes[i] = (unsigned char)((unsigned long)length >> (8 * i));
    memcpy(out.bytes + 8, header, (size_t)length);
    for (int i = 0; i < VALUES; ++i) {
        const float value = (float)(i + 1);
        memcpy(out.bytes + 8 + length + 4 * i, &value, sizeof value);
    }
    out.size = 8 + (size_t)length + 4 * VALUES;
    free(quoted);
    json_decref(text);
    return out;
}

static kas_status decode(const char *graph, const kas_artifact_limits *limits, kas_artifact *out)
{
    const file bytes = make_file(graph);
    return kas_artifact_decode(bytes.bytes, bytes.size, NULL, limits, out);
}

/* The output for one row of x. */
static void expect_values(const char *graph, const float *x, const double *expected, size_t count)
{
    kas_artifact artifact;
    double y[16];
    kas_status status = decode(graph, NULL, &artifact);
    cr_assert_null(status, "%s: %s", graph, kas_status_message(status));
    cr_assert_eq(artifact.graph->tensors[artifact.graph->output].elements, count, "%s", graph);
    cr_assert_null(kas_graph_reference(artifact.graph, x, 1, y));
    for (size_t i = 0; i < count; ++i)
        cr_expect_float_eq(y[i], expected[i], 1e-6, "%s: element %zu is %g, not %g", graph, i, y[i],
                           expected[i]);
    cr_expect_str_eq(artifact.producer, "test");
    kas_artifact_finish(&artifact);
}

#define ONE(width, node, shape)                                                                              \
    "{\"version\":1,\"input\":{\"name\":\"x\",\"shape\":" width "},\"output\":\"y\",\"nodes\":[{" node       \
    ",\"out\":\"y\",\"shape\":" shape "}]}"

Test(safetensors_graph, every_operator)
{
    static const struct {
        const char *graph;
        double y[6];
        size_t count;
    } cases[] = {
        /* x = 2, −1, 3, 0.5 as [2], [4], [2, 2], [1, 4] */
        {ONE("[2]", "\"op\":\"linear\",\"in\":[\"x\",\"w\"],\"act\":\"leaky_relu\",\"a\":0.5", "[3]"),
         {0, 2, 4},
         3},
        {ONE("[2,2]", "\"op\":\"matmul\",\"in\":[\"x\",\"x\"]", "[2,2]"), {1, -2.5, 7.5, -2.75}, 4},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[\"x\"],\"act\":\"affine\",\"a\":2,\"b\":1", "[2]"), {5, -1}, 2},
        {ONE("[2]", "\"op\":\"binary\",\"in\":[\"x\",\"b\"],\"function\":\"sub\",\"act\":\"abs\"", "[2]"),
         {9, 13},
         2},
        {ONE("[2]", "\"op\":\"select\",\"in\":[\"x\",\"b\",\"x\"]", "[2]"), {11, 12}, 2},
        {ONE("[2]", "\"op\":\"softmax\",\"in\":[\"x\"],\"axis\":0", "[2]"), {0.952574127, 0.047425873}, 2},
        {ONE("[2]", "\"op\":\"norm\",\"in\":[\"x\",null,\"b\"],\"axes\":1,\"epsilon\":0,\"centred\":true",
             "[2]"),
         {12, 11},
         2},
        {ONE("[2,2]", "\"op\":\"reduce\",\"in\":[\"x\"],\"function\":\"max\",\"axis\":1", "[2,1]"),
         {2, 3},
         2},
        {ONE("[1,4]", "\"op\":\"pool\",\"in\":[\"x\"],\"kernel\":[2],\"stride\":[2],\"average\":true",
             "[1,2]"),
         {0.5, 1.75},
         2},
        {ONE("[2,2]", "\"op\":\"strided\",\"in\":[\"x\"],\"stride\":[1,2]", "[2,2]"), {2, 3, -1, 0.5}, 4},
        {ONE("[4]", "\"op\":\"strided\",\"in\":[\"x\"],\"stride\":[-1],\"offset\":3", "[2]"), {0.5, 3}, 2},
        {ONE("[2]", "\"op\":\"concat\",\"in\":[\"x\",\"b\"],\"axis\":0", "[4]"), {2, -1, 11, 12}, 4},
        {ONE("[4]", "\"op\":\"gather\",\"in\":[\"x\"],\"axis\":0,\"indices\":[3,0]", "[2]"), {0.5, 2}, 2},
        {ONE("[2]", "\"op\":\"pad\",\"in\":[\"x\"],\"before\":[1],\"value\":7", "[4]"), {7, 2, -1, 7}, 4},
    };
    const float x[] = {2, -1, 3, 0.5f};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        expect_values(cases[i].graph, x, cases[i].y, cases[i].count);
}

Test(safetensors_graph, a_convolution)
{
    const float x[] = {2, -1, 3, 0.5f};
    /* k = [7, 8], [9, 10]; b = 11, 12; positions (0, 2), (−1, 3), (0.5, 0). */
    const double y[] = {27, 28, 14.5, 32, 33, 16.5};
    expect_values(ONE("[1,4]",
                      "\"op\":\"conv\",\"in\":[\"x\",\"k\",\"b\"],\"kernel\":[2],\"stride\":[2],\"before\":["
                      "1],\"after\":[1]",
                      "[2,3]"),
                  x, y, 6);
}

Test(safetensors_graph, parameters_and_operators)
{
    kas_artifact artifact;
    kas_status status =
        decode("{\"version\":1,\"input\":{\"name\":\"x\",\"shape\":[2]},\"output\":\"y\",\"nodes\":["
               "{\"op\":\"linear\",\"in\":[\"x\",\"w\"],\"act\":\"relu\",\"out\":\"h\",\"shape\":[3]},"
               "{\"op\":\"softmax\",\"in\":[\"h\"],\"axis\":0,\"out\":\"y\",\"shape\":[3]}]}",
               NULL, &artifact);
    cr_assert_null(status, "%s", kas_status_message(status));
    cr_expect_eq(artifact.parameter_count, 6, "what no node reads does not count");
    cr_assert_eq(artifact.operator_count, 2);
    cr_expect_str_eq(artifact.operators[0], "linear");
    cr_expect_str_eq(artifact.operators[1], "softmax");
    kas_artifact_finish(&artifact);
}

/* ---- what is refused ---- */

static void expect_refused(const char *graph, const kas_artifact_limits *limits, const char *reason,
                           const char *says)
{
    kas_artifact artifact;
    kas_status status = decode(graph, limits, &artifact);
    cr_assert_not_null(status, "it loads, and should be refused: %s", says);
    cr_expect_str_eq(kas_status_reason(status), reason, "%s", kas_status_message(status));
    cr_expect_not_null(strstr(kas_status_message(status), says), "\"%s\" does not say \"%s\"",
                       kas_status_message(status), says);
    kas_status_free(status);
}

Test(safetensors_graph, graphs_that_are_refused)
{
    static const struct {
        const char *graph, *reason, *says;
    } cases[] = {
        {"nonsense", "malformed", "not valid JSON"},
        {"{}", "unsupported", "version"},
        {"{\"version\":1}", "malformed", "\"output\""},
        {"{\"version\":1,\"output\":\"y\"}", "malformed", "\"input\""},
        {"{\"version\":1,\"output\":\"y\",\"input\":{\"name\":\"x\",\"shape\":[2]}}", "malformed",
         "\"nodes\" is no array"},
        {"{\"version\":1,\"output\":\"y\",\"input\":{\"name\":\"x\",\"shape\":[2]},\"nodes\":[]}",
         "malformed", "nothing makes its output"},
        {"{\"version\":1,\"output\":\"y\",\"input\":{\"name\":\"w\",\"shape\":[2]},\"nodes\":[]}",
         "malformed", "\"w\" is there twice"},
        {"{\"version\":1,\"output\":\"y\",\"input\":{\"name\":\"x\",\"shape\":[0]},\"nodes\":[]}", "shape",
         "empty dimension"},
        {"{\"version\":1,\"output\":\"y\",\"input\":{\"name\":\"x\",\"shape\":[1,1,1,1,1,1,1]},\"nodes\":[]}",
         "limit", "the limit is 6"},
        {ONE("[2]", "\"op\":\"evil\",\"in\":[\"x\"]", "[2]"), "unsupported_operator",
         "node 0: \"op\": \"evil\""},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[\"x\"],\"act\":\"evil\"", "[2]"), "unsupported_operator",
         "\"act\": \"evil\""},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[\"x\"]", "[2]"), "malformed", "unary lacks the member \"act\""},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[\"x\"],\"act\":\"relu\",\"axis\":0", "[2]"), "malformed",
         "unary has no member \"axis\""},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[\"x\"],\"act\":\"clip\",\"a\":1e300", "[2]"), "not_finite",
         "float32"},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[\"x\"],\"act\":\"clip\",\"a\":\"1\"", "[2]"), "malformed",
         "no number"},
        {ONE("[2]", "\"op\":\"unary\",\"in\":\"x\",\"act\":\"relu\"", "[2]"), "malformed", "\"in\""},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[\"z\"],\"act\":\"relu\"", "[2]"), "malformed", "\"z\""},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[\"y\"],\"act\":\"relu\"", "[2]"), "malformed", "\"y\""},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[null],\"act\":\"relu\"", "[2]"), "malformed", "node 0"},
        {ONE("[2]", "\"op\":\"unary\",\"in\":[\"x\"],\"act\":\"relu\"", "[3]"), "shape", "[2]"},
        {ONE("[2]", "\"op\":\"linear\",\"in\":[\"x\",\"b\"]", "[2]"), "shape", "[n, k]"},
        {ONE("[4]", "\"op\":\"gather\",\"in\":[\"x\"],\"axis\":0,\"indices\":[-1]", "[1]"), "shape",
         "out of range"},
        {ONE("[4]", "\"op\":\"gather\",\"in\":[\"x\"],\"axis\":0,\"indices\":[4]", "[1]"), "shape", "node 0"},
        {ONE("[1,4]", "\"op\":\"pool\",\"in\":[\"x\"],\"kernel\":[2],\"average\":true,\"stride\":[2,2]",
             "[1,2]"),
         "shape", "the kernel has 1"},
        {ONE("[1,4]", "\"op\":\"pool\",\"in\":[\"x\"],\"kernel\":[],\"average\":true", "[1,2]"), "shape",
         "it is empty"},
        {ONE("[1,4]", "\"op\":\"pool\",\"in\":[\"x\"],\"kernel\":[2],\"average\":1", "[1,2]"), "malformed",
         "no boolean"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        expect_refused(cases[i].graph, NULL, cases[i].reason, cases[i].says);
}

Test(safetensors_graph, limits)
{
    const kas_artifact_limits few_parameters = {.parameters = 5}, few_nodes = {.nodes = 1};
    expect_refused(ONE("[2]", "\"op\":\"linear\",\"in\":[\"x\",\"w\"]", "[3]"), &few_parameters, "limit",
                   "\"w\"");
    expect_refused(
        "{\"version\":1,\"input\":{\"name\":\"x\",\"shape\":[2]},\"output\":\"y\",\"nodes\":[{},{}]}",
        &few_nodes, "limit", "2 nodes");
}
