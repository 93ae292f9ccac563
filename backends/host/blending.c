/* judge and blend on the host: what kernels/judge.k and blend.k compute, a row at a time, in the same order;
 * built once for each instruction set. */
#include <string.h>

#include "kernels/dialect.h"

#include "backends/host/packed.h"

enum {
    PART_FLOATS = 32768,   /* what a part reads, about */
    CHUNK = 4 * VEC_FLOATS /* outputs that are blended at once */
};

/* 1 when one of n floats is NaN or infinite. */
static uint any_nonfinite(const float *x, size_t n)
{
    uint bad = 0;
    for (size_t i = 0; i < n; ++i)
        bad |= !IS_FINITE(x[i]);
    return bad;
}

/* `n` outputs, at most CHUNK, whose sums stay in registers where n is CHUNK. */
static inline __attribute__((always_inline)) uint blend_chunk(float *restrict y, size_t n,
                                                              const float *coefficients, int contributions,
                                                              const float *restrict k, size_t stride)
{
    float sum[CHUNK];
    uint bad = 0;
    for (size_t i = 0; i < n; ++i) {
        bad |= !IS_FINITE(y[i]);
        sum[i] = y[i] * coefficients[0];
    }
    if (coefficients[0] == 0.0f) {
        bad = 0;
        memset(sum, 0, n * sizeof *sum);
    }
    for (int s = 0; s < contributions; ++s, k += stride) {
        float w = coefficients[1 + s];
        if (w == 0.0f) continue;
        for (size_t i = 0; i < n; ++i)
            sum[i] += w * k[i];
    }
    memcpy(y, sum, n * sizeof *y);
    return bad;
}

int PACKED(blend_row)(float *restrict y, size_t n, const float *coefficients, int contributions,
                      const float *restrict k, size_t stride)
{
    uint bad = 0;
    for (; n >= CHUNK; n -= CHUNK, y += CHUNK, k += CHUNK)
        bad |= blend_chunk(y, CHUNK, coefficients, contributions, k, stride);
    if (n > 0) bad |= blend_chunk(y, n, coefficients, contributions, k, stride);
    return bad != 0;
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

static uint64_t nonfinite_contributions(const struct judge_args *args, const uint *alphas, const float *k)
{
    uint64_t mask = 0;
    for (int s = 0; s < args->contributions; ++s, k += args->k_stride)
        if (FROM_BITS(alphas[s]) > 0.0f) mask |= (uint64_t)any_nonfinite(k, (size_t)args->n) << s;
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
        uint input_bad = any_nonfinite(x + row * inputs, inputs);
        uint64_t bad = input_bad ? 0 : nonfinite_contributions(args, alphas, k + row * outputs);
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
    size_t n = (size_t)args->n;
    for (size_t row = first_row(task, begin); row < first_row(task, end); ++row) {
        const uint *coefficients = result + args->coefficients + (size_t)(args->contributions + 1) * row;
        float *out = y + row * n;
        float weights[1 + 64];
        memcpy(weights, coefficients, (size_t)(args->contributions + 1) * sizeof *weights);
        if (weights[0] != 0.0f) memcpy(out, base + row * n, n * sizeof *out);
        if (PACKED(blend_row)(out, n, weights, args->contributions, k + row * n, (size_t)args->k_stride))
            RAISE(result[RESULT_HEAD * row + 3]);
    }
}

void PACKED(plan_blend)(kas_host_task *task, unsigned threads)
{
    (void)threads;
    const struct blend_args *args = task->args;
    plan_rows(task, run_blend, (size_t)(args->contributions + 2) * (size_t)args->n);
}
