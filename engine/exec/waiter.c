/* A pass that waits, and lists of them; see waiter.h. */
#include "engine/exec/waiter.h"

#include <string.h>

#include "engine/exec/executor.h"

void kas_waiters_append(kas_waiter_list *list, kas_waiter *waiter)
{
    waiter->next = NULL;
    if (list->last)
        list->last->next = waiter;
    else
        list->first = waiter;
    list->last = waiter;
}

kas_waiter *kas_waiters_take_after(kas_waiter_list *list, kas_waiter *before)
{
    kas_waiter **link = before ? &before->next : &list->first;
    kas_waiter *waiter = *link;
    *link = waiter->next;
    if (list->last == waiter) list->last = before;
    waiter->next = NULL;
    return waiter;
}

void kas_waiters_remove(kas_waiter_list *list, const kas_waiter *waiter)
{
    kas_waiter *before = NULL;
    for (kas_waiter *w = list->first; w != waiter; w = w->next)
        before = w;
    (void)kas_waiters_take_after(list, before);
}

kas_status kas_waiter_init(kas_waiter *waiter, const pthread_condattr_t *clock)
{
    memset(waiter, 0, sizeof *waiter);
    int error = pthread_cond_init(&waiter->wake, clock);
    return error ? kas_fail_os(error, "making a condition variable") : NULL;
}

void kas_waiter_finish(kas_waiter *waiter)
{
    pthread_cond_destroy(&waiter->wake);
}

kas_status kas_waiter_refuse_stopping(kas_exec *exec, const kas_waiter *waiter)
{
    atomic_fetch_add_explicit(&exec->failed_calls, 1, memory_order_relaxed);
    return kas_fail(KAS_UNAVAILABLE, ENGINE, "layer %s: the engine is stopping", waiter->pass.request->layer);
}

bool kas_waiter_goes_again(kas_waiter *waiter)
{
    if (!waiter->pass.again) return false;
    waiter->pass.again = false;
    waiter->pass.started_ns = 0;
    waiter->done = false;
    waiter->set = NULL;
    return true;
}

void kas_waiter_end_submitted(kas_waiter *waiter)
{
    kas_forward_done call = waiter->call;
    void *user = waiter->user;
    kas_status status = waiter->pass.status;
    kas_waiter_finish(waiter);
    kas_free(waiter);
    call(user, status);
}
