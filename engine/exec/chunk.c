/* Computing one submission of a batch: what it reads is staged, then the lists run in their order
 *
 *     seeds' kernels → judge → base → (a fossil's kernel → its judge → its blend) … → blend
 *
 * where base and blend are one list when the base is one product and has no fossils. Nothing that a kernel
 * wrote is blended before it was judged.
 *
 * There are two ways to run them. Fused: everything is enqueued and waited for once. Stepwise: one list at a
 * time, so that a deadline counts against one kernel only, and the base is not computed when the judged
 * coefficients say that no row needs it. Stepwise are passes whose base is worth skipping on devices that
 * work only while they are waited for, and anything after a fused attempt has failed.
 *
 * A device that has not come back may still write to its context's arena. The batch then moves: it takes
 * another context, announces the plan there, and only then abandons the first, so that a scan of
 * announcements that misses the second has yet to come to the first (the control thread, which alone scans,
 * takes an abandoned announcement away itself). */
#include "base/clock.h"
#include "base/log.h"
#include "engine/exec/executor.h"
#include "engine/exec/staging.h"
#include "engine/exec/submissions.h"

/* ---- failures ---- */

static void mark_broken(kas_batch *batch, int culprit, kas_outcome outcome)
{
    if (culprit >= KAS_FIRST_FOSSIL) {
        batch->broken_fossils |= 1ull << (culprit - KAS_FIRST_FOSSIL);
        batch->fossil_outcomes[culprit - KAS_FIRST_FOSSIL] = (uint8_t)outcome;
        return;
    }
    batch->broken |= 1ull << culprit;
    batch->outcomes[culprit] = (uint8_t)outcome;
}

/* Takes a failure that one kernel is answerable for, or that hit while it ran: the pass goes on without it. A
 * failure of anything else, or a lost device, is handed back. */
static kas_status absorb(kas_batch *batch, kas_status failure, int culprit)
{
    kas_code code = kas_status_code(failure);
    if (culprit == KAS_NOBODY || code == KAS_DEVICE_LOST) return failure;
    kas_debug("pass", "layer %s: a kernel (%d) failed: %s", batch->plan->name, culprit,
              kas_status_message(failure));
    kas_status_free(failure);
    mark_broken(batch, culprit, code == KAS_DEADLINE ? KAS_OUTCOME_DEADLINE : KAS_OUTCOME_DEVICE);
    return NULL;
}

static kas_status wait(kas_batch *batch)
{
    kas_context *context = batch->context;
    int64_t deadline_ns = kas_monotonic_ns() + batch->exec->options.deadline_ns;
    kas_status status = kas_queue_wait(context->queue, deadline_ns, &context->progress);
    kas_code code = kas_status_code(status);
    batch->hung = (code == KAS_DEADLINE && !batch->plan->set->limits->immediate) ||
                  (code == KAS_DEVICE_LOST && !kas_queue_idle(context->queue));
    if (batch->hung) kas_context_hang(context);
    return status;
}

/* Waits after a failure, which remains what failed the attempt, unless the device turns out to be lost. */
static kas_status wait_after(kas_batch *batch, kas_status failure)
{
    kas_status status = wait(batch);
    return kas_status_code(status) == KAS_DEVICE_LOST ? kas_join(status, failure) : kas_join(failure, status);
}

/* Enqueues submissions. When that fails nothing of the pass stays in the queue, as far as the device lets it.
 */
static kas_status submit(kas_batch *batch, uint32_t count)
{
    kas_context *context = batch->context;
    context->progress.completed = 0;
    kas_status status = kas_queue_submit(context->queue, context->submissions, count, batch->rows);
    if (!status) return NULL;
    return wait_after(batch, status);
}

/* ---- stepwise ---- */

static kas_status run_one(kas_batch *batch)
{
    int64_t started_ns = kas_monotonic_ns();
    int culprit = batch->context->culprits[0];
    kas_status status = submit(batch, 1);
    if (!status) status = wait(batch);
    if (culprit != KAS_NOBODY && culprit < KAS_FIRST_FOSSIL)
        batch->kernel_ns[culprit] += (uint64_t)(kas_monotonic_ns() - started_ns);
    return status;
}

/* Runs submission 0, a kernel that may fail. A hung device is handed on: the batch has to move first. */
static kas_status run_kernel(kas_batch *batch)
{
    kas_status status = run_one(batch);
    return !status || batch->hung ? status : absorb(batch, status, batch->context->culprits[0]);
}

/* False when every row's coefficient of the base is 0. */
static bool base_is_needed(const kas_batch *batch)
{
    if (!batch->contributing || kas_stage_copies(batch)) return true;
    const kas_plan *plan = batch->plan;
    const uint32_t *coefficients =
        (const uint32_t *)kas_stage_at(batch, plan->layout.result) + 4 * (size_t)plan->layout.rows;
    for (uint32_t r = 0; r < batch->rows; ++r)
        if (coefficients[(size_t)(plan->seed_count + 1) * r] != 0) return true;
    return false;
}

static kas_status run_seeds(kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    if (!batch->contributing) return NULL;
    for (uint32_t i = 0; i < plan->seed_count; ++i) {
        if (!((batch->contributing & ~batch->broken) >> i & 1)) continue;
        kas_put_seed(batch, 0, i);
        KAS_TRY(run_kernel(batch));
    }
    KAS_TRY(kas_stage_broken(batch));
    kas_put_judge(batch, 0);
    return run_one(batch);
}

static kas_status run_fossil(kas_batch *batch, uint32_t f)
{
    if (!(batch->broken_fossils >> f & 1)) {
        kas_put_fossil(batch, 0, f);
        KAS_TRY(run_kernel(batch));
    }
    KAS_TRY(kas_stage_broken_fossil(batch, f));
    kas_put_fossil_judge(batch, 0, f);
    KAS_TRY(run_one(batch));
    kas_put_fossil_blend(batch, 0, f);
    return run_one(batch);
}

static kas_status run_base(kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    kas_put_base(batch, 0);
    KAS_TRY(run_one(batch));
    for (uint32_t f = 0; f < plan->fossil_count; ++f)
        KAS_TRY(run_fossil(batch, f));
    return NULL;
}

static kas_status run_stepwise(kas_batch *batch)
{
    KAS_TRY(run_seeds(batch));
    batch->base_ran = base_is_needed(batch);
    if (batch->base_ran && !(batch->contributing && batch->plan->linear_blend)) KAS_TRY(run_base(batch));
    if (batch->contributing) {
        kas_put_blend(batch, 0, batch->base_ran);
        KAS_TRY(run_one(batch));
    }
    if (!kas_stage_copies(batch)) return NULL;
    KAS_TRY(kas_stage_results(batch));
    return wait(batch);
}

/* ---- fused ---- */

static kas_status run_fused(kas_batch *batch)
{
    kas_context *context = batch->context;
    uint32_t count = kas_put_all(batch);
    KAS_TRY(submit(batch, count));
    kas_status status = wait_after(batch, kas_stage_results(batch));
    batch->base_ran = true;
    for (uint32_t i = 0; i < context->progress.completed; ++i) {
        int culprit = context->culprits[i];
        if (culprit != KAS_NOBODY && culprit < KAS_FIRST_FOSSIL)
            batch->kernel_ns[culprit] += context->progress.elapsed_ns[i];
    }
    return status;
}

/* Skipping the base takes a look at the coefficients before it is computed; a product that blends in its
 * epilogue skips by itself. */
static bool must_step(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    bool may_skip = batch->contributing && !plan->linear_blend && plan->set->limits->immediate;
    return may_skip || kas_put_all_most(plan) > KAS_SUBMISSIONS_MAX;
}

/* ---- attempts ---- */

static kas_status attempt(kas_batch *batch)
{
    KAS_TRY(kas_stage_in(batch));
    KAS_TRY(batch->stepwise ? run_stepwise(batch) : run_fused(batch));
    kas_stage_out(batch);
    return NULL;
}

/* Whose kernel the device hangs in: what ran is the first submission that did not end. */
static int hung_culprit(const kas_batch *batch)
{
    uint32_t completed = batch->context->progress.completed;
    return completed < KAS_SUBMISSIONS_MAX ? batch->context->culprits[completed] : KAS_NOBODY;
}

/* Leaves the hung context for another. False when none is free. */
static bool move(kas_batch *batch)
{
    kas_context *other = kas_context_try(batch->plan->set);
    if (!other) return false;
    atomic_store(&other->announced, batch->plan->holder);
    other->found = batch->context->found;
    other->found_in = batch->context->found_in;
    kas_exec_abandon(batch->exec, batch->context);
    batch->context = other;
    batch->hung = false;
    return true;
}

/* Traffic that an attempt began before it failed is waited for: it is of the context's memory, which others
 * get, or nobody. Where that hangs no kernel is to blame. */
static kas_status settle(kas_batch *batch, kas_status status)
{
    if (!status || batch->hung || kas_queue_idle(batch->context->queue)) return status;
    status = wait_after(batch, status);
    batch->context->progress.completed = KAS_SUBMISSIONS_MAX;
    return status;
}

kas_status kas_batch_compute(kas_batch *batch)
{
    if (must_step(batch)) batch->stepwise = true;
    for (;;) {
        kas_status status = settle(batch, attempt(batch));
        if (!status || kas_status_code(status) == KAS_DEVICE_LOST) return status;
        if (batch->hung) {
            int culprit = hung_culprit(batch);
            if (culprit == KAS_NOBODY || !move(batch)) return status;
            status = absorb(batch, status, culprit);
        } else if (!batch->stepwise) {
            kas_status_free(status);
            status = NULL;
            batch->stepwise = true;
        }
        if (status) return status;
    }
}
