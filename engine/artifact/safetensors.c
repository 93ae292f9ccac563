/* What safetensors are read as: the weights of a layer, or a kernel; and layers written as safetensors. */
#include "engine/artifact/safetensors.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/safetensors_file.h"
#include "engine/artifact/safetensors_graph.h"

static kas_status read_layer(const kas_safetensors_file *file, kas_layer_weights *out)
{
    const kas_safetensors_tensor *weight = kas_safetensors_find(file, "weight"),
                                 *bias = kas_safetensors_find(file, "bias");
    if (!weight) return kas_refuse(KAS_REASON_MALFORMED, "the tensor \"weight\" is missing");
    if (weight->rank != 2 || weight->dims[0] == 0 || weight->dims[1] == 0)
        return kas_refuse(KAS_REASON_SHAPE,
                          "the weight's shape has rank %d or is empty; [outputs, inputs] is needed",
                          weight->rank);
    out->outputs = (size_t)weight->dims[0];
    out->inputs = (size_t)weight->dims[1];
    KAS_TRY(kas_safetensors_floats(file, weight, &out->weight));
    if (!bias) return NULL;
    if (bias->rank != 1 || bias->dims[0] != weight->dims[0])
        return kas_refuse(KAS_REASON_SHAPE, "the bias has a shape of %" PRIu64 " (rank %d) for %zu outputs",
                          bias->rank ? bias->dims[0] : 1, bias->rank, out->outputs);
    return kas_safetensors_floats(file, bias, &out->bias);
}

kas_status kas_safetensors_layer(const void *bytes, size_t size_bytes, kas_layer_weights *out)
{
    kas_safetensors_file file = {0};
    *out = (kas_layer_weights){0};
    kas_status status = kas_safetensors_open(bytes, size_bytes, &file);
    if (!status) status = read_layer(&file, out);
    kas_safetensors_close(&file);
    if (status) kas_layer_weights_finish(out);
    return status;
}

/* ---- as a kernel ---- */

static kas_status read_linear(const kas_safetensors_file *file, const kas_artifact_limits *limits,
                              kas_artifact *out)
{
    kas_layer_weights weights = {0};
    kas_status status = read_layer(file, &weights);
    if (!status) {
        out->parameter_count = weights.outputs * weights.inputs + (weights.bias ? weights.outputs : 0);
        if (out->parameter_count > limits->parameters)
            status = kas_refuse(KAS_REASON_LIMIT, "%" PRIu64 " parameters are over the limit of %" PRIu64,
                                out->parameter_count, limits->parameters);
    }
    if (!status) status = kas_weights_to_graph(&weights, &out->graph);
    if (!status) out->operators[out->operator_count++] = "linear";
    kas_layer_weights_finish(&weights);
    return status;
}

static kas_status read_kernel(const kas_safetensors_file *file, const kas_artifact_limits *limits,
                              kas_artifact *out)
{
    const json_t *metadata = json_object_get(file->header, "__metadata__");
    const json_t *graph = json_object_get(metadata, KAS_SAFETENSORS_GRAPH),
                 *producer = json_object_get(metadata, "producer");
    if (producer) snprintf(out->producer, sizeof out->producer, "%s", json_string_value(producer));
    for (char *c = out->producer; *c; ++c)
        if (*c < 0x20 || *c > 0x7e) *c = '?';
    return graph ? kas_safetensors_graph(file, graph, limits, out) : read_linear(file, limits, out);
}

kas_status kas_safetensors_read(const void *bytes, size_t size_bytes, const kas_artifact_limits *limits,
                                kas_artifact *out)
{
    kas_safetensors_file file = {0};
    kas_status status = kas_safetensors_open(bytes, size_bytes, &file);
    if (!status) status = read_kernel(&file, limits, out);
    kas_safetensors_close(&file);
    return status;
}

/* ---- writing ---- */

static void put_floats(unsigned char *at, const float *values, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits = htole32(bits);
        memcpy(at + i * sizeof bits, &bits, sizeof bits);
    }
}

kas_status kas_weights_to_safetensors(const kas_layer_weights *weights, void **bytes, size_t *size_bytes)
{
    char header[256];
    const size_t w = weights->outputs * weights->inputs, b = weights->bias ? weights->outputs : 0;
    int length = snprintf(header, sizeof header - 8,
                          "{\"weight\":{\"dtype\":\"F32\",\"shape\":[%zu,%zu],\"data_offsets\":[0,%zu]}",
                          weights->outputs, weights->inputs, 4 * w);
    if (b)
        length += snprintf(header + length, sizeof header - 8 - (size_t)length,
                           ",\"bias\":{\"dtype\":\"F32\",\"shape\":[%zu],\"data_offsets\":[%zu,%zu]}", b,
                           4 * w, 4 * (w + b));
    header[length++] = '}';
    while (length % 8) /* so that the data is aligned */
        header[length++] = ' ';
    const uint64_t prefix = htole64((uint64_t)length);
    *size_bytes = KAS_SAFETENSORS_LENGTH_BYTES + (size_t)length + 4 * (w + b);
    unsigned char *out = kas_alloc(*size_bytes);
    *bytes = out;
    if (!out) return kas_out_of_memory();
    memcpy(out, &prefix, sizeof prefix);
    memcpy(out + KAS_SAFETENSORS_LENGTH_BYTES, header, (size_t)length);
    put_floats(out + KAS_SAFETENSORS_LENGTH_BYTES + length, weights->weight, w);
    if (b) put_floats(out + KAS_SAFETENSORS_LENGTH_BYTES + length + 4 * w, weights->bias, b);
    return NULL;
}
