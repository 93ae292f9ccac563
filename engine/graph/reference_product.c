/* Products in float64: each output element is one sum, added up in order. */
#include "engine/graph/reference.h"
#include "engine/graph/shape.h"

static double finish(const kas_reference *reference, double sum)
{
    const kas_node *node = reference->node;
    return kas_reference_act(node->act, (double)node->act_a, (double)node->act_b, sum);
}

static const double *optional(const kas_reference *reference, int input)
{
    return input < reference->node->input_count ? reference->in[input] : NULL;
}

void kas_reference_linear(const kas_reference *reference)
{
    const kas_shape *w = kas_reference_shape(reference, 1);
    size_t n = (size_t)w->dims[0], k = (size_t)w->dims[1];
    size_t rows = kas_reference_output(reference)->elements / n;
    const double *bias = optional(reference, 2);
    for (size_t row = 0; row < rows; ++row)
        for (size_t o = 0; o < n; ++o) {
            double sum = bias ? bias[o] : 0;
            for (size_t i = 0; i < k; ++i)
                sum += reference->in[0][row * k + i] * reference->in[1][o * k + i];
            reference->out[row * n + o] = finish(reference, sum);
        }
}

/* One matrix: out[m, n] = a[m, k] · b[k, n]. */
static void matrix(const double *a, const double *b, double *out, size_t m, size_t k, size_t n)
{
    for (size_t row = 0; row < m; ++row)
        for (size_t column = 0; column < n; ++column) {
            double sum = 0;
            for (size_t i = 0; i < k; ++i)
                sum += a[row * k + i] * b[i * n + column];
            out[row * n + column] = sum;
        }
}

void kas_reference_matmul(const kas_reference *reference)
{
    const kas_shape *a = kas_reference_shape(reference, 0), *b = kas_reference_shape(reference, 1);
    const kas_tensor *output = kas_reference_output(reference);
    size_t m = (size_t)a->dims[a->rank - 2], k = (size_t)a->dims[a->rank - 1],
           n = (size_t)b->dims[b->rank - 1];
    kas_shape left = *a, right = *b, leading = output->shape;
    left.rank -= 2;
    right.rank -= 2;
    leading.rank -= 2;
    kas_cursor from_a = kas_cursor_broadcast(&left, &leading),
               from_b = kas_cursor_broadcast(&right, &leading);
    for (size_t i = 0; i < output->elements / (m * n); ++i) {
        matrix(reference->in[0] + (size_t)from_a.offset * m * k,
               reference->in[1] + (size_t)from_b.offset * k * n, reference->out + i * m * n, m, k, n);
        kas_cursor_next(&from_a, &leading);
        kas_cursor_next(&from_b, &leading);
    }
}

/* A convolution of one or two dimensions, as one of two: the missing first one has size 1. */
typedef struct plane {
    int64_t in[2], out[2], kernel[2], stride[2], dilation[2], before[2];
} plane;

static plane plane_of(const kas_reference *reference)
{
    const kas_window *window = &reference->node->window;
    const kas_shape *x = kas_reference_shape(reference, 0), *y = &kas_reference_output(reference)->shape;
    plane result = {{1, 1}, {1, 1}, {1, 1}, {1, 1}, {1, 1}, {0, 0}};
    int skipped = 2 - window->spatial;
    for (int d = 0; d < window->spatial; ++d) {
        result.in[d + skipped] = x->dims[1 + d];
        result.out[d + skipped] = y->dims[1 + d];
        result.kernel[d + skipped] = window->kernel[d];
        result.stride[d + skipped] = window->stride[d];
        result.dilation[d + skipped] = window->dilation[d];
        result.before[d + skipped] = window->before[d];
    }
    return result;
}

/* The part of a sum that one input channel gives. */
static double correlate(const plane *p, const double *x, const double *w, int64_t row, int64_t column)
{
    double sum = 0;
    for (int64_t i = 0; i < p->kernel[0]; ++i)
        for (int64_t j = 0; j < p->kernel[1]; ++j) {
            int64_t r = row * p->stride[0] - p->before[0] + i * p->dilation[0];
            int64_t c = column * p->stride[1] - p->before[1] + j * p->dilation[1];
            if (r >= 0 && r < p->in[0] && c >= 0 && c < p->in[1])
                sum += x[r * p->in[1] + c] * w[i * p->kernel[1] + j];
        }
    return sum;
}

void kas_reference_conv(const kas_reference *reference)
{
    const kas_shape *w = kas_reference_shape(reference, 1);
    plane p = plane_of(reference);
    int64_t outputs = w->dims[0], taken = w->dims[1]; /* input channels of a group */
    int64_t outputs_of_group = outputs / reference->node->window.groups;
    const double *bias = optional(reference, 2);
    double *out = reference->out;
    for (int64_t o = 0; o < outputs; ++o) {
        const double *x = reference->in[0] + o / outputs_of_group * taken * p.in[0] * p.in[1];
        const double *weight = reference->in[1] + o * taken * p.kernel[0] * p.kernel[1];
        for (int64_t row = 0; row < p.out[0]; ++row)
            for (int64_t column = 0; column < p.out[1]; ++column) {
                double sum = bias ? bias[o] : 0;
                for (int64_t c = 0; c < taken; ++c)
                    sum += correlate(&p, x + c * p.in[0] * p.in[1], weight + c * p.kernel[0] * p.kernel[1],
                                     row, column);
                *out++ = finish(reference, sum);
            }
    }
}

/* One window of pooling. Elements outside are neither seen nor, unless padding counts, counted. */
static double pool(const plane *p, const kas_window *window, const double *x, int64_t row, int64_t column)
{
    double sum = 0, greatest = 0;
    int64_t inside = 0;
    for (int64_t i = 0; i < p->kernel[0]; ++i)
        for (int64_t j = 0; j < p->kernel[1]; ++j) {
            int64_t r = row * p->stride[0] - p->before[0] + i * p->dilation[0];
            int64_t c = column * p->stride[1] - p->before[1] + j * p->dilation[1];
            if (r < 0 || r >= p->in[0] || c < 0 || c >= p->in[1]) continue;
            double value = x[r * p->in[1] + c];
            greatest = inside ? kas_reference_binary(KAS_MAX, greatest, value) : value;
            sum += value;
            ++inside;
        }
    if (!window->average) return greatest;
    return sum / (double)(window->count_padding ? p->kernel[0] * p->kernel[1] : inside);
}

void kas_reference_pool(const kas_reference *reference)
{
    plane p = plane_of(reference);
    int64_t channels = kas_reference_shape(reference, 0)->dims[0];
    double *out = reference->out;
    for (int64_t c = 0; c < channels; ++c)
        for (int64_t row = 0; row < p.out[0]; ++row)
            for (int64_t column = 0; column < p.out[1]; ++column)
                *out++ =
                    pool(&p, &reference->node->window, reference->in[0] + c * p.in[0] * p.in[1], row, column);
}
