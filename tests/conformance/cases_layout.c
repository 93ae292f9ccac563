/* gather and pad: elements that move without change. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/random.h"
#include "tests/conformance/runner.h"

/* ---- gather ---- */

static void one_gather(conformance_runner *runner, uint32_t rows, const struct gather_args *args)
{
    size_t outer = rows * (size_t)args->outer, inner = (size_t)args->inner, count = (size_t)args->count;
    size_t size = (size_t)args->size, xs = outer * size * inner, ys = outer * count * inner;
    kas_rng rng = kas_rng_make(count, size);
    int32_t *list = conformance_alloc(count, sizeof *list);
    for (size_t j = 0; j < count; ++j)
        list[j] = (int32_t)kas_rng_below(&rng, (uint32_t)size);
    float *x = conformance_random(xs, rows), *y = conformance_alloc(ys, sizeof *y);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_gather,
        .args = args,
        .rows = rows,
        .grid_x = {.per_row = (uint32_t)(args->outer * args->count * args->inner), .divisor = SCATTER_GROUP},
        .buffers = {[1] = {x, xs * sizeof *x}, [2] = {list, count * sizeof *list}, [3] = {y, ys * sizeof *y}},
    };
    conformance_run_x(runner, &launch);
    for (size_t i = 0; i < ys; ++i) {
        size_t block = i / inner / count, from = (size_t)list[i / inner % count];
        conformance_compare(runner, "gather", i, y[i], x[(block * size + from) * inner + i % inner], 0);
    }
    kas_free(list);
    kas_free(x);
    kas_free(y);
}

void cases_gather(conformance_runner *runner)
{
    static const struct {
        uint32_t rows;
        struct gather_args args;
    } shapes[] = {
        {1, {1, 1, 1, 1}}, {3, {2, 5, 7, 3}},     {2, {1, 300, 1, 257}}, {1, {3, 2, 64, 9}},
        {7, {4, 3, 5, 2}}, {128, {1, 97, 3, 31}}, {32, {6, 8, 17, 16}},  {3, {2, 1000, 5, 1000}},
    };
    size_t count = runner->slow ? 5 : sizeof shapes / sizeof *shapes;
    for (size_t i = 0; i < count; ++i)
        one_gather(runner, shapes[i].rows, &shapes[i].args);
}

/* ---- pad ---- */

/* Where an element of the output comes from in the row; negative where it is padding. */
static int64_t source_of(const struct pad_args *args, int64_t element)
{
    int64_t from = 0, step = 1;
    for (int d = args->rank - 1; d >= 0; --d) {
        int64_t at = element % args->size[d] - args->before[d];
        if (at < 0 || at >= args->x_size[d]) return -1;
        from += at * step;
        step *= args->x_size[d];
        element /= args->size[d];
    }
    return from;
}

static void one_pad(conformance_runner *runner, uint32_t rows, struct pad_args args)
{
    size_t x_elements = 1;
    args.elements = 1;
    for (int d = 0; d < args.rank; ++d) {
        args.elements *= args.size[d];
        x_elements *= (size_t)args.x_size[d];
    }
    size_t elements = (size_t)args.elements;
    float *x = conformance_random(rows * x_elements, rows),
          *y = conformance_alloc(rows * elements, sizeof *y);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_pad,
        .args = &args,
        .rows = rows,
        .grid_x = {.per_row = (uint32_t)args.elements, .divisor = SCATTER_GROUP},
        .buffers = {[1] = {x, rows * x_elements * sizeof *x}, [2] = {y, rows * elements * sizeof *y}},
    };
    conformance_run_x(runner, &launch);
    for (size_t i = 0; i < rows * elements; ++i) {
        int64_t from = source_of(&args, (int64_t)(i % elements));
        double want = from < 0 ? args.value : x[i / elements * x_elements + (size_t)from];
        conformance_compare(runner, "pad", i, y[i], want, 0);
    }
    kas_free(x);
    kas_free(y);
}

void cases_pad(conformance_runner *runner)
{
    static const struct {
        uint32_t rows;
        struct pad_args args; /* elements follow */
    } shapes[] = {
        {1, {.rank = 0}},
        {2, {.value = 0.5f, .rank = 1, .size = {9}, .x_size = {5}, .before = {2}}},
        {3, {.value = -1, .rank = 2, .size = {4, 9}, .x_size = {3, 5}, .before = {0, 4}}},
        {1, {.rank = 3, .size = {3, 11, 13}, .x_size = {3, 9, 9}, .before = {0, 1, 2}}},
        {2,
         {.value = 2,
          .rank = 6,
          .size = {2, 3, 2, 3, 2, 3},
          .x_size = {1, 2, 1, 2, 1, 2},
          .before = {1, 0, 1, 1, 0, 1}}},
        {128, {.rank = 2, .size = {3, 41}, .x_size = {3, 37}, .before = {0, 2}}},
        {7, {.value = 9, .rank = 3, .size = {4, 34, 34}, .x_size = {4, 32, 32}, .before = {0, 1, 1}}},
    };
    size_t count = runner->slow ? 5 : sizeof shapes / sizeof *shapes;
    for (size_t i = 0; i < count; ++i)
        one_pad(runner, shapes[i].rows, shapes[i].args);
}
