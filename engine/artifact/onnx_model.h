/* The structure of an ONNX model, as far as decoding needs it: what onnx.proto calls ModelProto, GraphProto,
 * NodeProto, AttributeProto, TensorProto, ValueInfoProto and FunctionProto. Texts and data stay where they
 * are in the artifact's bytes; arrays lie in the arena. Subgraphs are kept as bytes and read when they are
 * entered. */
#ifndef KAS_ONNX_MODEL_H
#define KAS_ONNX_MODEL_H

#include "engine/artifact/arena.h"
#include "engine/artifact/artifact.h"
#include "engine/artifact/onnx_wire.h"

enum {
    KAS_ONNX_MAX_RANK = 8,
    KAS_ONNX_MAX_ARGUMENTS = 64,  /* inputs, and outputs, of a node */
    KAS_ONNX_MAX_ATTRIBUTES = 32, /* of a node */
    KAS_ONNX_MAX_LIST = 4096,     /* values of a list attribute, elements of a shape */
    KAS_ONNX_MAX_FUNCTIONS = 512,
    KAS_ONNX_MAX_OPSETS = 64,
};

/* TensorProto.DataType */
typedef enum kas_onnx_type {
    KAS_ONNX_UNDEFINED = 0,
    KAS_ONNX_FLOAT = 1,
    KAS_ONNX_UINT8 = 2,
    KAS_ONNX_INT8 = 3,
    KAS_ONNX_UINT16 = 4,
    KAS_ONNX_INT16 = 5,
    KAS_ONNX_INT32 = 6,
    KAS_ONNX_INT64 = 7,
    KAS_ONNX_STRING = 8,
    KAS_ONNX_BOOL = 9,
    KAS_ONNX_FLOAT16 = 10,
    KAS_ONNX_DOUBLE = 11,
    KAS_ONNX_UINT32 = 12,
    KAS_ONNX_UINT64 = 13,
    KAS_ONNX_COMPLEX64 = 14,
    KAS_ONNX_COMPLEX128 = 15,
    KAS_ONNX_BFLOAT16 = 16,
    KAS_ONNX_FLOAT8E4M3FN = 17,
    KAS_ONNX_FLOAT8E4M3FNUZ = 18,
    KAS_ONNX_FLOAT8E5M2 = 19,
    KAS_ONNX_FLOAT8E5M2FNUZ = 20,
    KAS_ONNX_UINT4 = 21,
    KAS_ONNX_INT4 = 22,
} kas_onnx_type;

const char *kas_onnx_type_name(int32_t type); /* "float16" …; "unknown" */
bool kas_onnx_type_is_float(int32_t type);    /* computed in float32 here */
bool kas_onnx_type_is_float8(int32_t type);   /* one of those, in which weights are only stored */
bool kas_onnx_type_is_integer(int32_t type);  /* of any width; bool too */

typedef struct kas_onnx_tensor {
    kas_span name;
    int32_t type;
    int rank;
    int64_t dims[KAS_ONNX_MAX_RANK];
    size_t elements;  /* at least 1 but for an empty list (one dimension of 0) */
    kas_span message; /* the whole of it: typed data fields are read from here */
    kas_span raw;
    bool has_raw;
} kas_onnx_tensor;

/* AttributeProto.AttributeType */
typedef enum kas_onnx_attribute_type {
    KAS_ONNX_ATTRIBUTE_UNDEFINED = 0,
    KAS_ONNX_ATTRIBUTE_FLOAT = 1,
    KAS_ONNX_ATTRIBUTE_INT = 2,
    KAS_ONNX_ATTRIBUTE_STRING = 3,
    KAS_ONNX_ATTRIBUTE_TENSOR = 4,
    KAS_ONNX_ATTRIBUTE_GRAPH = 5,
    KAS_ONNX_ATTRIBUTE_FLOATS = 6,
    KAS_ONNX_ATTRIBUTE_INTS = 7,
} kas_onnx_attribute_type;

typedef struct kas_onnx_attribute {
    kas_span name;
    kas_span reference; /* in a function: the caller's attribute that gives the value; empty: none */
    int32_t type;
    float f;
    int64_t i;
    kas_span s;
    const kas_onnx_tensor *tensor;
    kas_span graph;
    const float *floats;
    size_t float_count;
    const int64_t *ints;
    size_t int_count;
} kas_onnx_attribute;

typedef struct kas_onnx_node {
    kas_span name, operator_type, domain;
    const kas_span *inputs, *outputs; /* empty: left out */
    size_t input_count, output_count;
    const kas_onnx_attribute *attributes;
    size_t attribute_count;
} kas_onnx_node;

typedef struct kas_onnx_value_info {
    kas_span name;
    bool is_tensor, has_shape;
    int32_t type;
    int rank;
    int64_t dims[KAS_ONNX_MAX_RANK]; /* −1: symbolic or not said */
    kas_span symbols[KAS_ONNX_MAX_RANK];
} kas_onnx_value_info;

typedef struct kas_onnx_graph {
    const kas_onnx_node *nodes;
    size_t node_count;
    const kas_onnx_tensor *initializers;
    size_t initializer_count;
    const kas_onnx_value_info *inputs, *outputs;
    size_t input_count, output_count;
} kas_onnx_graph;

typedef struct kas_onnx_opset {
    kas_span domain;
    int64_t version;
} kas_onnx_opset;

typedef struct kas_onnx_function {
    kas_span name, domain;
    const kas_span *inputs, *outputs;
    size_t input_count, output_count;
    const kas_onnx_attribute *defaults; /* attributes that a call may leave out */
    size_t default_count;
    const kas_onnx_node *nodes;
    size_t node_count;
    const kas_onnx_opset *opsets;
    size_t opset_count;
} kas_onnx_function;

typedef struct kas_onnx_model {
    int64_t ir_version;
    kas_span producer, producer_version;
    const kas_onnx_opset *opsets;
    size_t opset_count;
    kas_onnx_graph graph;
    const kas_onnx_function *functions;
    size_t function_count;
} kas_onnx_model;

/* What reading a message needs beside its bytes. */
typedef struct kas_onnx_source {
    const uint8_t *file;
    kas_arena *arena;
    uint32_t max_nodes;
} kas_onnx_source;

kas_status kas_onnx_read_model(const kas_onnx_source *source, kas_span bytes,
                               kas_onnx_model *out) KAS_MUST_USE;

/* The parts; each in the file named for it. */
kas_status kas_onnx_read_graph(const kas_onnx_source *source, kas_span bytes,
                               kas_onnx_graph *out) KAS_MUST_USE;
kas_status kas_onnx_read_nodes(const kas_onnx_source *source, kas_span message, uint32_t field,
                               const kas_onnx_node **out, size_t *count) KAS_MUST_USE;
kas_status kas_onnx_read_attributes(const kas_onnx_source *source, kas_span message, uint32_t field,
                                    const kas_onnx_attribute **out, size_t *count) KAS_MUST_USE;
kas_status kas_onnx_read_tensor(const kas_onnx_source *source, kas_span bytes,
                                kas_onnx_tensor *out) KAS_MUST_USE;
kas_status kas_onnx_read_value_info(const kas_onnx_source *source, kas_span bytes,
                                    kas_onnx_value_info *out) KAS_MUST_USE;
/* All texts of a repeated field. `what` names it in messages. */
kas_status kas_onnx_read_texts(const kas_onnx_source *source, kas_span message, uint32_t field,
                               const char *what, size_t max, const kas_span **out,
                               size_t *count) KAS_MUST_USE;

#endif
