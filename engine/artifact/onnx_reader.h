/* From an ONNX graph, whose tensors have a batch dimension, to a graph of one row, whose tensors have none.
 *
 * The walk evaluates the model symbolically. Each ONNX value has a full shape, in which at most one axis
 * holds the batch, and a tensor of the row graph. An axis holds the batch when its size is k·B, B being the
 * number of rows: k = 1 for the batch itself, more where a reshape merged other axes into it ([B, T, C] to
 * [B·T, C]; [T, B, H·d] to [T, B·H, d]). A row's tensor has k in its place, or no such axis where k = 1.
 * Whatever would combine elements along that axis mixes rows and is refused.
 *
 * Integers about shapes (Shape, Gather, Concat, Div …) never reach the row graph: they are evaluated here,
 * each a known number or a multiple of B. A value that depends on nothing but constants is folded as soon as
 * it is made. */
#ifndef KAS_ONNX_READER_H
#define KAS_ONNX_READER_H

#include "engine/artifact/onnx_model.h"
#include "engine/graph/shape.h"

typedef enum kas_integer_kind {
    KAS_INTEGER_KNOWN = 0,
    KAS_INTEGER_BATCH,   /* value · B */
    KAS_INTEGER_UNKNOWN, /* depends on B in another way: may be made, but not used */
} kas_integer_kind;

typedef struct kas_integer {
    kas_integer_kind kind;
    int64_t value;
} kas_integer;

typedef struct kas_onnx_value {
    kas_span name;
    int32_t type; /* kas_onnx_type */
    int rank;
    int64_t dims[KAS_ONNX_MAX_RANK]; /* at batch_axis: k */
    int batch_axis;                  /* −1: none */
    int tensor;                      /* of the row graph; −1: none made (yet) */
    const kas_onnx_tensor *initializer;
    bool counted;          /* an initializer whose elements are parameters */
    kas_integer *integers; /* the elements of a value about shapes; NULL: not one */
    size_t integer_count;
    struct kas_onnx_value *const *items; /* of a sequence; NULL: not one */
    size_t item_count;
} kas_onnx_value;

typedef struct kas_onnx_op kas_onnx_op;
typedef struct kas_onnx_scope kas_onnx_scope;

typedef struct kas_onnx_reader {
    const uint8_t *file;
    kas_onnx_source source;
    const kas_artifact_limits *limits;
    const kas_onnx_model *model;
    kas_graph *graph;
    kas_onnx_scope *scope;
    bool has_batch;      /* of the input; without one, the model's input is one row */
    int64_t fixed_batch; /* as the model declares it; 0: free */
    uint32_t nodes_left, nesting_left;
    uint64_t work_spent; /* multiply-adds on constants */
    uint64_t parameter_count;
    const char **operators; /* names met, KAS_ARTIFACT_MAX_OPERATORS of them at most */
    size_t *operator_count;
} kas_onnx_reader;

/* A node being lowered: inputs resolved, attributes with a function's references replaced. */
typedef struct kas_onnx_call {
    kas_onnx_reader *reader;
    const kas_onnx_node *node;
    const kas_onnx_op *op;
    int64_t opset;
    kas_onnx_value *inputs[KAS_ONNX_MAX_ARGUMENTS]; /* NULL: left out */
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
kas_onnx_value *kas_onnx_input(const kas_onnx_call *call, size_t index);
bool kas_onnx_has_output(const kas_onnx_call *call, size_t index);
/* Binds a value to the node's output. */
kas_status kas_onnx_output(kas_onnx_call *call, size_t index, kas_onnx_value *value) KAS_MUST_USE;
/* A list of known integers, from the attribute (older opsets) or the input (newer ones); *given tells if it
 * was. */
kas_status kas_onnx_list(kas_onnx_call *call, const char *attribute, size_t input, int64_t *out,
                         size_t *count, bool *given) KAS_MUST_USE;
/* −rank … rank − 1 to 0 … rank − 1. */
kas_status kas_onnx_axis(int64_t axis, int rank, int *out) KAS_MUST_USE;

/* ---- onnx_values.c: shapes with a batch ---- */

/* A new value with the shape, batch and type of `like` (NULL: a rank-0 float) and nothing else. */
kas_status kas_onnx_value_new(kas_onnx_reader *reader, const kas_onnx_value *like,
                              kas_onnx_value **out) KAS_MUST_USE;
/* A copy under another name: the same tensor, the same integers. */
kas_status kas_onnx_value_alias(kas_onnx_reader *reader, kas_onnx_value *value,
                                kas_onnx_value **out) KAS_MUST_USE;
/* The shape of a row's tensor. */
kas_status kas_onnx_row_shape(const kas_onnx_value *value, kas_shape *out) KAS_MUST_USE;
/* As above with k at the batch axis even where it is 1. */
kas_status kas_onnx_kept_shape(const kas_onnx_value *value, kas_shape *out) KAS_MUST_USE;
/* The axis of a row's tensor that is the full shape's `axis`; refuses the batch axis. */
kas_status kas_onnx_row_axis(const kas_onnx_value *value, int axis, int *out) KAS_MUST_USE;
/* The row's tensor, made from an initializer or from known integers where there is none yet. */
kas_status kas_onnx_tensor_index(kas_onnx_reader *reader, kas_onnx_value *value, int *out) KAS_MUST_USE;
/* The values of one that does not depend on the input; NULL where it does. */
const float *kas_onnx_constant(const kas_onnx_reader *reader, const kas_onnx_value *value, size_t *count);
/* A constant of one element. */
kas_status kas_onnx_scalar(kas_onnx_reader *reader, kas_onnx_value *value, const char *what,
                           float *out) KAS_MUST_USE;
/* "[B, 3, 4·B]", for messages. */
enum { KAS_ONNX_SHAPE_TEXT = 128 };
const char *kas_onnx_shape_text(const kas_onnx_value *value, char out[KAS_ONNX_SHAPE_TEXT]);

/* NumPy's broadcasting of full shapes: the shape, batch and type (of the first) of the result, and each
 * operand's row tensor, viewed so that they broadcast to the result's row. */
kas_status kas_onnx_broadcast(kas_onnx_reader *reader, kas_onnx_value *const *operands, size_t count,
                              int *tensors, kas_onnx_value *result) KAS_MUST_USE;
/* One operand's row tensor, as above, for a result whose shape and batch are known. */
kas_status kas_onnx_align(kas_onnx_reader *reader, kas_onnx_value *operand, const kas_onnx_value *result,
                          int *out) KAS_MUST_USE;
/* Gives `value` (whose shape, batch and type are set) its tensor, shaped as its row is; adds a view where
 * needed. */
kas_status kas_onnx_settle(kas_onnx_reader *reader, int tensor, kas_onnx_value *value) KAS_MUST_USE;

/* ---- onnx_integers.c: values about shapes ---- */

/* The integers of a value (made from an initializer where there are none yet); *out is NULL when it has none.
 */
kas_status kas_onnx_integers(kas_onnx_reader *reader, kas_onnx_value *value, const kas_integer **out,
                             size_t *count) KAS_MUST_USE;
/* As known numbers, at most KAS_ONNX_MAX_LIST; refuses others, naming `what`. */
kas_status kas_onnx_known_integers(kas_onnx_reader *reader, kas_onnx_value *value, const char *what,
                                   int64_t *out, size_t *count) KAS_MUST_USE;
/* A value of integers: rank 0, or rank 1 of `count`. */
kas_status kas_onnx_value_of_integers(kas_onnx_reader *reader, int rank, size_t count,
                                      kas_onnx_value **out) KAS_MUST_USE;
/* True where both operands are integers that can be evaluated. */
kas_status kas_onnx_are_integers(kas_onnx_reader *reader, kas_onnx_value *const *values, size_t count,
                                 bool *out) KAS_MUST_USE;
kas_status kas_onnx_integer_binary(kas_onnx_reader *reader, kas_binary op, kas_onnx_value *a,
                                   kas_onnx_value *b, kas_onnx_value **out) KAS_MUST_USE;

/* a ∘ b; UNKNOWN where it is no multiple of the batch. KAS_DIV truncates; comparisons give 0 or 1. */
kas_status kas_onnx_integer_combine(kas_binary op, kas_integer a, kas_integer b,
                                    kas_integer *out) KAS_MUST_USE;

/* ---- onnx_emit.c: nodes of the row graph, by tensor indices ---- */

/* Adds node and output, or folds it where all its inputs are constants. Takes over node->indices. */
kas_status kas_onnx_emit(kas_onnx_reader *reader, kas_node *node, const kas_shape *shape,
                         int *out) KAS_MUST_USE;
kas_status kas_onnx_emit_unary(kas_onnx_reader *reader, kas_act act, float a, float b, int x,
                               int *out) KAS_MUST_USE;
/* Towards zero, as integers are made of floats. */
kas_status kas_onnx_emit_truncate(kas_onnx_reader *reader, int x, int *out) KAS_MUST_USE;
kas_status kas_onnx_emit_binary(kas_onnx_reader *reader, kas_binary op, int x, int y, int *out) KAS_MUST_USE;
kas_status kas_onnx_emit_select(kas_onnx_reader *reader, int condition, int x, int y, int *out) KAS_MUST_USE;
kas_status kas_onnx_emit_reduce(kas_onnx_reader *reader, kas_reduce kind, int x, int axis,
                                int *out) KAS_MUST_USE;
kas_status kas_onnx_emit_softmax(kas_onnx_reader *reader, int x, int axis, int *out) KAS_MUST_USE;
/* The same elements in another shape; x itself where the shape is the same. */
kas_status kas_onnx_emit_view(kas_onnx_reader *reader, int x, const kas_shape *shape, int *out) KAS_MUST_USE;
kas_status kas_onnx_emit_strided(kas_onnx_reader *reader, int x, const kas_shape *shape, int64_t offset,
                                 const int64_t *stride, int *out) KAS_MUST_USE;
/* Leading dimensions broadcast. */
kas_status kas_onnx_emit_matmul(kas_onnx_reader *reader, int a, int b, int *out) KAS_MUST_USE;
kas_status kas_onnx_emit_scalar(kas_onnx_reader *reader, float value, int *out) KAS_MUST_USE;
/* Room for a constant's values (charged to the budget), and the constant: takes the values over, also on
 * failure. */
kas_status kas_onnx_constant_room(kas_onnx_reader *reader, size_t elements, float **out) KAS_MUST_USE;
kas_status kas_onnx_emit_constant(kas_onnx_reader *reader, const char *name, const kas_shape *shape,
                                  float *values, int *out) KAS_MUST_USE;
/* A permutation of the axes. */
kas_status kas_onnx_emit_transpose(kas_onnx_reader *reader, int x, const int *order, int *out) KAS_MUST_USE;

/* ---- shared between the operators' files ---- */

/* Dimensions from integers: rank, dims and batch_axis of `out`. onnx_ops_constant.c */
kas_status kas_onnx_dims_of_integers(const kas_integer *integers, size_t count,
                                     kas_onnx_value *out) KAS_MUST_USE;
/* x ∘ y of full-level values. onnx_ops_elementwise.c */
kas_status kas_onnx_binary(kas_onnx_reader *reader, kas_binary op, kas_onnx_value *x, kas_onnx_value *y,
                           kas_onnx_value **out) KAS_MUST_USE;
/* Full-level reshape to dims and batch of `shape`. onnx_ops_shape.c */
kas_status kas_onnx_reshape(kas_onnx_reader *reader, kas_onnx_value *x, const kas_onnx_value *shape,
                            kas_onnx_value **out) KAS_MUST_USE;
kas_status kas_onnx_transpose(kas_onnx_reader *reader, kas_onnx_value *x, const int *order,
                              kas_onnx_value **out) KAS_MUST_USE;
/* x[…, begin : begin + size·step : step, …] along one axis. onnx_ops_index.c */
kas_status kas_onnx_slice(kas_onnx_reader *reader, kas_onnx_value *x, int axis, int64_t begin, int64_t step,
                          int64_t size, kas_onnx_value **out) KAS_MUST_USE;
/* Along one axis, with as many elements as there are indices, each in range. onnx_ops_index.c */
kas_status kas_onnx_gather(kas_onnx_reader *reader, kas_onnx_value *x, int axis, const int32_t *indices,
                           size_t count, kas_onnx_value **out) KAS_MUST_USE;
/* The last two axes of a by those of b. onnx_ops_product.c */
kas_status kas_onnx_matmul(kas_onnx_reader *reader, kas_onnx_value *a, kas_onnx_value *b,
                           kas_onnx_value **out) KAS_MUST_USE;

/* ---- onnx_walk.c ---- */

/* Entering a function or a subgraph: names looked up from there on. `closed`: the outer ones are not seen. */
kas_status kas_onnx_scope_enter(kas_onnx_reader *reader, size_t names, bool closed,
                                const kas_onnx_call *caller, const kas_onnx_opset *opsets,
                                size_t opset_count) KAS_MUST_USE;
void kas_onnx_scope_leave(kas_onnx_reader *reader);
kas_onnx_value *kas_onnx_lookup(const kas_onnx_reader *reader, kas_span name);
kas_status kas_onnx_bind(kas_onnx_reader *reader, kas_span name, kas_onnx_value *value) KAS_MUST_USE;
kas_status kas_onnx_bind_initializers(kas_onnx_reader *reader, const kas_onnx_graph *graph) KAS_MUST_USE;
kas_status kas_onnx_walk(kas_onnx_reader *reader, const kas_onnx_node *nodes, size_t count) KAS_MUST_USE;

#endif
