/* pool: average and maximum, windows that reach over the edges, strides, dilations. */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "tests/conformance/runner.h"

static double pool_one(const struct pool_args *args, const float *plane, int y, int x)
{
    double total = 0, greatest = -INFINITY;
    int seen = 0;
    for (int i = 0; i < args->kernel_height; ++i)
        for (int j = 0; j < args->kernel_width; ++j) {
            int row = y * args->stride_height + i * args->dilation_height - args->before_height;
            int column = x * args->stride_width + j * args->dilation_width - args->before_width;
            if (row < 0 || row >= args->height || column < 0 || column >= args->width) continue;
            double v = plane[row * args->width + column];
            total += v;
            greatest = isnan(v) || v > greatest ? v : greatest;
            ++seen;
        }
    if (!args->average) return greatest;
    return total / (args->count_padding ? args->kernel_height * args->kernel_width : seen);
}

static void one_shape(conformance_runner *runner, uint32_t rows, const struct pool_args *args)
{
    int plane = args->height * args->width;
    size_t planes = rows * (size_t)args->channels, positions = (size_t)(args->out_height * args->out_width),
           at = 0;
    float *x = conformance_random(planes * (size_t)plane, rows + (unsigned)plane);
    float *y = conformance_alloc(planes * positions, sizeof *y);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_pool,
        .args = args,
        .rows = rows,
        .grid_x = {.per_row = (uint32_t)(args->channels * (int)positions), .divisor = SCATTER_GROUP},
        .buffers = {[1] = {x, planes * (size_t)plane * sizeof *x}, [2] = {y, planes * positions * sizeof *y}},
    };
    conformance_run_x(runner, &launch);
    char what[96];
    snprintf(what, sizeof what, "pool (%s) %d×%d over %d×%d", args->average ? "average" : "maximum",
             args->kernel_height, args->kernel_width, args->height, args->width);
    for (size_t p = 0; p < planes; ++p)
        for (int row = 0; row < args->out_height; ++row)
            for (int column = 0; column < args->out_width; ++column, ++at)
                conformance_compare(runner, what, at, y[at],
                                    pool_one(args, x + p * (size_t)plane, row, column),
                                    args->average ? 1e-6 : 0);
    kas_free(x);
    kas_free(y);
}

void cases_pool(conformance_runner *runner)
{
    static const struct {
        uint32_t rows;
        struct pool_args args;
    } shapes[] = {
        {1, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}},
        {3, {2, 1, 17, 1, 9, 1, 3, 1, 2, 1, 1, 0, 1, 0, 0}},
        {2, {3, 7, 5, 4, 5, 3, 3, 2, 1, 1, 1, 1, 1, 0, 0}},
        {2, {3, 9, 8, 5, 4, 2, 3, 2, 2, 3, 2, 1, 2, 0, 0}},
        {7, {5, 6, 6, 1, 1, 6, 6, 1, 1, 1, 1, 0, 0, 0, 0}}, /* slow runners: until here */
        {32, {16, 13, 13, 6, 6, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0}},
        {128, {2, 1, 301, 1, 150, 1, 3, 1, 2, 1, 1, 0, 0, 0, 0}},
        {7, {3, 31, 29, 31, 29, 5, 5, 1, 1, 1, 1, 2, 2, 0, 0}},
    };
    size_t count = runner->slow ? 5 : sizeof shapes / sizeof *shapes;
    for (size_t i = 0; i < count; ++i)
        for (int kind = 0; kind < 3; ++kind) {
            struct pool_args args = shapes[i].args;
            args.average = kind > 0;
            args.count_padding = kind > 1;
            one_shape(runner, shapes[i].rows, &args);
        }
}
