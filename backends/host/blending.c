/* judge and blend on the host: what kernels/judge.k and blend.k compute, a row at a time, in the same order;
 * built once for each instruction set. */
#include "kernels/dialect.h"

#include <stdbool.h>

#include "backends/host/packed.h"

enum {
    PART_FLOATS = 32768, /* what a part reads, about */
    VECTORS_MAX = 4      /* outputs of a row that are blended at once; a tile's are 2 */
};

uint PACKED(any_nonfinite)(const float *x, size_t n)
{
    uint bad = 0;
    for (size_t i = 0; i < n; ++i)
        bad |= !IS_FINITE(x[i]);
    return bad;
}

/* `vectors` vectors of each row, whose sums stay in registers. NaN in some lane where a base that is used is
 * not finite. */
static inline __attribute__((always_inline)) vec blend_vectors(const blend_part *p, size_t column,
                                                               const int vectors)
{
    const float *coefficients = p->coefficients, *base = p->base + column, *row_k = p->k + column;
    const float *end = coefficients + p->rows * p->ld_coefficients;
    float *y = p->y + column;
    vec sum[VECTORS_MAX], bad[VECTORS_MAX], zero = vec_zero();
    UNROLL for (int v = 0; v < vectors; ++v) bad[v] = zero;
    for (; coefficients < end; coefficients += p->ld_coefficients) {
        UNROLL for (int v = 0; v < vectors; ++v) sum[v] = zero;
        if (coefficients[0] != 0.0f) {
            vec c = vec_splat(coefficients[0]);
            UNROLL for (int v = 0; v < vectors; ++v)
            {
                vec product = vec_load(base + v * VEC_FLOATS);
                bad[v] = vec_madd(product, zero, bad[v]);
                sum[v] = vec_mul(product, c);
            }
        }
        const float *k = row_k;
        for (size_t s = 1; s <= p->contributions; ++s, k += p->k_stride) {
            if (coefficients[s] == 0.0f) continue;
            vec w = vec_splat(coefficients[s]);
            UNROLL for (int v = 0; v < vectors; ++v) sum[v] =
                vec_add(sum[v], vec_mul(w, vec_load(k + v * VEC_FLOATS)));
        }
        UNROLL for (int v = 0; v < vectors; ++v) vec_store(y + v * VEC_FLOATS, sum[v]);
        base += p->ld_base;
        row_k += p->ldk;
        y += p->ldy;
    }
    UNROLL for (int v = 1; v < vectors; ++v) bad[0] = vec_add(bad[0], bad[v]);
    return bad[0];
}

/* One output of each row: non-zero where a base that is used is not finite. */
static int blend_column(const blend_part *p, size_t column)
{
    int bad = 0;
    for (size_t row = 0; row < p->rows; ++row) {
        const float *coefficients = p->coefficients + row * p->ld_coefficients;
        const float *base = p->base + row * p->ld_base + column, *k = p->k + row * p->ldk + column;
        float sum = 0.0f;
        if (coefficients[0] != 0.0f) {
            bad |= !IS_FINITE(*base);
            sum = *base * coefficients[0];
        }
        for (size_t s = 1; s <= p->contributions; ++s, k += p->k_stride)
            if (coefficients[s] != 0.0f) sum += coefficients[s] * *k;
        p->y[row * p->ldy + column] = sum;
    }
    return bad;
}

static void raise_flags(const blend_part *p)
{
    for (size_t row = 0; row < p->rows; ++row)
        if (p->coefficients[row * p->ld_coefficients] != 0.0f &&
            PACKED(any_nonfinite)(p->base + row * p->ld_base, p->columns))
            RAISE(p->flags[RESULT_HEAD * row]);
}

void PACKED(blend_rows)(const blend_part *part)
{
    const blend_part p = *part;
    size_t column = 0;
    vec bad = vec_zero();
    int bad_column = 0;
#define VECTORS(n)                                                                                           \
    for (; column + (n)*VEC_FLOATS <= p.columns; column += (n)*VEC_FLOATS)                                   \
    bad = vec_add(bad, blend_vectors(&p, column, n))
    VECTORS(VECTORS_MAX);
    VECTORS(2);
    VECTORS(1);
#undef VECTORS
    for (; column < p.columns; ++column)
        bad_column |= blend_column(&p, column);
    if (bad_column || vec_any_nan(bad)) raise_flags(&p);
}

static void plan_rows(kas_host_task *task, kas_host_run *run, size_t row_floats)
{
    task->run = run;
    task->part_rows = row_floats < PART_FLOATS ? PART_FLOATS / (row_floats + 1) + 1 : 1;
    task->parts = (task->rows + task->part_rows - 1) / task->part_rows;
    task->work = (double)task->rows * (double)row_floats;
}

static size_t first_row(const kas_host_task *task, size_t part)
{
    size_t row = part * task->part_rows;
    return task->row + (row < task->rows ? row : task->rows);
}

/* ---- judge ---- */

static bool told(const _Atomic uint8_t *flag)
{
    return atomic_load_explicit(flag, memory_order_relaxed) != 0; /* who told has ended before */
}

static uint input_is_bad(const kas_host_witness *witness, size_t row, const float *x, size_t inputs)
{
    if (witness && witness->input && !told(&witness->input[row])) return 0;
    return PACKED(any_nonfinite)(x, inputs);
}

/* k: the row in the first contribution. */
static uint64_t bad_contributions(const kas_host_task *task, size_t row, const uint *alphas, const float *k)
{
    const struct judge_args *args = task->args;
    const kas_host_witness *witness = task->witness;
    uint64_t mask = 0, outputs = witness ? witness->outputs : 0;
    for (size_t s = 0; s < (size_t)args->contributions; ++s, k += args->k_stride) {
        if (!(FROM_BITS(alphas[s]) > 0.0f)) continue;
        bool bad = outputs >> s & 1 ? told(&witness->output[s * witness->stride + row])
                                    : PACKED(any_nonfinite)(k, (size_t)args->n);
        mask |= (uint64_t)bad << s;
    }
    return mask;
}

static void judge_row(const struct judge_args *args, const uint *params, size_t row, uint input_bad,
                      uint64_t bad, uint *result)
{
    size_t seeds = (size_t)args->contributions;
    const uint *alphas = params + PARAMS_HEAD + row * seeds;
    uint64_t failed = 0;
    float total = 0.0f;
    bad |= params[1] | (uint64_t)params[2] << 32;
    for (size_t s = 0; s < seeds; ++s) {
        float alpha = FROM_BITS(alphas[s]);
        if (!(alpha > 0.0f)) continue;
        failed |= bad & (uint64_t)1 << s;
        if (!(bad >> s & 1)) total += alpha;
    }
    float scale = total > 1.0f ? 1.0f / total : 1.0f;
    uint *coefficients = result + args->coefficients + (seeds + 1) * row;
    result += RESULT_HEAD * row;
    result[0] = (uint)failed;
    result[1] = (uint)(failed >> 32);
    result[2] = input_bad;
    result[3] = 0;
    coefficients[0] = BITS(total >= 1.0f ? 0.0f : 1.0f - total);
    for (size_t s = 0; s < seeds; ++s) {
        float alpha = FROM_BITS(alphas[s]);
        coefficients[1 + s] = BITS(alpha > 0.0f && !(failed >> s & 1) ? scale * alpha : 0.0f);
    }
}

static void run_judge(const kas_host_task *task, size_t begin, size_t end)
{
    const struct judge_args *args = task->args;
    const uint *params = task->buffers[0];
    const float *x = task->buffers[1], *k = task->buffers[2];
    size_t inputs = (size_t)args->k, outputs = (size_t)args->n, seeds = (size_t)args->contributions;
    for (size_t row = first_row(task, begin); row < first_row(task, end); ++row) {
        const uint *alphas = params + PARAMS_HEAD + row * seeds;
        uint input_bad = input_is_bad(task->witness, row, x + row * inputs, inputs);
        uint64_t bad = input_bad ? 0 : bad_contributions(task, row, alphas, k + row * outputs);
        judge_row(args, params, row, input_bad, bad, task->buffers[3]);
    }
}

void PACKED(plan_judge)(kas_host_task *task, unsigned threads)
{
    (void)threads;
    const struct judge_args *args = task->args;
    plan_rows(task, run_judge, (size_t)args->k + (size_t)args->contributions * (size_t)args->n);
}

/* ---- blend ---- */

static void run_blend(const kas_host_task *task, size_t begin, size_t end)
{
    const struct blend_args *args = task->args;
    const float *base = task->buffers[1], *k = task->buffers[2];
    uint *result = task->buffers[3];
    float *y = task->buffers[4];
    size_t n = (size_t)args->n, words = (size_t)args->contributions + 1;
    for (size_t row = first_row(task, begin); row < first_row(task, end); ++row) {
        const blend_part part = {
            .rows = 1, /* as memory lies */
            .columns = n,
            .y = y + row * n,
            .base = base + row * n,
            .k = k + row * n,
            .coefficients = (const float *)(result + args->coefficients + words * row),
            .flags = result + RESULT_HEAD * row + 3,
            .k_stride = (size_t)args->k_stride,
            .ld_coefficients = words,
            .contributions = (size_t)args->contributions,
        };
        PACKED(blend_rows)(&part);
    }
}

void PACKED(plan_blend)(kas_host_task *task, unsigned threads)
{
    (void)threads;
    const struct blend_args *args = task->args;
    plan_rows(task, run_blend, (size_t)(args->contributions + 2) * (size_t)args->n);
}
