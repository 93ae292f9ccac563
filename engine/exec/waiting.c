/* Waiting for a context, and giving contexts to those who wait; see batcher.h. */
#include "base/clock.h"
#include "engine/exec/batcher.h"
#include "engine/exec/executor.h"
#include "engine/exec/forward.h"

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
    (void)kas_waiters_take_after(&batcher->callers, before);
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
    kas_waiters_append(&batcher->callers, waiter);
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
        kas_waiters_remove(&batcher->callers, waiter);
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
        if (batcher->stopping) return kas_waiter_refuse_stopping(exec, waiter);
        if (!wait_for_context(exec, waiter)) return refuse_late(exec, waiter);
        if (waiter->done) {
            if (!kas_waiter_goes_again(waiter)) return waiter->pass.status;
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
        if (leads && !kas_waiter_goes_again(waiter)) return waiter->pass.status;
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
