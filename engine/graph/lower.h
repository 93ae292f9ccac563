/* Lowering: from a graph's nodes to launches. For the files of lowering and segment.c only.
 *
 * A launch is recorded as a *step*, whose operands in the workspace are named by value; offsets follow when
 * all lifetimes are known. Each operator has a function that emits its steps (lower_product.c,
 * lower_elementwise.c, lower_lines.c, lower_window.c, lower_layout.c).
 *
 * Where tensors are: constants in the weights, the graph's input in KAS_SLOT_X, its output in KAS_SLOT_Y, the
 * rest in the workspace. A reshape moves nothing: its output is stored where its input is. */
#ifndef KAS_GRAPH_LOWER_H
#define KAS_GRAPH_LOWER_H

#include "backends/core/device.h"
#include "engine/graph/graph.h"
#include "engine/graph/lifetimes.h"
#include "engine/graph/lines.h"
#include "engine/graph/weights.h"

/* Indices in kernels are ints: rows times the elements of a row stay below this, for every buffer. */
#define KAS_LOWER_INDEX_MAX (1ull << 30)

typedef enum kas_storage { KAS_IN_X = 0, KAS_IN_Y, KAS_IN_WORK, KAS_IN_WEIGHTS } kas_storage;

typedef struct kas_operand {
    kas_storage storage;
    size_t value;    /* KAS_IN_WORK: index of a kas_value; KAS_IN_WEIGHTS: offset in bytes */
    size_t elements; /* floats of a row */
    size_t row;      /* floats from one row to the next: `elements`, 0 for a constant */
} kas_operand;

typedef struct kas_step {
    kas_launch launch;                     /* offsets of KAS_SLOT_WORK are still 0 */
    size_t values[KAS_KERNEL_MAX_BUFFERS]; /* of KAS_SLOT_WORK bindings */
    kas_op op;                             /* that it is part of */
} kas_step;

typedef struct kas_lowering {
    kas_device *device;
    const kas_graph *graph;
    kas_weights *weights; /* borrowed */
    bool fast;            /* products may give up precision for speed */
    kas_step *steps;
    size_t step_count, step_capacity;
    kas_value *values;
    size_t value_count, value_capacity;
    size_t *value_of;  /* of each tensor: its value + 1; 0: none yet */
    int *root;         /* of each tensor: the tensor that it is stored as */
    int *reader;       /* of each tensor: its only reader's node; −1: none or several */
    bool *done;        /* of each node: emitted already, as part of an earlier one */
    uint64_t flops;    /* of a row, saturating; multiply-adds count two */
    double ns;         /* that a row takes on one compute unit, estimated cautiously */
    uint64_t rows_max; /* what indices and grids allow */
    kas_op op;         /* of the node at hand */
} kas_lowering;

/* Emits all of the graph; its constants are added to `weights`, which several lowerings of a graph may share.
 * kas_lowering_finish must follow, whatever came of it. */
kas_status kas_lower_graph(kas_device *device, const kas_graph *graph, bool fast, kas_weights *weights,
                           kas_lowering *lowering) KAS_MUST_USE;
void kas_lowering_finish(kas_lowering *lowering);

/* ---- for the operators' functions ---- */

const kas_tensor *kas_lower_tensor(const kas_lowering *lowering, int tensor);
/* Where a node's i-th input is; a constant is added to the weights as it is. */
kas_status kas_lower_input(kas_lowering *lowering, const kas_node *node, int i,
                           kas_operand *out) KAS_MUST_USE;
/* As above, but never a constant: one is spread over the rows first, for kernels that know activations only.
 */
kas_status kas_lower_activation(kas_lowering *lowering, const kas_node *node, int i,
                                kas_operand *out) KAS_MUST_USE;
/* The constant that a node's i-th input is, also through reshapes; NULL when it is an activation or left out.
 */
const kas_tensor *kas_lower_constant(const kas_lowering *lowering, const kas_node *node, int i);
/* Where a tensor that a node makes goes. */
kas_status kas_lower_output(kas_lowering *lowering, int tensor, kas_operand *out) KAS_MUST_USE;
/* A place in the workspace for what is between two steps of one node. */
kas_status kas_lower_between(kas_lowering *lowering, size_t elements, kas_operand *out) KAS_MUST_USE;
/* What the weights of a product or convolution are stored as: 16 bits where the device takes them so and
 * every value is exactly one of them, so that no result changes. */
kas_weight_type kas_lower_weight_type(const kas_lowering *lowering, const kas_tensor *weights);
/* An operand in the weights. */
kas_status kas_lower_piece(kas_lowering *lowering, kas_piece piece, kas_operand *out) KAS_MUST_USE;

/* Records a launch over operands (the parameter block comes before them; the last one is written). */
kas_status kas_lower_emit(kas_lowering *lowering, kas_kernel kernel, const kas_operand *operands,
                          size_t count, const void *args, size_t args_bytes, kas_grid_rule x,
                          kas_grid_rule y) KAS_MUST_USE;
/* The last launch, while its node is being lowered. */
kas_launch *kas_lower_last(kas_lowering *lowering);
/* As above with a grid of x alone. */
kas_status kas_lower_emit_x(kas_lowering *lowering, kas_kernel kernel, const kas_operand *operands,
                            size_t count, const void *args, size_t args_bytes, kas_grid_rule x) KAS_MUST_USE;

/* Counts what a row costs. `moved`: elements read and written beside the flops. */
void kas_lower_count(kas_lowering *lowering, uint64_t flops, uint64_t moved);
/* The same for a launch of kernels/linear.k, at which some devices are much better than at anything else. */
void kas_lower_count_product(kas_lowering *lowering, uint64_t flops, uint64_t moved);

/* The activation that ends a node, and the tensor that then holds its result: its own, or those of the UNARY
 * that is its only reader, which is then done. */
typedef struct kas_ending {
    int act;
    float a, b;
    int output;
} kas_ending;

kas_ending kas_lower_ending(kas_lowering *lowering, const kas_node *node);

/* One per operator. */
typedef kas_status kas_lower_function(kas_lowering *lowering, const kas_node *node);
kas_lower_function kas_lower_linear, kas_lower_matmul, kas_lower_conv, kas_lower_pool;
kas_lower_function kas_lower_unary, kas_lower_binary, kas_lower_select, kas_lower_strided, kas_lower_concat;
kas_lower_function kas_lower_softmax, kas_lower_norm, kas_lower_reduce, kas_lower_gather, kas_lower_pad;

/* to = act(from), of as many elements. */
kas_status kas_lower_activate(kas_lowering *lowering, const kas_operand *from, const kas_operand *to,
                              const kas_ending *ending) KAS_MUST_USE;
/* Copies `from` to `to`, element by element; a constant to every row. */
kas_status kas_lower_copy(kas_lowering *lowering, const kas_operand *from,
                          const kas_operand *to) KAS_MUST_USE;

#endif
