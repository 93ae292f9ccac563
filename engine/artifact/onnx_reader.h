/* The walk over an ONNX graph: nodes, one after the other, each lowered by its operator's function with what
 * reader.h offers. */
#ifndef KAS_ONNX_READER_H
#define KAS_ONNX_READER_H

#include "engine/artifact/onnx_model.h"
#include "engine/artifact/reader.h"

typedef struct kas_onnx_op kas_onnx_op;

/* A node being lowered: inputs resolved, attributes with a function's references replaced. */
typedef struct kas_onnx_call {
    kas_reader *reader;
    const kas_onnx_node *node;
    const kas_onnx_op *op;
    int64_t opset;
    kas_reader_value *inputs[KAS_ONNX_MAX_ARGUMENTS]; /* NULL: left out */
    size_t input_count;
    kas_onnx_attribute attributes[KAS_ONNX_MAX_ATTRIBUTES];
    size_t attribute_count;
} kas_onnx_call;

/* One operator of the domain ai.onnx. */
struct kas_onnx_op {
    const char *name;
    kas_status (*lower)(kas_onnx_call *call);
    const char *attributes; /* those that it has in any opset, separated by spaces; others are refused */
    size_t min_inputs, max_inputs;
    int variant; /* for operators that share a function */
};

/* The tables, each ending with a NULL name; in the files named for them. */
extern const kas_onnx_op kas_onnx_ops_product[], kas_onnx_ops_elementwise[], kas_onnx_ops_activation[],
    kas_onnx_ops_norm[], kas_onnx_ops_shape[], kas_onnx_ops_index[], kas_onnx_ops_constant[],
    kas_onnx_ops_pool[], kas_onnx_ops_reduce[], kas_onnx_ops_attention[], kas_onnx_ops_quantise[],
    kas_onnx_ops_control[], kas_onnx_ops_cast[], kas_onnx_ops_layout[], kas_onnx_ops_pad[];

/* ---- onnx_call.c: what a node says ---- */

kas_status kas_onnx_attribute_int(const kas_onnx_call *call, const char *name, int64_t absent,
                                  int64_t *out) KAS_MUST_USE;
kas_status kas_onnx_attribute_float(const kas_onnx_call *call, const char *name, float absent,
                                    float *out) KAS_MUST_USE; /* finite */
kas_status kas_onnx_attribute_text(const kas_onnx_call *call, const char *name, const char *absent,
                                   kas_span *out) KAS_MUST_USE;
kas_status kas_onnx_attribute_ints(const kas_onnx_call *call, const char *name, const int64_t **out,
                                   size_t *count) KAS_MUST_USE; /* NULL and 0 where absent */
const kas_onnx_attribute *kas_onnx_attribute_find(const kas_onnx_call *call, const char *name);

/* The input, or NULL where it is left out. */
kas_reader_value *kas_onnx_input(const kas_onnx_call *call, size_t index);
bool kas_onnx_has_output(const kas_onnx_call *call, size_t index);
/* Binds a value to the node's output. */
kas_status kas_onnx_output(kas_onnx_call *call, size_t index, kas_reader_value *value) KAS_MUST_USE;
/* A list of known integers, from the attribute (older opsets) or the input (newer ones); *given tells if it
 * was. */
kas_status kas_onnx_list(kas_onnx_call *call, const char *attribute, size_t input, int64_t *out,
                         size_t *count, bool *given) KAS_MUST_USE;
/* ---- onnx_walk.c ---- */

/* Entering a function or a subgraph: names looked up from there on. `closed`: the outer ones are not seen. */
kas_status kas_onnx_scope_enter(kas_reader *reader, size_t names, bool closed, const kas_onnx_call *caller,
                                const kas_onnx_opset *opsets, size_t opset_count) KAS_MUST_USE;
void kas_onnx_scope_leave(kas_reader *reader);
kas_reader_value *kas_onnx_lookup(const kas_reader *reader, kas_span name);
kas_status kas_onnx_bind(kas_reader *reader, kas_span name, kas_reader_value *value) KAS_MUST_USE;
kas_status kas_onnx_bind_initializers(kas_reader *reader, const kas_onnx_graph *graph) KAS_MUST_USE;
kas_status kas_onnx_walk(kas_reader *reader, const kas_onnx_node *nodes, size_t count) KAS_MUST_USE;

#endif
