/* Running passes: the shortest way for dormant ones, submissions one after the other for the rest, and what a
 * pass leaves behind: its result, its counts. */
#include "engine/exec/pass.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "engine/exec/executor.h"

/* ---- the end of a pass ---- */

static void count_failed(kas_exec *exec, const kas_plan *plan)
{
    atomic_fetch_add_explicit(&plan->record->failed_calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&exec->failed_calls, 1, memory_order_relaxed);
}

/* Fills in the result of a pass that has been answered, and counts it. */
static inline __attribute__((always_inline)) void finish(kas_pass *pass, const kas_context *context,
                                                         const kas_plan *plan, uint32_t epoch)
{
    kas_forward_result *result = pass->result;
    int64_t now_ns = kas_monotonic_ns();
    result->generation = plan->generation + pass->step;
    result->epoch = epoch;
    result->seeds_used = pass->used ? kas_plan_seeds(plan, pass->used) : 0;
    result->seeds_failed = pass->failed ? kas_plan_seeds(plan, pass->failed) : 0;
    result->rows_failed = pass->rows_failed;
    result->queue_ns = (uint64_t)(pass->started_ns - pass->arrived_ns);
    result->compute_ns = (uint64_t)(now_ns - pass->started_ns);
    result->total_ns = (uint64_t)(now_ns - pass->arrived_ns);
    uint32_t bucket = kas_latency_bucket(result->total_ns);
    kas_counters *counters = &plan->counters[context->index];
    kas_counters_pass(counters, pass->rows, result->total_ns, bucket, now_ns);
    kas_counters_pass(context->counters, pass->rows, result->total_ns, bucket, now_ns);
    if (result->queue_ns == 0) return;
    kas_counter_add(&counters->queue_ns, result->queue_ns);
    kas_counter_add(&context->counters->queue_ns, result->queue_ns);
}

static kas_status annotate(kas_status status, const kas_exec *exec, const kas_plan *plan)
{
    if (kas_status_code(status) != KAS_DEADLINE)
        return kas_annotate(status, "layer %s: computing the base on %s", plan->name,
                            kas_device_id(plan->set->device));
    kas_status_free(status);
    return kas_fail(KAS_DEADLINE, DEVICE, "layer %s: the base was not computed within %lld ms on %s",
                    plan->name, (long long)(exec->options.deadline_ns / KAS_NS_PER_MS),
                    kas_device_id(plan->set->device));
}

/* ---- dormant passes ---- */

/* The base over the caller's own memory. params[1…] stay zero. */
static kas_status run_rows(const kas_plan *plan, kas_context *context, const float *x, float *y,
                           uint32_t rows, int64_t deadline_ns)
{
    void *slots[KAS_SLOT_COUNT];
    context->params[0] = rows;
    slots[KAS_SLOT_PARAMS] = context->params;
    slots[KAS_SLOT_X] = (void *)x;
    slots[KAS_SLOT_Y] = y;
    if (plan->needs_work)
        slots[KAS_SLOT_WORK] = plan->pool->workspaces[context->index].host + plan->layout.work;
    return kas_queue_run(context->queue, plan->base_list, slots, rows, deadline_ns);
}

/* In several submissions, each with its own deadline. */
static kas_status run_all_rows(const kas_pass *pass, const kas_exec *exec, kas_context *context,
                               const kas_plan *plan)
{
    for (uint64_t done = 0; done < pass->rows; done += plan->base_rows) {
        uint64_t left = pass->rows - done;
        KAS_TRY(run_rows(plan, context, pass->x + done * plan->inputs, pass->y + done * plan->outputs,
                         left < plan->base_rows ? (uint32_t)left : plan->base_rows,
                         kas_monotonic_ns() + exec->options.deadline_ns));
    }
    return NULL;
}

void kas_pass_run_dormant(kas_pass *pass, kas_exec *exec, kas_context *context, const kas_sight *sight)
{
    const kas_plan *plan = sight->plan;
    int64_t deadline_ns = pass->started_ns + exec->options.deadline_ns;
    kas_status status = pass->rows <= plan->base_rows
                            ? run_rows(plan, context, pass->x, pass->y, (uint32_t)pass->rows, deadline_ns)
                            : run_all_rows(pass, exec, context, plan);
    pass->status = status;
    if (status) {
        pass->status = annotate(status, exec, plan);
        count_failed(exec, plan);
        return;
    }
    if (pass->request->failed_rows) memset(pass->request->failed_rows, 0, pass->rows * sizeof(uint64_t));
    finish(pass, context, plan, sight->epoch);
}

/* ---- batches ---- */

/* Several passes are staged together; one alone uses its caller's memory where the device can. */
static void choose_rows(kas_batch *batch)
{
    const kas_plan *plan = batch->plan;
    batch->staged = !plan->set->limits->host_pointers || batch->passes->next;
    if (batch->passes->next) {
        uint64_t rows = 0;
        for (const kas_pass *pass = batch->passes; pass; pass = pass->next)
            rows += pass->rows;
        batch->rows = (uint32_t)rows;
        return;
    }
    uint64_t left = batch->passes->rows - batch->done;
    uint32_t wanted = left < plan->layout.rows ? (uint32_t)left : plan->layout.rows;
    batch->rows = kas_plan_rows_of_a_piece(plan, batch->contributing, wanted);
}

static kas_status check_deadline(const kas_batch *batch)
{
    const kas_forward_request *request = batch->passes->request;
    if (batch->done == 0 || request->deadline_ns == 0 || kas_monotonic_ns() < request->deadline_ns)
        return NULL;
    return kas_fail(KAS_DEADLINE, CALLER,
                    "layer %s: the request's deadline passed after %llu of its %llu rows", batch->plan->name,
                    (unsigned long long)batch->done, (unsigned long long)batch->passes->rows);
}

/* A kernel that fails as a whole fails for all rows of the pass: those that were computed with it are
 * computed again. */
static bool start_again(kas_batch *batch, uint64_t broken, uint64_t broken_fossils)
{
    if (batch->done == 0 || (batch->broken == broken && batch->broken_fossils == broken_fossils))
        return false;
    kas_pass *pass = batch->passes;
    pass->used = pass->failed = pass->fossils_failed = pass->rows_failed = 0;
    batch->done = 0;
    return true;
}

static kas_status run_submissions(kas_batch *batch)
{
    assert(batch->passes); /* whose batch it is */
    for (uint64_t total = batch->passes->rows; batch->done < total;) {
        uint64_t broken = batch->broken, broken_fossils = batch->broken_fossils;
        KAS_TRY(check_deadline(batch));
        choose_rows(batch);
        KAS_TRY(kas_batch_compute(batch));
        if (start_again(batch, broken, broken_fossils)) continue;
        kas_batch_collect(batch);
        if (batch->done == 0) kas_batch_sample(batch);
        batch->done += batch->rows;
    }
    return NULL;
}

static void count_kernels(const kas_batch *batch)
{
    uint64_t executions = 0, failures = 0, ns = 0;
    for (const kas_pass *pass = batch->passes; pass; pass = pass->next) {
        executions += (uint64_t)__builtin_popcountll(pass->contributing);
        failures += (uint64_t)__builtin_popcountll(pass->failed);
    }
    for (uint32_t i = 0; i < batch->plan->seed_count; ++i)
        ns += batch->kernel_ns[i];
    kas_counters_kernels(&batch->plan->counters[batch->context->index], executions, failures, ns);
    kas_counters_kernels(batch->context->counters, executions, failures, ns);
}

static void fail_all(kas_batch *batch, kas_status status)
{
    for (kas_pass *pass = batch->passes; pass; pass = pass->next) {
        pass->status = pass->next ? kas_status_clone(status) : status;
        count_failed(batch->exec, batch->plan);
    }
}

void kas_batch_run(kas_batch *batch)
{
    for (const kas_pass *pass = batch->passes; pass; pass = pass->next)
        batch->contributing |= pass->contributing;
    batch->sampled = kas_batch_begin_sample(batch);
    kas_status status = run_submissions(batch);
    if (status) {
        bool computing = kas_status_blame(status) != KAS_BLAME_CALLER;
        fail_all(batch, computing ? annotate(status, batch->exec, batch->plan) : status);
        return;
    }
    count_kernels(batch);
    kas_batch_report(batch);
    for (kas_pass *pass = batch->passes; pass; pass = pass->next) {
        pass->status = NULL;
        finish(pass, batch->context, batch->plan, batch->epoch);
    }
}
