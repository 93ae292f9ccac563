/* What a batch's result blocks say: which contributions entered which rows, which failed on them, and what
 * the control plane is told of that. */
#include <math.h>

#include "base/clock.h"
#include "engine/exec/executor.h"
#include "engine/exec/pass.h"

enum { ROW_WORDS = 4, SAMPLE_PERIOD_NS = 100 * 1000 * 1000 };
#define DEAD_BELOW 1e-6f

static const uint32_t *block(const kas_batch *batch, size_t offset)
{
    return (const uint32_t *)(kas_batch_workspace(batch)->host + offset);
}

/* Contributions that count as failed on a row. Where the base's row is non-finite too no kernel is to blame
 * for what it computed; one that did not run at all has failed all the same. */
static uint64_t failed_on(const uint32_t *row, uint64_t broken)
{
    uint64_t mask = row[0] | (uint64_t)row[1] << 32;
    return row[3] ? mask & broken : mask;
}

/* Fossils that failed on row r of the submission. */
static uint64_t fossils_failed_on(const kas_batch *batch, uint32_t r)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    uint64_t failed = 0;
    for (uint32_t f = 0; f < batch->plan->fossil_count && batch->base_ran; ++f) {
        const uint32_t *row =
            block(batch, layout->fossil_result + f * layout->fossil_result_stride) + ROW_WORDS * r;
        if (failed_on(row, batch->broken_fossils >> f & 1)) failed |= 1ull << f;
    }
    return failed;
}

static void collect_row(const kas_batch *batch, kas_pass *pass, uint32_t r, uint64_t pass_row)
{
    uint64_t mask = 0, failed = 0;
    if (batch->contributing) {
        const uint32_t *row = block(batch, batch->plan->layout.result) + ROW_WORDS * (size_t)r;
        mask = row[0] | (uint64_t)row[1] << 32;
        failed = failed_on(row, batch->broken);
    }
    uint64_t fossils = fossils_failed_on(batch, r);
    pass->used |= pass->contributing & ~mask;
    pass->failed |= failed;
    pass->fossils_failed |= fossils;
    pass->rows_failed += failed || fossils;
    if (pass->request->failed_rows)
        pass->request->failed_rows[pass_row] = failed ? kas_plan_seeds(batch->plan, failed) : 0;
}

void kas_batch_collect(kas_batch *batch)
{
    uint32_t r = 0;
    for (kas_pass *pass = batch->passes; pass; pass = pass->next) {
        uint32_t rows = kas_batch_rows_of(batch, pass);
        for (uint32_t i = 0; i < rows; ++i)
            collect_row(batch, pass, r++, batch->done + i);
    }
}

/* ---- statistics of outputs ---- */

/* One pass in a while takes them; which one is decided by who moves the time on. */
static bool is_time_to_sample(kas_layer_record *record)
{
    int64_t now_ns = kas_monotonic_ns(),
            next_ns = atomic_load_explicit(&record->next_sample_ns, memory_order_relaxed);
    return now_ns >= next_ns && atomic_compare_exchange_strong_explicit(
                                    &record->next_sample_ns, &next_ns, now_ns + SAMPLE_PERIOD_NS,
                                    memory_order_relaxed, memory_order_relaxed);
}

/* Share of output units that are dead in every row; 0 where there are too few to tell. */
static float dead_ratio(const float *outputs, uint32_t rows, uint32_t units)
{
    if (rows < 2 || units < 2) return 0.0f;
    uint32_t dead = 0;
    for (uint32_t u = 0; u < units; ++u) {
        uint32_t r = 0;
        while (r < rows && fabsf(outputs[(size_t)r * units + u]) <= DEAD_BELOW)
            ++r;
        dead += r == rows;
    }
    return (float)dead / (float)units;
}

bool kas_batch_begin_sample(const kas_batch *batch)
{
    return batch->contributing && is_time_to_sample(batch->plan->record);
}

void kas_batch_sample(kas_batch *batch)
{
    if (!batch->sampled) return;
    const kas_plan *plan = batch->plan;
    const kas_arena_layout *layout = &plan->layout;
    bool copied = plan->pool->mirror_bytes > 0;
    uint32_t rows = kas_batch_rows_of(batch, batch->passes);
    if (rows > KAS_SAMPLE_ROWS) rows = KAS_SAMPLE_ROWS;
    for (uint32_t i = 0; i < plan->seed_count; ++i) {
        size_t offset =
            copied ? layout->sample + i * layout->sample_stride : layout->blend + i * layout->blend_stride;
        batch->dead_ratios[i] = -1.0f;
        if ((batch->contributing & ~batch->broken) >> i & 1)
            batch->dead_ratios[i] = dead_ratio((const float *)block(batch, offset), rows, plan->outputs);
    }
}

/* ---- reports ---- */

static uint16_t saturated_us(uint64_t ns)
{
    uint64_t us = ns / 1000;
    return us < UINT16_MAX ? (uint16_t)us : UINT16_MAX;
}

static kas_pass_result contribution_result(const kas_batch *batch, const kas_pass *pass, uint32_t i)
{
    const kas_plan *plan = batch->plan;
    uint64_t bit = 1ull << i;
    kas_pass_result result = {.layer_uid = plan->uid,
                              .binding = plan->seeds[i].binding,
                              .seed = (uint16_t)plan->seeds[i].seed,
                              .latency_us = saturated_us(batch->kernel_ns[i]),
                              .outcome = KAS_OUTCOME_OK,
                              .dead_ratio = -1.0f};
    if (batch->broken & bit)
        result.outcome = batch->outcomes[i];
    else if (pass->failed & bit)
        result.outcome = KAS_OUTCOME_NON_FINITE;
    if (batch->sampled && pass == batch->passes) result.dead_ratio = batch->dead_ratios[i];
    return result;
}

/* Fossils are reported when they fail, and only then: they have no health to keep. */
static void report_fossils(const kas_batch *batch, const kas_pass *pass)
{
    const kas_plan *plan = batch->plan;
    for (uint64_t left = pass->fossils_failed; left; left &= left - 1) {
        uint32_t f = (uint32_t)__builtin_ctzll(left);
        bool broken = batch->broken_fossils >> f & 1;
        kas_pass_result result = {.layer_uid = plan->uid,
                                  .binding = plan->fossils[f].binding,
                                  .seed = (uint16_t)plan->fossils[f].seed,
                                  .outcome =
                                      broken ? batch->fossil_outcomes[f] : (uint8_t)KAS_OUTCOME_NON_FINITE,
                                  .dead_ratio = -1.0f};
        kas_results_push(&batch->exec->results, &result);
    }
}

void kas_batch_report(const kas_batch *batch)
{
    kas_exec *exec = batch->exec;
    bool any = false;
    for (const kas_pass *pass = batch->passes; pass; pass = pass->next) {
        for (uint64_t left = pass->contributing; left; left &= left - 1) {
            kas_pass_result result = contribution_result(batch, pass, (uint32_t)__builtin_ctzll(left));
            kas_results_push(&exec->results, &result);
        }
        report_fossils(batch, pass);
        any |= pass->contributing || pass->fossils_failed;
    }
    if (any && kas_results_must_tell(&exec->results) && exec->options.results_wait)
        exec->options.results_wait(exec->options.user);
}
