/* race_mma [KERNEL]: products of the tensor-core kernels, or of one, under the race checker, each against
 * float64 over factors rounded as the kernels round them; fails when a result is wrong. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/half.h"
#include "base/random.h"
#include "kernels/args.h"
#include "kernels/cuda/mma_tile.h"
#include "tests/conformance/race.h"
#include "tests/conformance/weights.h"

typedef void run_item(int x, int y, void *const *buffers, const void *args);
#define DECLARE(name, weights, rows, items) run_item kas_race_kernel_##name;
KAS_MMA_KERNELS(DECLARE)
#undef DECLARE

static const struct mma_kernel {
    race_kernel kernel;
    kas_weight_type weights;
    uint32_t rows; /* of a tile */
} kernels[] = {
#define ENTRY(name, weights, rows, items)                                                                    \
    {{#name, kas_race_kernel_##name, items}, KAS_WEIGHT_##weights, rows},
    KAS_MMA_KERNELS(ENTRY)
#undef ENTRY
};

/* Rows are given beside a tile's: full ones only, one more, a single one. What is not named is 0. */
static const struct shape {
    int tiles, more_rows, k, n;
    int m;             /* rows of the product for each of the pass; 0: 1 */
    int x_pad, y_pad;  /* floats between rows that belong to nobody: not finite, and to be left alone */
    bool x_odd, w_odd; /* not where 16 bytes can be copied at once */
    bool plain;        /* without bias */
} shapes[] = {
    {.more_rows = 1, .k = 1, .n = 1},
    {.more_rows = 3, .k = 5, .n = 63},
    {.tiles = 1, .k = 64, .n = 64},
    {.tiles = 1, .more_rows = 1, .k = 41, .n = 66},
    {.more_rows = 7, .k = 18, .n = 70, .x_pad = 2},
    {.more_rows = 2, .k = 30, .n = 130, .x_pad = 34},
    {.tiles = 1, .k = 16, .n = 128, .x_pad = 4, .x_odd = true},
    {.more_rows = 5, .k = 33, .n = 65, .x_pad = 3},
    {.tiles = 1, .more_rows = 2, .k = 50, .n = 40, .x_pad = 14, .w_odd = true},
    {.more_rows = 6, .k = 20, .n = 33, .m = 3, .x_pad = 4, .y_pad = 5, .plain = true},
};

typedef struct product {
    const struct mma_kernel *kernel;
    const struct shape *shape;
    int rows, k, n, ldx, ldy;
    float *x_memory, *x, *w, *bias, *y; /* w [k, n] */
    uint32_t *words_memory, *words;
} product;

#define UNTOUCHED 12345.0f

static float *some(kas_rng *rng, size_t count)
{
    float *values = conformance_alloc(count, sizeof *values);
    for (size_t i = 0; i < count; ++i)
        values[i] = 2.0f * kas_rng_unit(rng) - 1.0f;
    return values;
}

static product make(const struct mma_kernel *kernel, const struct shape *shape)
{
    kas_rng rng = kas_rng_make(77, 1);
    product p = {.kernel = kernel, .shape = shape, .k = shape->k, .n = shape->n};
    p.ldx = p.k + shape->x_pad;
    p.ldy = p.n + shape->y_pad;
    p.rows = shape->tiles * (int)kernel->rows + shape->more_rows;
    size_t weights = (size_t)p.k * (size_t)p.n, size_bytes;
    p.x_memory = some(&rng, (size_t)(p.rows - 1) * (size_t)p.ldx + (size_t)p.k + shape->x_odd);
    p.x = p.x_memory + shape->x_odd;
    for (int row = 0; row + 1 < p.rows; ++row)
        for (int i = p.k; i < p.ldx; ++i)
            p.x[row * p.ldx + i] = NAN;
    p.w = some(&rng, weights);
    conformance_round(p.w, weights, kernel->weights);
    uint32_t *words = conformance_pairs(p.w, (size_t)p.k, (size_t)p.n, kernel->weights, &size_bytes);
    p.words_memory = conformance_alloc(1, size_bytes + shape->w_odd * sizeof *words);
    p.words = memcpy(p.words_memory + shape->w_odd, words, size_bytes);
    kas_free(words);
    p.bias = some(&rng, (size_t)p.n);
    p.y = some(&rng, (size_t)p.rows * (size_t)p.ldy);
    for (int i = 0; i < p.rows * p.ldy; ++i)
        p.y[i] = UNTOUCHED;
    return p;
}

static void drop(const product *p)
{
    kas_free(p->x_memory);
    kas_free(p->w);
    kas_free(p->words_memory);
    kas_free(p->bias);
    kas_free(p->y);
}

static uint32_t divide_up(int size, uint32_t by)
{
    return ((uint32_t)size + by - 1) / by;
}

static void run(const product *p)
{
    const int m = p->shape->m ? p->shape->m : 1;
    uint32_t params[PARAMS_HEAD] = {(uint32_t)(p->rows / m)};
    const struct linear_args args = {
        .k = p->k, .n = p->n, .m = m, .ldx = p->ldx, .ldy = p->ldy, .has_bias = !p->shape->plain};
    void *buffers[] = {params, p->x, p->words, p->bias, p->y};
    race_run(&p->kernel->kernel, divide_up(p->n, MMA_COLUMNS), divide_up(p->rows, p->kernel->rows), buffers,
             &args);
}

/* As the kernels do: to bfloat16, or to TF32 with ties away from zero. */
static double rounded(float x, kas_weight_type weights)
{
    if (weights == KAS_WEIGHT_BF16) return (double)kas_bfloat_to_float(kas_bfloat_from_float(x));
    int exponent;
    double fraction = frexp((double)x, &exponent);
    return ldexp(round(ldexp(fraction, 11)), exponent - 11);
}

static bool right(const product *p, int row, int column)
{
    double want = p->shape->plain ? 0 : (double)p->bias[column], magnitude = fabs(want);
    for (int k = 0; k < p->k; ++k) {
        double term = rounded(p->x[row * p->ldx + k], p->kernel->weights) * (double)p->w[k * p->n + column];
        want += term;
        magnitude += fabs(term);
    }
    return fabs((double)p->y[row * p->ldy + column] - want) <= 1e-6 * magnitude + 1e-7;
}

static unsigned wrong_results(const struct mma_kernel *kernel, const struct shape *shape)
{
    product p = make(kernel, shape);
    run(&p);
    unsigned wrong = 0;
    for (int row = 0; row < p.rows; ++row)
        for (int column = 0; column < p.n; ++column)
            wrong += !right(&p, row, column);
    for (int row = 0; row < p.rows; ++row)
        for (int column = p.n; column < p.ldy; ++column)
            wrong += p.y[row * p.ldy + column] != UNTOUCHED;
    if (wrong)
        fprintf(stderr, "%s, %d rows, k %d, n %d, ldx %d: %u results are wrong\n", kernel->kernel.name,
                p.rows, p.k, p.n, p.ldx, wrong);
    drop(&p);
    return wrong;
}

int main(int argc, char **argv)
{
    unsigned wrong = 0, tried = 0;
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; ++i) {
        if (argc > 1 && strcmp(argv[1], kernels[i].kernel.name) != 0) continue;
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; ++s, ++tried)
            wrong += wrong_results(&kernels[i], &shapes[s]);
    }
    if (tried == 0) {
        fprintf(stderr, "race_mma: there is no kernel %s\n", argv[1]);
        return 2;
    }
    return wrong ? 1 : 0;
}
