/* unary, binary, where: every function, shapes that end in each form of kernels/lines.h, operands broadcast
 * in every way. Lines are those that lowering makes (engine/graph/lines.h); the reference goes element by
 * element. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/graph/reference.h"
#include "tests/conformance/operands.h"
#include "tests/conformance/runner.h"

enum { VARIANTS = 12 };

/* ---- unary ---- */

static void run_unary(conformance_runner *runner, const struct unary_args *args, uint32_t rows, float *x,
                      float *y)
{
    size_t bytes = rows * (size_t)args->elements * sizeof(float);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_unary,
        .args = args,
        .rows = rows,
        .grid_x = {.per_row = (uint32_t)args->elements, .divisor = LINES_TILE},
        .buffers = {[1] = {x, bytes}, [2] = {y, bytes}},
    };
    conformance_run_x(runner, &launch);
}

static void apply_act(conformance_runner *runner, int act, float a, float b, float *x, float *y, size_t count)
{
    struct unary_args args = {.elements = 1, .act = act, .act_a = a, .act_b = b};
    run_unary(runner, &args, (uint32_t)count, x, y);
}

void cases_unary(conformance_runner *runner)
{
    static const int shapes[][2] = {/* rows, elements */
                                    {1, 1},
                                    {1, 255},
                                    {7, 31},
                                    {3, 1025},
                                    {128, 257}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; ++s) {
        uint32_t rows = (uint32_t)shapes[s][0];
        size_t count = rows * (size_t)shapes[s][1];
        struct unary_args args = {
            .elements = shapes[s][1], .act = KAS_ACT_AFFINE, .act_a = 3, .act_b = -0.5f};
        float *x = conformance_random(count, s), *y = conformance_alloc(count, sizeof *y);
        run_unary(runner, &args, rows, x, y);
        for (size_t i = 0; i < count; ++i)
            conformance_compare(runner, "unary", i, y[i], 3.0 * x[i] - 0.5, 1e-6);
        kas_free(x);
        kas_free(y);
    }
    conformance_every_activation(runner, apply_act);
}

/* ---- operands that broadcast ---- */

static float at(const operand *from, const operand_shape *shape, size_t row, size_t e)
{
    return from->data[operand_offset(&from->view, shape, row, e)];
}

/* ---- binary ---- */

static void run_binary(conformance_runner *runner, int op, int act, const operand_shape *shape,
                       const operand in[2], float *y)
{
    const kas_lines_operand views[2] = {in[0].view, in[1].view};
    kas_lines lines = kas_lines_collapse(&shape->shape, views, 2);
    struct binary_args args = {.op = op,
                               .act = act,
                               .form = lines.form,
                               .inner = lines.inner,
                               .lines_per_row = lines.lines_per_row,
                               .lines_per_group = lines.lines_per_group,
                               .rank = lines.rank,
                               .a_row = lines.operand[0].row,
                               .a_inner = lines.operand[0].inner,
                               .b_row = lines.operand[1].row,
                               .b_inner = lines.operand[1].inner};
    memcpy(args.size, lines.size, sizeof args.size);
    memcpy(args.a_stride, lines.operand[0].stride, sizeof args.a_stride);
    memcpy(args.b_stride, lines.operand[1].stride, sizeof args.b_stride);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_binary,
        .args = &args,
        .rows = shape->rows,
        .grid_x = lines.grid,
        .buffers = {[1] = {in[0].data, in[0].count * sizeof(float)},
                    [2] = {in[1].data, in[1].count * sizeof(float)},
                    [3] = {y, shape->rows * operand_elements(shape) * sizeof *y}},
    };
    conformance_run_x(runner, &launch);
}

static void one_binary(conformance_runner *runner, const operand_shape *shape, int op, kas_rng *rng)
{
    size_t elements = operand_elements(shape);
    int act = kas_rng_below(rng, 3) ? KAS_ACT_NONE : KAS_ACT_RELU;
    operand in[2] = {operand_make(shape, rng), operand_make(shape, rng)};
    float *y = conformance_alloc(shape->rows * elements, sizeof *y);
    run_binary(runner, op, act, shape, in, y);
    char what[64];
    snprintf(what, sizeof what, "binary %d of %zu elements", op, elements);
    for (size_t r = 0; r < shape->rows; ++r)
        for (size_t e = 0; e < elements; ++e) {
            double a = at(&in[0], shape, r, e), b = at(&in[1], shape, r, e);
            double want = kas_reference_act((kas_act)act, 0, 0, kas_reference_binary((kas_binary)op, a, b));
            conformance_compare(runner, what, r * elements + e, y[r * elements + e], want,
                                op <= KAS_POW ? 1e-6 * fabs(want) : 0);
        }
    kas_free(in[0].data);
    kas_free(in[1].data);
    kas_free(y);
}

/* Pairs that no shape brings about: NaN, infinities, zeros of both signs. */
static void special_pairs(conformance_runner *runner)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1.0f, -2.0f, 3.0f, 0.5f};
    enum { COUNT = sizeof values / sizeof *values };
    const operand_shape shape = {.rows = 1, .shape = {.rank = 2, .dims = {COUNT, COUNT}}};
    float a[COUNT], b[COUNT], y[COUNT * COUNT];
    memcpy(a, values, sizeof a);
    memcpy(b, values, sizeof b);
    const operand in[2] = {{.view = {.stride = {1, 0}}, .data = a, .count = COUNT},
                           {.view = {.stride = {0, 1}}, .data = b, .count = COUNT}};
    for (int op = 0; op < KAS_BINARY_COUNT; ++op) {
        run_binary(runner, op, KAS_ACT_NONE, &shape, in, y);
        for (size_t i = 0; i < COUNT * COUNT; ++i) {
            double want = kas_reference_binary((kas_binary)op, values[i / COUNT], values[i % COUNT]);
            char what[64];
            snprintf(what, sizeof what, "binary %d of %g and %g", op, (double)values[i / COUNT],
                     (double)values[i % COUNT]);
            conformance_compare(runner, what, i, y[i], want, 1e-6 * fabs(want));
        }
    }
}

void cases_binary(conformance_runner *runner)
{
    size_t count;
    const operand_shape *shapes = operand_shapes(runner, &count);
    kas_rng rng = kas_rng_make(11, 0);
    for (size_t s = 0; s < count; ++s)
        for (int op = 0; op < KAS_BINARY_COUNT; ++op)
            one_binary(runner, &shapes[s], op, &rng);
    special_pairs(runner);
}

/* ---- where ---- */

static void run_where(conformance_runner *runner, const operand_shape *shape, const operand in[3], float *y)
{
    const kas_lines_operand views[3] = {in[0].view, in[1].view, in[2].view};
    kas_lines lines = kas_lines_collapse(&shape->shape, views, 3);
    struct where_args args = {.form = lines.form,
                              .inner = lines.inner,
                              .lines_per_row = lines.lines_per_row,
                              .lines_per_group = lines.lines_per_group,
                              .rank = lines.rank,
                              .c_row = lines.operand[0].row,
                              .c_inner = lines.operand[0].inner,
                              .a_row = lines.operand[1].row,
                              .a_inner = lines.operand[1].inner,
                              .b_row = lines.operand[2].row,
                              .b_inner = lines.operand[2].inner};
    memcpy(args.size, lines.size, sizeof args.size);
    memcpy(args.c_stride, lines.operand[0].stride, sizeof args.c_stride);
    memcpy(args.a_stride, lines.operand[1].stride, sizeof args.a_stride);
    memcpy(args.b_stride, lines.operand[2].stride, sizeof args.b_stride);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_where,
        .args = &args,
        .rows = shape->rows,
        .grid_x = lines.grid,
        .buffers = {[1] = {in[0].data, in[0].count * sizeof(float)},
                    [2] = {in[1].data, in[1].count * sizeof(float)},
                    [3] = {in[2].data, in[2].count * sizeof(float)},
                    [4] = {y, shape->rows * operand_elements(shape) * sizeof *y}},
    };
    conformance_run_x(runner, &launch);
}

static void one_where(conformance_runner *runner, const operand_shape *shape, kas_rng *rng)
{
    size_t elements = operand_elements(shape);
    operand in[3];
    for (int i = 0; i < 3; ++i)
        in[i] = operand_make(shape, rng);
    in[0].data[0] = kas_rng_below(rng, 2) ? NAN : -0.0f; /* NaN is true, −0 is false */
    float *y = conformance_alloc(shape->rows * elements, sizeof *y);
    run_where(runner, shape, in, y);
    for (size_t r = 0; r < shape->rows; ++r)
        for (size_t e = 0; e < elements; ++e)
            conformance_compare(runner, "where", r * elements + e, y[r * elements + e],
                                at(at(&in[0], shape, r, e) != 0 ? &in[1] : &in[2], shape, r, e), 0);
    for (int i = 0; i < 3; ++i)
        kas_free(in[i].data);
    kas_free(y);
}

void cases_where(conformance_runner *runner)
{
    size_t count;
    const operand_shape *shapes = operand_shapes(runner, &count);
    kas_rng rng = kas_rng_make(12, 0);
    for (size_t s = 0; s < count; ++s)
        for (int variant = 0; variant < VARIANTS; ++variant)
            one_where(runner, &shapes[s], &rng);
}
