#include "selftest/blended.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/random.h"
#include "selftest/need.h"

enum { SEEDS = 5 };

/* Buffers, lists and what the contributions say. */
typedef struct blending {
    segment_runner *runner;
    size_t inputs, outputs;
    kas_blend_shape shape;
    kas_list *judge, *blend; /* blend: fused or not */
    bool fused;
    kas_buffer *x, *y, *base, *params, *result, *contributions;
    float alphas[BATCH_ROWS][SEEDS];
    float *k; /* SEEDS × BATCH_ROWS × outputs */
} blending;

/* Sums below 1, above 1 and exactly 1; rows that fail, and rows that would if anybody looked at them. */
static void choose_contributions(blending *b)
{
    kas_rng rng = kas_rng_make(b->outputs, 5);
    b->k = selftest_alloc(SEEDS * BATCH_ROWS * b->outputs, sizeof *b->k);
    for (size_t i = 0; i < SEEDS * BATCH_ROWS * b->outputs; ++i)
        b->k[i] = 2.0f * kas_rng_unit(&rng) - 1.0f;
    for (size_t r = 0; r < BATCH_ROWS; ++r)
        for (size_t s = 0; s < SEEDS; ++s) {
            float alpha = kas_rng_unit(&rng) / (r % 4 == 1 ? 1 : SEEDS);
            if (r % 4 == 2) alpha = s == 1 ? 1.0f : 0.0f;
            if (kas_rng_below(&rng, 4) == 0 && r % 4 != 2) alpha = 0;
            b->alphas[r][s] = alpha;
            if (alpha == 0 || kas_rng_below(&rng, 6) == 0)
                b->k[(s * BATCH_ROWS + r) * b->outputs + kas_rng_below(&rng, (uint32_t)b->outputs)] = NAN;
        }
}

static kas_buffer *make_buffer(const blending *b, size_t size_bytes)
{
    kas_buffer *buffer;
    selftest_need(kas_buffer_create(b->runner->device, size_bytes, "blending", &buffer), "blending");
    return buffer;
}

static void begin(blending *b, segment_runner *runner, bool fused)
{
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    *b = (blending){.runner = runner, .inputs = info->inputs, .outputs = info->outputs, .fused = fused};
    b->shape = (kas_blend_shape){.inputs = b->inputs,
                                 .outputs = b->outputs,
                                 .contributions = SEEDS,
                                 .capacity_rows = BATCH_ROWS,
                                 .stride_floats = BATCH_ROWS * b->outputs};
    choose_contributions(b);
    selftest_need(kas_judge_list(runner->device, &b->shape, &b->judge), "blending");
    selftest_need(fused ? kas_linear_blend_list(runner->device, runner->segment, &b->shape, &b->blend)
                        : kas_blend_list(runner->device, &b->shape, &b->blend),
                  "blending");
    b->x = make_buffer(b, BATCH_ROWS * b->inputs * sizeof(float));
    b->y = make_buffer(b, BATCH_ROWS * b->outputs * sizeof(float));
    b->base = make_buffer(b, BATCH_ROWS * b->outputs * sizeof(float));
    b->contributions = make_buffer(b, SEEDS * BATCH_ROWS * b->outputs * sizeof(float));
    b->params = make_buffer(b, kas_blend_params_bytes(SEEDS, BATCH_ROWS));
    b->result = make_buffer(b, kas_blend_result_bytes(SEEDS, BATCH_ROWS));
}

static void end(blending *b)
{
    kas_buffer *buffers[] = {b->x, b->y, b->base, b->contributions, b->params, b->result};
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; ++i)
        kas_buffer_release(buffers[i]);
    kas_list_release(b->judge);
    kas_list_release(b->blend);
    kas_free(b->k);
}

static void upload(const blending *b, const float *x, const uint32_t *params, size_t params_bytes,
                   uint32_t first, uint32_t rows)
{
    kas_queue *queue = b->runner->queue;
    size_t row = b->outputs * sizeof(float);
    selftest_need(kas_queue_upload(queue, b->params, 0, params, params_bytes), "blending");
    selftest_need(kas_queue_upload(queue, b->x, 0, x + first * b->inputs, rows * b->inputs * sizeof *x),
                  "blending");
    for (size_t s = 0; s < SEEDS; ++s)
        selftest_need(kas_queue_upload(queue, b->contributions, s * BATCH_ROWS * row,
                                       b->k + (s * BATCH_ROWS + first) * b->outputs, rows * row),
                      "blending");
}

static void run(const blending *b, const float *x, uint32_t first, uint32_t rows, float *y)
{
    uint32_t params[PARAMS_HEAD + BATCH_ROWS * SEEDS] = {rows};
    memcpy(params + PARAMS_HEAD, b->alphas[first], rows * sizeof b->alphas[0]);
    const kas_submission judge = {.list = b->judge,
                                  .slots = {[KAS_SLOT_PARAMS] = {.buffer = b->params},
                                            [KAS_SLOT_X] = {.buffer = b->x},
                                            [KAS_SLOT_Y] = {.buffer = b->y},
                                            [KAS_SLOT_WORK] = {.buffer = b->base},
                                            [KAS_SLOT_BLEND] = {.buffer = b->contributions},
                                            [KAS_SLOT_RESULT] = {.buffer = b->result}}};
    kas_submission all[3] = {judge, judge, judge};
    uint32_t count = 1;
    if (!b->fused) {
        all[count].list = kas_segment_list(b->runner->segment);
        all[count++].slots[KAS_SLOT_Y].buffer = b->base;
    }
    all[count++].list = b->blend;
    upload(b, x, params, (PARAMS_HEAD + rows * SEEDS) * sizeof *params, first, rows);
    selftest_need(kas_queue_submit(b->runner->queue, all, count, rows), "blending");
    selftest_need(kas_queue_download(b->runner->queue, b->y, 0, y, rows * b->outputs * sizeof *y),
                  "blending");
    selftest_need(kas_queue_wait(b->runner->queue, KAS_NEVER, NULL), "blending");
}

/* ---- what it should be ---- */

static bool fails(const blending *b, size_t row, size_t seed)
{
    const float *k = b->k + (seed * BATCH_ROWS + row) * b->outputs;
    for (size_t i = 0; i < b->outputs; ++i)
        if (!isfinite(k[i])) return true;
    return false;
}

/* The worst share of a row; the base's own tolerance enters with its coefficient. */
static double check_row(const blending *b, const expectation *base, size_t row, const float *y)
{
    double weight[SEEDS], total = 0, worst = 0;
    for (size_t s = 0; s < SEEDS; ++s) {
        weight[s] = b->alphas[row][s] > 0 && !fails(b, row, s) ? b->alphas[row][s] : 0;
        total += weight[s];
    }
    double c = total >= 1 ? 0 : 1 - total, scale = total > 1 ? 1 / total : 1;
    for (size_t i = 0; i < b->outputs; ++i) {
        double from_base = c > 0 ? c * base->want[row * b->outputs + i] : 0, want = from_base;
        for (size_t s = 0; s < SEEDS; ++s)
            if (weight[s] > 0) want += scale * weight[s] * b->k[(s * BATCH_ROWS + row) * b->outputs + i];
        double tolerance = c * base->tolerance[row * b->outputs + i] + 2e-6 * (fabs(from_base) + 1);
        worst = fmax(worst, tolerance_share(want, tolerance, y[i]));
    }
    return worst;
}

static size_t batches(const blending *b, const float *x, const float *y)
{
    static const uint32_t parts[][2] = {{0, 1}, {6, 1}, {64, 7}, {93, 32}};
    size_t different = 0;
    float *again = selftest_alloc(BATCH_ROWS * b->outputs, sizeof *again);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; ++i) {
        run(b, x, parts[i][0], parts[i][1], again);
        different += bits_that_differ(again, y + parts[i][0] * b->outputs, parts[i][1] * b->outputs);
    }
    kas_free(again);
    return different;
}

blended_result blended_check(segment_runner *runner, const expectation *base, const float *x, bool fused)
{
    blending b;
    begin(&b, runner, fused);
    float *y = selftest_alloc(BATCH_ROWS * b.outputs, sizeof *y);
    run(&b, x, 0, BATCH_ROWS, y);
    blended_result result = {.different = batches(&b, x, y)};
    for (size_t row = 0; row < base->rows; ++row)
        result.worst = fmax(result.worst, check_row(&b, base, row, y + row * b.outputs));
    kas_free(y);
    end(&b);
    return result;
}
