/* The host device's helpers: threads that take part in a pass when they have nothing else to do.
 *
 * A pass never waits for a helper that has not begun: its caller computes, idle helpers join in, and what is
 * still asleep when all parts are taken is called off. A helper looks for work for some 10 µs after it has
 * had some, then sleeps. Any number of passes may run at once; each gets the helpers that are idle, or none.
 * Sleepers are woken for large work, and where passes follow close upon each other: elsewhere their processor
 * has most likely something else to do, such as receiving the next request.
 */
#ifndef KAS_HOST_POOL_H
#define KAS_HOST_POOL_H

#include <stdatomic.h>
#include <stdbool.h>

#include "backends/host/task.h"
#include "base/status.h"

typedef struct kas_host_pool kas_host_pool;

enum { KAS_HOST_THREADS_MAX = 64 };
#define KAS_HOST_WORK_PER_THREAD 350e3 /* multiply-adds that are worth another thread: some 3 µs */
#define KAS_HOST_WORK_PER_LOOK   5e6   /* that are worth a look at the clock: some 50 µs */

/* What a pass and its helpers share; owned by the queue, as it must outlive a helper's last touch. */
typedef struct kas_host_job {
    const kas_host_task *task;
    size_t chunk;             /* parts taken at a time */
    _Atomic size_t next;      /* first part that nobody has taken */
    atomic_bool stop;         /* the deadline has passed: take no more */
    _Atomic uint32_t helpers; /* at work on it; the top bit: the caller sleeps until they are done */
    double unlooked;          /* work done alone since the last look at the clock */
    int64_t ended_ns;         /* of its last pass */
    bool follows;             /* the pass at hand is close upon that one */
} kas_host_job;

/* threads: with the caller's; 1 … KAS_HOST_THREADS_MAX. */
kas_status kas_host_pool_create(unsigned threads, kas_host_pool **out) KAS_MUST_USE;
void kas_host_pool_destroy(kas_host_pool *pool); /* no pass is running; accepts NULL */
unsigned kas_host_pool_threads(const kas_host_pool *pool);

/* Runs a planned task to its end: true; or until about deadline_ns: false, and nothing of it runs any more.
 * The caller has looked at the clock when the pass began. */
bool kas_host_pool_run(kas_host_pool *pool, kas_host_job *job, const kas_host_task *task,
                       int64_t deadline_ns);

#endif
