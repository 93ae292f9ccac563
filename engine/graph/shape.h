/* Shapes of rows: comparing, broadcasting and walking over them. Pure functions; any thread. */
#ifndef KAS_GRAPH_SHAPE_H
#define KAS_GRAPH_SHAPE_H

#include "engine/graph/graph.h"

bool kas_shape_equal(const kas_shape *a, const kas_shape *b);

/* NumPy's rule: aligned at the last dimension, a dimension of 1 stretches. False when they do not fit. */
bool kas_shape_broadcast(const kas_shape *a, const kas_shape *b, kas_shape *out);

/* Elements per step of each dimension of a dense tensor. */
void kas_shape_strides(const kas_shape *shape, int64_t strides[KAS_MAX_RANK]);

/* Elements of `shape` per step of each dimension of `out`, to which it broadcasts: 0 where it is stretched.
 */
void kas_shape_broadcast_strides(const kas_shape *shape, const kas_shape *out, int64_t strides[KAS_MAX_RANK]);

/* Multiply-adds for each element of the node's result, about, where it is a product, a convolution or a pool;
 * 0 for any other operator. The node's operands are in the graph. */
uint64_t kas_node_multiply_adds(const kas_graph *graph, const kas_node *node);
/* A STRIDED node that gives the elements another shape, or the same, and leaves them in order. */
bool kas_node_is_reshape(const kas_graph *graph, const kas_node *node);

/* Walks over the elements of a shape in order, and keeps the offset that they have in another tensor. */
typedef struct kas_cursor {
    int64_t offset;
    int64_t index[KAS_MAX_RANK];
    int64_t stride[KAS_MAX_RANK];
} kas_cursor;

/* A cursor at the first element of `out`, over a tensor of `shape` that broadcasts to it. */
kas_cursor kas_cursor_broadcast(const kas_shape *shape, const kas_shape *out);
void kas_cursor_next(kas_cursor *cursor, const kas_shape *shape);

#endif
