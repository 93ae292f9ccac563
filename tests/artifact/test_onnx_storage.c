/* Weights in every type that ONNX stores them in, in raw_data and in the typed fields, and what is wrong with
 * some. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/artifact/artifact.h"
#include "tests/artifact/onnx_build.h"

TestSuite(onnx_storage);

enum { TENSOR_INT64_DATA = 7, TENSOR_DOUBLE_DATA = 10, TENSOR_UINT64_DATA = 11, FLOAT = 1 };

/* One type: four values as bits, how wide they are, and which typed field holds them. */
typedef struct stored {
    int type;
    unsigned bits;
    uint32_t field;
    uint64_t values[4];
    float expected[4];
} stored;

static const stored all[] = {
    {1, 32, TENSOR_FLOAT_DATA, {0x3f800000, 0xc0200000, 0, 0x42280000}, {1, -2.5f, 0, 42}},
    {2, 8, TENSOR_INT32_DATA, {1, 255, 0, 42}, {1, 255, 0, 42}},
    {3, 8, TENSOR_INT32_DATA, {1, 0xff, 0x80, 42}, {1, -1, -128, 42}},
    {4, 16, TENSOR_INT32_DATA, {1, 0xffff, 0, 42}, {1, 65535, 0, 42}},
    {5, 16, TENSOR_INT32_DATA, {1, 0xffff, 0x8000, 42}, {1, -1, -32768, 42}},
    {6, 32, TENSOR_INT32_DATA, {1, 0xffffffff, 0x80000000, 42}, {1, -1, -2147483648.0f, 42}},
    {7, 64, TENSOR_INT64_DATA, {1, UINT64_MAX, 0, 42}, {1, -1, 0, 42}},
    {9, 8, TENSOR_INT32_DATA, {1, 0, 0, 1}, {1, 0, 0, 1}},
    {10, 16, TENSOR_INT32_DATA, {0x3c00, 0xc100, 0x0001, 0x5140}, {1, -2.5f, 0x1p-24f, 42}},
    {11,
     64,
     TENSOR_DOUBLE_DATA,
     {0x3ff0000000000000, 0xc004000000000000, 0, 0x4045000000000000},
     {1, -2.5f, 0, 42}},
    {12, 32, TENSOR_UINT64_DATA, {1, 0x80000000, 0, 42}, {1, 2147483648.0f, 0, 42}},
    {13, 64, TENSOR_UINT64_DATA, {1, (uint64_t)1 << 63, 0, 42}, {1, 9223372036854775808.0f, 0, 42}},
    {16, 16, TENSOR_INT32_DATA, {0x3f80, 0xc020, 0, 0x4228}, {1, -2.5f, 0, 42}},
    {17, 8, TENSOR_INT32_DATA, {0x38, 0xc2, 0x01, 0x7e}, {1, -2.5f, 0x1p-9f, 448}},
    {18, 8, TENSOR_INT32_DATA, {0x40, 0xca, 0x01, 0x7f}, {1, -2.5f, 0x1p-10f, 240}},
    {19, 8, TENSOR_INT32_DATA, {0x3c, 0xc1, 0x01, 0x7b}, {1, -2.5f, 0x1p-16f, 57344}},
    {20, 8, TENSOR_INT32_DATA, {0x40, 0xc5, 0x01, 0x7f}, {1, -2.5f, 0x1p-17f, 57344}},
};

static message tensor_of(const stored *how)
{
    return make_tensor("w", how->type, (const int64_t[]){4}, 1);
}

static message raw_tensor(const stored *how)
{
    message tensor = tensor_of(how), raw = {0};
    for (int i = 0; i < 4; ++i)
        for (unsigned shift = 0; shift < how->bits; shift += 8)
            put_byte(&raw, (uint8_t)(how->values[i] >> shift));
    put_message(&tensor, TENSOR_RAW_DATA, &raw);
    return tensor;
}

static void put_typed(message *m, const stored *how, int i)
{
    const bool fixed = how->field == TENSOR_FLOAT_DATA || how->field == TENSOR_DOUBLE_DATA;
    if (!fixed) put_bare_varint(m, how->values[i]);
    for (unsigned shift = 0; fixed && shift < how->bits; shift += 8)
        put_byte(m, (uint8_t)(how->values[i] >> shift));
}

static message typed_tensor(const stored *how, bool packed)
{
    message tensor = tensor_of(how), values = {0};
    const unsigned wire = how->field == TENSOR_FLOAT_DATA ? 5 : how->field == TENSOR_DOUBLE_DATA ? 1 : 0;
    for (int i = 0; i < 4; ++i) {
        if (!packed) put_tag(&tensor, how->field, wire);
        put_typed(packed ? &values : &tensor, how, i);
    }
    if (packed) put_message(&tensor, how->field, &values);
    return tensor;
}

/* y = x + (w as float) */
static message model_with(message *tensor)
{
    message graph = make_graph(4, 4), cast = make_node("Cast", "w", "f");
    put_initializer(&graph, tensor);
    put_attribute_int(&cast, "to", FLOAT);
    put_message(&graph, GRAPH_NODE, &cast);
    put_node(&graph, "Add", "x f", "y");
    return make_model(&graph, 21);
}

static void expect_values(message model, const float *expected, int type)
{
    const float zeros[4] = {0};
    double y[4];
    kas_artifact artifact;
    kas_status status = kas_artifact_decode(model.bytes, model.size, "m.onnx", NULL, &artifact);
    cr_assert_null(status, "type %d: %s", type, kas_status_message(status));
    cr_assert_null(kas_graph_reference(artifact.graph, zeros, 1, y));
    for (int i = 0; i < 4; ++i)
        cr_expect_eq((float)y[i], expected[i], "type %d, value %d: %g, not %g", type, i, y[i],
                     (double)expected[i]);
    kas_artifact_finish(&artifact);
    message_free(&model);
}

static void expect_refused(message model, const char *reason, const char *text)
{
    kas_artifact artifact;
    kas_status status = kas_artifact_decode(model.bytes, model.size, "m.onnx", NULL, &artifact);
    cr_assert_not_null(status, "expected: %s", text);
    cr_expect_str_eq(kas_status_message(status), text);
    cr_expect_str_eq(kas_status_reason(status), reason);
    kas_status_free(status);
    message_free(&model);
}

Test(onnx_storage, raw_data)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
        message tensor = raw_tensor(&all[i]);
        expect_values(model_with(&tensor), all[i].expected, all[i].type);
    }
}

Test(onnx_storage, typed_fields)
{
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        for (int packed = 0; packed < 2; ++packed) {
            message tensor = typed_tensor(&all[i], packed);
            expect_values(model_with(&tensor), all[i].expected, all[i].type);
        }
}

/* Two of 4 bits in a byte, the first in the lower half; w is [3]. */
static message four_bits(int type, uint64_t low, uint64_t high, bool raw)
{
    message tensor = make_tensor("w", type, (const int64_t[]){3}, 1);
    const uint8_t bytes[2] = {(uint8_t)low, (uint8_t)high};
    if (raw) put_bytes(&tensor, TENSOR_RAW_DATA, bytes, 2);
    if (!raw) put_varint(&tensor, TENSOR_INT32_DATA, low);
    if (!raw) put_varint(&tensor, TENSOR_INT32_DATA, high);
    message graph = make_graph(3, 4), cast = make_node("Cast", "w", "f");
    put_initializer(&graph, &tensor);
    put_attribute_int(&cast, "to", FLOAT);
    put_message(&graph, GRAPH_NODE, &cast);
    put_node(&graph, "Add", "x f", "p");
    message pads = make_tensor("pads", 7, (const int64_t[]){4}, 1);
    for (uint64_t i = 0; i < 4; ++i)
        put_varint(&pads, TENSOR_INT64_DATA, i == 3);
    put_initializer(&graph, &pads);
    put_node(&graph, "Pad", "p pads", "y"); /* to four values, as expect_values looks at */
    return make_model(&graph, 21);
}

Test(onnx_storage, four_bits)
{
    const float unsigned_values[4] = {7, 15, 8, 0}, signed_values[4] = {7, -1, -8, 0};
    message unsigned_raw = four_bits(21, 0xf7, 0x08, true), unsigned_typed = four_bits(21, 0xf7, 0x08, false);
    message signed_raw = four_bits(22, 0xf7, 0x08, true), signed_typed = four_bits(22, 0xf7, 0x08, false);
    message *const models[] = {&unsigned_raw, &unsigned_typed, &signed_raw, &signed_typed};
    for (int i = 0; i < 4; ++i)
        expect_values(*models[i], i < 2 ? unsigned_values : signed_values, i < 2 ? 21 : 22);
}

Test(onnx_storage, counts_are_checked)
{
    const stored *how = &all[0];
    message tensor = tensor_of(how);
    for (int i = 0; i < 3; ++i)
        put_float(&tensor, TENSOR_FLOAT_DATA, 1);
    expect_refused(model_with(&tensor), "malformed",
                   "onnx: node 0 Cast \"\": \"w\": float_data has a count of 3, expected 4 elements");
    tensor = typed_tensor(how, true);
    put_float(&tensor, TENSOR_FLOAT_DATA, 1);
    expect_refused(model_with(&tensor), "malformed",
                   "onnx: node 0 Cast \"\": \"w\": float_data has a count of 5 or more, expected 4 elements");
    tensor = raw_tensor(how);
    put_float(&tensor, TENSOR_FLOAT_DATA, 1);
    expect_refused(model_with(&tensor), "malformed",
                   "onnx: node 0 Cast \"\": \"w\": the data stands both in raw_data and in float_data");
    tensor = tensor_of(how);
    put_bytes(&tensor, TENSOR_RAW_DATA, "\0\0\0\0", 4);
    expect_refused(
        model_with(&tensor), "malformed",
        "onnx: initializer 0 \"w\": raw_data has a length of 4 bytes, expected 16 for 4 elements of float");
}

Test(onnx_storage, weights_are_finite)
{
    const stored nan = {1, 32, TENSOR_FLOAT_DATA, {0, 0, 0x7fc00000, 0}, {0}};
    const stored infinite = {10, 16, TENSOR_INT32_DATA, {0, 0xfc00, 0, 0}, {0}};
    message tensor = raw_tensor(&nan);
    expect_refused(model_with(&tensor), "not_finite",
                   "onnx: node 0 Cast \"\": \"w\": element 2 of 4 is NaN: weights must be finite");
    tensor = typed_tensor(&infinite, false);
    expect_refused(model_with(&tensor), "not_finite",
                   "onnx: node 0 Cast \"\": \"w\": element 1 of 4 is infinite: weights must be finite");
}
