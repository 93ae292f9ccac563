/* Writes ONNX models, byte by byte: honest ones and broken ones. Fields are appended to messages; a nested
 * message is written first and then appended as bytes. Memory that is out ends the test. */
#ifndef KAS_TESTS_ONNX_BUILD_H
#define KAS_TESTS_ONNX_BUILD_H

#include <stddef.h>
#include <stdint.h>

typedef struct message {
    uint8_t *bytes; /* message_free */
    size_t size, capacity;
} message;

void message_free(message *m); /* empty afterwards */

/* The parts of the wire format. */
void put_byte(message *m, uint8_t byte);
void put_bare_varint(message *m, uint64_t value);
void put_tag(message *m, uint32_t field, unsigned wire_type);

/* Fields. */
void put_varint(message *m, uint32_t field, uint64_t value);
void put_float(message *m, uint32_t field, float value);
void put_bytes(message *m, uint32_t field, const void *bytes, size_t size);
void put_text(message *m, uint32_t field, const char *text);
void put_message(message *m, uint32_t field, message *part); /* frees the part */

/* The parts of a model. Lists of names are separated by spaces; "" is none, "-" a name that is left out. */
message make_node(const char *operator_type, const char *inputs, const char *outputs);
message make_tensor(const char *name, int type, const int64_t *dims, size_t rank);
message make_floats(const char *name, const int64_t *dims, size_t rank, const float *values, size_t count);
message make_value(const char *name, const int64_t *dims, size_t rank); /* −1: symbolic */
void put_attribute_int(message *node, const char *name, int64_t value);
void put_attribute_float(message *node, const char *name, float value);

/* A graph from x [batch, inputs] to y [batch, outputs]; nodes and initializers are put into it. */
message make_graph(int64_t inputs, int64_t outputs);
void put_node(message *graph, const char *operator_type, const char *inputs, const char *outputs);
void put_initializer(message *graph, message *tensor);
message make_model(message *graph, int64_t opset); /* frees the graph */

/* Numbers of the fields that tests write by hand. */
enum {
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_FUNCTION = 25,
    GRAPH_NODE = 1,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,
    NODE_ATTRIBUTE = 5,
    NODE_DOMAIN = 7,
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOAT_DATA = 4,
    TENSOR_INT32_DATA = 5,
    TENSOR_RAW_DATA = 9,
};

#endif
