/* Weights of layers: their digest, their initial values, and what a layer takes from a file. */
#include <endian.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/finite.h"
#include "base/random.h"
#include "engine/artifact/elements.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/safetensors.h"
#include "engine/artifact/torchsave.h"

enum { WEIGHT_STREAM = 1, BIAS_STREAM = 2 };

void kas_layer_weights_finish(kas_layer_weights *weights)
{
    kas_free(weights->weight);
    kas_free(weights->bias);
    *weights = (kas_layer_weights){0};
}

static void update(struct sha256_ctx *context, const float *values, size_t count)
{
    uint32_t chunk[256];
    while (count) {
        const size_t part = count < 256 ? count : 256;
        memcpy(chunk, values, part * sizeof *chunk);
        for (size_t i = 0; i < part; ++i)
            chunk[i] = htole32(chunk[i]);
        sha256_update(context, part * sizeof *chunk, (const uint8_t *)chunk);
        values += part;
        count -= part;
    }
}

static void digest(kas_layer_weights *weights)
{
    struct sha256_ctx context;
    sha256_init(&context);
    update(&context, weights->weight, weights->outputs * weights->inputs);
    if (weights->bias) update(&context, weights->bias, weights->outputs);
    sha256_digest(&context, KAS_SHA256_SIZE, weights->sha256.bytes);
}

/* ---- from a file ---- */

static kas_status fit(kas_layer_weights *weights, size_t inputs, size_t outputs, bool has_bias)
{
    if (weights->inputs != inputs || weights->outputs != outputs)
        return kas_refuse(KAS_REASON_SHAPE, "the weight has the shape [%zu, %zu], the layer needs [%zu, %zu]",
                          weights->outputs, weights->inputs, outputs, inputs);
    if (weights->bias && !has_bias)
        return kas_refuse(KAS_REASON_SHAPE, "there is a bias, and the layer has none");
    if (has_bias && !weights->bias) {
        weights->bias = kas_calloc(outputs, sizeof *weights->bias);
        if (!weights->bias) return kas_out_of_memory();
    }
    digest(weights);
    return NULL;
}

/* ---- from bare values ---- */

static kas_status copy_finite(const unsigned char *bytes, size_t count, const char *what, float **out)
{
    float *values = kas_alloc_array(count, sizeof *values);
    if (!values) return kas_out_of_memory();
    *out = values;
    kas_elements_to_floats(KAS_ELEMENT_F32, bytes, count, values);
    const size_t bad = kas_first_not_finite(values, count);
    if (bad == count) return NULL;
    return kas_refuse(KAS_REASON_NOT_FINITE, "%s: value %zu is %s; weights must be finite", what, bad,
                      isnan(values[bad]) ? "NaN" : "infinite");
}

static kas_status raw_sizes(size_t inputs, size_t outputs, size_t *without_bytes, size_t *with_bytes)
{
    size_t count;
    if (inputs && outputs && kas_mul(inputs, outputs, &count) &&
        kas_mul(count, sizeof(float), without_bytes) && kas_add(count, outputs, &count) &&
        kas_mul(count, sizeof(float), with_bytes))
        return NULL;
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a layer of %zu inputs and %zu outputs", inputs, outputs);
}

static kas_status read_raw(const unsigned char *bytes, bool has_bias, kas_layer_weights *out)
{
    const size_t count = out->inputs * out->outputs;
    KAS_TRY(copy_finite(bytes, count, "weight", &out->weight));
    if (has_bias) KAS_TRY(copy_finite(bytes + count * sizeof(float), out->outputs, "bias", &out->bias));
    digest(out);
    return NULL;
}

kas_status kas_weights_from_raw(const void *bytes, size_t size_bytes, size_t inputs, size_t outputs,
                                kas_layer_weights *out)
{
    size_t without_bytes, with_bytes;
    *out = (kas_layer_weights){.inputs = inputs, .outputs = outputs};
    KAS_TRY(raw_sizes(inputs, outputs, &without_bytes, &with_bytes));
    if (size_bytes != without_bytes && size_bytes != with_bytes)
        return kas_refuse(
            KAS_REASON_SHAPE,
            "raw weights of %zu bytes: a layer of %zu inputs and %zu outputs has %zu bytes, or %zu with a "
            "bias",
            size_bytes, inputs, outputs, without_bytes, with_bytes);
    kas_status status = read_raw(bytes, size_bytes == with_bytes, out);
    if (status) kas_layer_weights_finish(out);
    return kas_annotate(status, "raw weights");
}

/* What has the size of raw weights is raw, unless it begins as another format does. */
static kas_status read_file(const void *bytes, size_t size_bytes, size_t inputs, size_t outputs,
                            kas_layer_weights *out)
{
    size_t without_bytes, with_bytes;
    const kas_format format = kas_artifact_sniff(bytes, size_bytes, NULL);
    *out = (kas_layer_weights){0};
    if (format == KAS_FORMAT_SAFETENSORS)
        return kas_annotate(kas_safetensors_layer(bytes, size_bytes, out), "safetensors");
    if (format == KAS_FORMAT_TORCHSAVE) return kas_torchsave_layer(bytes, size_bytes, out);
    KAS_TRY(raw_sizes(inputs, outputs, &without_bytes, &with_bytes));
    if (size_bytes == without_bytes || size_bytes == with_bytes)
        return kas_weights_from_raw(bytes, size_bytes, inputs, outputs, out);
    return kas_refuse(
        KAS_REASON_MALFORMED,
        "weights of %zu bytes are neither safetensors nor a state dict of torch.save, and raw ones of a "
        "layer of %zu inputs and %zu outputs have %zu bytes, or %zu with a bias",
        size_bytes, inputs, outputs, without_bytes, with_bytes);
}

kas_status kas_weights_from_file(const void *bytes, size_t size_bytes, size_t inputs, size_t outputs,
                                 bool has_bias, kas_layer_weights *out)
{
    kas_status status = read_file(bytes, size_bytes, inputs, outputs, out);
    if (!status) status = fit(out, inputs, outputs, has_bias);
    if (status) kas_layer_weights_finish(out);
    return status;
}

/* ---- as a graph ---- */

static kas_status add_linear(kas_graph *graph, kas_layer_weights *weights)
{
    const kas_shape x = {.rank = 1, .dims = {(int64_t)weights->inputs}};
    const kas_shape y = {.rank = 1, .dims = {(int64_t)weights->outputs}};
    const kas_shape w = {.rank = 2, .dims = {(int64_t)weights->outputs, (int64_t)weights->inputs}};
    kas_node node = {.op = KAS_OP_LINEAR, .input_count = 2};
    float *weight = weights->weight, *bias = weights->bias;
    KAS_TRY(kas_graph_add_tensor(graph, "input", &x, &graph->input));
    weights->weight = NULL;
    KAS_TRY(kas_graph_add_constant(graph, "weight", &w, weight, &node.inputs[1]));
    if (bias) {
        weights->bias = NULL;
        KAS_TRY(kas_graph_add_constant(graph, "bias", &y, bias, &node.inputs[2]));
        node.input_count = 3;
    }
    KAS_TRY(kas_graph_add_tensor(graph, "output", &y, &graph->output));
    node.inputs[0] = graph->input;
    node.output = graph->output;
    return kas_graph_add_node(graph, &node);
}

kas_status kas_weights_to_graph(kas_layer_weights *weights, kas_graph **out)
{
    kas_graph *graph;
    *out = NULL;
    kas_status status = kas_graph_create(&graph);
    if (!status) {
        status = add_linear(graph, weights);
        if (status) kas_graph_destroy(graph);
    }
    if (!status) *out = graph;
    kas_layer_weights_finish(weights);
    return status;
}

/* ---- initial values ---- */

/* PyTorch's bounds, not its generator: the numbers of a seed are the same on every machine, but not
 * PyTorch's. */
static void fill_uniform(float *values, size_t count, float bound, uint64_t seed, uint64_t stream)
{
    kas_rng rng = kas_rng_make(seed, stream);
    for (size_t i = 0; i < count; ++i)
        values[i] = (2.0f * kas_rng_unit(&rng) - 1.0f) * bound;
}

kas_status kas_weights_init(size_t inputs, size_t outputs, bool has_bias, uint64_t seed,
                            kas_layer_weights *out)
{
    size_t count;
    *out = (kas_layer_weights){0};
    if (inputs == 0 || outputs == 0 || !kas_mul(inputs, outputs, &count))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a layer of %zu inputs and %zu outputs", inputs,
                        outputs);
    out->inputs = inputs;
    out->outputs = outputs;
    out->weight = kas_alloc_array(count, sizeof *out->weight);
    if (has_bias) out->bias = kas_alloc_array(outputs, sizeof *out->bias);
    if (!out->weight || (has_bias && !out->bias)) {
        kas_layer_weights_finish(out);
        return kas_out_of_memory();
    }
    const float bound = (float)(1.0 / sqrt((double)inputs));
    fill_uniform(out->weight, count, bound, seed, WEIGHT_STREAM);
    if (has_bias) fill_uniform(out->bias, outputs, bound, seed, BIAS_STREAM);
    digest(out);
    return NULL;
}
