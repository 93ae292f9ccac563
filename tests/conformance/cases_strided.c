/* strided: views with steps of every sign and in every order of dimensions, on either side. */
#include <string.h>

#include "base/alloc.h"
#include "tests/conformance/operands.h"
#include "tests/conformance/runner.h"

enum { VARIANTS = 12 };

/* A view of a tensor that is a little larger than the shape in each dimension: its dimensions in an order of
 * chance, some of them backwards. */
typedef struct window {
    operand in;
    int64_t offset; /* of the first element */
} window;

static window make_window(const operand_shape *shape, kas_rng *rng)
{
    window result = {0};
    int order[KAS_MAX_RANK];
    for (int d = 0; d < shape->shape.rank; ++d) {
        int with = (int)kas_rng_below(rng, (uint32_t)d + 1);
        order[d] = order[with];
        order[with] = d;
    }
    int64_t elements = 1;
    for (int i = 0; i < shape->shape.rank; ++i) {
        int d = order[i];
        int64_t before = kas_rng_below(rng, 3), after = kas_rng_below(rng, 2);
        bool backwards = kas_rng_below(rng, 4) == 0;
        result.in.view.stride[d] = backwards ? -elements : elements;
        result.offset += (before + (backwards ? shape->shape.dims[d] - 1 : 0)) * elements;
        elements *= before + shape->shape.dims[d] + after;
    }
    result.in.view.row = elements;
    result.in.count = shape->rows * (size_t)elements;
    result.in.data = conformance_random(result.in.count, kas_rng_u32(rng));
    return result;
}

static void run_strided(conformance_runner *runner, const operand_shape *shape, const window *x,
                        const window *y)
{
    const kas_lines_operand views[2] = {x->in.view, y->in.view};
    kas_lines lines = kas_lines_collapse(&shape->shape, views, 2);
    struct strided_args args = {.form = lines.form,
                                .inner = lines.inner,
                                .lines_per_row = lines.lines_per_row,
                                .lines_per_group = lines.lines_per_group,
                                .rank = lines.rank,
                                .x_offset = (int)x->offset,
                                .x_row = lines.operand[0].row,
                                .x_inner = lines.operand[0].inner,
                                .y_offset = (int)y->offset,
                                .y_row = lines.operand[1].row,
                                .y_inner = lines.operand[1].inner};
    memcpy(args.size, lines.size, sizeof args.size);
    memcpy(args.x_stride, lines.operand[0].stride, sizeof args.x_stride);
    memcpy(args.y_stride, lines.operand[1].stride, sizeof args.y_stride);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_strided,
        .args = &args,
        .rows = shape->rows,
        .grid_x = lines.grid,
        .buffers = {[1] = {x->in.data, x->in.count * sizeof(float)},
                    [2] = {y->in.data, y->in.count * sizeof(float)}},
    };
    conformance_run_x(runner, &launch);
}

/* Everything outside of the view that is written must stay as it was. */
static void one_strided(conformance_runner *runner, const operand_shape *shape, bool broadcast, kas_rng *rng)
{
    size_t elements = operand_elements(shape);
    window y = make_window(shape, rng), x = {0};
    if (broadcast)
        x.in = operand_make(shape, rng);
    else
        x = make_window(shape, rng);
    float *want = conformance_alloc(y.in.count, sizeof *want);
    memcpy(want, y.in.data, y.in.count * sizeof *want);
    for (size_t r = 0; r < shape->rows; ++r)
        for (size_t e = 0; e < elements; ++e)
            want[y.offset + operand_offset(&y.in.view, shape, r, e)] =
                x.in.data[x.offset + operand_offset(&x.in.view, shape, r, e)];
    run_strided(runner, shape, &x, &y);
    for (size_t i = 0; i < y.in.count; ++i)
        conformance_compare(runner, "strided", i, y.in.data[i], want[i], 0);
    kas_free(x.in.data);
    kas_free(y.in.data);
    kas_free(want);
}

void cases_strided(conformance_runner *runner)
{
    size_t count;
    const operand_shape *shapes = operand_shapes(runner, &count);
    kas_rng rng = kas_rng_make(13, 0);
    for (size_t s = 0; s < count; ++s)
        for (int variant = 0; variant < VARIANTS; ++variant)
            one_strided(runner, &shapes[s], variant % 3 == 0, &rng);
}
