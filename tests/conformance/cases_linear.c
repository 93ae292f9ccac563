/* linear: shapes with every kind of tail, row strides, several product rows a pass row, every activation;
 * weights of every type, and each value that 16 bits hold. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/graph/reference.h"
#include "tests/conformance/weights.h"

enum { PADDING = 3 }; /* floats between rows that must stay as they were */

static void run_packed(conformance_runner *runner, kas_weight_type type, const struct linear_args *args,
                       uint32_t rows, float *x, void *packed, size_t packed_bytes, float *bias, float *y)
{
    uint32_t params[PARAMS_HEAD] = {rows};
    size_t k = (size_t)args->k, n = (size_t)args->n, product_rows = rows * (size_t)args->m;
    conformance_launch launch = {
        .kernel = kas_kernel_over(KAS_KERNEL_linear, type),
        .args = args,
        .rows = rows,
        .grid_x = {.fixed = (uint32_t)n, .divisor = LINEAR_TILE_COLUMNS},
        .grid_y = {.per_row = (uint32_t)args->m, .divisor = LINEAR_TILE_ROWS},
        .buffers = {{params, sizeof params},
                    {x, ((product_rows - 1) * (size_t)args->ldx + k) * sizeof(float)},
                    {packed, packed_bytes},
                    {bias, n * sizeof(float)},
                    {y, ((product_rows - 1) * (size_t)args->ldy + n) * sizeof(float)}},
    };
    runner->run(runner, &launch);
}

static void run_linear(conformance_runner *runner, kas_weight_type type, const struct linear_args *args,
                       uint32_t rows, float *x, float *w, float *bias, float *y)
{
    size_t packed_bytes;
    void *packed = runner->pack(runner, type, w, (size_t)args->k, (size_t)args->n, &packed_bytes);
    run_packed(runner, type, args, rows, x, packed, packed_bytes, bias, y);
    kas_free(packed);
}

static void check_linear(conformance_runner *runner, kas_weight_type type, const struct linear_args *args,
                         size_t rows, const float *x, const float *w, const float *bias, const float *y)
{
    char what[96];
    snprintf(what, sizeof what, "%s of %zu rows, m %d, k %d, n %d, act %s",
             kas_kernel_get_info(kas_kernel_over(KAS_KERNEL_linear, type))->name, rows, args->m, args->k,
             args->n, kas_act_name((kas_act)args->act));
    size_t k = (size_t)args->k, n = (size_t)args->n;
    for (size_t r = 0; r < rows * (size_t)args->m; ++r)
        for (size_t j = 0; j < n; ++j) {
            double sum = args->has_bias ? (double)bias[j] : 0, size = fabs(sum);
            for (size_t i = 0; i < k; ++i) {
                double term = (double)x[r * (size_t)args->ldx + i] * w[j * k + i];
                sum += term;
                size += fabs(term);
            }
            double want = kas_reference_act((kas_act)args->act, args->act_a, args->act_b, sum);
            conformance_compare(runner, what, r * n + j, y[r * (size_t)args->ldy + j], want,
                                1e-6 * (size + fabs(want)) + 1e-7);
        }
}

static void check_padding(conformance_runner *runner, const struct linear_args *args, size_t rows,
                          const float *y)
{
    for (size_t r = 0; r + 1 < rows * (size_t)args->m; ++r)
        for (int j = args->n; j < args->ldy; ++j)
            conformance_compare(runner, "linear: between rows", r, y[r * (size_t)args->ldy + (size_t)j], -7.0,
                                0);
}

static void one_shape(conformance_runner *runner, kas_weight_type type, uint32_t rows, int m, int k, int n,
                      int act, bool has_bias)
{
    struct linear_args args = {
        .k = k, .n = n, .m = m, .ldx = k + PADDING, .ldy = n + PADDING, .act = act, .has_bias = has_bias};
    size_t product_rows = rows * (size_t)m, xs = product_rows * (size_t)args.ldx,
           ys = product_rows * (size_t)args.ldy;
    float *x = conformance_alloc(xs, sizeof *x), *y = conformance_alloc(ys, sizeof *y);
    float *w = conformance_alloc((size_t)k * (size_t)n, sizeof *w),
          *bias = conformance_alloc((size_t)n, sizeof *bias);
    conformance_fill(x, xs, rows + 31u * (unsigned)k);
    conformance_fill(w, (size_t)k * (size_t)n, (unsigned)n);
    conformance_round(w, (size_t)k * (size_t)n, type);
    conformance_fill(bias, (size_t)n, 3);
    for (size_t i = 0; i < ys; ++i)
        y[i] = -7.0f;
    run_linear(runner, type, &args, rows, x, w, bias, y);
    check_linear(runner, type, &args, rows, x, w, bias, y);
    check_padding(runner, &args, rows, y);
    kas_free(x);
    kas_free(y);
    kas_free(w);
    kas_free(bias);
}

/* Arguments straight from x (k = 1, w = 1), so that nothing but the function is compared. */
static void apply_act(conformance_runner *runner, int act, float a, float b, float *x, float *y, size_t count)
{
    float w[1] = {1.0f}, bias[1] = {0};
    struct linear_args args = {
        .k = 1, .n = 1, .m = 1, .ldx = 1, .ldy = 1, .act = act, .act_a = a, .act_b = b};
    run_linear(runner, KAS_WEIGHT_F32, &args, (uint32_t)count, x, w, bias, y);
}

/* 1 · w for each w of a type of 16 bits (every 32nd of them on slow runners): what comes of the same w in
 * float32, flushed with it where a device flushes subnormals. */
static void every_weight(conformance_runner *runner, kas_weight_type type)
{
    const size_t step = runner->slow ? 32 : 1, count = 65536 / step;
    const struct linear_args args = {.k = 1, .n = (int)count, .m = 1, .ldx = 1, .ldy = (int)count};
    uint32_t *pairs = conformance_alloc(count / 2, sizeof *pairs);
    float *w = conformance_alloc(count, sizeof *w), *y = conformance_alloc(2 * count, sizeof *y);
    float x[1] = {1.0f}, *bias = conformance_alloc(count, sizeof *bias);
    for (size_t i = 0; i < count; ++i) {
        uint16_t bits = (uint16_t)(i * step + i % step);
        pairs[i / 2] |= (uint32_t)bits << i % 2 * 16;
        w[i] = conformance_widened(bits, type);
    }
    run_packed(runner, type, &args, 1, x, pairs, count / 2 * sizeof *pairs, bias, y);
    run_linear(runner, KAS_WEIGHT_F32, &args, 1, x, w, bias, y + count);
    for (size_t i = 0; i < count; ++i)
        conformance_compare(runner, "a weight of 16 bits", i, y[i], y[count + i], 0);
    kas_free(pairs);
    kas_free(w);
    kas_free(bias);
    kas_free(y);
}

static void every_shape(conformance_runner *runner, kas_weight_type type)
{
    static const int small[][5] = {/* rows, m, k, n, act */
                                   {1, 1, 1, 1, 0},   {1, 1, 17, 70, 1},  {3, 1, 16, 64, 5}, {5, 3, 33, 7, 0},
                                   {66, 1, 40, 3, 2}, {2, 2, 48, 130, 4}, {7, 1, 100, 33, 0}};
    static const int large[][5] = {{1, 1, 512, 256, 0},   {1, 1, 513, 259, 2},  {2, 1, 1025, 64, 0},
                                   {3, 1, 31, 97, 3},     {4, 1, 64, 32, 0},    {6, 1, 127, 129, 1},
                                   {12, 1, 64, 48, 0},    {13, 1, 600, 31, 6},  {32, 1, 512, 256, 0},
                                   {61, 1, 37, 41, 13},   {128, 1, 96, 10, 5},  {9, 7, 65, 200, 0},
                                   {257, 1, 130, 131, 1}, {100, 1, 1200, 72, 0}};
    for (size_t i = 0; i < sizeof small / sizeof *small; ++i)
        one_shape(runner, type, (uint32_t)small[i][0], small[i][1], small[i][2], small[i][3], small[i][4],
                  i % 3 != 1);
    if (runner->slow) return;
    for (size_t i = 0; i < sizeof large / sizeof *large; ++i)
        one_shape(runner, type, (uint32_t)large[i][0], large[i][1], large[i][2], large[i][3], large[i][4],
                  i % 3 != 1);
}

void cases_linear(conformance_runner *runner)
{
    every_shape(runner, KAS_WEIGHT_F32);
    conformance_every_activation(runner, apply_act);
}

void cases_linear_f16(conformance_runner *runner)
{
    every_shape(runner, KAS_WEIGHT_F16);
    every_weight(runner, KAS_WEIGHT_F16);
}

void cases_linear_bf16(conformance_runner *runner)
{
    every_shape(runner, KAS_WEIGHT_BF16);
    every_weight(runner, KAS_WEIGHT_BF16);
}
