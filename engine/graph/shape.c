/* Shapes of rows: size, text, broadcasting, walking. */
#include "engine/graph/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool kas_shape_elements(const kas_shape *shape, size_t *out)
{
    if (shape->rank < 0 || shape->rank > KAS_MAX_RANK) return false;
    uint64_t count = 1;
    for (int d = 0; d < shape->rank; ++d) {
        if (shape->dims[d] < 1 || (uint64_t)shape->dims[d] > KAS_GRAPH_MAX_ELEMENTS) return false;
        count *= (uint64_t)shape->dims[d]; /* below 2^52: both factors are bounded */
        if (count > KAS_GRAPH_MAX_ELEMENTS) return false;
    }
    *out = (size_t)count;
    return true;
}

const char *kas_shape_text(const kas_shape *shape, char *out, size_t size)
{
    if (!size) return out;
    size_t used = (size_t)snprintf(out, size, "[");
    for (int d = 0; d < shape->rank && d < KAS_MAX_RANK && used < size; ++d)
        used += (size_t)snprintf(out + used, size - used, d ? ", %" PRId64 : "%" PRId64, shape->dims[d]);
    if (used < size) snprintf(out + used, size - used, "]");
    return out;
}

bool kas_shape_equal(const kas_shape *a, const kas_shape *b)
{
    return a->rank == b->rank && !memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]);
}

bool kas_shape_broadcast(const kas_shape *a, const kas_shape *b, kas_shape *out)
{
    kas_shape result = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int back = 1; back <= result.rank; ++back) {
        int64_t left = back <= a->rank ? a->dims[a->rank - back] : 1;
        int64_t right = back <= b->rank ? b->dims[b->rank - back] : 1;
        if (left != right && left != 1 && right != 1) return false;
        result.dims[result.rank - back] = left == 1 ? right : left;
    }
    *out = result;
    return true;
}

void kas_shape_strides(const kas_shape *shape, int64_t strides[KAS_MAX_RANK])
{
    int64_t step = 1;
    for (int d = shape->rank - 1; d >= 0; --d) {
        strides[d] = step;
        step *= shape->dims[d];
    }
}

void kas_shape_broadcast_strides(const kas_shape *shape, const kas_shape *out, int64_t strides[KAS_MAX_RANK])
{
    int64_t dense[KAS_MAX_RANK];
    kas_shape_strides(shape, dense);
    int missing = out->rank - shape->rank;
    for (int d = 0; d < out->rank; ++d)
        strides[d] = d < missing || shape->dims[d - missing] == 1 ? 0 : dense[d - missing];
}

kas_cursor kas_cursor_broadcast(const kas_shape *shape, const kas_shape *out)
{
    kas_cursor cursor = {0};
    kas_shape_broadcast_strides(shape, out, cursor.stride);
    return cursor;
}

void kas_cursor_next(kas_cursor *cursor, const kas_shape *shape)
{
    for (int d = shape->rank - 1; d >= 0; --d) {
        cursor->offset += cursor->stride[d];
        if (++cursor->index[d] < shape->dims[d]) return;
        cursor->offset -= cursor->stride[d] * shape->dims[d];
        cursor->index[d] = 0;
    }
}

bool kas_node_is_reshape(const kas_graph *graph, const kas_node *node)
{
    const kas_shape *shape = &graph->tensors[node->output].shape;
    int64_t dense[KAS_MAX_RANK];
    kas_shape_strides(shape, dense);
    bool same = node->op == KAS_OP_STRIDED && node->offset == 0 &&
                graph->tensors[node->output].elements == graph->tensors[node->inputs[0]].elements;
    for (int d = 0; same && d < shape->rank; ++d)
        same = shape->dims[d] == 1 || node->stride[d] == dense[d];
    return same;
}

uint64_t kas_node_multiply_adds(const kas_graph *graph, const kas_node *node)
{
    const kas_tensor *second =
        node->input_count > 1 && node->inputs[1] >= 0 ? &graph->tensors[node->inputs[1]] : NULL;
    if (node->op == KAS_OP_POOL)
        return (uint64_t)node->window.kernel[0] *
               (uint64_t)(node->window.spatial > 1 ? node->window.kernel[1] : 1);
    if (!second) return 0;
    if (node->op == KAS_OP_LINEAR) return (uint64_t)second->shape.dims[1];
    if (node->op == KAS_OP_MATMUL) return (uint64_t)second->shape.dims[second->shape.rank - 2];
    if (node->op == KAS_OP_CONV) return second->elements / (uint64_t)second->shape.dims[0];
    return 0;
}
