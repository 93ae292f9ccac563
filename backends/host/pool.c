#include "backends/host/pool.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

enum {
    SPINS = 400,           /* pauses of a helper without work before it sleeps, and of a caller that waits */
    CHUNKS_PER_THREAD = 8, /* so that the last one to finish is not far behind */
    CHUNKS_PER_DEADLINE = 64 /* looks at the clock in a launch that one thread runs */
};
#define WORK_TO_WAKE  20e6 /* multiply-adds that are worth waking a helper, come what may */
#define CALLER_SLEEPS 0x80000000u

/* A helper's life: IDLE ⇄ SLEEPING; a caller that wants it makes it CLAIMED, leaves the job and makes it
 * CALLED; the helper makes that BUSY, or the caller, to call it off, IDLE again. Only the helper itself goes
 * to sleep. CALLED carries the number of the call above STATE_BITS, so that nobody calls off another's. */
enum { IDLE = 0, SLEEPING, CLAIMED, CALLED, BUSY, EXIT };
enum { STATE_BITS = 3, STATE_MASK = 7 };

typedef struct helper {
    _Alignas(KAS_CACHE_LINE) _Atomic uint32_t state; /* a futex */
    kas_host_job *job;                               /* written while CLAIMED, read while BUSY */
    uint32_t calls;                                  /* so far; while CLAIMED */
    int avoided; /* the processor that it may not run on; written while CLAIMED */
    pthread_t thread;
} helper;

struct kas_host_pool {
    unsigned threads;
    cpu_set_t processors; /* that helpers may run on */
    helper helpers[];
};

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Takes chunks until there are none left. */
static void work_on(kas_host_job *job)
{
    const kas_host_task *task = job->task;
    while (!atomic_load_explicit(&job->stop, memory_order_relaxed)) {
        size_t begin = atomic_fetch_add_explicit(&job->next, job->chunk, memory_order_relaxed);
        if (begin >= task->parts) return;
        size_t left = task->parts - begin;
        task->run(task, begin, begin + (left < job->chunk ? left : job->chunk));
    }
}

/* ---- helpers ---- */

/* Until there is work or the end: CALLED, which is yet to be made BUSY, or EXIT. */
static uint32_t await_call(helper *self)
{
    for (unsigned spins = 0;; ++spins) {
        uint32_t state = atomic_load_explicit(&self->state, memory_order_relaxed);
        if ((state & STATE_MASK) == CALLED || state == EXIT) return state;
        if (state == SLEEPING) {
            futex_wait(&self->state, SLEEPING);
        } else if (state == IDLE && spins > SPINS) {
            atomic_compare_exchange_strong(&self->state, &state, SLEEPING);
            spins = 0;
        } else {
            pause_briefly();
        }
    }
}

static void leave(kas_host_job *job)
{
    uint32_t before = atomic_fetch_sub_explicit(&job->helpers, 1, memory_order_release);
    if (before == (CALLER_SLEEPS | 1)) futex_wake(&job->helpers);
}

static void *helper_main(void *argument)
{
    helper *self = argument;
    for (uint32_t state; (state = await_call(self)) != EXIT;) {
        if (!atomic_compare_exchange_strong(&self->state, &state, BUSY)) continue;
        kas_host_job *job = self->job;
        work_on(job);
        atomic_store_explicit(&self->state, IDLE, memory_order_release);
        leave(job);
    }
    return NULL;
}

/* A scheduler likes to wake a thread on the processor of whoever wakes it, where it would wait behind the
 * very pass that it is to help. */
static void keep_off_this_processor(const kas_host_pool *pool, helper *h)
{
    int here = sched_getcpu();
    if (here < 0 || here == h->avoided) return;
    cpu_set_t others = pool->processors;
    CPU_CLR((size_t)here, &others);
    if (CPU_COUNT(&others) > 0 && pthread_setaffinity_np(h->thread, sizeof others, &others) == 0)
        h->avoided = here;
}

/* The helper's state, CALLED; 0: it has not been called. */
static uint32_t claim(const kas_host_pool *pool, helper *h, kas_host_job *job)
{
    uint32_t state = atomic_load_explicit(&h->state, memory_order_relaxed);
    if (state != IDLE && state != SLEEPING) return 0;
    if (state == SLEEPING && !job->follows && job->task->work < WORK_TO_WAKE) return 0;
    if (!atomic_compare_exchange_strong(&h->state, &state, CLAIMED)) return 0;
    uint32_t called = CALLED | ++h->calls << STATE_BITS;
    h->job = job;
    if (state == SLEEPING) keep_off_this_processor(pool, h);
    atomic_fetch_add_explicit(&job->helpers, 1, memory_order_relaxed);
    atomic_store_explicit(&h->state, called, memory_order_release);
    if (state == SLEEPING) futex_wake(&h->state);
    return called;
}

/* ---- passes ---- */

/* Notes each helper's call, 0 for those that have none; how many of the first ones to look at. */
static unsigned call_helpers(kas_host_pool *pool, kas_host_job *job, unsigned wanted,
                             uint32_t calls[KAS_HOST_THREADS_MAX])
{
    unsigned looked_at = 0;
    for (unsigned i = 0; i + 1 < pool->threads && wanted > 0; ++i) {
        calls[i] = claim(pool, &pool->helpers[i], job);
        if (calls[i] == 0) continue;
        looked_at = i + 1;
        --wanted;
    }
    return looked_at;
}

static bool helpers_left(kas_host_job *job)
{
    return atomic_load_explicit(&job->helpers, memory_order_relaxed) != 0;
}

/* Calls off those that have not begun, waits for those that have. */
static void gather_helpers(kas_host_pool *pool, kas_host_job *job, const uint32_t *calls, unsigned count)
{
    for (unsigned i = 0; i < count; ++i) {
        uint32_t state = calls[i];
        if (state != 0 && atomic_compare_exchange_strong(&pool->helpers[i].state, &state, IDLE))
            atomic_fetch_sub_explicit(&job->helpers, 1, memory_order_relaxed);
    }
    for (unsigned spins = 0; spins < SPINS && helpers_left(job); ++spins)
        pause_briefly();
    if (helpers_left(job)) atomic_fetch_or_explicit(&job->helpers, CALLER_SLEEPS, memory_order_relaxed);
    for (uint32_t left; (left = atomic_load_explicit(&job->helpers, memory_order_acquire)) & ~CALLER_SLEEPS;)
        futex_wait(&job->helpers, left); /* wait */
}

/* The caller's share: as work_on, but with an eye on the clock. */
static bool work_until(kas_host_job *job, int64_t deadline_ns)
{
    const kas_host_task *task = job->task;
    for (;;) {
        size_t begin = atomic_fetch_add_explicit(&job->next, job->chunk, memory_order_relaxed);
        if (begin >= task->parts) return true;
        if (deadline_ns != KAS_NEVER && kas_monotonic_ns() >= deadline_ns) break;
        size_t left = task->parts - begin;
        task->run(task, begin, begin + (left < job->chunk ? left : job->chunk));
    }
    atomic_store_explicit(&job->stop, true, memory_order_relaxed);
    return false;
}

static unsigned helpers_worth(const kas_host_pool *pool, const kas_host_task *task)
{
    unsigned most = pool->threads - 1;
    if (most > task->parts - 1) most = (unsigned)(task->parts - 1);
    double worth = task->work / KAS_HOST_WORK_PER_THREAD - 1.0;
    if (worth < 1.0) return 0;
    return worth < (double)most ? (unsigned)worth : most;
}

/* Small tasks are not, until they are many. */
static bool worth_a_look(kas_host_job *job, const kas_host_task *task)
{
    job->unlooked += task->work;
    if (job->unlooked < KAS_HOST_WORK_PER_LOOK) return false;
    job->unlooked = 0.0;
    return true;
}

bool kas_host_pool_run(kas_host_pool *pool, kas_host_job *job, const kas_host_task *task, int64_t deadline_ns)
{
    unsigned helpers = helpers_worth(pool, task);
    if (helpers == 0 && (deadline_ns == KAS_NEVER || !worth_a_look(job, task))) {
        task->run(task, 0, task->parts);
        return true;
    }
    size_t chunks = helpers ? (size_t)(helpers + 1) * CHUNKS_PER_THREAD : CHUNKS_PER_DEADLINE;
    job->task = task;
    job->chunk = task->parts / chunks ? task->parts / chunks : 1;
    atomic_store_explicit(&job->next, 0, memory_order_relaxed);
    atomic_store_explicit(&job->stop, false, memory_order_relaxed);
    atomic_store_explicit(&job->helpers, 0, memory_order_relaxed);
    uint32_t calls[KAS_HOST_THREADS_MAX];
    unsigned called = call_helpers(pool, job, helpers, calls);
    bool done = work_until(job, deadline_ns);
    if (called > 0) gather_helpers(pool, job, calls, called); /* wait */
    return done;
}

/* ---- life ---- */

unsigned kas_host_pool_threads(const kas_host_pool *pool)
{
    return pool->threads;
}

/* Signals are for the process's own threads. */
static int start(helper *h)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&h->thread, NULL, helper_main, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

kas_status kas_host_pool_create(unsigned threads, kas_host_pool **out)
{
    *out = NULL;
    kas_host_pool *pool = kas_alloc_aligned(KAS_CACHE_LINE, sizeof *pool + threads * sizeof(helper));
    if (!pool) return kas_out_of_memory();
    pool->threads = 1;
    if (sched_getaffinity(0, sizeof pool->processors, &pool->processors) != 0) CPU_ZERO(&pool->processors);
    while (pool->threads < threads) {
        helper *h = &pool->helpers[pool->threads - 1];
        atomic_init(&h->state, IDLE);
        h->job = NULL;
        h->calls = 0;
        h->avoided = -1;
        int error = start(h);
        if (error) {
            unsigned running = pool->threads;
            kas_host_pool_destroy(pool);
            return kas_fail_os(error, "starting thread %u of %u for the host device", running + 1, threads);
        }
        ++pool->threads;
    }
    *out = pool;
    return NULL;
}

void kas_host_pool_destroy(kas_host_pool *pool)
{
    if (!pool) return;
    for (unsigned i = 0; i + 1 < pool->threads; ++i) {
        helper *h = &pool->helpers[i];
        uint32_t before = IDLE;
        while (!atomic_compare_exchange_weak(&h->state, &before,
                                             EXIT)) /* a called-off one may still be waking */
            if (before != SLEEPING) before = IDLE;
        futex_wake(&h->state);
        pthread_join(h->thread, NULL); /* wait */
    }
    kas_free(pool);
}
