#include "tests/engine/artifact_bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- protobuf: just enough of it ---- */

static void put_bytes(artifact_bytes *to, const void *bytes, size_t size)
{
    if (to->size + size > to->capacity) {
        to->capacity = 2 * (to->size + size);
        to->bytes = realloc(to->bytes, to->capacity);
        if (!to->bytes) abort();
    }
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void put_varint(artifact_bytes *to, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        put_bytes(to, &(unsigned char){(unsigned char)(value | 0x80)}, 1);
    put_bytes(to, &(unsigned char){(unsigned char)value}, 1);
}

static void put_number(artifact_bytes *to, unsigned field, uint64_t value)
{
    put_varint(to, (uint64_t)field << 3);
    put_varint(to, value);
}

static void put_block(artifact_bytes *to, unsigned field, const void *bytes, size_t size)
{
    put_varint(to, (uint64_t)field << 3 | 2);
    put_varint(to, size);
    put_bytes(to, bytes, size);
}

static void put_text(artifact_bytes *to, unsigned field, const char *text)
{
    put_block(to, field, text, strlen(text));
}

/* Puts `inner` as a field and frees it. */
static void put_message(artifact_bytes *to, unsigned field, artifact_bytes inner)
{
    put_block(to, field, inner.bytes ? (const void *)inner.bytes : "", inner.size);
    free(inner.bytes);
}

/* ---- ONNX ---- */

enum { FLOAT = 1, INTEGER_ATTRIBUTE = 2 };

static artifact_bytes value_info(const char *name, uint32_t width)
{
    artifact_bytes batch = {0}, last = {0}, shape = {0}, tensor = {0}, type = {0}, info = {0};
    put_text(&batch, 2, "batch");
    put_number(&last, 1, width);
    put_message(&shape, 1, batch);
    put_message(&shape, 1, last);
    put_number(&tensor, 1, FLOAT);
    put_message(&tensor, 2, shape);
    put_message(&type, 1, tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, type);
    return info;
}

static void add_tensor(artifact_bytes *graph, const char *name, uint32_t rows, uint32_t columns,
                       const float *values)
{
    artifact_bytes tensor = {0};
    if (rows) put_number(&tensor, 1, rows);
    put_number(&tensor, 1, columns);
    put_number(&tensor, 2, FLOAT);
    put_text(&tensor, 8, name);
    put_block(&tensor, 9, values, (size_t)(rows ? rows : 1) * columns * sizeof *values);
    put_message(graph, 5, tensor);
}

/* `inputs`: names with one space between. `attribute`: an integer one, or NULL. */
static void add_node(artifact_bytes *graph, const char *operator, const char * inputs, const char *output,
                     const char *attribute, uint64_t value)
{
    artifact_bytes node = {0};
    for (const char *at = inputs; *at;) {
        size_t length = strcspn(at, " ");
        put_block(&node, 1, at, length);
        at += length + (at[length] == ' ');
    }
    put_text(&node, 2, output);
    put_text(&node, 4, operator);
    if (attribute) {
        artifact_bytes set = {0};
        put_text(&set, 1, attribute);
        put_number(&set, 3, value);
        put_number(&set, 20, INTEGER_ATTRIBUTE);
        put_message(&node, 5, set);
    }
    put_message(graph, 1, node);
}

static artifact_bytes model(artifact_bytes graph, uint32_t width)
{
    artifact_bytes out = {0}, opset = {0};
    put_text(&graph, 2, "graph");
    put_message(&graph, 11, value_info("x", width));
    put_message(&graph, 12, value_info("y", width));
    put_number(&opset, 2, 17);
    put_number(&out, 1, 8);
    put_message(&out, 7, graph);
    put_message(&out, 8, opset);
    return out;
}

static float *diagonal_matrix(uint32_t width, float diagonal)
{
    float *weight = calloc((size_t)width * width, sizeof *weight);
    if (!weight) abort();
    for (uint32_t i = 0; i < width; ++i)
        weight[i * width + i] = diagonal;
    return weight;
}

static float *filled(uint32_t count, float value)
{
    float *values = malloc(count * sizeof *values);
    if (!values) abort();
    for (uint32_t i = 0; i < count; ++i)
        values[i] = value;
    return values;
}

artifact_bytes onnx_product(uint32_t width, float diagonal, float bias)
{
    artifact_bytes graph = {0};
    float *weight = diagonal_matrix(width, diagonal), *shift = filled(width, bias);
    add_tensor(&graph, "w", width, width, weight);
    add_tensor(&graph, "b", 0, width, shift);
    add_node(&graph, "Gemm", "x w b", "y", "transB", 1);
    free(weight);
    free(shift);
    return model(graph, width);
}

static float *random_values(size_t count, uint64_t *state)
{
    float *values = malloc(count * sizeof *values);
    if (!values) abort();
    for (size_t i = 0; i < count; ++i) {
        *state = *state * 6364136223846793005ull + 1442695040888963407ull;
        values[i] = (float)(*state >> 40) / (float)(1 << 23) - 1;
    }
    return values;
}

artifact_bytes onnx_network(uint32_t width, uint32_t hidden, uint64_t seed)
{
    artifact_bytes graph = {0};
    uint64_t state = seed * 0x9e3779b97f4a7c15ull + 1;
    float *inner = random_values((size_t)hidden * width, &state),
          *outer = random_values((size_t)width * hidden, &state);
    add_tensor(&graph, "w1", hidden, width, inner);
    add_tensor(&graph, "w2", width, hidden, outer);
    add_node(&graph, "Gemm", "x w1", "h", "transB", 1);
    add_node(&graph, "Relu", "h", "r", NULL, 0);
    add_node(&graph, "Gemm", "r w2", "y", "transB", 1);
    free(inner);
    free(outer);
    return model(graph, width);
}

static artifact_bytes one_node(uint32_t width, const char *operator, const char * attribute, uint64_t value)
{
    artifact_bytes graph = {0};
    add_node(&graph, operator, "x", "y", attribute, value);
    return model(graph, width);
}

artifact_bytes onnx_sqrt(uint32_t width)
{
    return one_node(width, "Sqrt", NULL, 0);
}

artifact_bytes onnx_sum_of_rows(uint32_t width)
{
    return one_node(width, "CumSum", "axis", 0);
}

artifact_bytes onnx_unknown_operator(uint32_t width)
{
    return one_node(width, "Frobnicate", NULL, 0);
}

/* ---- safetensors ---- */

artifact_bytes safetensors_weights(uint32_t width, float diagonal, float bias, int with_bias)
{
    artifact_bytes out = {0};
    char header[256];
    size_t matrix = (size_t)width * width * sizeof(float), end = matrix + width * sizeof(float);
    int used = snprintf(header, sizeof header,
                        "{\"weight\":{\"dtype\":\"F32\",\"shape\":[%u,%u],\"data_offsets\":[0,%zu]}", width,
                        width, matrix);
    if (with_bias)
        used += snprintf(header + used, sizeof header - (size_t)used,
                         ",\"bias\":{\"dtype\":\"F32\",\"shape\":[%u],\"data_offsets\":[%zu,%zu]}", width,
                         matrix, end);
    used += snprintf(header + used, sizeof header - (size_t)used, "}");
    float *weight = diagonal_matrix(width, diagonal), *shift = filled(width, bias);
    put_bytes(&out, &(uint64_t){(uint64_t)used}, 8);
    put_bytes(&out, header, (size_t)used);
    put_bytes(&out, weight, matrix);
    if (with_bias) put_bytes(&out, shift, width * sizeof(float));
    free(weight);
    free(shift);
    return out;
}
