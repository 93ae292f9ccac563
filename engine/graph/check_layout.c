/* What the operators that only move elements demand: no element outside the input is ever read. */
#include <inttypes.h>
#include <math.h>

#include "engine/graph/check.h"
#include "engine/graph/shape.h"

/* The least and the greatest element that a strided view reads; false when they do not fit int64. */
static bool strided_range(const kas_node *node, const kas_shape *out, int64_t *least, int64_t *greatest)
{
    *least = *greatest = node->offset;
    for (int d = 0; d < out->rank; ++d) {
        int64_t reach;
        if (__builtin_mul_overflow(node->stride[d], out->dims[d] - 1, &reach)) return false;
        int64_t *end = reach < 0 ? least : greatest;
        if (__builtin_add_overflow(*end, reach, end)) return false;
    }
    return true;
}

kas_status kas_check_strided(const kas_check *check)
{
    const kas_tensor *x = kas_check_input(check, 0), *output = kas_check_output(check);
    int64_t least, greatest;
    if (!strided_range(check->node, &output->shape, &least, &greatest))
        return kas_check_refuse(check, "limit", "strides of the output %s are out of range",
                                kas_check_describe(output).text);
    if (least < 0 || (uint64_t)greatest >= x->elements)
        return kas_check_refuse(check, "shape",
                                "the output %s reads elements %" PRId64 " to %" PRId64 " of the input %s",
                                kas_check_describe(output).text, least, greatest, kas_check_describe(x).text);
    return NULL;
}

kas_status kas_check_concat(const kas_check *check)
{
    const kas_tensor *first = kas_check_input(check, 0);
    int axis = check->node->axis;
    if (axis < 0 || axis >= first->shape.rank)
        return kas_check_refuse(check, "shape", "axis %d does not lie in the input %s", axis,
                                kas_check_describe(first).text);
    kas_shape expected = first->shape;
    for (int i = 1; i < check->node->input_count; ++i) {
        const kas_tensor *part = kas_check_input(check, i);
        kas_shape fitting = part->shape;
        if (fitting.rank == expected.rank) fitting.dims[axis] = first->shape.dims[axis];
        if (!kas_shape_equal(&fitting, &first->shape))
            return kas_check_refuse(check, "shape", "input %d, %s, does not continue %s along axis %d", i,
                                    kas_check_describe(part).text, kas_check_describe(first).text, axis);
        expected.dims[axis] += part->shape.dims[axis]; /* 64 parts of 2^26 at most */
    }
    return kas_check_output_shape(check, &expected);
}

kas_status kas_check_gather(const kas_check *check)
{
    const kas_node *node = check->node;
    const kas_tensor *x = kas_check_input(check, 0);
    if (node->axis < 0 || node->axis >= x->shape.rank)
        return kas_check_refuse(check, "shape", "axis %d does not lie in the input %s", node->axis,
                                kas_check_describe(x).text);
    if (!node->indices || !node->index_count || node->index_count > KAS_GRAPH_MAX_ELEMENTS)
        return kas_check_refuse(check, "limit", "%zu indices; 1 to %llu are meant", node->index_count,
                                KAS_GRAPH_MAX_ELEMENTS);
    int64_t size = x->shape.dims[node->axis];
    for (size_t i = 0; i < node->index_count; ++i)
        if (node->indices[i] < 0 || node->indices[i] >= size)
            return kas_check_refuse(check, "shape",
                                    "index %zu is %" PRId32 "; axis %d of the input %s has %" PRId64, i,
                                    node->indices[i], node->axis, kas_check_describe(x).text, size);
    kas_shape expected = x->shape;
    expected.dims[node->axis] = (int64_t)node->index_count;
    return kas_check_output_shape(check, &expected);
}

/* The output's own shape says how much is padded after; negative padding (cropping) is a strided view. */
kas_status kas_check_pad(const kas_check *check)
{
    const kas_node *node = check->node;
    const kas_tensor *x = kas_check_input(check, 0), *output = kas_check_output(check);
    if (!isfinite(node->value))
        return kas_check_refuse(check, "not_finite", "it pads with %f", (double)node->value);
    bool fits = output->shape.rank == x->shape.rank;
    for (int d = 0; fits && d < x->shape.rank; ++d)
        fits = node->before[d] >= 0 && node->before[d] <= output->shape.dims[d] - x->shape.dims[d];
    if (fits) return NULL;
    return kas_check_refuse(check, "shape", "the output %s does not hold the input %s behind its padding",
                            kas_check_describe(output).text, kas_check_describe(x).text);
}
