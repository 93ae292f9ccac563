/* Operators that only move elements, in float64. */
#include <string.h>

#include "engine/graph/reference.h"
#include "engine/graph/shape.h"

void kas_reference_strided(const kas_reference *reference)
{
    const kas_node *node = reference->node;
    const kas_tensor *output = kas_reference_output(reference);
    kas_cursor cursor = {.offset = node->offset};
    memcpy(cursor.stride, node->stride, sizeof cursor.stride);
    for (size_t i = 0; i < output->elements; ++i) {
        reference->out[i] = reference->in[0][cursor.offset];
        kas_cursor_next(&cursor, &output->shape);
    }
}

/* Elements of a shape from `first` dimension to `last`, not counted. */
static size_t span(const kas_shape *shape, int first, int last)
{
    size_t count = 1;
    for (int d = first; d < last; ++d)
        count *= (size_t)shape->dims[d];
    return count;
}

void kas_reference_concat(const kas_reference *reference)
{
    int axis = reference->node->axis;
    const kas_shape *y = &kas_reference_output(reference)->shape;
    size_t outer = span(y, 0, axis), row = span(y, axis, y->rank), done = 0;
    for (int i = 0; i < reference->node->input_count; ++i) {
        const kas_shape *x = kas_reference_shape(reference, i);
        size_t part = span(x, axis, x->rank);
        for (size_t o = 0; o < outer; ++o)
            memcpy(reference->out + o * row + done, reference->in[i] + o * part,
                   part * sizeof *reference->out);
        done += part;
    }
}

void kas_reference_gather(const kas_reference *reference)
{
    const kas_node *node = reference->node;
    const kas_shape *x = kas_reference_shape(reference, 0);
    size_t outer = span(x, 0, node->axis), size = (size_t)x->dims[node->axis];
    size_t inner = span(x, node->axis + 1, x->rank);
    for (size_t o = 0; o < outer; ++o)
        for (size_t i = 0; i < node->index_count; ++i)
            memcpy(reference->out + (o * node->index_count + i) * inner,
                   reference->in[0] + (o * size + (size_t)node->indices[i]) * inner, inner * sizeof(double));
}

void kas_reference_pad(const kas_reference *reference)
{
    const kas_node *node = reference->node;
    const kas_tensor *output = kas_reference_output(reference);
    const kas_shape *x = kas_reference_shape(reference, 0);
    kas_cursor cursor = {0};
    kas_shape_strides(x, cursor.stride);
    for (int d = 0; d < x->rank; ++d)
        cursor.offset -= node->before[d] * cursor.stride[d];
    for (size_t i = 0; i < output->elements; ++i) {
        bool inside = true;
        for (int d = 0; d < x->rank; ++d) {
            int64_t at = cursor.index[d] - node->before[d];
            inside = inside && at >= 0 && at < x->dims[d];
        }
        reference->out[i] = inside ? reference->in[0][cursor.offset] : (double)node->value;
        kas_cursor_next(&cursor, &output->shape);
    }
}
