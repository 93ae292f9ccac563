/* Operators in float64 that look at many elements of a row at once: softmax, normalisation, reduction. */
#include <math.h>

#include "engine/graph/reference.h"

/* A shape seen from one axis: `outer` blocks of `size` lines of `inner` elements. */
typedef struct lanes {
    size_t outer, size, inner;
} lanes;

static lanes lanes_of(const kas_shape *shape, int axis)
{
    lanes result = {1, (size_t)shape->dims[axis], 1};
    for (int d = 0; d < axis; ++d)
        result.outer *= (size_t)shape->dims[d];
    for (int d = axis + 1; d < shape->rank; ++d)
        result.inner *= (size_t)shape->dims[d];
    return result;
}

static void softmax_lane(const double *x, double *y, size_t size, size_t step)
{
    double greatest = x[0], sum = 0;
    for (size_t i = 1; i < size; ++i)
        greatest = kas_reference_binary(KAS_MAX, greatest, x[i * step]);
    for (size_t i = 0; i < size; ++i)
        sum += y[i * step] = exp(x[i * step] - greatest);
    for (size_t i = 0; i < size; ++i)
        y[i * step] /= sum;
}

void kas_reference_softmax(const kas_reference *reference)
{
    lanes view = lanes_of(kas_reference_shape(reference, 0), reference->node->axis);
    for (size_t outer = 0; outer < view.outer; ++outer)
        for (size_t inner = 0; inner < view.inner; ++inner) {
            size_t first = outer * view.size * view.inner + inner;
            softmax_lane(reference->in[0] + first, reference->out + first, view.size, view.inner);
        }
}

static double reduce_lane(kas_reduce reduce, const double *x, size_t size, size_t step)
{
    double result = x[0];
    for (size_t i = 1; i < size; ++i) {
        double value = x[i * step];
        if (reduce == KAS_REDUCE_SUM || reduce == KAS_REDUCE_MEAN) result += value;
        if (reduce == KAS_REDUCE_PROD) result *= value;
        if (reduce == KAS_REDUCE_MAX) result = kas_reference_binary(KAS_MAX, result, value);
        if (reduce == KAS_REDUCE_MIN) result = kas_reference_binary(KAS_MIN, result, value);
    }
    return reduce == KAS_REDUCE_MEAN ? result / (double)size : result;
}

void kas_reference_reduce(const kas_reference *reference)
{
    lanes view = lanes_of(kas_reference_shape(reference, 0), reference->node->axis);
    for (size_t outer = 0; outer < view.outer; ++outer)
        for (size_t inner = 0; inner < view.inner; ++inner)
            reference->out[outer * view.inner + inner] =
                reduce_lane(reference->node->reduce,
                            reference->in[0] + outer * view.size * view.inner + inner, view.size, view.inner);
}

static void norm_lane(const kas_reference *reference, const double *x, double *y, size_t size)
{
    const kas_node *node = reference->node;
    const double *scale = node->input_count > 1 ? reference->in[1] : NULL;
    const double *shift = node->input_count > 2 ? reference->in[2] : NULL;
    double mean = 0, square = 0;
    for (size_t i = 0; node->centred && i < size; ++i)
        mean += x[i] / (double)size;
    for (size_t i = 0; i < size; ++i)
        square += (x[i] - mean) * (x[i] - mean);
    double deviation = sqrt(square / (double)size + (double)node->epsilon);
    for (size_t i = 0; i < size; ++i)
        y[i] = (x[i] - mean) / deviation * (scale ? scale[i] : 1) + (shift ? shift[i] : 0);
}

void kas_reference_norm(const kas_reference *reference)
{
    const kas_shape *x = kas_reference_shape(reference, 0);
    size_t size = 1, count = kas_reference_output(reference)->elements;
    for (int d = x->rank - reference->node->axis; d < x->rank; ++d)
        size *= (size_t)x->dims[d];
    for (size_t first = 0; first < count; first += size)
        norm_lane(reference, reference->in[0] + first, reference->out + first, size);
}
