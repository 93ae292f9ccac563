/* torch.save: tensors of every type, stride and byte order; state dicts; the blocks of ir_metadata, and what
 * of them is refused. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/artifact.h"
#include "tests/artifact/torch_build.h"
#include "tests/unit/graph_fixture.h"

TestSuite(torchsave, .fini = expect_no_leaks);

static void expect_refused(kas_status status, const char *reason, const char *says)
{
    cr_assert_not_null(status, "it loads, and should be refused: %s", says);
    cr_expect_str_eq(kas_status_reason(status), reason, "%s", kas_status_message(status));
    cr_expect_not_null(strstr(kas_status_message(status), says), "\"%s\" does not say \"%s\"",
                       kas_status_message(status), says);
    kas_status_free(status);
}

/* ---- values of tensors ---- */

/* The state dict {"weight": view}, its storage, and the byte order where it is said. */
static zip_image weight_archive(const tensor_view *view, const void *storage, size_t storage_bytes,
                                const char *order)
{
    static pickle_text pickle;
    const zip_part others[] = {{"data/0", storage, storage_bytes, false},
                               {"byteorder", order, order ? strlen(order) : 0, false}};
    pickle_begin(&pickle);
    pickle_raw(&pickle, "}(", 2);
    pickle_member_tensor(&pickle, "weight", view);
    pickle_op(&pickle, 'u');
    pickle_end(&pickle);
    return torch_build(&pickle, others, order ? 2 : 1);
}

static kas_status read_weight(const tensor_view *view, const void *storage, size_t storage_bytes,
                              const char *order, kas_layer_weights *out)
{
    zip_image image = weight_archive(view, storage, storage_bytes, order);
    kas_status status = kas_weights_from_file(image.bytes, image.size, (size_t)view->sizes[1],
                                              (size_t)view->sizes[0], false, out);
    zip_image_free(&image);
    return status;
}

static void expect_weight(const tensor_view *view, const void *storage, size_t storage_bytes,
                          const char *order, const float *expected)
{
    kas_layer_weights weights;
    kas_status status = read_weight(view, storage, storage_bytes, order, &weights);
    cr_assert_null(status, "%s: %s", view->storage, kas_status_message(status));
    for (int64_t i = 0; i < view->sizes[0] * view->sizes[1]; ++i)
        cr_expect_eq(weights.weight[i], expected[i], "%s: value %d is %g, not %g", view->storage, (int)i,
                     (double)weights.weight[i], (double)expected[i]);
    kas_layer_weights_finish(&weights);
}

Test(torchsave, floats_of_every_type)
{
    static const struct {
        const char *storage, *bytes;
        size_t size; /* of an element */
    } types[] = {
        /* 1, −2, 0.5, the smallest that is normal in e4m3fnuz: 2^−7 */
        {"FloatStorage", "\0\0\x80\x3f\0\0\0\xc0\0\0\0\x3f\0\0\0\x3c", 4},
        {"DoubleStorage", "\0\0\0\0\0\0\xf0\x3f\0\0\0\0\0\0\0\xc0\0\0\0\0\0\0\xe0\x3f\0\0\0\0\0\0\x80\x3f",
         8},
        {"HalfStorage", "\0\x3c\0\xc0\0\x38\0\x20", 2},
        {"BFloat16Storage", "\x80\x3f\0\xc0\0\x3f\0\x3c", 2},
        {"float8_e4m3fn", "\x38\xc0\x30\x04", 1},
        {"float8_e5m2", "\x3c\xc0\x38\x20", 1},
        {"float8_e4m3fnuz", "\x40\xc8\x38\x08", 1},
        {"float8_e5m2fnuz", "\x40\xc4\x3c\x24", 1},
    };
    const float expected[] = {1, -2, 0.5f, 0.0078125f};
    for (size_t i = 0; i < sizeof types / sizeof *types; ++i) {
        const bool typed = strstr(types[i].storage, "Storage") != NULL;
        tensor_view view = {.storage = types[i].storage, .key = "0", .sizes = {2, 2}, .strides = {2, 1}};
        view.storage_elements = typed ? 4 : (int64_t)(4 * types[i].size);
        expect_weight(&view, types[i].bytes, 4 * types[i].size, NULL, expected);
    }
}

Test(torchsave, both_byte_orders)
{
    const tensor_view view = {
        .storage = "FloatStorage", .key = "0", .storage_elements = 2, .sizes = {1, 2}, .strides = {2, 1}};
    const float expected[] = {1, -2};
    expect_weight(&view, "\0\0\x80\x3f\0\0\0\xc0", 8, "little", expected);
    expect_weight(&view, "\x3f\x80\0\0\xc0\0\0\0", 8, "big", expected);
    kas_layer_weights weights;
    expect_refused(read_weight(&view, "\0\0\0\0\0\0\0\0", 8, "middle", &weights), "malformed",
                   "byteorder is \"middle\"");
}

Test(torchsave, views)
{
    float storage[12];
    for (int i = 0; i < 12; ++i)
        storage[i] = (float)i;
    tensor_view view = {.storage = "FloatStorage", .key = "0", .storage_elements = 12, .sizes = {2, 3}};
    view.strides[0] = 1, view.strides[1] = 4, view.offset = 1; /* transposed */
    expect_weight(&view, storage, sizeof storage, NULL, (const float[]){1, 5, 9, 2, 6, 10});
    view.strides[0] = 6, view.strides[1] = 2, view.offset = 0; /* stepped */
    expect_weight(&view, storage, sizeof storage, NULL, (const float[]){0, 2, 4, 6, 8, 10});
    view.strides[0] = 0, view.strides[1] = 1, view.offset = 9; /* expanded */
    expect_weight(&view, storage, sizeof storage, NULL, (const float[]){9, 10, 11, 9, 10, 11});
}

/* Longer than the blocks that strided elements are gathered in. */
Test(torchsave, long_runs_with_a_stride)
{
    static uint16_t storage[1400];
    static float expected[700];
    for (int i = 0; i < 1400; ++i)
        storage[i] = (uint16_t)(i << 3); /* distinct, as bfloat16 */
    for (int i = 0; i < 700; ++i) {
        const uint32_t bits = (uint32_t)storage[2 * i] << 16;
        memcpy(&expected[i], &bits, sizeof bits);
    }
    const tensor_view view = {.storage = "BFloat16Storage",
                              .key = "0",
                              .storage_elements = 1400,
                              .sizes = {1, 700},
                              .strides = {1, 2}};
    expect_weight(&view, storage, sizeof storage, NULL, expected);
}

Test(torchsave, what_is_no_finite_float)
{
    kas_layer_weights weights;
    tensor_view view = {
        .storage = "FloatStorage", .key = "0", .storage_elements = 2, .sizes = {1, 2}, .strides = {2, 1}};
    expect_refused(read_weight(&view, "\0\0\x80\x3f\0\0\xc0\x7f", 8, NULL, &weights), "not_finite",
                   "value 1 is NaN");
    view.storage = "DoubleStorage"; /* 1e300 */
    expect_refused(
        read_weight(&view, "\0\0\0\0\0\0\xf0\x3f\x9c\x75\0\x88\x3c\xe4\x37\x7e", 16, NULL, &weights),
        "not_finite", "infinite in float32");
    view.storage = "IntStorage";
    expect_refused(read_weight(&view, "\0\0\0\0\0\0\0\0", 8, NULL, &weights), "unsupported", "int32");
    view.storage = "ComplexFloatStorage";
    expect_refused(read_weight(&view, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, NULL, &weights), "unsupported",
                   "complex64");
}

Test(torchsave, storages_and_records)
{
    kas_layer_weights weights;
    tensor_view view = {
        .storage = "FloatStorage", .key = "0", .storage_elements = 2, .sizes = {1, 2}, .strides = {2, 1}};
    expect_refused(read_weight(&view, "\0\0\0\0\0\0\0", 7, NULL, &weights), "malformed",
                   "data/0 has 7 bytes");
    expect_refused(read_weight(&view, "\0\0\0\0\0\0\0\0\0\0\0", 12, NULL, &weights), "malformed",
                   "data/0 has 12 bytes");
    view.key = "1";
    expect_refused(read_weight(&view, "\0\0\0\0\0\0\0\0", 8, NULL, &weights), "malformed",
                   "data/1 is missing");
}

/* ---- blocks ---- */

static const float numbers[64] = {1, -1, 2, 0.5f, -3, 1, 0, 2, -0.5f, 1.5f, 1, 0.25f, -2, 3, 0.125f, 1};

static const zip_part records[] = {
    {"data/w0", numbers, 24, false}, {"data/b0", numbers, 12, false}, {"data/w2", numbers, 24, false},
    {"data/b2", numbers, 8, false},  {"data/k", numbers, 64, false},  {"data/c", numbers, 16, false},
};
enum { RECORDS = sizeof records / sizeof *records };

/* Linear(2, 3), ReLU, Linear(3, 2): its state dict, without the closing 'u'. */
static void put_linear_state(pickle_text *to, const char *prefix)
{
    char name[64];
    static const char *const names[] = {"0.weight", "0.bias", "2.weight", "2.bias"};
    const tensor_view views[] = {dense("w0", 3, 2), dense("b0", 3, 0), dense("w2", 2, 3), dense("b2", 2, 0)};
    pickle_raw(to, "}(", 2);
    for (int i = 0; i < 4; ++i) {
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        pickle_member_tensor(to, name, &views[i]);
    }
}

static void begin_linear(pickle_text *to, const char *prefix)
{
    pickle_begin(to);
    pickle_raw(to, "}(", 2);
    pickle_string(to, "state_dict");
    put_linear_state(to, prefix);
    pickle_op(to, 'u');
    pickle_string(to, "ir_metadata");
    pickle_raw(to, "}(", 2);
}

static void put_linear_ir(pickle_text *to)
{
    pickle_member(to, "type", "linear");
    pickle_member_integer(to, "input_size", 2);
    pickle_member_integer(to, "hidden_size", 3);
    pickle_member_integer(to, "output_size", 2);
}

/* Closes ir_metadata and the dict around it. */
static kas_status decode(pickle_text *to, const kas_artifact_limits *limits, kas_artifact *out)
{
    pickle_raw(to, "uu", 2);
    pickle_end(to);
    zip_image image = torch_build(to, records, RECORDS);
    kas_status status = kas_artifact_decode(image.bytes, image.size, NULL, limits, out);
    zip_image_free(&image);
    return status;
}

static void expect_linear(const kas_artifact *artifact)
{
    const float x[] = {2, -1};
    double y[2], hidden[3];
    cr_assert_null(kas_graph_reference(artifact->graph, x, 1, y));
    for (int h = 0; h < 3; ++h)
        hidden[h] = fmax(0, numbers[2 * h] * x[0] + numbers[2 * h + 1] * x[1] + numbers[h]);
    for (int o = 0; o < 2; ++o) {
        double sum = numbers[o];
        for (int h = 0; h < 3; ++h)
            sum += numbers[3 * o + h] * hidden[h];
        cr_expect_eq(y[o], sum, "output %d", o);
    }
}

Test(torchsave, a_linear_block)
{
    static pickle_text pickle;
    const char *const prefixes[] = {"", "_orig_mod."};
    for (int i = 0; i < 2; ++i) {
        kas_artifact artifact;
        begin_linear(&pickle, prefixes[i]);
        put_linear_ir(&pickle);
        kas_status status = decode(&pickle, NULL, &artifact);
        cr_assert_null(status, "%s", kas_status_message(status));
        cr_expect_eq(artifact.format, KAS_FORMAT_TORCHSAVE);
        cr_expect_eq(artifact.parameter_count, 17);
        cr_expect_str_eq(artifact.operators[1], "relu");
        expect_linear(&artifact);
        kas_artifact_finish(&artifact);
    }
}

static void begin_conv(pickle_text *to)
{
    const tensor_view weight = {.storage = "FloatStorage",
                                .key = "k",
                                .storage_elements = 16,
                                .sizes = {4, 1, 2, 2},
                                .strides = {4, 4, 2, 1}};
    const tensor_view bias = dense("c", 4, 0);
    pickle_begin(to);
    pickle_raw(to, "}(", 2);
    pickle_string(to, "state_dict");
    pickle_raw(to, "}(", 2);
    pickle_member_tensor(to, "0.weight", &weight);
    pickle_member_tensor(to, "0.bias", &bias);
    pickle_op(to, 'u');
    pickle_string(to, "ir_metadata");
    pickle_raw(to, "}(", 2);
    pickle_member(to, "type", "conv");
    pickle_member_integer(to, "out_channels", 4);
}

static void put_image(pickle_text *to, int64_t height, int64_t width)
{
    pickle_string(to, "input_shape");
    pickle_raw(to, "](", 2);
    pickle_integer(to, 1);
    pickle_integer(to, height);
    pickle_integer(to, width);
    pickle_op(to, 'e');
}

Test(torchsave, a_convolution_block)
{
    static pickle_text pickle;
    kas_artifact artifact;
    const float x[] = {1, 2, 3, 4, 5, 6};
    double y[4];
    begin_conv(&pickle);
    put_image(&pickle, 2, 3);
    pickle_member_integer(&pickle, "kernel_size", 2);
    kas_status status = decode(&pickle, NULL, &artifact);
    cr_assert_null(status, "%s", kas_status_message(status));
    cr_assert_null(kas_graph_reference(artifact.graph, x, 1, y));
    for (int o = 0; o < 4; ++o) {
        double mean = 0;
        for (int at = 0; at < 2; ++at) {
            const float *k = numbers + 4 * o;
            mean +=
                fmax(0, k[0] * x[at] + k[1] * x[at + 1] + k[2] * x[at + 3] + k[3] * x[at + 4] + numbers[o]) /
                2;
        }
        cr_expect_float_eq(y[o], mean, 1e-12, "channel %d: %g, not %g", o, y[o], mean);
    }
    kas_artifact_finish(&artifact);
}

/* ---- blocks that are refused ---- */

Test(torchsave, linear_blocks_that_do_not_fit)
{
    static pickle_text pickle;
    static const struct {
        const char *name; /* said a second time: the last counts */
        int64_t value;
        const char *reason, *says;
    } cases[] = {
        {"hidden_size", 4, "shape",
         "\"0.weight\": its shape is [3, 2], and should be [hidden_size, input_size] = [4, 2]"},
        {"output_size", 3, "shape", "\"2.weight\""},
        {"input_size", 0, "metadata", "input_size is no integer"},
        {"input_size", 1 << 25, "metadata", "input_size is no integer"},
        {"activation", 1, "metadata", "activation"},
        {"type", 1, "metadata", "type is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        kas_artifact artifact;
        begin_linear(&pickle, "");
        put_linear_ir(&pickle);
        pickle_member_integer(&pickle, cases[i].name, cases[i].value);
        expect_refused(decode(&pickle, NULL, &artifact), cases[i].reason, cases[i].says);
    }
}

Test(torchsave, blocks_of_other_kinds)
{
    static pickle_text pickle;
    kas_artifact artifact;
    begin_linear(&pickle, "");
    pickle_member(&pickle, "type", "transformer");
    expect_refused(decode(&pickle, NULL, &artifact), "unsupported", "\"transformer\"");
    begin_linear(&pickle, "");
    put_linear_ir(&pickle);
    pickle_member(&pickle, "activation", "gelu");
    expect_refused(decode(&pickle, NULL, &artifact), "metadata", "activation is not \"relu\"");
    begin_linear(&pickle, "layers.");
    put_linear_ir(&pickle);
    expect_refused(decode(&pickle, NULL, &artifact), "unsupported", "\"layers.0.weight\"");
}

Test(torchsave, convolutions_that_do_not_fit)
{
    static pickle_text pickle;
    static const struct {
        const char *name;
        int64_t value;
        const char *says;
    } cases[] = {
        {"stride", 2, "stride is not 1"},
        {"padding", 1, "padding is not 0"},
        {"input_size", 7, "input_size is not 6"},
        {"in_channels", 2, "in_channels is not 1"},
        {"kernel_size", 3, "kernel_size is larger"},
        {"kernel_size", -1, "kernel_size is no integer"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        kas_artifact artifact;
        begin_conv(&pickle);
        put_image(&pickle, 2, 3);
        pickle_member_integer(&pickle, "kernel_size", 2);
        pickle_member_integer(&pickle, cases[i].name, cases[i].value);
        expect_refused(decode(&pickle, NULL, &artifact), "metadata", cases[i].says);
    }
}

Test(torchsave, parameters_are_limited)
{
    static pickle_text pickle;
    kas_artifact artifact;
    const kas_artifact_limits limits = {.parameters = 16};
    begin_linear(&pickle, "");
    put_linear_ir(&pickle);
    expect_refused(decode(&pickle, &limits, &artifact), "limit", "\"2.bias\"");
}

/* ---- state dicts ---- */

static kas_status decode_state(pickle_text *to, kas_artifact *out)
{
    pickle_end(to);
    zip_image image = torch_build(to, records, RECORDS);
    kas_status status = kas_artifact_decode(image.bytes, image.size, "kernel.pt", NULL, out);
    zip_image_free(&image);
    return status;
}

Test(torchsave, a_state_dict_that_says_nothing_of_its_graph)
{
    static pickle_text pickle;
    kas_artifact artifact;
    pickle_begin(&pickle);
    put_linear_state(&pickle, "");
    pickle_op(&pickle, 'u');
    expect_refused(decode_state(&pickle, &artifact), "unsupported", "no ir_metadata");
}

Test(torchsave, what_is_no_state_dict)
{
    static pickle_text pickle;
    kas_artifact artifact;
    pickle_begin(&pickle);
    pickle_raw(&pickle, "cmodels\nNet\n)\x81", 14);
    expect_refused(decode_state(&pickle, &artifact), "unsupported", "an opaque object of class models.Net");
    pickle_begin(&pickle);
    pickle_raw(&pickle, "}(K\1K\2u", 7);
    expect_refused(decode_state(&pickle, &artifact), "malformed", "a key of type integer");
    pickle_begin(&pickle);
    pickle_raw(&pickle, "}(", 2);
    pickle_member(&pickle, "weight", "heavy");
    pickle_op(&pickle, 'u');
    expect_refused(decode_state(&pickle, &artifact), "unsupported", "a value of type string, not a tensor");
}

Test(torchsave, a_layer_of_another_size)
{
    kas_layer_weights weights;
    const tensor_view view = {
        .storage = "FloatStorage", .key = "0", .storage_elements = 6, .sizes = {2, 3}, .strides = {3, 1}};
    zip_image image = weight_archive(&view, numbers, 24, NULL);
    expect_refused(kas_weights_from_file(image.bytes, image.size, 2, 3, false, &weights), "shape", "[2, 3]");
    zip_image_free(&image);
}
