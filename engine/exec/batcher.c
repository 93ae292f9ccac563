/* How the waiting begins and ends; see batcher.h. What waits is in waiting.c, batches are formed in gather.c,
 * and what was submitted is run in runners.c. */
#include "engine/exec/batcher.h"

#include "engine/exec/executor.h"
#include "engine/exec/runners.h"

kas_status kas_batcher_init(kas_exec *exec)
{
    kas_batcher *batcher = &exec->batcher;
    pthread_mutex_init(&batcher->lock, NULL);
    pthread_condattr_init(&batcher->monotonic);
    pthread_condattr_setclock(&batcher->monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&batcher->work, NULL);
    pthread_cond_init(&batcher->left, NULL);
    return kas_runners_start(exec);
}

/* Under the lock: those who wait for a context are told that none will come. */
static void turn_away(kas_exec *exec)
{
    kas_batcher *batcher = &exec->batcher;
    while (batcher->callers.first) {
        kas_waiter *waiter = kas_waiters_take_after(&batcher->callers, NULL);
        atomic_fetch_sub(&batcher->waiting, 1);
        waiter->pass.status = kas_waiter_refuse_stopping(exec, waiter);
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
        kas_waiter *waiter = kas_waiters_take_after(&batcher->submitted, NULL);
        waiter->pass.status = kas_waiter_refuse_stopping(exec, waiter);
        kas_waiter_end_submitted(waiter);
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
