/* The loader threads and their queue. */
#include "engine/control/loaders.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/alloc.h"

enum { STACK_BYTES = 512 << 10, NICENESS = 10, THREADS_MAX = 64 };

struct kas_loaders {
    pthread_mutex_t lock; /* guards first, last and stopping */
    pthread_cond_t waiting;
    kas_task *first, *last;
    bool stopping;
    uint32_t count; /* threads that were started */
    pthread_t threads[];
};

static kas_task *next_task(kas_loaders *loaders)
{
    pthread_mutex_lock(&loaders->lock);
    while (!loaders->first && !loaders->stopping)
        pthread_cond_wait(&loaders->waiting, &loaders->lock);
    kas_task *task = loaders->first;
    if (task) {
        loaders->first = task->next;
        if (!loaders->first) loaders->last = NULL;
    }
    pthread_mutex_unlock(&loaders->lock);
    return task;
}

static void *run_loader(void *user)
{
    pthread_setname_np(pthread_self(), "kas-loader");
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(),
                      NICENESS); /* where it is refused the loader is as any thread */
    kas_task *task;
    while ((task = next_task(user)))
        task->run(task);
    return NULL;
}

static kas_status start(kas_loaders *loaders, uint32_t threads)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int error = 0;
    while (loaders->count < threads && !error) {
        error = pthread_create(&loaders->threads[loaders->count], &attributes, run_loader, loaders);
        loaders->count += !error;
    }
    pthread_attr_destroy(&attributes);
    return error ? kas_fail_os(error, "starting loader thread %u of %u", loaders->count + 1, threads) : NULL;
}

kas_status kas_loaders_create(uint32_t threads, kas_loaders **out)
{
    if (threads == 0 || threads > THREADS_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%u loader threads; from 1 to %d can be had", threads,
                        THREADS_MAX);
    kas_loaders *loaders = kas_calloc(1, sizeof *loaders + threads * sizeof *loaders->threads);
    if (!loaders) return kas_out_of_memory();
    pthread_mutex_init(&loaders->lock, NULL);
    pthread_cond_init(&loaders->waiting, NULL);
    kas_status status = start(loaders, threads);
    if (status) {
        kas_loaders_destroy(loaders);
        return status;
    }
    *out = loaders;
    return NULL;
}

void kas_loaders_destroy(kas_loaders *loaders)
{
    if (!loaders) return;
    pthread_mutex_lock(&loaders->lock);
    loaders->stopping = true;
    pthread_cond_broadcast(&loaders->waiting);
    pthread_mutex_unlock(&loaders->lock);
    for (uint32_t i = 0; i < loaders->count; ++i)
        pthread_join(loaders->threads[i], NULL);
    pthread_cond_destroy(&loaders->waiting);
    pthread_mutex_destroy(&loaders->lock);
    kas_free(loaders);
}

void kas_loaders_post(kas_loaders *loaders, kas_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&loaders->lock);
    if (loaders->last)
        loaders->last->next = task;
    else
        loaders->first = task;
    loaders->last = task;
    pthread_cond_signal(&loaders->waiting);
    pthread_mutex_unlock(&loaders->lock);
}
