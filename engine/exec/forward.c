/* The entry of passes. Where a context is free, and nobody has waited longer for one, a pass goes straight
 * through on its caller's thread: no lock, no allocation. */
#include "engine/exec/forward.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "engine/exec/executor.h"

/* The device that this thread's last pass was on. Any value will do. */
static _Thread_local uint32_t last_set __attribute__((tls_model("initial-exec")));

/* ---- visits ---- */

/* Contexts of a lost device may all be gone; any other's will do to look a layer up. */
static __attribute__((noinline)) kas_context_set *sound_set(kas_exec *exec, kas_context_set *lost)
{
    uint32_t sets = atomic_load(&exec->set_count);
    for (uint32_t s = 0; s < sets; ++s) {
        kas_context_set *set = atomic_load(&exec->sets[s]);
        if (!atomic_load(&set->lost)) return set;
    }
    return lost;
}

static inline __attribute__((always_inline)) kas_context_set *likely_set(kas_exec *exec)
{
    uint32_t sets = atomic_load_explicit(&exec->set_count, memory_order_acquire);
    if (sets == 0) return NULL;
    kas_context_set *set =
        atomic_load_explicit(&exec->sets[last_set < sets ? last_set : 0], memory_order_acquire);
    return atomic_load_explicit(&set->lost, memory_order_relaxed) ? sound_set(exec, set) : set;
}

/* Announces in `context`, and finds, the present plan of a layer: steps 1 to 5 of root.c. Often it is the one
 * that the last pass in this context found, in the same root. */
static inline __attribute__((always_inline)) kas_sight enter(kas_publication *publication,
                                                             kas_context *context, const char *name)
{
    kas_root *root = atomic_load_explicit(&publication->root, memory_order_acquire);
    for (;;) {
        atomic_store(&context->announced, root);
        kas_root *again = atomic_load(&publication->root);
        if (again == root) break;
        root = again;
    }
    kas_plan *plan = context->found_in == root->sequence && strcmp(context->found->name, name) == 0
                         ? context->found
                         : kas_root_find(root, context, name);
    kas_sight sight = {.plan = plan, .epoch = root->epoch, .closed = root->closed};
    atomic_store_explicit(&context->announced, plan, memory_order_release);
    return sight;
}

/* A context that is free may be gone at once, and the executor too, if somebody waits to end it. */
static inline __attribute__((always_inline)) void end_visit(kas_exec *exec, const kas_visit *visit)
{
    if (!visit->context) return;
    if (visit->hung)
        kas_exec_abandon(exec, visit->context);
    else if (!kas_context_free(visit->context))
        kas_batcher_hand_over(exec, visit->context);
}

void kas_visit_end(kas_exec *exec, const kas_visit *visit)
{
    end_visit(exec, visit);
}

/* For a layer that is not, or not only, on the context's device. fixed: any device of it will do. What is
 * announced is the holder of all its plans. */
static __attribute__((noinline)) bool settle(kas_exec *exec, bool fixed, kas_context_set **set,
                                             kas_visit *out)
{
    kas_plan *holder = out->sight.plan;
    kas_plan *plan = fixed ? kas_plan_on(holder, out->context->set) : NULL;
    if (!plan) plan = holder->replicated ? kas_plan_least_busy(holder) : holder;
    out->sight.plan = plan;
    *set = plan->set;
    if (plan->set == out->context->set) return true;
    out->sequence = out->context->found_in;
    kas_visit_end(exec, out);
    return false;
}

static inline __attribute__((always_inline)) bool begin_in(kas_exec *exec, kas_context *context,
                                                           const char *layer, bool fixed,
                                                           kas_context_set **set, kas_visit *out)
{
    out->context = context;
    out->hung = false;
    out->sight = enter(&exec->publication, context, layer);
    const kas_plan *plan = out->sight.plan;
    if (!plan || (plan->set == context->set && !plan->replicated)) return true;
    return settle(exec, fixed, set, out);
}

bool kas_visit_begin_in(kas_exec *exec, kas_context *context, const char *layer, kas_context_set **set,
                        kas_visit *out)
{
    return begin_in(exec, context, layer, true, set, out);
}

static inline __attribute__((always_inline)) bool begin(kas_exec *exec, const char *layer,
                                                        kas_context_set **set, kas_visit *out)
{
    if (!*set) *set = likely_set(exec);
    if (!*set) { /* no layer was ever published */
        *out = (kas_visit){.context = NULL};
        return true;
    }
    bool fixed = false;
    for (kas_context *context; (context = kas_context_try(*set)); fixed = true)
        if (begin_in(exec, context, layer, fixed, set, out)) {
            last_set = (*set)->index;
            return true;
        }
    return false;
}

bool kas_visit_begin(kas_exec *exec, const char *layer, kas_context_set **set, kas_visit *out)
{
    return begin(exec, layer, set, out);
}

/* ---- running ---- */

static void count_refused(kas_exec *exec, const kas_plan *plan)
{
    if (plan) atomic_fetch_add_explicit(&plan->record->failed_calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&exec->failed_calls, 1, memory_order_relaxed);
}

/* No rows: nothing runs and nothing is counted. */
static void answer_nothing(kas_pass *pass, const kas_sight *sight)
{
    kas_forward_result *result = pass->result;
    size_t size = result->size;
    memset(result, 0, sizeof *result);
    result->size = size;
    result->generation = sight->plan->generation + kas_plan_steps(sight->plan);
    result->epoch = sight->epoch;
    result->queue_ns = result->total_ns = (uint64_t)(pass->started_ns - pass->arrived_ns);
}

/* True when the pass has rows to compute; otherwise it has ended. */
static inline bool admit(kas_exec *exec, const kas_sight *sight, kas_pass *pass)
{
    pass->status = kas_pass_admit(pass, sight);
    if (pass->status) {
        count_refused(exec, sight->plan);
        return false;
    }
    assert(sight->plan); /* a layer that is not there is refused */
    if (pass->rows == 0) {
        answer_nothing(pass, sight);
        return false;
    }
    return true;
}

static void run_batch(kas_exec *exec, kas_visit *visit, kas_pass *passes)
{
    kas_batch batch;
    memset(&batch, 0, offsetof(kas_batch, dead_ratios));
    batch.exec = exec;
    batch.context = visit->context;
    batch.plan = visit->sight.plan;
    batch.epoch = visit->sight.epoch;
    batch.passes = passes;
    kas_batch_run(&batch);
    visit->context = batch.context;
    visit->hung = batch.hung;
}

static inline __attribute__((always_inline)) void run(kas_exec *exec, kas_visit *visit, kas_pass *passes)
{
    const kas_plan *plan = visit->sight.plan;
    if (!passes->next && !passes->contributing && plan->fossil_count == 0 && plan->set->limits->host_pointers)
        kas_pass_run_dormant(passes, exec, visit->context, &visit->sight);
    else
        run_batch(exec, visit, passes);
}

/* On one of several devices: what it is busy with is counted. */
static __attribute__((noinline)) void run_replicated(kas_exec *exec, kas_visit *visit, kas_pass *passes)
{
    const kas_plan *plan = visit->sight.plan;
    _Atomic uint64_t *in_flight = &plan->record->rows_in_flight[plan->set->index];
    uint64_t rows = 0;
    for (const kas_pass *pass = passes; pass; pass = pass->next)
        rows += pass->rows;
    atomic_fetch_add_explicit(in_flight, rows, memory_order_relaxed);
    run(exec, visit, passes);
    atomic_fetch_sub_explicit(in_flight, rows, memory_order_relaxed);
}

/* What failed with its device may go to another. */
static __attribute__((noinline)) void look_at_failed(kas_exec *exec, const kas_visit *visit, kas_pass *passes)
{
    uint64_t sequence = visit->context->found_in;
    for (kas_pass *pass = passes; pass; pass = pass->next)
        if (pass->status) (void)kas_exec_sends_elsewhere(exec, visit->sight.plan, sequence, pass);
}

static inline __attribute__((always_inline)) void run_all(kas_exec *exec, kas_visit *visit, kas_pass *passes)
{
    if (visit->sight.plan->replicated)
        run_replicated(exec, visit, passes);
    else
        run(exec, visit, passes);
    if (passes->status)
        look_at_failed(exec, visit, passes); /* a device's failure is that of all of a batch */
}

bool kas_visit_admit(kas_exec *exec, const kas_visit *visit, kas_pass *pass)
{
    return admit(exec, &visit->sight, pass);
}

void kas_visit_run(kas_exec *exec, kas_visit *visit, kas_pass *passes)
{
    run_all(exec, visit, passes);
}

void kas_visit_lead(kas_exec *exec, kas_visit *visit, kas_waiter *leader)
{
    kas_pass *pass = &leader->pass;
    pass->started_ns = kas_monotonic_ns();
    pass->next = NULL;
    if (!admit(exec, &visit->sight, pass)) return;
    kas_pass_begin(pass, visit->sight.plan);
    kas_waiter *gathered = kas_batcher_gather(exec, visit, pass->rows);
    kas_pass *last = pass;
    for (kas_waiter *waiter = gathered; waiter; waiter = waiter->next) {
        waiter->pass.next = NULL;
        if (waiter->pass.status) {
            count_refused(exec, visit->sight.plan);
        } else if (waiter->pass.rows == 0) {
            answer_nothing(&waiter->pass, &visit->sight);
        } else {
            kas_pass_begin(&waiter->pass, visit->sight.plan);
            last = last->next = &waiter->pass;
        }
    }
    run_all(exec, visit, pass);
    kas_batcher_complete(exec, gathered);
}

/* ---- entries ---- */

/* held: until there is a root after pass->after. */
static kas_status forward_later(kas_exec *exec, const kas_pass *pass, kas_context_set *set, bool held)
{
    kas_waiter waiter;
    KAS_TRY(kas_waiter_init(&waiter, &exec->batcher.monotonic));
    waiter.pass.request = pass->request;
    waiter.pass.result = pass->result;
    waiter.pass.arrived_ns = pass->arrived_ns;
    waiter.pass.after = held ? pass->after : 0;
    waiter.pass.hold_until_ns = held ? pass->hold_until_ns : 0;
    waiter.set = set;
    kas_status status = kas_batcher_wait(exec, &waiter);
    kas_waiter_finish(&waiter);
    return status;
}

kas_status kas_exec_forward(kas_exec *exec, const kas_forward_request *request, kas_forward_result *result)
{
    if (request->size < sizeof *request || !request->layer)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "a request of %zu bytes, but it has %zu: set its size and layer", request->size,
                        sizeof *request);
    kas_pass pass;
    pass.request = request;
    pass.result = result;
    pass.arrived_ns = pass.started_ns = kas_monotonic_ns();
    pass.next = NULL;
    for (;;) {
        kas_context_set *set = NULL;
        kas_visit visit;
        pass.again = false;
        if (kas_batcher_is_waited(exec) || !begin(exec, request->layer, &set, &visit))
            return forward_later(exec, &pass, set, false);
        if (admit(exec, &visit.sight, &pass)) {
            kas_pass_begin(&pass, visit.sight.plan);
            run_all(exec, &visit, &pass);
        }
        end_visit(exec, &visit);
        if (!pass.again) return pass.status;
        if (pass.after) return forward_later(exec, &pass, NULL, true);
    }
}

bool kas_exec_is_small(kas_exec *exec, const char *layer, uint64_t rows)
{
    enum { SMALL_NS = 250 * 1000 };
    kas_context_set *set = NULL;
    kas_visit visit;
    if (kas_batcher_is_waited(exec) || !kas_visit_begin(exec, layer, &set, &visit)) return false;
    const kas_plan *plan = visit.sight.plan;
    bool small = true;
    if (plan && plan->serving) {
        double ns = (double)rows * (plan->dormant ? plan->base_ns_per_row : plan->full_ns_per_row);
        small = plan->set->limits->immediate && ns <= SMALL_NS;
    }
    kas_visit_end(exec, &visit);
    return small;
}
