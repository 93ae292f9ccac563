/* Computing one submission of a batch: parameters and staging, then the lists in their order
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
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/exec/executor.h"
#include "engine/exec/pass.h"

enum { NOBODY = -1, FIRST_FOSSIL = KAS_MAX_SEEDS, PARAMS_HEAD_BYTES = 32 };

const kas_workspace *kas_batch_workspace(const kas_batch *batch)
{
    return &batch->plan->pool->workspaces[batch->context->index];
}

uint32_t kas_batch_rows_of(const kas_batch *batch, const kas_pass *pass)
{
    return batch->passes->next ? (uint32_t)pass->rows : batch->rows;
}

static bool copies(const kas_batch *batch)
{
    return batch->plan->pool->mirror_bytes > 0;
}

static void *host_at(const kas_batch *batch, size_t offset_bytes)
{
    return kas_batch_workspace(batch)->host + offset_bytes;
}

/* ---- parameters and staging ---- */

static void write_head(uint32_t *params, const kas_batch *batch, uint64_t broken)
{
    memset(params, 0, PARAMS_HEAD_BYTES);
    params[0] = batch->rows;
    params[1] = (uint32_t)broken;
    params[2] = (uint32_t)(broken >> 32);
    params[3] = (uint32_t)batch->done;
}

static uint32_t *fossil_params(const kas_batch *batch, uint32_t fossil)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    return host_at(batch, layout->fossil_params + fossil * layout->fossil_params_stride);
}

/* A pass to which nothing contributes may stand in a batch with others; its alphas were never set. */
static void write_alphas(uint32_t *words, const kas_pass *pass, uint32_t count)
{
    if (pass->contributing)
        memcpy(words, pass->alphas, count * sizeof *words);
    else
        memset(words, 0, count * sizeof *words);
}

static void write_params(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    uint32_t *params = host_at(batch, plan->layout.params), *word = params + PARAMS_HEAD_BYTES / 4;
    write_head(params, batch, batch->broken);
    if (batch->contributing) {
        for (const kas_pass *pass = batch->passes; pass; pass = pass->next)
            for (uint32_t r = 0; r < kas_batch_rows_of(batch, pass); ++r, word += plan->seed_count)
                write_alphas(word, pass, plan->seed_count);
    }
    for (uint32_t f = 0; f < plan->fossil_count; ++f) {
        params = fossil_params(batch, f);
        write_head(params, batch, batch->broken_fossils >> f & 1);
        for (uint32_t r = 0; r < batch->rows; ++r)
            memcpy(&params[PARAMS_HEAD_BYTES / 4 + r], &plan->fossils[f].alpha, sizeof *params);
    }
}

static void stage_in(const kas_batch *batch)
{
    if (!batch->staged) return;
    size_t inputs = batch->plan->inputs;
    float *x = host_at(batch, batch->plan->layout.x);
    for (const kas_pass *pass = batch->passes; pass; pass = pass->next) {
        size_t floats = kas_batch_rows_of(batch, pass) * inputs;
        memcpy(x, pass->x + batch->done * inputs, floats * sizeof *x);
        x += floats;
    }
}

static void stage_out(const kas_batch *batch)
{
    if (!batch->staged) return;
    size_t outputs = batch->plan->outputs;
    const float *y = host_at(batch, batch->plan->layout.y);
    for (const kas_pass *pass = batch->passes; pass; pass = pass->next) {
        size_t floats = kas_batch_rows_of(batch, pass) * outputs;
        memcpy(pass->y + batch->done * outputs, y, floats * sizeof *y);
        y += floats;
    }
}

static kas_status upload(const kas_batch *batch, size_t offset, size_t size_bytes)
{
    if (!copies(batch) || size_bytes == 0) return NULL;
    const kas_workspace *workspace = kas_batch_workspace(batch);
    return kas_queue_upload(batch->context->queue, workspace->arena, offset, workspace->host + offset,
                            size_bytes);
}

static kas_status download(const kas_batch *batch, size_t from, size_t to, size_t size_bytes)
{
    if (!copies(batch) || size_bytes == 0) return NULL;
    const kas_workspace *workspace = kas_batch_workspace(batch);
    return kas_queue_download(batch->context->queue, workspace->arena, from, workspace->host + to,
                              size_bytes);
}

static kas_status upload_inputs(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    const kas_arena_layout *layout = &plan->layout;
    uint32_t seeds = batch->contributing ? plan->seed_count : 0;
    KAS_TRY(upload(batch, layout->params, kas_blend_params_bytes(seeds, batch->rows)));
    KAS_TRY(upload(batch, layout->fossil_params, plan->fossil_count * layout->fossil_params_stride));
    return upload(batch, layout->x, 4 * (size_t)plan->inputs * batch->rows);
}

static kas_status download_outputs(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    const kas_arena_layout *layout = &plan->layout;
    if (batch->contributing)
        KAS_TRY(download(batch, layout->result, layout->result,
                         kas_blend_result_bytes(plan->seed_count, layout->rows)));
    KAS_TRY(download(batch, layout->fossil_result, layout->fossil_result,
                     plan->fossil_count * layout->fossil_result_stride));
    uint32_t rows = batch->rows < KAS_SAMPLE_ROWS ? batch->rows : KAS_SAMPLE_ROWS;
    for (uint32_t i = 0; i < plan->seed_count && batch->sampled; ++i)
        KAS_TRY(download(batch, layout->blend + i * layout->blend_stride,
                         layout->sample + i * layout->sample_stride, 4 * (size_t)plan->outputs * rows));
    return download(batch, layout->y, layout->y, 4 * (size_t)plan->outputs * batch->rows);
}

/* ---- submissions ---- */

static kas_slot at_arena(const kas_batch *batch, size_t offset)
{
    return (kas_slot){.buffer = kas_batch_workspace(batch)->arena, .offset_bytes = offset};
}

static kas_slot at_x(const kas_batch *batch)
{
    if (batch->staged) return at_arena(batch, batch->plan->layout.x);
    return (kas_slot){.host = (void *)(batch->passes->x + batch->done * batch->plan->inputs)};
}

static kas_slot at_y(const kas_batch *batch)
{
    if (batch->staged) return at_arena(batch, batch->plan->layout.y);
    return (kas_slot){.host = batch->passes->y + batch->done * batch->plan->outputs};
}

/* Writes submission number `at` with what most lists are bound to; the caller changes the slots that differ.
 */
static kas_submission *put(const kas_batch *batch, uint32_t at, kas_list *list, int culprit)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    kas_submission *submission = &batch->context->submissions[at];
    *submission = (kas_submission){.list = list,
                                   .slots[KAS_SLOT_PARAMS] = at_arena(batch, layout->params),
                                   .slots[KAS_SLOT_X] = at_x(batch),
                                   .slots[KAS_SLOT_Y] = at_y(batch),
                                   .slots[KAS_SLOT_WORK] = at_arena(batch, layout->work),
                                   .slots[KAS_SLOT_BLEND] = at_arena(batch, layout->blend),
                                   .slots[KAS_SLOT_RESULT] = at_arena(batch, layout->result)};
    batch->context->culprits[at] = (int16_t)culprit;
    return submission;
}

static void put_seed(const kas_batch *batch, uint32_t at, uint32_t i)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    kas_submission *submission = put(batch, at, batch->plan->seeds[i].list, (int)i);
    submission->slots[KAS_SLOT_Y] = at_arena(batch, layout->blend + i * layout->blend_stride);
    submission->apart = layout->apart;
    if (layout->apart)
        submission->slots[KAS_SLOT_WORK] = at_arena(batch, layout->work + i * layout->work_stride);
}

/* The base's output goes to the caller where nothing comes after it. */
static kas_slot at_base(const kas_batch *batch, uint32_t fossils_before)
{
    bool last = fossils_before == batch->plan->fossil_count && !batch->contributing;
    return last ? at_y(batch) : at_arena(batch, batch->plan->layout.base[fossils_before % 2]);
}

/* Fossil f as a blend of one contribution over the base with the fossils before it. */
static void put_fossil(const kas_batch *batch, uint32_t at, uint32_t f, kas_list *list, int culprit)
{
    const kas_arena_layout *layout = &batch->plan->layout;
    kas_submission *submission = put(batch, at, list, culprit);
    submission->slots[KAS_SLOT_PARAMS] =
        at_arena(batch, layout->fossil_params + f * layout->fossil_params_stride);
    submission->slots[KAS_SLOT_RESULT] =
        at_arena(batch, layout->fossil_result + f * layout->fossil_result_stride);
    submission->slots[KAS_SLOT_BLEND] = at_arena(batch, layout->fossil_blend);
    submission->slots[KAS_SLOT_Y] = at_arena(batch, layout->fossil_blend);
    if (list != batch->plan->fossil_blend) return;
    submission->slots[KAS_SLOT_WORK] = at_arena(batch, layout->base[f % 2]);
    submission->slots[KAS_SLOT_Y] = at_base(batch, f + 1);
}

static void put_blend(const kas_batch *batch, uint32_t at, bool with_base)
{
    const kas_plan *plan = batch->plan;
    bool product = with_base && plan->linear_blend;
    kas_submission *submission = put(batch, at, product ? plan->linear_blend : plan->blend, NOBODY);
    submission->slots[KAS_SLOT_WORK] = at_arena(batch, plan->layout.base[plan->fossil_count % 2]);
}

/* ---- failures ---- */

static void mark_broken(kas_batch *batch, int culprit, kas_outcome outcome)
{
    if (culprit >= FIRST_FOSSIL) {
        batch->broken_fossils |= 1ull << (culprit - FIRST_FOSSIL);
        batch->fossil_outcomes[culprit - FIRST_FOSSIL] = (uint8_t)outcome;
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
    if (culprit == NOBODY || code == KAS_DEVICE_LOST) return failure;
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
    if (culprit != NOBODY && culprit < FIRST_FOSSIL)
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
    if (!batch->contributing || copies(batch)) return true;
    const kas_plan *plan = batch->plan;
    const uint32_t *coefficients =
        (const uint32_t *)host_at(batch, plan->layout.result) + 4 * (size_t)plan->layout.rows;
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
        put_seed(batch, 0, i);
        KAS_TRY(run_kernel(batch));
    }
    write_head(host_at(batch, plan->layout.params), batch, batch->broken);
    KAS_TRY(upload(batch, plan->layout.params, PARAMS_HEAD_BYTES));
    put(batch, 0, plan->judge, NOBODY);
    return run_one(batch);
}

static kas_status run_fossil(kas_batch *batch, uint32_t f)
{
    const kas_plan *plan = batch->plan;
    if (!(batch->broken_fossils >> f & 1)) {
        put_fossil(batch, 0, f, plan->fossils[f].list, FIRST_FOSSIL + (int)f);
        KAS_TRY(run_kernel(batch));
    }
    write_head(fossil_params(batch, f), batch, batch->broken_fossils >> f & 1);
    KAS_TRY(
        upload(batch, plan->layout.fossil_params + f * plan->layout.fossil_params_stride, PARAMS_HEAD_BYTES));
    put_fossil(batch, 0, f, plan->fossil_judge, NOBODY);
    KAS_TRY(run_one(batch));
    put_fossil(batch, 0, f, plan->fossil_blend, NOBODY);
    return run_one(batch);
}

static kas_status run_base(kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    put(batch, 0, plan->base_list, NOBODY)->slots[KAS_SLOT_Y] = at_base(batch, 0);
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
        put_blend(batch, 0, batch->base_ran);
        KAS_TRY(run_one(batch));
    }
    if (!copies(batch)) return NULL;
    KAS_TRY(download_outputs(batch));
    return wait(batch);
}

/* ---- fused ---- */

/* Every submission of the batch. */
static uint32_t put_all(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->seed_count; ++i)
        if ((batch->contributing & ~batch->broken) >> i & 1) put_seed(batch, count++, i);
    if (batch->contributing) put(batch, count++, plan->judge, NOBODY);
    if (!(batch->contributing && plan->linear_blend))
        put(batch, count++, plan->base_list, NOBODY)->slots[KAS_SLOT_Y] = at_base(batch, 0);
    for (uint32_t f = 0; f < plan->fossil_count; ++f) {
        if (!(batch->broken_fossils >> f & 1))
            put_fossil(batch, count++, f, plan->fossils[f].list, FIRST_FOSSIL + (int)f);
        put_fossil(batch, count++, f, plan->fossil_judge, NOBODY);
        put_fossil(batch, count++, f, plan->fossil_blend, NOBODY);
    }
    if (batch->contributing) put_blend(batch, count++, true);
    return count;
}

static kas_status run_fused(kas_batch *batch)
{
    kas_context *context = batch->context;
    uint32_t count = put_all(batch);
    KAS_TRY(submit(batch, count));
    kas_status status = wait_after(batch, download_outputs(batch));
    batch->base_ran = true;
    for (uint32_t i = 0; i < context->progress.completed; ++i) {
        int culprit = context->culprits[i];
        if (culprit != NOBODY && culprit < FIRST_FOSSIL)
            batch->kernel_ns[culprit] += context->progress.elapsed_ns[i];
    }
    return status;
}

/* The most submissions that put_all makes. */
static uint32_t fused_count(const kas_plan *plan)
{
    return plan->seed_count + 3 + 3 * plan->fossil_count;
}

/* Skipping the base takes a look at the coefficients before it is computed; a product that blends in its
 * epilogue skips by itself. */
static bool must_step(const kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    bool may_skip = batch->contributing && !plan->linear_blend && plan->set->limits->immediate;
    return may_skip || fused_count(plan) > KAS_SUBMISSIONS_MAX;
}

/* ---- attempts ---- */

static kas_status attempt(kas_batch *batch)
{
    write_params(batch);
    stage_in(batch);
    KAS_TRY(upload_inputs(batch));
    KAS_TRY(batch->stepwise ? run_stepwise(batch) : run_fused(batch));
    stage_out(batch);
    return NULL;
}

/* Whose kernel the device hangs in: what ran is the first submission that did not end. */
static int hung_culprit(const kas_batch *batch)
{
    uint32_t completed = batch->context->progress.completed;
    return completed < KAS_SUBMISSIONS_MAX ? batch->context->culprits[completed] : NOBODY;
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
            if (culprit == NOBODY || !move(batch)) return status;
            status = absorb(batch, status, culprit);
        } else if (!batch->stepwise) {
            kas_status_free(status);
            status = NULL;
            batch->stepwise = true;
        }
        if (status) return status;
    }
}
