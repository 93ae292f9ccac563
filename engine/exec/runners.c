/* Threads that run what was submitted; see runners.h. */
#include "engine/exec/runners.h"

#include "base/clock.h"
#include "engine/exec/executor.h"
#include "engine/exec/forward.h"

bool kas_runners_put(kas_batcher *batcher, kas_waiter *waiter)
{
    pthread_mutex_lock(&batcher->lock);
    bool stopping = batcher->stopping;
    if (!stopping) {
        kas_waiters_append(&batcher->submitted, waiter);
        pthread_cond_signal(&batcher->work);
    }
    pthread_mutex_unlock(&batcher->lock);
    return !stopping;
}

static kas_waiter *next_submitted(kas_batcher *batcher)
{
    pthread_mutex_lock(&batcher->lock);
    while (!batcher->submitted.first && !batcher->stopping)
        pthread_cond_wait(&batcher->work, &batcher->lock);
    kas_waiter *waiter = batcher->stopping ? NULL : kas_waiters_take_after(&batcher->submitted, NULL);
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
        if (kas_waiter_goes_again(waiter)) waiter->pass.status = kas_batcher_wait(exec, waiter);
    } else {
        waiter->pass.status = kas_batcher_wait(exec, waiter);
    }
    kas_waiter_end_submitted(waiter);
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
    kas_status status = kas_waiter_init(waiter, &batcher->monotonic);
    if (status) {
        kas_free(waiter);
        return status;
    }
    waiter->pass.request = request;
    waiter->pass.result = result;
    waiter->pass.arrived_ns = kas_monotonic_ns();
    waiter->call = done;
    waiter->user = user;
    if (kas_runners_put(batcher, waiter)) return NULL;
    status = kas_waiter_refuse_stopping(exec, waiter);
    kas_waiter_finish(waiter);
    kas_free(waiter);
    return status;
}

kas_status kas_runners_start(kas_exec *exec)
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
