/* Products on tensor cores over the driver's double, whose warps are played by kernels/cuda/mma.h: against
 * float64 over factors rounded as the kernels round them. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "selftest/graph_builder.h"
#include "selftest/segment_runner.h"
#include "tests/cuda/doubles.h"
#include "tests/unit/graph_fixture.h"

static void use_doubles_without_cublaslt(void)
{
    use_doubles();
    setenv("KASMINA_CUBLASLT", "/nowhere/libcublasLt.so", 1);
}

TestSuite(cuda_tensor, .init = use_doubles_without_cublaslt, .fini = expect_no_leaks, .timeout = 120);

/* ---- rounding ---- */

static float with_bits(float x, uint32_t add, uint32_t keep)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + add) & keep;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float to_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return isfinite(x) ? with_bits(x, 0x7fffu + (bits >> 16 & 1u), 0xffff0000u) : x;
}

static float to_tf32(float x)
{
    return isfinite(x) ? with_bits(x, 0x1000u, 0xffffe000u) : x;
}

/* ---- one product ---- */

typedef struct product {
    bool bf16, has_bias;
    uint32_t rows, k, n;
    kas_act act;
    float *x, *w, *b, *y;
} product;

static float *floats(size_t size)
{
    float *memory = calloc(size, sizeof *memory);
    cr_assert_not_null(memory);
    return memory;
}

static product product_of(bool bf16, uint32_t rows, uint32_t k, uint32_t n)
{
    product p = {.bf16 = bf16, .has_bias = true, .rows = rows, .k = k, .n = n};
    p.x = floats((size_t)rows * k);
    p.w = floats((size_t)n * k);
    p.b = floats(n);
    p.y = floats((size_t)rows * n);
    for (size_t i = 0; i < (size_t)rows * k; ++i)
        p.x[i] = random_within(2);
    for (size_t i = 0; i < (size_t)n * k; ++i) /* 8 bits of mantissa; 11, of a range that bfloat16 has not */
        p.w[i] = bf16 ? to_bf16(random_within(1)) : (float)(1 + random_below(2047)) / 1024 - 1;
    if (!bf16) p.w[0] = 1 + 0x1p-10f; /* few random ones may all be of bfloat16 */
    for (size_t i = 0; i < n; ++i)
        p.b[i] = random_within(1);
    return p;
}

static void drop(product *p)
{
    free(p->x);
    free(p->w);
    free(p->b);
    free(p->y);
}

static kas_graph *graph_of(const product *p)
{
    kas_graph *g = graph_new(SHAPE(p->k));
    int w = constant_of(g, SHAPE(p->n, p->k), p->w);
    int b = p->has_bias ? constant_of(g, SHAPE(p->n), p->b) : -1;
    int y = linear(g, g->input, w, b);
    finish(g, p->act == KAS_ACT_NONE ? y : unary(g, p->act, 0.5f, 0.75f, y));
    return g;
}

static void run(const product *p)
{
    segment_runner runner;
    double_counts before, after;
    kas_graph *g = graph_of(p);
    segment_runner_open(&runner, "cuda:0");
    segment_runner_load(&runner, g, p->rows, "one product");
    runner.fast = true;
    doubles.count(&before);
    segment_runner_run(&runner, p->x, p->rows, p->y);
    doubles.count(&after);
    cr_expect_eq(runner.weights, p->bf16 ? 1u << KAS_WEIGHT_BF16 : 1u << KAS_WEIGHT_F16);
    cr_expect_eq(after.launches - before.launches, 1u, "the activation is the product's");
    segment_runner_unload(&runner);
    segment_runner_close(&runner);
    kas_graph_destroy(g);
}

/* X W over rounded factors, and the sum of magnitudes that errors are measured by. */
static double exact(const product *p, size_t row, size_t column, double *magnitude)
{
    double sum = p->has_bias ? (double)p->b[column] : 0;
    *magnitude = fabs(sum);
    for (size_t k = 0; k < p->k; ++k) {
        float x = p->x[row * p->k + k];
        double term = (double)(p->bf16 ? to_bf16(x) : to_tf32(x)) * (double)p->w[column * p->k + k];
        sum += term;
        *magnitude += fabs(term);
    }
    return sum;
}

static void expect_product(const product *p)
{
    for (size_t row = 0; row < p->rows; ++row)
        for (size_t column = 0; column < p->n; ++column) {
            double magnitude, want = exact(p, row, column, &magnitude);
            double got = (double)p->y[row * p->n + column];
            cr_assert(fabs(got - want) <= 1e-6 * magnitude + 1e-7,
                      "%s, %u × %u × %u, row %zu, column %zu: %g, not %g", p->bf16 ? "bf16" : "f16", p->rows,
                      p->k, p->n, row, column, got, want);
        }
}

static const bool types[] = {true, false};

Test(cuda_tensor, every_tile_and_tail)
{
    static const uint32_t shapes[][3] = {
        {1, 1, 1},     {1, 16, 64},   {2, 3, 2},      {7, 19, 33},    {16, 64, 128}, {16, 15, 65},
        {17, 17, 63},  {64, 48, 64},  {65, 31, 127},  {127, 97, 101}, {128, 5, 130}, {512, 33, 66},
        {513, 20, 65}, {640, 16, 64}, {700, 100, 72}, {3, 1031, 5},   {16, 256, 256}};
    for (size_t t = 0; t < 2; ++t)
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; ++i) {
            product p = product_of(types[t], shapes[i][0], shapes[i][1], shapes[i][2]);
            p.has_bias = i % 3 != 0;
            run(&p);
            expect_product(&p);
            drop(&p);
        }
}

Test(cuda_tensor, a_row_that_is_not_finite_stays_alone)
{
    static const uint32_t rows[] = {5, 70, 600};
    for (size_t t = 0; t < 2; ++t)
        for (size_t i = 0; i < 3; ++i) {
            const uint32_t k = 19, n = 33, bad = rows[i] / 2;
            product p = product_of(types[t], rows[i], k, n);
            p.x[bad * k + 3] = NAN;
            p.x[(bad + 1) * k + k - 1] = INFINITY;
            run(&p);
            for (size_t row = 0; row < p.rows; ++row)
                for (size_t column = 0; column < n; ++column) {
                    float y = p.y[row * n + column], w = p.w[column * k + k - 1];
                    if (row == bad)
                        cr_assert(isnan(y), "row %zu: %g", row, (double)y);
                    else if (row == bad + 1)
                        cr_assert(w == 0 ? isnan(y) : isinf(y) && (y > 0) == (w > 0), "row %zu", row);
                    else
                        cr_assert(isfinite(y), "row %zu: %g", row, (double)y);
                }
            drop(&p);
        }
}

/* Weights of float16 that are not of bfloat16; values that float16 has no room for. */
Test(cuda_tensor, the_range_of_x_is_float32_s)
{
    product p = product_of(false, 4, 8, 8);
    for (size_t i = 0; i < 32; ++i)
        p.x[i] *= 1e30f;
    run(&p);
    expect_product(&p);
    drop(&p);
}

Test(cuda_tensor, subnormal_weights_count)
{
    product p = product_of(false, 4, 8, 8);
    for (size_t i = 0; i < 64; ++i)
        p.w[i] = (float)(1 + i * 15) * 0x1p-24f;
    run(&p);
    for (size_t row = 0; row < 4; ++row)
        for (size_t column = 0; column < 8; ++column) {
            double magnitude, want = exact(&p, row, column, &magnitude);
            cr_expect(fabs((double)p.y[row * 8 + column] - want) <= 1e-6 * magnitude);
        }
    drop(&p);
}

static float activated(kas_act act, double v)
{
    segment_runner runner;
    float x = (float)v, y = 0;
    kas_graph *g = graph_new(SHAPE(1));
    finish(g, unary(g, act, 0.5f, 0.75f, g->input));
    segment_runner_open(&runner, "cuda:0");
    segment_runner_load(&runner, g, 1, "one activation");
    segment_runner_run(&runner, &x, 1, &y);
    segment_runner_unload(&runner);
    segment_runner_close(&runner);
    kas_graph_destroy(g);
    return y;
}

Test(cuda_tensor, every_activation_is_the_product_s)
{
    for (int act = KAS_ACT_RELU; act <= KAS_ACT_POW; ++act) {
        product p = product_of(act % 2, 3, 4, 2);
        p.act = (kas_act)act;
        for (size_t i = 0; i < 8; ++i)
            p.w[i] = p.bf16 ? 0.5f : 1 + 0x1p-10f;
        for (size_t i = 0; i < 12; ++i)
            p.x[i] = 0.25f + (float)i / 8;
        run(&p);
        for (size_t row = 0; row < 3; ++row) {
            double magnitude;
            float want = activated(p.act, exact(&p, row, 1, &magnitude)), got = p.y[row * 2 + 1];
            cr_expect((isnan(want) && isnan(got)) || fabsf(got - want) <= 1e-5f * (1 + fabsf(want)),
                      "activation %d: %g, not %g", act, (double)got, (double)want);
        }
        drop(&p);
    }
}

/* The tile depends on the number of rows, a row's sums do not. */
Test(cuda_tensor, a_row_has_the_same_bits_among_any)
{
    for (size_t t = 0; t < 2; ++t) {
        product p = product_of(types[t], 600, 70, 40);
        run(&p);
        float *all = p.y;
        static const uint32_t fewer[] = {1, 16, 17, 512};
        for (size_t i = 0; i < 4; ++i) {
            p.rows = fewer[i];
            p.y = floats((size_t)p.rows * p.n);
            run(&p);
            cr_expect_arr_eq(p.y, all, (size_t)p.rows * p.n * sizeof *all);
            free(p.y);
        }
        p.y = all;
        drop(&p);
    }
}

/* ---- lists ---- */

/* Products enough for a graph of launches (backends/cuda/replay.h). */
static kas_graph *four_products(void)
{
    kas_graph *g = graph_new(SHAPE(8));
    float w[64];
    for (size_t i = 0; i < 64; ++i)
        w[i] = (float)((int)(i * 7 % 16) - 8) / 16;
    int y = g->input;
    for (int i = 0; i < 4; ++i)
        y = linear(g, y, constant_of(g, SHAPE(8, 8), w), -1);
    finish(g, y);
    return g;
}

Test(cuda_tensor, products_are_nodes_of_graphs_and_change_their_tile)
{
    enum { MANY = 600 };
    segment_runner runner;
    double_counts before, after;
    static float x[MANY * 8], exact_y[MANY * 8], y[MANY * 8];
    for (size_t i = 0; i < MANY * 8; ++i)
        x[i] = (float)(i % 16) / 8 - 1; /* and products of it: exact in bfloat16 */
    kas_graph *g = four_products();
    segment_runner_open(&runner, "cuda:0");
    segment_runner_load(&runner, g, MANY, "four products");
    segment_runner_run(&runner, x, MANY, exact_y);
    runner.fast = true;
    doubles.count(&before);
    static const uint32_t rows[] = {3, 100, MANY, 5};
    for (size_t i = 0; i < 4; ++i) {
        segment_runner_run(&runner, x, rows[i], y);
        for (size_t e = 0; e < rows[i] * 8; ++e)
            cr_assert(fabsf(y[e] - exact_y[e]) < 0.02f, "%u rows, %zu: %g, not %g", rows[i], e, (double)y[e],
                      (double)exact_y[e]);
    }
    doubles.count(&after);
    cr_expect_eq(after.graph_launches - before.graph_launches, 4u);
    cr_expect_eq(after.instantiations - before.instantiations, 1u);
    segment_runner_unload(&runner);
    segment_runner_close(&runner);
    kas_graph_destroy(g);
}

Test(cuda_tensor, a_device_says_so)
{
    kas_device *device;
    cr_assert_null(kas_device_open("cuda:0", &device));
    cr_expect_str_eq(kas_device_fast_product(device), "mma for f16 and bf16 weights");
    cr_expect_eq(kas_device_fast_types(device), 1u << KAS_WEIGHT_F16 | 1u << KAS_WEIGHT_BF16);
    kas_device_release(device);
}

/* ---- faults ---- */

static kas_status make_list(kas_device *device, kas_list **list)
{
    struct linear_args args = {.k = 1, .n = 1, .m = 1, .ldx = 1, .ldy = 1};
    kas_launch launch = {.kernel = KAS_KERNEL_linear_bf16,
                         .precision = KAS_PRECISION_BF16,
                         .bindings = {{.slot = KAS_SLOT_PARAMS},
                                      {.slot = KAS_SLOT_X},
                                      {.slot = KAS_SLOT_WORK},
                                      {.slot = KAS_SLOT_WORK},
                                      {.slot = KAS_SLOT_Y}},
                         .grid_x = {.fixed = 1, .divisor = LINEAR_TILE_COLUMNS},
                         .grid_y = {.per_row = 1, .divisor = LINEAR_TILE_ROWS}};
    memcpy(launch.args, &args, sizeof args);
    return kas_list_create(device, &launch, 1, "one", list);
}

static void fail_each_call(const char *symbol, cuda_code code, kas_code meaning)
{
    double_counts before, after;
    doubles.count(&before);
    for (unsigned nth = 1;; ++nth) {
        kas_device *device;
        kas_list *list = NULL;
        cr_assert_lt(nth, 20u, "%s: there is no end of calls", symbol);
        cr_assert_null(kas_device_open("cuda:0", &device));
        doubles.fail(symbol, nth, code, false);
        kas_status status = make_list(device, &list);
        bool happened = doubles.fired();
        doubles.reset();
        cr_expect_eq(status != NULL, happened, "%s, call %u", symbol, nth);
        if (status) {
            cr_expect_eq(kas_status_code(status), meaning, "%s", kas_status_message(status));
            cr_expect_null(make_list(device, &list), "%s: the next list", symbol);
        }
        kas_status_free(status);
        kas_list_release(list);
        kas_device_release(device);
        if (!happened) break;
    }
    doubles.count(&after);
    cr_expect_eq(after.modules, before.modules);
}

Test(cuda_tensor, each_call_that_loads_fails_in_turn)
{
    fail_each_call("cuModuleGetFunction", CUDA_ERROR_NOT_FOUND, KAS_INTERNAL);
    fail_each_call("cuModuleGetFunction", CUDA_ERROR_OUT_OF_MEMORY, KAS_OUT_OF_MEMORY);
}
