/* Waiting for a context, and forming batches of what waited; see batcher.h. */
#include "engine/exec/batcher.h"

#include <string.h>

#include "base/clock.h"
#include "engine/exec/executor.h"
#include "engine/exec/forward.h"

/* ---- lists ---- */

static void append(kas_waiter_list *list, kas_waiter *waiter)
{
    waiter->next = NULL;
    if (list->last)
        list->last->next = waiter;
    else
        list->first = waiter;
    list->last = waiter;
}

/* Takes out `*link`, whose predecessor is `before` (NULL: none). */
static kas_waiter *unlink_after(kas_waiter_list *list, kas_waiter *before)
{
    kas_waiter **link = before ? &before->next : &list->first;
    kas_waiter *waiter = *link;
    *link = waiter->next;
    if (list->last == waiter) list->last = before;
    waiter->next = NULL;
    return waiter;
}

static void unlink_waiter(kas_waiter_list *list, const kas_waiter *waiter)
{
    kas_waiter *before = NULL;
    for (kas_waiter *w = list->first; w != waiter; w = w->next)
        before = w;
    (void)unlink_after(list, before);
}

/* ---- giving contexts ---- */

static kas_context *want_any(kas_exec *exec, kas_context_set *set)
{
    if (set) return kas_context_want(set);
    kas_context *context = NULL;
    uint32_t sets = atomic_load(&exec->set_count);
    for (uint32_t s = 0; s < sets && !context; ++s)
        context = kas_context_want(atomic_load(&exec->sets[s]));
    return context;
}

/* Under the lock: `waiter`, which comes after `before` in the list, has a context now. */
static void give(kas_batcher *batcher, kas_waiter *before, kas_waiter *waiter, kas_context *context)
{
    (void)unlink_after(&batcher->callers, before);
    atomic_fetch_sub(&batcher->waiting, 1);
    waiter->context = context;
    pthread_cond_signal(&waiter->wake);
}

/* Whether it waits for a context, and not for another root. */
static bool is_due(const kas_exec *exec, const kas_waiter *waiter)
{
    return atomic_load(&exec->publication.sequence) > waiter->pass.after;
}

/* Under the lock. Contexts of a lost device may all be gone: its layer is looked up in another's, and waits
 * there until it is elsewhere. */
static void leave_lost(const kas_exec *exec, kas_waiter *waiter)
{
    if (!waiter->set || !atomic_load(&waiter->set->lost)) return;
    waiter->pass.hold_until_ns = kas_exec_hold_until(exec, waiter->set);
    waiter->set = NULL;
    pthread_cond_signal(&waiter->wake); /* to look until when it waits now */
}

/* Under the lock. */
static void offer(kas_exec *exec)
{
    kas_batcher *batcher = &exec->batcher;
    kas_waiter *before = NULL;
    for (kas_waiter *waiter = batcher->callers.first; waiter;) {
        kas_waiter *next = waiter->next;
        leave_lost(exec, waiter);
        kas_context *context = is_due(exec, waiter) ? want_any(exec, waiter->set) : NULL;
        if (context) {
            give(batcher, before, waiter, context);
        } else if (!waiter->set && is_due(exec, waiter)) {
            return; /* none is free anywhere */
        } else {
            before = waiter;
        }
        waiter = next;
    }
}

bool kas_batcher_is_waited(const kas_exec *exec)
{
    return atomic_load_explicit(&exec->batcher.waiting, memory_order_relaxed) > 0;
}

void kas_batcher_hand_over(kas_exec *exec, kas_context *context)
{
    kas_batcher *batcher = &exec->batcher;
    kas_waiter *before = NULL;
    pthread_mutex_lock(&batcher->lock);
    kas_waiter *waiter = batcher->callers.first;
    while (waiter && ((waiter->set && waiter->set != context->set) || !is_due(exec, waiter))) {
        before = waiter;
        waiter = waiter->next;
    }
    if (waiter) give(batcher, before, waiter, context);
    bool more = batcher->callers.first != NULL;
    kas_context_hand_over(context, !waiter ? KAS_CONTEXT_FREE : more ? KAS_CONTEXT_WANTED : KAS_CONTEXT_BUSY);
    pthread_mutex_unlock(&batcher->lock);
}

void kas_batcher_offer(kas_exec *exec)
{
    if (!kas_batcher_is_waited(exec)) return;
    pthread_mutex_lock(&exec->batcher.lock);
    offer(exec);
    pthread_mutex_unlock(&exec->batcher.lock);
}

/* ---- waiting ---- */

kas_status kas_waiter_init(kas_waiter *waiter, const kas_batcher *batcher)
{
    memset(waiter, 0, sizeof *waiter);
    int error = pthread_cond_init(&waiter->wake, &batcher->monotonic);
    return error ? kas_fail_os(error, "making a condition variable") : NULL;
}

void kas_waiter_finish(kas_waiter *waiter)
{
    pthread_cond_destroy(&waiter->wake);
}

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / KAS_NS_PER_S), .tv_nsec = (long)(ns % KAS_NS_PER_S)};
}

/* How long it waits; 0: for as long as it takes. */
static int64_t until_of(const kas_waiter *waiter)
{
    int64_t deadline_ns = waiter->pass.request->deadline_ns, hold_ns = waiter->pass.hold_until_ns;
    if (waiter->pass.started_ns != 0) return 0; /* in a batch that runs: its answer comes */
    if (hold_ns == 0) return deadline_ns;
    return deadline_ns == 0 || hold_ns < deadline_ns ? hold_ns : deadline_ns;
}

/* Under the lock: until it is given a context or has ended. False when its deadline passed first. */
static bool wait_for_context(kas_exec *exec, kas_waiter *waiter)
{
    kas_batcher *batcher = &exec->batcher;
    append(&batcher->callers, waiter);
    atomic_fetch_add(&batcher->waiting, 1);
    offer(exec); /* one may have been freed meanwhile; those that are not are wanted now */
    while (!waiter->context && !waiter->done) {
        int64_t until_ns = until_of(waiter);
        if (until_ns == 0) {
            pthread_cond_wait(&waiter->wake, &batcher->lock);
            continue;
        }
        struct timespec until = timespec_of(until_ns);
        if (pthread_cond_timedwait(&waiter->wake, &batcher->lock, &until) == 0) continue;
        if (waiter->context || waiter->done) break;
        if (kas_monotonic_ns() < until_ns || until_of(waiter) != until_ns) continue;
        unlink_waiter(&batcher->callers, waiter);
        atomic_fetch_sub(&batcher->waiting, 1);
        return false;
    }
    return true;
}

static kas_status refuse_late(kas_exec *exec, const kas_waiter *waiter)
{
    atomic_fetch_add_explicit(&exec->failed_calls, 1, memory_order_relaxed);
    if (waiter->pass.hold_until_ns)
        return kas_fail(KAS_DEVICE_LOST, DEVICE, "layer %s: its device is lost, and it is on no other yet",
                        waiter->pass.request->layer);
    return kas_fail(KAS_DEADLINE, ENGINE,
                    "layer %s: the request's deadline passed while all execution contexts were busy",
                    waiter->pass.request->layer);
}

static kas_status refuse_stopping(kas_exec *exec, const kas_waiter *waiter)
{
    atomic_fetch_add_explicit(&exec->failed_calls, 1, memory_order_relaxed);
    return kas_fail(KAS_UNAVAILABLE, ENGINE, "layer %s: the engine is stopping", waiter->pass.request->layer);
}

/* Its device was lost under it, or hangs: it waits again, for any. */
static bool goes_again(kas_waiter *waiter)
{
    if (!waiter->pass.again) return false;
    waiter->pass.again = false;
    waiter->pass.started_ns = 0;
    waiter->done = false;
    waiter->set = NULL;
    return true;
}

/* The layer is on other devices than the one whose context it was given. Where that is a lost one, only
 * another root is of use. */
static void wait_there(const kas_exec *exec, kas_waiter *waiter, uint64_t sequence)
{
    bool lost = atomic_load(&waiter->set->lost);
    waiter->pass.after = lost ? sequence : 0;
    waiter->pass.hold_until_ns = lost ? kas_exec_hold_until(exec, waiter->set) : 0;
    if (lost) waiter->set = NULL;
}

/* Under the lock, which is let go while a batch runs. */
static kas_status wait_and_lead(kas_exec *exec, kas_waiter *waiter)
{
    kas_batcher *batcher = &exec->batcher;
    for (;;) {
        if (batcher->stopping) return refuse_stopping(exec, waiter);
        if (!wait_for_context(exec, waiter)) return refuse_late(exec, waiter);
        if (waiter->done) {
            if (!goes_again(waiter)) return waiter->pass.status;
            continue;
        }
        pthread_mutex_unlock(&batcher->lock);
        kas_visit visit;
        bool leads =
            kas_visit_begin_in(exec, waiter->context, waiter->pass.request->layer, &waiter->set, &visit);
        waiter->context = NULL;
        if (leads) {
            kas_visit_lead(exec, &visit, waiter);
            kas_visit_end(exec, &visit);
        } else {
            wait_there(exec, waiter, visit.sequence);
        }
        pthread_mutex_lock(&batcher->lock);
        if (leads && !goes_again(waiter)) return waiter->pass.status;
    }
}

kas_status kas_batcher_wait(kas_exec *exec, kas_waiter *waiter)
{
    kas_batcher *batcher = &exec->batcher;
    waiter->has_thread = true;
    pthread_mutex_lock(&batcher->lock);
    ++batcher->inside;
    kas_status status = wait_and_lead(exec, waiter);
    if (--batcher->inside == 0 && batcher->stopping) pthread_cond_signal(&batcher->left);
    pthread_mutex_unlock(&batcher->lock);
    return status;
}

/* ---- batches ---- */

typedef struct gathering {
    const kas_sight *sight;
    uint64_t sequence; /* of the root that it is in */
    uint64_t rows, rows_max;
    int64_t now_ns;
    kas_waiter_list taken;
} gathering;

/* Whether the waiter goes along: it is refused, or it fits. */
static bool goes_along(gathering *found, kas_waiter *waiter)
{
    kas_pass *pass = &waiter->pass;
    const kas_plan *plan = found->sight->plan;
    if (pass->after >= found->sequence || strcmp(pass->request->layer, plan->name) != 0) return false;
    pass->started_ns = found->now_ns;
    pass->status = kas_pass_admit(pass, found->sight);
    if (pass->status) return true;
    if (pass->rows > found->rows_max - found->rows) {
        pass->started_ns = 0;
        return false;
    }
    found->rows += pass->rows;
    return true;
}

static uint32_t gather_from(gathering *found, kas_waiter_list *list)
{
    uint32_t count = 0;
    kas_waiter *before = NULL;
    for (kas_waiter *waiter = list->first; waiter && found->rows < found->rows_max;) {
        kas_waiter *next = waiter->next;
        if (goes_along(found, waiter)) {
            append(&found->taken, unlink_after(list, before));
            ++count;
        } else {
            before = waiter;
        }
        waiter = next;
    }
    return count;
}

/* Who waits may have been answered from a newer root before: nobody joins a batch whose root was replaced. */
static bool is_present(kas_exec *exec, const kas_visit *visit)
{
    return atomic_load(&exec->publication.sequence) == visit->context->found_in;
}

/* Rows of a batch: what contributes to those who wait is not known yet, so all that may. */
static uint32_t rows_together(const kas_plan *plan)
{
    uint64_t seeds = plan->dormant ? 0 : (plan->seed_count < 64 ? (1ull << plan->seed_count) - 1 : ~0ull);
    return kas_plan_rows_of_a_piece(plan, seeds, plan->layout.staged_rows);
}

kas_waiter *kas_batcher_gather(kas_exec *exec, const kas_visit *visit, uint64_t rows)
{
    kas_batcher *batcher = &exec->batcher;
    const kas_sight *sight = &visit->sight;
    gathering found = {.sight = sight,
                       .sequence = visit->context->found_in,
                       .rows = rows,
                       .rows_max = rows_together(sight->plan),
                       .now_ns = kas_monotonic_ns()};
    if (rows >= found.rows_max) return NULL;
    pthread_mutex_lock(&batcher->lock);
    if (is_present(exec, visit)) {
        uint32_t callers = gather_from(&found, &batcher->callers);
        atomic_fetch_sub(&batcher->waiting, callers);
        (void)gather_from(&found, &batcher->submitted);
    }
    pthread_mutex_unlock(&batcher->lock);
    return found.taken.first;
}

/* One without a thread: its end is told by a call, and it is freed. */
static void end_submitted(kas_waiter *waiter)
{
    kas_forward_done call = waiter->call;
    void *user = waiter->user;
    kas_status status = waiter->pass.status;
    kas_waiter_finish(waiter);
    kas_free(waiter);
    call(user, status);
}

/* Under the lock: whoever stops the batcher empties the list after it has said so. */
static void put_back(kas_batcher *batcher, kas_waiter *waiter)
{
    append(&batcher->submitted, waiter);
    pthread_cond_signal(&batcher->work);
}

static bool submit_again(kas_batcher *batcher, kas_waiter *waiter)
{
    if (!goes_again(waiter)) return false;
    pthread_mutex_lock(&batcher->lock);
    bool stopping = batcher->stopping;
    if (!stopping) put_back(batcher, waiter);
    pthread_mutex_unlock(&batcher->lock);
    if (!stopping) return true;
    waiter->pass.status =
        kas_fail(KAS_UNAVAILABLE, ENGINE, "layer %s: the engine is stopping", waiter->pass.request->layer);
    return false;
}

void kas_batcher_complete(kas_exec *exec, kas_waiter *gathered)
{
    kas_batcher *batcher = &exec->batcher;
    while (gathered) {
        kas_waiter *waiter = gathered;
        gathered = waiter->next; /* before it ends: it is its owner's then */
        if (!waiter->has_thread) {
            if (!submit_again(batcher, waiter)) end_submitted(waiter);
            continue;
        }
        pthread_mutex_lock(&batcher->lock);
        waiter->done = true;
        pthread_cond_signal(&waiter->wake);
        pthread_mutex_unlock(&batcher->lock);
    }
}

/* ---- runners ---- */

static kas_waiter *next_submitted(kas_batcher *batcher)
{
    pthread_mutex_lock(&batcher->lock);
    while (!batcher->submitted.first && !batcher->stopping)
        pthread_cond_wait(&batcher->work, &batcher->lock);
    kas_waiter *waiter = batcher->stopping ? NULL : unlink_after(&batcher->submitted, NULL);
    pthread_mutex_unlock(&batcher->lock);
    return waiter;
}

static void run_submitted(kas_exec *exec, kas_waiter *waiter)
{
    kas_visit visit;
    if (!waiter->pass.after && !kas_batcher_is_waited(exec) &&
        kas_visit_begin(exec, waiter->pass.request->layer, &waiter->set, &visit)) {
        kas_visit_lead(exec, &visit, waiter);
        kas_visit_end(exec, &visit);
        if (goes_again(waiter)) waiter->pass.status = kas_batcher_wait(exec, waiter);
    } else {
        waiter->pass.status = kas_batcher_wait(exec, waiter);
    }
    end_submitted(waiter);
}

static void *runner_main(void *argument)
{
    kas_exec *exec = argument;
    for (kas_waiter *waiter; (waiter = next_submitted(&exec->batcher));)
        run_submitted(exec, waiter);
    return NULL;
}

kas_status kas_exec_submit(kas_exec *exec, const kas_forward_request *request, kas_forward_result *result,
                           kas_forward_done done, void *user)
{
    kas_batcher *batcher = &exec->batcher;
    kas_waiter *waiter = kas_alloc(sizeof *waiter);
    if (!waiter) return kas_out_of_memory();
    kas_status status = kas_waiter_init(waiter, batcher);
    if (status) {
        kas_free(waiter);
        return status;
    }
    waiter->pass.request = request;
    waiter->pass.result = result;
    waiter->pass.arrived_ns = kas_monotonic_ns();
    waiter->call = done;
    waiter->user = user;
    pthread_mutex_lock(&batcher->lock);
    bool stopping = batcher->stopping;
    if (!stopping) {
        append(&batcher->submitted, waiter);
        pthread_cond_signal(&batcher->work);
    }
    pthread_mutex_unlock(&batcher->lock);
    if (!stopping) return NULL;
    status = refuse_stopping(exec, waiter);
    kas_waiter_finish(waiter);
    kas_free(waiter);
    return status;
}

/* ---- life ---- */

static kas_status start_runners(kas_exec *exec)
{
    kas_batcher *batcher = &exec->batcher;
    batcher->runners = kas_alloc_array(exec->options.runners, sizeof *batcher->runners);
    if (!batcher->runners) return kas_out_of_memory();
    while (batcher->runner_count < exec->options.runners) {
        int error = pthread_create(&batcher->runners[batcher->runner_count], NULL, runner_main, exec);
        if (error)
            return kas_fail_os(error, "starting thread %u of %u that runs submitted passes",
                               batcher->runner_count + 1, exec->options.runners);
        ++batcher->runner_count;
    }
    return NULL;
}

kas_status kas_batcher_init(kas_exec *exec)
{
    kas_batcher *batcher = &exec->batcher;
    pthread_mutex_init(&batcher->lock, NULL);
    pthread_condattr_init(&batcher->monotonic);
    pthread_condattr_setclock(&batcher->monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&batcher->work, NULL);
    pthread_cond_init(&batcher->left, NULL);
    return start_runners(exec);
}

/* Under the lock: those who wait for a context are told that none will come. */
static void turn_away(kas_exec *exec)
{
    kas_batcher *batcher = &exec->batcher;
    while (batcher->callers.first) {
        kas_waiter *waiter = unlink_after(&batcher->callers, NULL);
        atomic_fetch_sub(&batcher->waiting, 1);
        waiter->pass.status = refuse_stopping(exec, waiter);
        waiter->done = true;
        pthread_cond_signal(&waiter->wake);
    }
}

void kas_batcher_stop(kas_exec *exec)
{
    kas_batcher *batcher = &exec->batcher;
    pthread_mutex_lock(&batcher->lock);
    batcher->stopping = true;
    turn_away(exec);
    pthread_cond_broadcast(&batcher->work);
    pthread_mutex_unlock(&batcher->lock);
    for (uint32_t i = 0; i < batcher->runner_count; ++i)
        pthread_join(batcher->runners[i], NULL);
    while (batcher->submitted.first) { /* nobody else looks at the list any more */
        kas_waiter *waiter = unlink_after(&batcher->submitted, NULL);
        waiter->pass.status = refuse_stopping(exec, waiter);
        end_submitted(waiter);
    }
    pthread_mutex_lock(&batcher->lock);
    while (batcher->inside > 0)
        pthread_cond_wait(&batcher->left, &batcher->lock);
    pthread_mutex_unlock(&batcher->lock);
}

void kas_batcher_finish(kas_exec *exec)
{
    kas_batcher *batcher = &exec->batcher;
    pthread_mutex_lock(&batcher->lock); /* who has just freed the last context may still be unlocking it */
    pthread_mutex_unlock(&batcher->lock);
    kas_free(batcher->runners);
    pthread_cond_destroy(&batcher->left);
    pthread_cond_destroy(&batcher->work);
    pthread_condattr_destroy(&batcher->monotonic);
    pthread_mutex_destroy(&batcher->lock);
}
