/* What the readers of models share: from a graph whose tensors have a batch dimension to a graph of one row,
 * whose tensors have none.
 *
 * A model is evaluated symbolically. Each of its values has a full shape, in which at most one axis holds the
 * batch, and a tensor of the row graph. An axis holds the batch when its size is k·B, B being the number of
 * rows: k = 1 for the batch itself, more where a reshape merged other axes into it ([B, T, C] to [B·T, C];
 * [T, B, H·d] to [T, B·H, d]). A row's tensor has k in its place, or no such axis where k = 1. Whatever would
 * combine elements along that axis mixes rows and is refused.
 *
 * Integers about shapes (of a size, a slice, a quotient …) never reach the row graph: they are evaluated
 * here, each a known number or a multiple of B. A value that depends on nothing but constants is folded as
 * soon as it is made. */
#ifndef KAS_ARTIFACT_READER_H
#define KAS_ARTIFACT_READER_H

#include "engine/artifact/onnx_tensor.h"
#include "engine/graph/shape.h"

enum { KAS_READER_MAX_RANK = KAS_ONNX_MAX_RANK };

typedef enum kas_integer_kind {
    KAS_INTEGER_KNOWN = 0,
    KAS_INTEGER_BATCH,   /* value · B */
    KAS_INTEGER_UNKNOWN, /* depends on B in another way: may be made, but not used */
} kas_integer_kind;

typedef struct kas_integer {
    kas_integer_kind kind;
    int64_t value;
} kas_integer;

typedef struct kas_reader_value {
    kas_span name;
    int32_t type; /* kas_onnx_type, also of what other formats hold */
    int rank;
    int64_t dims[KAS_READER_MAX_RANK];  /* at batch_axis: k */
    int batch_axis;                     /* −1: none */
    int tensor;                         /* of the row graph; −1: none made (yet) */
    const kas_onnx_tensor *initializer; /* of ONNX; NULL: none */
    bool counted;                       /* an initializer whose elements are parameters */
    kas_integer *integers;              /* the elements of a value about shapes; NULL: not one */
    size_t integer_count;
    struct kas_reader_value *const *items; /* of a sequence; NULL: not one */
    size_t item_count;
} kas_reader_value;

typedef struct kas_onnx_scope kas_onnx_scope;

typedef struct kas_reader {
    const kas_artifact_limits *limits;
    kas_graph *graph;
    bool has_batch;      /* of the input; without one, the model's input is one row */
    int64_t fixed_batch; /* as the model declares it; 0: free */
    uint64_t work_spent; /* multiply-adds on constants */
    uint64_t parameter_count;
    const char **operators; /* names met, KAS_ARTIFACT_MAX_OPERATORS of them at most */
    size_t *operator_count;
    kas_onnx_source source; /* its arena is every reader's; the rest of it ONNX's */
    /* Only where the model is ONNX: */
    const uint8_t *file;
    const kas_onnx_model *model;
    kas_onnx_scope *scope;
    uint32_t nodes_left, nesting_left;
} kas_reader;

/* −rank … rank − 1 to 0 … rank − 1. */
kas_status kas_reader_axis(int64_t axis, int rank, int *out) KAS_MUST_USE;

/* ---- reader_values.c: shapes with a batch ---- */

/* A new value with the shape, batch and type of `like` (NULL: a rank-0 float) and nothing else. */
kas_status kas_reader_value_new(kas_reader *reader, const kas_reader_value *like,
                                kas_reader_value **out) KAS_MUST_USE;
/* A copy under another name: the same tensor, the same integers. */
kas_status kas_reader_value_alias(kas_reader *reader, kas_reader_value *value,
                                  kas_reader_value **out) KAS_MUST_USE;
/* The shape of a row's tensor. */
kas_status kas_reader_row_shape(const kas_reader_value *value, kas_shape *out) KAS_MUST_USE;
/* As above with k at the batch axis even where it is 1. */
kas_status kas_reader_kept_shape(const kas_reader_value *value, kas_shape *out) KAS_MUST_USE;
/* The axis of a row's tensor that is the full shape's `axis`; refuses the batch axis. */
kas_status kas_reader_row_axis(const kas_reader_value *value, int axis, int *out) KAS_MUST_USE;
/* The row's tensor, made from an initializer or from known integers where there is none yet. */
kas_status kas_reader_tensor_index(kas_reader *reader, kas_reader_value *value, int *out) KAS_MUST_USE;
/* The values of one that does not depend on the input; NULL where it does. */
const float *kas_reader_constant(const kas_reader *reader, const kas_reader_value *value, size_t *count);
/* A constant of one element. */
kas_status kas_reader_scalar(kas_reader *reader, kas_reader_value *value, const char *what,
                             float *out) KAS_MUST_USE;
/* "[B, 3, 4·B]", for messages. */
enum { KAS_READER_SHAPE_TEXT = 128 };
const char *kas_reader_shape_text(const kas_reader_value *value, char out[KAS_READER_SHAPE_TEXT]);

/* NumPy's broadcasting of full shapes: the shape, batch and type (of the first) of the result, and each
 * operand's row tensor, viewed so that they broadcast to the result's row. */
kas_status kas_reader_broadcast(kas_reader *reader, kas_reader_value *const *operands, size_t count,
                                int *tensors, kas_reader_value *result) KAS_MUST_USE;
/* One operand's row tensor, as above, for a result whose shape and batch are known. */
kas_status kas_reader_align(kas_reader *reader, kas_reader_value *operand, const kas_reader_value *result,
                            int *out) KAS_MUST_USE;
/* Gives `value` (whose shape, batch and type are set) its tensor, shaped as its row is; adds a view where
 * needed. */
kas_status kas_reader_settle(kas_reader *reader, int tensor, kas_reader_value *value) KAS_MUST_USE;

/* ---- reader_integers.c: values about shapes ---- */

/* The integers of a value (made from an initializer where there are none yet); *out is NULL when it has none.
 */
kas_status kas_reader_integers(kas_reader *reader, kas_reader_value *value, const kas_integer **out,
                               size_t *count) KAS_MUST_USE;
/* As known numbers, at most KAS_ONNX_MAX_LIST; refuses others, naming `what`. */
kas_status kas_reader_known_integers(kas_reader *reader, kas_reader_value *value, const char *what,
                                     int64_t *out, size_t *count) KAS_MUST_USE;
/* A value of integers: rank 0, or rank 1 of `count`. */
kas_status kas_reader_value_of_integers(kas_reader *reader, int rank, size_t count,
                                        kas_reader_value **out) KAS_MUST_USE;
/* True where both operands are integers that can be evaluated. */
kas_status kas_reader_are_integers(kas_reader *reader, kas_reader_value *const *values, size_t count,
                                   bool *out) KAS_MUST_USE;
kas_status kas_reader_integer_binary(kas_reader *reader, kas_binary op, kas_reader_value *a,
                                     kas_reader_value *b, kas_reader_value **out) KAS_MUST_USE;

/* a ∘ b; UNKNOWN where it is no multiple of the batch. KAS_DIV truncates; comparisons give 0 or 1. */
kas_status kas_reader_integer_combine(kas_binary op, kas_integer a, kas_integer b,
                                      kas_integer *out) KAS_MUST_USE;

/* ---- reader_emit.c: nodes of the row graph, by tensor indices ---- */

/* Adds node and output, or folds it where all its inputs are constants. Takes over node->indices. */
kas_status kas_reader_emit(kas_reader *reader, kas_node *node, const kas_shape *shape, int *out) KAS_MUST_USE;
kas_status kas_reader_emit_unary(kas_reader *reader, kas_act act, float a, float b, int x,
                                 int *out) KAS_MUST_USE;
/* Towards zero, as integers are made of floats. */
kas_status kas_reader_emit_truncate(kas_reader *reader, int x, int *out) KAS_MUST_USE;
kas_status kas_reader_emit_binary(kas_reader *reader, kas_binary op, int x, int y, int *out) KAS_MUST_USE;
kas_status kas_reader_emit_select(kas_reader *reader, int condition, int x, int y, int *out) KAS_MUST_USE;
kas_status kas_reader_emit_reduce(kas_reader *reader, kas_reduce kind, int x, int axis,
                                  int *out) KAS_MUST_USE;
kas_status kas_reader_emit_softmax(kas_reader *reader, int x, int axis, int *out) KAS_MUST_USE;
/* The same elements in another shape; x itself where the shape is the same. */
kas_status kas_reader_emit_view(kas_reader *reader, int x, const kas_shape *shape, int *out) KAS_MUST_USE;
kas_status kas_reader_emit_strided(kas_reader *reader, int x, const kas_shape *shape, int64_t offset,
                                   const int64_t *stride, int *out) KAS_MUST_USE;
/* Leading dimensions broadcast. */
kas_status kas_reader_emit_matmul(kas_reader *reader, int a, int b, int *out) KAS_MUST_USE;
kas_status kas_reader_emit_scalar(kas_reader *reader, float value, int *out) KAS_MUST_USE;
/* Room for a constant's values (charged to the budget), and the constant: takes the values over, also on
 * failure. */
kas_status kas_reader_emit_constant_room(kas_reader *reader, size_t elements, float **out) KAS_MUST_USE;
kas_status kas_reader_emit_constant(kas_reader *reader, const char *name, const kas_shape *shape,
                                    float *values, int *out) KAS_MUST_USE;
/* A permutation of the axes. */
kas_status kas_reader_emit_transpose(kas_reader *reader, int x, const int *order, int *out) KAS_MUST_USE;

/* ---- reader_window.c: convolutions and pooling ---- */

enum { KAS_READER_WINDOW_MAX = 1 << 20 }; /* of a window's kernel, stride, dilation, padding */

/* Whether the shapes of a convolution's weight and bias (NULL: none) suit its input and each other. */
kas_status kas_reader_check_conv(const kas_reader_value *x, const kas_reader_value *w,
                                 const kas_reader_value *bias, int64_t groups) KAS_MUST_USE;
/* The tensor of an operand that must not depend on the input; −1 for NULL. `what` names it in a refusal. */
kas_status kas_reader_constant_index(kas_reader *reader, kas_reader_value *value, const char *what,
                                     int *out) KAS_MUST_USE;
/* Elements from a window's first to behind its last. */
int64_t kas_reader_window_extent(const kas_window *window, int dimension);
/* Sizes of the result, from out->dims[2] on, and with ceil_mode the padding that its last windows need
 * (*extended): a window that would begin in the padding behind the input is left out. */
kas_status kas_reader_window_dims(const kas_reader_value *x, bool ceil_mode, kas_window *window,
                                  bool *extended, kas_reader_value *out) KAS_MUST_USE;

/* ---- operators on values, in the files named ---- */

/* Dimensions from integers: rank, dims and batch_axis of `out`. onnx_ops_constant.c */
kas_status kas_reader_dims_of_integers(const kas_integer *integers, size_t count,
                                       kas_reader_value *out) KAS_MUST_USE;
/* x ∘ y of full-level values. onnx_ops_elementwise.c */
kas_status kas_reader_binary(kas_reader *reader, kas_binary op, kas_reader_value *x, kas_reader_value *y,
                             kas_reader_value **out) KAS_MUST_USE;
/* Full-level reshape to dims and batch of `shape`. onnx_ops_shape.c */
kas_status kas_reader_reshape(kas_reader *reader, kas_reader_value *x, const kas_reader_value *shape,
                              kas_reader_value **out) KAS_MUST_USE;
kas_status kas_reader_transpose(kas_reader *reader, kas_reader_value *x, const int *order,
                                kas_reader_value **out) KAS_MUST_USE;
/* x[…, begin : begin + size·step : step, …] along one axis. onnx_ops_index.c */
kas_status kas_reader_slice(kas_reader *reader, kas_reader_value *x, int axis, int64_t begin, int64_t step,
                            int64_t size, kas_reader_value **out) KAS_MUST_USE;
/* Along one axis, with as many elements as there are indices, each in range. onnx_ops_index.c */
kas_status kas_reader_gather(kas_reader *reader, kas_reader_value *x, int axis, const int32_t *indices,
                             size_t count, kas_reader_value **out) KAS_MUST_USE;
/* The last two axes of a by those of b. onnx_ops_product.c */
kas_status kas_reader_matmul(kas_reader *reader, kas_reader_value *a, kas_reader_value *b,
                             kas_reader_value **out) KAS_MUST_USE;

#endif
