#include "tests/artifact/onnx_build.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

void message_free(message *m)
{
    free(m->bytes);
    *m = (message){0};
}

void put_byte(message *m, uint8_t byte)
{
    if (m->size == m->capacity) {
        m->capacity = m->capacity ? 2 * m->capacity : 64;
        m->bytes = realloc(m->bytes, m->capacity);
        cr_assert_not_null(m->bytes);
    }
    m->bytes[m->size++] = byte;
}

void put_bare_varint(message *m, uint64_t value)
{
    for (; value > 0x7f; value >>= 7)
        put_byte(m, (uint8_t)(value | 0x80));
    put_byte(m, (uint8_t)value);
}

void put_tag(message *m, uint32_t field, unsigned wire_type)
{
    put_bare_varint(m, (uint64_t)field << 3 | wire_type);
}

void put_varint(message *m, uint32_t field, uint64_t value)
{
    put_tag(m, field, 0);
    put_bare_varint(m, value);
}

static void put_fixed(message *m, const float *values, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        for (int shift = 0; shift < 32; shift += 8)
            put_byte(m, (uint8_t)(bits >> shift));
    }
}

void put_float(message *m, uint32_t field, float value)
{
    put_tag(m, field, 5);
    put_fixed(m, &value, 1);
}

void put_bytes(message *m, uint32_t field, const void *bytes, size_t size)
{
    put_tag(m, field, 2);
    put_bare_varint(m, size);
    for (size_t i = 0; i < size; ++i)
        put_byte(m, ((const uint8_t *)bytes)[i]);
}

void put_text(message *m, uint32_t field, const char *text)
{
    put_bytes(m, field, text, strlen(text));
}

void put_message(message *m, uint32_t field, message *part)
{
    put_bytes(m, field, part->bytes, part->size);
    message_free(part);
}

/* ---- parts of a model ---- */

static void put_names(message *m, uint32_t field, const char *names)
{
    while (*names) {
        const size_t length = strcspn(names, " ");
        put_bytes(m, field, names, *names == '-' ? 0 : length);
        names += length;
        names += *names == ' ';
    }
}

message make_node(const char *operator_type, const char *inputs, const char *outputs)
{
    message node = {0};
    put_names(&node, 1, inputs);
    put_names(&node, 2, outputs);
    put_text(&node, 4, operator_type);
    return node;
}

message make_tensor(const char *name, int type, const int64_t *dims, size_t rank)
{
    message tensor = {0};
    for (size_t i = 0; i < rank; ++i)
        put_varint(&tensor, TENSOR_DIMS, (uint64_t)dims[i]);
    put_varint(&tensor, TENSOR_TYPE, (uint64_t)type);
    put_text(&tensor, 8, name);
    return tensor;
}

message make_floats(const char *name, const int64_t *dims, size_t rank, const float *values, size_t count)
{
    message tensor = make_tensor(name, 1, dims, rank), raw = {0};
    put_fixed(&raw, values, count);
    put_message(&tensor, TENSOR_RAW_DATA, &raw);
    return tensor;
}

message make_value(const char *name, const int64_t *dims, size_t rank)
{
    message value = {0}, type = {0}, tensor = {0}, shape = {0};
    for (size_t i = 0; i < rank; ++i) {
        message dim = {0};
        if (dims[i] < 0)
            put_text(&dim, 2, "N");
        else
            put_varint(&dim, 1, (uint64_t)dims[i]);
        put_message(&shape, 1, &dim);
    }
    put_varint(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&value, 1, name);
    put_message(&value, 2, &type);
    return value;
}

static void put_attribute(message *node, const char *name, uint64_t type, message *attribute)
{
    put_text(attribute, 1, name);
    put_varint(attribute, 20, type);
    put_message(node, NODE_ATTRIBUTE, attribute);
}

void put_attribute_int(message *node, const char *name, int64_t value)
{
    message attribute = {0};
    put_varint(&attribute, 3, (uint64_t)value);
    put_attribute(node, name, 2, &attribute);
}

void put_attribute_float(message *node, const char *name, float value)
{
    message attribute = {0};
    put_float(&attribute, 2, value);
    put_attribute(node, name, 1, &attribute);
}

message make_graph(int64_t inputs, int64_t outputs)
{
    message graph = {0};
    message x = make_value("x", (const int64_t[]){-1, inputs}, 2);
    message y = make_value("y", (const int64_t[]){-1, outputs}, 2);
    put_message(&graph, GRAPH_INPUT, &x);
    put_message(&graph, GRAPH_OUTPUT, &y);
    return graph;
}

void put_node(message *graph, const char *operator_type, const char *inputs, const char *outputs)
{
    message node = make_node(operator_type, inputs, outputs);
    put_message(graph, GRAPH_NODE, &node);
}

void put_initializer(message *graph, message *tensor)
{
    put_message(graph, GRAPH_INITIALIZER, tensor);
}

message make_model(message *graph, int64_t opset)
{
    message model = {0}, import = {0};
    put_varint(&model, 1, 8);
    put_message(&model, MODEL_GRAPH, graph);
    put_varint(&import, 2, (uint64_t)opset);
    put_message(&model, MODEL_OPSET, &import);
    return model;
}
