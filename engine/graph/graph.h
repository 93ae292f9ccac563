/* The graph: what a kernel computes for ONE row of its input.
 *
 * Every artifact format is decoded to this small, closed form. A tensor's shape is that of one row: the batch
 * has no place in it, so a graph cannot mix rows; a reader that cannot express an operator row by row refuses
 * the artifact with reason "mixes_rows". A tensor is dense and row-major; constants are the same for every
 * row.
 *
 * Nodes are in order of execution: a node reads tensors made by earlier nodes, the input, or constants. A
 * graph owns its memory; it is built by one thread, checked once (kas_graph_check) and immutable afterwards.
 */
#ifndef KAS_GRAPH_H
#define KAS_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    KAS_MAX_RANK = 6,         /* of one row */
    KAS_MAX_NODE_INPUTS = 64, /* concat of more parts is refused */
    KAS_GRAPH_MAX_NODES = 4096,
    KAS_GRAPH_MAX_TENSORS = 16384,
};
#define KAS_GRAPH_MAX_ELEMENTS (1ull << 26) /* of one tensor, for one row (256 MiB): more is refused */

typedef struct kas_shape {
    int rank; /* 0: one element */
    int64_t dims[KAS_MAX_RANK];
} kas_shape;

/* Elements of a shape; false when it has a dimension < 1 or more than KAS_GRAPH_MAX_ELEMENTS elements. */
bool kas_shape_elements(const kas_shape *shape, size_t *out);
/* "[3, 64]" into out (always terminated). Returns out. */
const char *kas_shape_text(const kas_shape *shape, char *out, size_t size);

typedef enum kas_op {
    KAS_OP_LINEAR = 0, /* in: x[…, k], w[n, k] constant, b[n] constant (optional); out […, n]; then `act` */
    KAS_OP_MATMUL,  /* in: a[…, m, k], b[…, k, n]; leading dimensions broadcast; either may be constant */
    KAS_OP_UNARY,   /* out = act(x), `act` with act_a, act_b */
    KAS_OP_BINARY,  /* out = x ∘ y, broadcast as NumPy does */
    KAS_OP_SELECT,  /* in: condition (non-zero = true), x, y; broadcast */
    KAS_OP_SOFTMAX, /* along `axis` */
    KAS_OP_NORM,    /* in: x, scale (optional), shift (optional), over the last `axes` dimensions; `centred`:
                       LayerNorm, else RMSNorm */
    KAS_OP_REDUCE,  /* along `axis`, kept with size 1 */
    KAS_OP_CONV,    /* in: x[c, d…], w[o, c/groups, k…] constant, b[o] constant (optional); 1 or 2 spatial
                       dimensions; then `act` */
    KAS_OP_POOL,    /* in: x[c, d…]; 1 or 2 spatial dimensions; each window holds an element of x */
    KAS_OP_STRIDED, /* out[i] = x[offset + Σ i_d·stride_d]: transpose, slice, expand */
    KAS_OP_CONCAT,  /* along `axis` */
    KAS_OP_GATHER,  /* along `axis`, by the constant list `indices` */
    KAS_OP_PAD,     /* constant padding: out[i] = inside ? x[i − before] : value */
    KAS_OP_COUNT
} kas_op;

const char *kas_op_name(kas_op op); /* "linear" … */

typedef enum kas_binary {
    KAS_ADD = 0,
    KAS_SUB,
    KAS_MUL,
    KAS_DIV,
    KAS_POW,
    KAS_MIN,
    KAS_MAX,
    KAS_EQUAL,
    KAS_GREATER,
    KAS_GREATER_EQUAL,
    KAS_LESS,
    KAS_LESS_EQUAL, /* 1.0 or 0.0 */
    KAS_AND,
    KAS_OR,
    KAS_XOR, /* of non-zero */
    KAS_BINARY_COUNT
} kas_binary;

typedef enum kas_reduce {
    KAS_REDUCE_SUM = 0,
    KAS_REDUCE_MEAN,
    KAS_REDUCE_MAX,
    KAS_REDUCE_MIN,
    KAS_REDUCE_PROD
} kas_reduce;

const char *kas_binary_name(kas_binary function); /* "greater_equal" … */
const char *kas_reduce_name(kas_reduce function); /* "mean" … */

/* Scalar functions, as kernels/act.h numbers them (a test keeps the two the same). */
typedef enum kas_act {
    KAS_ACT_NONE = 0,
    KAS_ACT_RELU, /* x < 0 ? 0 : x: keeps NaN */
    KAS_ACT_GELU, /* x/2 · (1 + erf(x/√2)) */
    KAS_ACT_GELU_TANH,
    KAS_ACT_SIGMOID,
    KAS_ACT_TANH,
    KAS_ACT_SILU,       /* x · sigmoid(x) */
    KAS_ACT_LEAKY_RELU, /* x < 0 ? a·x : x */
    KAS_ACT_ELU,        /* x < 0 ? a·(eˣ − 1) : x */
    KAS_ACT_SELU,       /* b · (x < 0 ? a·(eˣ − 1) : x) */
    KAS_ACT_CELU,       /* max(0, x) + min(0, a·(exp(x/a) − 1)) */
    KAS_ACT_SOFTPLUS,   /* ln(1 + eˣ), x itself where x > 20 would not differ */
    KAS_ACT_SOFTSIGN,
    KAS_ACT_MISH,             /* x · tanh(softplus(x)) */
    KAS_ACT_HARD_SIGMOID,     /* clamp(a·x + b, 0, 1) */
    KAS_ACT_HARD_SWISH,       /* x · clamp(x/6 + 1/2, 0, 1) */
    KAS_ACT_CLIP,             /* clamp(x, a, b), keeps NaN */
    KAS_ACT_THRESHOLDED_RELU, /* x > a ? x : 0 */
    KAS_ACT_EXP,
    KAS_ACT_LOG,
    KAS_ACT_SQRT,
    KAS_ACT_RSQRT,
    KAS_ACT_RECIPROCAL,
    KAS_ACT_ERF,
    KAS_ACT_ABS,
    KAS_ACT_NEG,
    KAS_ACT_SIGN,
    KAS_ACT_FLOOR,
    KAS_ACT_CEIL,
    KAS_ACT_ROUND, /* half to even */
    KAS_ACT_SQUARE,
    KAS_ACT_AFFINE, /* a·x + b */
    KAS_ACT_POW,    /* x^a, a constant */
    KAS_ACT_NOT,    /* x == 0 ? 1 : 0 */
    KAS_ACT_COUNT
} kas_act;

const char *kas_act_name(kas_act act); /* "gelu_tanh" … */

typedef struct kas_window { /* of conv and pool; index 0: first spatial dimension */
    int spatial;            /* 1 or 2 */
    int64_t kernel[2], stride[2], dilation[2];
    int64_t before[2], after[2]; /* padding */
    int64_t groups;              /* conv */
    bool average;                /* pool: average, else maximum */
    bool count_padding;          /* average: divide by the kernel's size, else by the elements inside */
} kas_window;

typedef struct kas_node {
    kas_op op;
    kas_act act; /* LINEAR, CONV, UNARY, BINARY: applied to the result (KAS_ACT_NONE: nothing) */
    float act_a, act_b;
    int inputs[KAS_MAX_NODE_INPUTS]; /* tensor indices; -1: an optional input that is left out */
    int input_count;
    int output; /* tensor index */
    union {
        kas_binary binary;
        kas_reduce reduce;
    };
    int axis;      /* SOFTMAX, REDUCE, CONCAT, GATHER: ≥ 0; NORM: how many last dimensions */
    bool centred;  /* NORM */
    float epsilon; /* NORM */
    float value;   /* PAD */
    kas_window window;
    int64_t offset;               /* STRIDED: elements */
    int64_t stride[KAS_MAX_RANK]; /* STRIDED: elements of x per step of each output dimension; may be 0 or
                                     negative */
    int64_t before[KAS_MAX_RANK]; /* PAD */
    int32_t *indices;             /* GATHER: owned by the graph, `index_count` of them, each in range */
    size_t index_count;
} kas_node;

typedef struct kas_tensor {
    char *name;      /* as in the artifact, owned; for messages */
    kas_shape shape; /* of one row */
    float *constant; /* owned, row-major, shared by all rows; NULL: an activation */
    size_t elements;
} kas_tensor;

typedef struct kas_graph {
    kas_tensor *tensors;
    size_t tensor_count, tensor_capacity;
    kas_node *nodes;
    size_t node_count, node_capacity;
    int input, output;        /* tensor indices; the output may be the input (identity), but no constant */
    uint64_t parameter_count; /* elements of the weights, as the reader counted them */
} kas_graph;

kas_status kas_graph_create(kas_graph **out) KAS_MUST_USE;
void kas_graph_destroy(kas_graph *graph); /* accepts NULL */

/* Adds a tensor (name copied, may be NULL) and gives its index. Refuses shapes beyond the limits. */
kas_status kas_graph_add_tensor(kas_graph *graph, const char *name, const kas_shape *shape,
                                int *out) KAS_MUST_USE;
/* As above with values: takes over `values` (allocated with base/alloc.h), also when it fails. */
kas_status kas_graph_add_constant(kas_graph *graph, const char *name, const kas_shape *shape, float *values,
                                  int *out) KAS_MUST_USE;
/* Appends a copy of the node (taking over node->indices, also when it fails). */
kas_status kas_graph_add_node(kas_graph *graph, const kas_node *node) KAS_MUST_USE;

/* Every rule above: order, single producers, shapes of each node's inputs and output, ranges of attributes,
 * finite constants and attributes. What comes out of a reader or of a rewrite passes it, or is a defect.
 * Refusals: KAS_INVALID_ARTIFACT, naming node and tensors, with reason "shape", "limit", "not_finite" or
 * "malformed". */
kas_status kas_graph_check(const kas_graph *graph) KAS_MUST_USE;

/* Rewrites that keep the function: folds what depends on constants only, affine maps (BatchNorm, scales,
 * biases) into products next to them, chains of primitive operators to the activation or normalisation they
 * spell out (GELU, SiLU, Mish, softplus with its threshold, LayerNorm, RMSNorm …), activations into the
 * product before them; removes what nobody reads and what does nothing. Deterministic. The graph has passed
 * kas_graph_check. Fails only when memory is out; the graph is then simplified in part, and valid. A graph
 * whose output does not depend on its input ends in a STRIDED copy of a constant. */
kas_status kas_graph_simplify(kas_graph *graph) KAS_MUST_USE;

/* One row at a time in float64, straight from the definitions: what tests compare devices with, and readers
 * with the reference outputs. x: rows × input elements; y: rows × output elements. Slow. */
kas_status kas_graph_reference(const kas_graph *graph, const float *x, size_t rows, double *y) KAS_MUST_USE;

/* True, with weight [n, k] and bias [n] (each to be freed with kas_free), when the whole graph is y = x·Wᵀ +
 * b. */
kas_status kas_graph_affine(const kas_graph *graph, bool *is_affine, float **weight,
                            float **bias) KAS_MUST_USE;

#endif
