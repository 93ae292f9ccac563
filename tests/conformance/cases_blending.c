/* judge, blend and linear_blend: alphas of every kind, contributions that fail by row and as a whole,
 * non-finite inputs and bases. What the kernels must never read holds NaN. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "tests/conformance/weights.h"

enum { SPARE_ROWS = 2, SPARE_FLOATS = 5 };

/* A pass to be blended, and what float64 makes of it. */
typedef struct pass {
    uint32_t rows, seeds;
    kas_weight_type type; /* of w */
    size_t k, n, stride;  /* floats from one contribution to the next */
    size_t coefficients;  /* word of the result block */
    size_t params_words, result_words;
    uint32_t *params, *result;
    float *x, *w, *bias, *contributions, *y;
    double *base; /* X Wᵀ + b */
} pass;

static float alpha_of(const pass *p, size_t row, size_t seed)
{
    float alpha;
    memcpy(&alpha, &p->params[PARAMS_HEAD + row * p->seeds + seed], sizeof alpha);
    return alpha;
}

static void choose_alphas(pass *p, kas_rng *rng)
{
    for (size_t r = 0; r < p->rows; ++r)
        for (size_t s = 0; s < p->seeds; ++s) {
            /* in turn: sums below 1, above 1, exactly 1 (by powers of two), and rows that nobody contributes
             * to */
            float alpha = kas_rng_unit(rng) / (float)p->seeds;
            if (r % 4 == 1) alpha = kas_rng_unit(rng);
            if (r % 4 == 2) alpha = s == 0 ? 1.0f : 0.0f;
            if (r % 4 == 3) alpha = 0.0f;
            if (kas_rng_below(rng, 5) == 0 && r % 4 != 2) alpha = 0.0f;
            memcpy(&p->params[PARAMS_HEAD + r * p->seeds + s], &alpha, sizeof alpha);
        }
}

static void spoil(pass *p, kas_rng *rng)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t s = 0; s < p->seeds; ++s)
        for (size_t r = 0; r < p->rows; ++r) {
            bool unused = alpha_of(p, r, s) == 0.0f;
            if (!unused && kas_rng_below(rng, 4) != 0) continue;
            size_t at = kas_rng_below(rng, (uint32_t)p->n);
            p->contributions[s * p->stride + r * p->n + at] = bad[kas_rng_below(rng, 3)];
        }
    if (p->rows > 4) p->x[4 * p->k + p->k - 1] = NAN; /* a caller's row */
    if (p->rows > 6) p->x[6 * p->k] = INFINITY;
    if (p->seeds > 2) p->params[1] = 1u << 1; /* a launch failed */
    if (p->seeds > 33) p->params[2] = 1u << (33 - 32);
}

static void compute_base(pass *p)
{
    for (size_t r = 0; r < p->rows; ++r)
        for (size_t j = 0; j < p->n; ++j) {
            double sum = p->bias[j];
            for (size_t i = 0; i < p->k; ++i)
                sum += (double)p->x[r * p->k + i] * p->w[j * p->k + i];
            p->base[r * p->n + j] = sum;
        }
}

static pass make_pass(uint32_t rows, uint32_t seeds, size_t k, size_t n, bool spoiled, kas_weight_type type)
{
    pass p = {.rows = rows, .seeds = seeds, .k = k, .n = n, .type = type};
    size_t capacity = rows + SPARE_ROWS;
    kas_rng rng = kas_rng_make(rows * 1000u + seeds, n);
    p.stride = capacity * n + SPARE_FLOATS;
    p.coefficients = RESULT_HEAD * capacity;
    p.params_words = PARAMS_HEAD + rows * seeds;
    p.result_words = p.coefficients + (seeds + 1) * capacity;
    p.params = conformance_alloc(p.params_words, sizeof(uint32_t));
    p.result = conformance_alloc(p.result_words, sizeof(uint32_t));
    p.x = conformance_alloc(rows * k, sizeof(float));
    p.w = conformance_alloc(n * k, sizeof(float));
    p.bias = conformance_alloc(n, sizeof(float));
    p.contributions = conformance_alloc(seeds * p.stride, sizeof(float));
    p.y = conformance_alloc(rows * n, sizeof(float));
    p.base = conformance_alloc(rows * n, sizeof(double));
    p.params[0] = rows;
    conformance_fill(p.x, rows * k, rows);
    conformance_fill(p.w, n * k, n);
    conformance_round(p.w, n * k, type);
    conformance_fill(p.bias, n, 5);
    conformance_fill(p.contributions, seeds * p.stride, seeds);
    choose_alphas(&p, &rng);
    if (spoiled) spoil(&p, &rng);
    compute_base(&p);
    return p;
}

static void free_pass(pass *p)
{
    void *all[] = {p->params, p->result, p->x, p->w, p->bias, p->contributions, p->y, p->base};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i)
        kas_free(all[i]);
}

/* ---- the rules, in plain words ---- */

static bool row_finite(const float *x, size_t n)
{
    for (size_t i = 0; i < n; ++i)
        if (!isfinite(x[i])) return false;
    return true;
}

static bool fails(const pass *p, size_t row, size_t seed)
{
    if (!(alpha_of(p, row, seed) > 0.0f)) return false;
    if (p->params[1 + seed / 32] >> seed % 32 & 1) return true;
    return row_finite(p->x + row * p->k, p->k) &&
           !row_finite(p->contributions + seed * p->stride + row * p->n, p->n);
}

/* Coefficient of the base, and of each contribution in w. */
static double coefficients(const pass *p, size_t row, double *w)
{
    float total = 0;
    for (size_t s = 0; s < p->seeds; ++s)
        if (!fails(p, row, s)) total += alpha_of(p, row, s);
    for (size_t s = 0; s < p->seeds; ++s)
        w[s] = fails(p, row, s) ? 0 : (total > 1 ? 1.0 / total : 1.0) * alpha_of(p, row, s);
    return total >= 1 ? 0 : 1.0 - total;
}

static float result_float(const pass *p, size_t word)
{
    float value;
    memcpy(&value, &p->result[word], sizeof value);
    return value;
}

static void check_judgement(conformance_runner *runner, const pass *p, const char *what)
{
    for (size_t r = 0; r < p->rows; ++r) {
        double w[64], c = coefficients(p, r, w);
        size_t at = p->coefficients + (p->seeds + 1) * r;
        uint32_t masks[2] = {0, 0};
        for (size_t s = 0; s < p->seeds; ++s)
            if (fails(p, r, s)) masks[s / 32] |= 1u << s % 32;
        conformance_compare(runner, what, r, p->result[RESULT_HEAD * r], masks[0], 0);
        conformance_compare(runner, what, r, p->result[RESULT_HEAD * r + 1], masks[1], 0);
        conformance_compare(runner, what, r, p->result[RESULT_HEAD * r + 2],
                            !row_finite(p->x + r * p->k, p->k), 0);
        conformance_compare(runner, what, r, result_float(p, at), c, c == 0 ? 0 : 1e-7);
        for (size_t s = 0; s < p->seeds; ++s)
            conformance_compare(runner, what, r, result_float(p, at + 1 + s), w[s], w[s] == 0 ? 0 : 1e-7);
    }
}

static void check_blend(conformance_runner *runner, const pass *p, const char *what, double tolerance)
{
    for (size_t r = 0; r < p->rows; ++r) {
        double w[64], c = coefficients(p, r, w);
        bool base_bad = false;
        for (size_t j = 0; j < p->n; ++j) {
            double base = p->base[r * p->n + j], want = c == 0 ? 0 : c * base;
            base_bad |= c != 0 && !isfinite(base);
            for (size_t s = 0; s < p->seeds; ++s)
                if (w[s] != 0) want += w[s] * p->contributions[s * p->stride + r * p->n + j];
            conformance_compare(runner, what, r * p->n + j, p->y[r * p->n + j], want, tolerance);
        }
        conformance_compare(runner, what, r, p->result[RESULT_HEAD * r + 3], base_bad, 0);
    }
}

/* ---- launches ---- */

static void run_judge(conformance_runner *runner, pass *p)
{
    struct judge_args args = {.k = (int)p->k,
                              .n = (int)p->n,
                              .contributions = (int)p->seeds,
                              .k_stride = (int)p->stride,
                              .coefficients = (int)p->coefficients};
    memset(p->result, 0xa5, p->result_words * sizeof *p->result);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_judge,
        .args = &args,
        .rows = p->rows,
        .grid_x = {.per_row = 1, .divisor = 1},
        .grid_y = {.fixed = 1, .divisor = 1},
        .buffers = {{p->params, p->params_words * sizeof(uint32_t)},
                    {p->x, p->rows * p->k * sizeof(float)},
                    {p->contributions, p->seeds * p->stride * sizeof(float)},
                    {p->result, p->result_words * sizeof(uint32_t)}},
    };
    runner->run(runner, &launch);
}

static void run_blend(conformance_runner *runner, pass *p)
{
    struct blend_args args = {.n = (int)p->n,
                              .contributions = (int)p->seeds,
                              .k_stride = (int)p->stride,
                              .coefficients = (int)p->coefficients};
    float *base = conformance_alloc(p->rows * p->n, sizeof *base);
    for (size_t i = 0; i < p->rows * p->n; ++i)
        base[i] = (float)p->base[i];
    conformance_launch launch = {
        .kernel = KAS_KERNEL_blend,
        .args = &args,
        .rows = p->rows,
        .grid_x = {.per_row = (uint32_t)p->n, .divisor = BLEND_GROUP},
        .grid_y = {.fixed = 1, .divisor = 1},
        .buffers = {{p->params, p->params_words * sizeof(uint32_t)},
                    {base, p->rows * p->n * sizeof(float)},
                    {p->contributions, p->seeds * p->stride * sizeof(float)},
                    {p->result, p->result_words * sizeof(uint32_t)},
                    {p->y, p->rows * p->n * sizeof(float)}},
    };
    runner->run(runner, &launch);
    kas_free(base);
}

static void run_linear_blend(conformance_runner *runner, pass *p)
{
    struct linear_args args = {.k = (int)p->k,
                               .n = (int)p->n,
                               .m = 1,
                               .ldx = (int)p->k,
                               .ldy = (int)p->n,
                               .has_bias = 1,
                               .contributions = (int)p->seeds,
                               .k_stride = (int)p->stride,
                               .coefficients = (int)p->coefficients};
    size_t packed_bytes;
    void *packed = runner->pack(runner, p->type, p->w, p->k, p->n, &packed_bytes);
    conformance_launch launch = {
        .kernel = kas_kernel_over(KAS_KERNEL_linear_blend, p->type),
        .args = &args,
        .rows = p->rows,
        .grid_x = {.fixed = (uint32_t)p->n, .divisor = LINEAR_TILE_COLUMNS},
        .grid_y = {.per_row = 1, .divisor = LINEAR_TILE_ROWS},
        .buffers = {{p->params, p->params_words * sizeof(uint32_t)},
                    {p->x, p->rows * p->k * sizeof(float)},
                    {packed, packed_bytes},
                    {p->bias, p->n * sizeof(float)},
                    {p->contributions, p->seeds * p->stride * sizeof(float)},
                    {p->result, p->result_words * sizeof(uint32_t)},
                    {p->y, p->rows * p->n * sizeof(float)}},
    };
    runner->run(runner, &launch);
    kas_free(packed);
}

/* ---- cases ---- */

static const struct {
    uint32_t rows, seeds;
    size_t k, n;
    bool spoiled;
} shapes[] = {
    {1, 1, 4, 3, false},     {4, 1, 64, 64, true},   {9, 4, 130, 70, true},
    {8, 4, 17, 33, false},   {5, 40, 9, 5, true},    {7, 64, 5, 129, true}, /* slow runners: until here */
    {33, 4, 512, 256, true}, {70, 3, 600, 65, true}, {13, 5, 100, 1000, true},
};

static size_t shape_count(const conformance_runner *runner)
{
    return runner->slow ? 6 : sizeof shapes / sizeof *shapes;
}

static pass judged_pass(conformance_runner *runner, size_t i, kas_weight_type type)
{
    pass p = make_pass(shapes[i].rows, shapes[i].seeds, shapes[i].k, shapes[i].n, shapes[i].spoiled, type);
    run_judge(runner, &p);
    return p;
}

void cases_judge(conformance_runner *runner)
{
    for (size_t i = 0; i < shape_count(runner); ++i) {
        pass p = judged_pass(runner, i, KAS_WEIGHT_F32);
        check_judgement(runner, &p, "judge");
        for (size_t r = 0; r < p.rows; ++r)
            conformance_compare(runner, "judge: base flag", r, p.result[RESULT_HEAD * r + 3], 0, 0);
        free_pass(&p);
    }
}

void cases_blend(conformance_runner *runner)
{
    for (size_t i = 0; i < shape_count(runner); ++i) {
        pass p = judged_pass(runner, i, KAS_WEIGHT_F32);
        run_blend(runner, &p);
        check_blend(runner, &p, "blend", 1e-6 * (1 + sqrt((double)p.k)));
        free_pass(&p);
    }
}

static void every_linear_blend(conformance_runner *runner, kas_weight_type type)
{
    const kas_kernel kernel = kas_kernel_over(KAS_KERNEL_linear_blend, type);
    for (size_t i = 0; i < shape_count(runner); ++i) {
        pass p = judged_pass(runner, i, type);
        run_linear_blend(runner, &p);
        check_blend(runner, &p, kas_kernel_get_info(kernel)->name, 2e-6 * (1 + sqrt((double)p.k)));
        free_pass(&p);
    }
}

void cases_linear_blend(conformance_runner *runner)
{
    every_linear_blend(runner, KAS_WEIGHT_F32);
}

void cases_linear_blend_f16(conformance_runner *runner)
{
    every_linear_blend(runner, KAS_WEIGHT_F16);
}

void cases_linear_blend_bf16(conformance_runner *runner)
{
    every_linear_blend(runner, KAS_WEIGHT_BF16);
}
