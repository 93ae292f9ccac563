/* softmax, reduce (both also across other dimensions) and layernorm: lines shorter and longer than a group,
 * with tails, with values far from 0, with NaN. */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "tests/conformance/runner.h"

/* rows × outer blocks of `size` elements, each with `inner` others beside it */
typedef struct lanes {
    uint32_t rows;
    int outer, size, inner;
} lanes;

static size_t lines_of(const lanes *view)
{
    return view->rows * (size_t)view->outer * (size_t)view->inner;
}

static size_t elements_of(const lanes *view)
{
    return lines_of(view) * (size_t)view->size;
}

/* First element of a line; the next ones are `inner` apart. */
static size_t start_of(const lanes *view, size_t line)
{
    size_t inner = (size_t)view->inner;
    return line / inner * (size_t)view->size * inner + line % inner;
}

/* A line of NaN among the others, one at the far end of what exp can take, and one that is the same all over.
 */
static float *make_lines(const lanes *view, float scale)
{
    float *x = conformance_random(elements_of(view), (unsigned)(view->size + view->inner));
    for (size_t line = 0; line < lines_of(view); ++line)
        for (size_t i = 0; i < (size_t)view->size; ++i) {
            float *at = &x[start_of(view, line) + i * (size_t)view->inner];
            *at *= scale;
            if (line % 7 == 3) *at += 1000;
            if (line % 7 == 5) *at = 0.25f;
            if (line % 7 == 6 && i == (size_t)view->size / 2) *at = NAN;
        }
    return x;
}

static void run(conformance_runner *runner, kas_kernel kernel, const void *args, const lanes *view, float *x,
                float *y, size_t y_count)
{
    uint32_t strips = (uint32_t)(view->inner + ACROSS_GROUP - 1) / ACROSS_GROUP;
    conformance_launch launch = {
        .kernel = kernel,
        .args = args,
        .rows = view->rows,
        .grid_x = {.per_row = (uint32_t)view->outer * strips, .divisor = 1},
        .buffers = {[1] = {x, elements_of(view) * sizeof *x}, [2] = {y, y_count * sizeof *y}},
    };
    conformance_run_x(runner, &launch);
}

/* ---- softmax ---- */

static void check_softmax(conformance_runner *runner, const lanes *view, const float *x, const float *y)
{
    size_t step = (size_t)view->inner, size = (size_t)view->size;
    for (size_t line = 0; line < lines_of(view); ++line) {
        size_t from = start_of(view, line);
        double greatest = -INFINITY, total = 0;
        for (size_t i = 0; i < size; ++i) {
            double v = x[from + i * step];
            greatest = isnan(v) || v > greatest ? v : greatest;
            if (isnan(v)) break;
        }
        for (size_t i = 0; i < size; ++i)
            total += exp(x[from + i * step] - greatest);
        for (size_t i = 0; i < size; ++i) {
            double want = exp(x[from + i * step] - greatest) / total;
            conformance_compare(runner, "softmax", from + i * step, y[from + i * step], want,
                                3e-6 * want + 1e-9);
        }
    }
}

static void one_softmax(conformance_runner *runner, kas_kernel kernel, lanes view)
{
    struct softmax_args args = {.size = view.size, .inner = view.inner};
    float *x = make_lines(&view, 8), *y = conformance_alloc(elements_of(&view), sizeof *y);
    run(runner, kernel, &args, &view, x, y, elements_of(&view));
    check_softmax(runner, &view, x, y);
    kas_free(x);
    kas_free(y);
}

/* ---- reduce ---- */

static double fold(int op, double so_far, double v)
{
    if (op == FOLD_PROD) return so_far * v;
    if (op == FOLD_SUM || op == FOLD_MEAN) return so_far + v;
    if (isnan(so_far) || isnan(v)) return NAN;
    return op == FOLD_MAX ? fmax(so_far, v) : fmin(so_far, v);
}

static void check_reduce(conformance_runner *runner, int op, const lanes *view, const float *x,
                         const float *y)
{
    char what[32];
    snprintf(what, sizeof what, "reduce %d of %d", op, view->size);
    for (size_t line = 0; line < lines_of(view); ++line) {
        double want = x[start_of(view, line)], size = fabs(want), divisor = op == FOLD_MEAN ? view->size : 1;
        for (size_t i = 1; i < (size_t)view->size; ++i) {
            double v = x[start_of(view, line) + i * (size_t)view->inner];
            want = fold(op, want, v);
            size += fabs(v);
        }
        double tolerance = op == FOLD_MAX || op == FOLD_MIN ? 0 : 1e-6 * size / divisor;
        if (op == FOLD_PROD) tolerance = 1e-7 * view->size * fabs(want) + 1e-37;
        conformance_compare(runner, what, line, y[line], want / divisor, tolerance);
    }
}

static void one_reduce(conformance_runner *runner, kas_kernel kernel, int op, lanes view)
{
    if (op == FOLD_PROD && view.size > 30) view.size = 30; /* what a float can hold */
    struct reduce_args args = {.op = op, .size = view.size, .inner = view.inner};
    float *x = make_lines(&view, 1), *y = conformance_alloc(lines_of(&view), sizeof *y);
    if (op == FOLD_PROD)
        for (size_t i = 0; i < elements_of(&view); ++i)
            if (fabsf(x[i]) > 2) x[i] = 1.5f;
    run(runner, kernel, &args, &view, x, y, lines_of(&view));
    check_reduce(runner, op, &view, x, y);
    kas_free(x);
    kas_free(y);
}

/* ---- layernorm ---- */

/* Scale and shift of a line: left out, the same for all, or of the line's row. */
typedef struct parameter {
    int kind; /* 0, 1, 2 */
    float *data;
    size_t count;
} parameter;

static parameter make_parameter(int kind, const lanes *view, uint64_t seed)
{
    parameter result = {.kind = kind, .count = (size_t)view->size * (kind == 2 ? view->rows : 1)};
    result.data = conformance_random(result.count, seed);
    return result;
}

static double value_of(const parameter *of, const lanes *view, size_t line, size_t i, double otherwise)
{
    if (of->kind == 0) return otherwise;
    size_t row = of->kind == 2 ? line / (size_t)view->outer : 0;
    return of->data[row * (size_t)view->size + i];
}

static void check_layernorm(conformance_runner *runner, const struct layernorm_args *args, const lanes *view,
                            const float *x, const parameter *scale, const parameter *shift, const float *y)
{
    size_t size = (size_t)view->size;
    for (size_t line = 0; line < lines_of(view); ++line) {
        const float *from = x + line * size;
        double mean = 0, squares = 0;
        for (size_t i = 0; i < size && args->centred; ++i)
            mean += (double)from[i] / args->size;
        for (size_t i = 0; i < size; ++i)
            squares += (from[i] - mean) * (from[i] - mean) / args->size;
        double factor = 1 / sqrt(squares + args->epsilon),
               noise = 1e-7 * (fabs(mean) + sqrt(squares)) * factor;
        for (size_t i = 0; i < size; ++i) {
            double a = value_of(scale, view, line, i, 1), b = value_of(shift, view, line, i, 0);
            double want = (from[i] - mean) * factor * a + b;
            conformance_compare(runner, "layernorm", line * size + i, y[line * size + i], want,
                                2e-6 * (fabs(want) + fabs(b)) + 8 * noise * fabs(a) + 1e-9);
        }
    }
}

static void one_layernorm(conformance_runner *runner, lanes view, int kinds)
{
    struct layernorm_args args = {.size = view.size,
                                  .lines_per_row = view.outer,
                                  .centred = kinds % 2,
                                  .epsilon = 1e-3f,
                                  .has_scale = kinds / 2 % 3 > 0,
                                  .has_shift = kinds / 6 % 3 > 0};
    parameter scale = make_parameter(kinds / 2 % 3, &view, 1),
              shift = make_parameter(kinds / 6 % 3, &view, 2);
    args.scale_row = scale.kind == 2 ? view.size : 0;
    args.shift_row = shift.kind == 2 ? view.size : 0;
    float *x = make_lines(&view, 1), *y = conformance_alloc(elements_of(&view), sizeof *y);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_layernorm,
        .args = &args,
        .rows = view.rows,
        .grid_x = {.per_row = (uint32_t)view.outer, .divisor = 1},
        .buffers = {[1] = {x, elements_of(&view) * sizeof *x},
                    [2] = {scale.data, scale.count * sizeof(float)},
                    [3] = {shift.data, shift.count * sizeof(float)},
                    [4] = {y, elements_of(&view) * sizeof *y}},
    };
    conformance_run_x(runner, &launch);
    check_layernorm(runner, &args, &view, x, &scale, &shift, y);
    kas_free(x);
    kas_free(y);
    kas_free(scale.data);
    kas_free(shift.data);
}

/* ---- cases ---- */

static const lanes along[] = {
    {1, 1, 1, 1},    {3, 2, 5, 1},     {2, 4, 63, 1},
    {3, 3, 64, 1},   {1, 7, 131, 1}, /* slow runners: until here */
    {128, 3, 10, 1}, {37, 1, 1009, 1}, {7, 2, 4096, 1},
};
static const lanes across[] = {
    {1, 1, 1, 2},    {2, 3, 5, 7},    {3, 1, 4, 64},
    {1, 2, 9, 131},  {2, 2, 2, 63}, /* slow runners: until here */
    {128, 2, 3, 17}, {7, 1, 61, 259}, {32, 2, 100, 64},
};
enum { SLOW_SHAPES = 5, SHAPES = sizeof along / sizeof *along, NORM_KINDS = 2 * 3 * 3 };
_Static_assert(sizeof along == sizeof across, "as many of each");

static size_t shape_count(const conformance_runner *runner)
{
    return runner->slow ? SLOW_SHAPES : SHAPES;
}

void cases_softmax(conformance_runner *runner)
{
    for (size_t i = 0; i < shape_count(runner); ++i)
        one_softmax(runner, KAS_KERNEL_softmax, along[i]);
}

void cases_softmax_across(conformance_runner *runner)
{
    for (size_t i = 0; i < shape_count(runner); ++i)
        one_softmax(runner, KAS_KERNEL_softmax_across, across[i]);
}

void cases_reduce(conformance_runner *runner)
{
    for (size_t i = 0; i < shape_count(runner); ++i)
        for (int op = FOLD_SUM; op <= FOLD_PROD; ++op)
            one_reduce(runner, KAS_KERNEL_reduce, op, along[i]);
}

void cases_reduce_across(conformance_runner *runner)
{
    for (size_t i = 0; i < shape_count(runner); ++i)
        for (int op = FOLD_SUM; op <= FOLD_PROD; ++op)
            one_reduce(runner, KAS_KERNEL_reduce_across, op, across[i]);
}

void cases_layernorm(conformance_runner *runner)
{
    for (size_t i = 0; i < shape_count(runner); ++i)
        for (int kinds = 0; kinds < NORM_KINDS; ++kinds)
            if (i < SLOW_SHAPES || kinds % 5 == (int)i % 5) one_layernorm(runner, along[i], kinds);
}
