/* The host's helpers: what they and their callers write is seen by the other side. The threads of a test tell
 * each other how far they are in ways that order nothing else, so that the thread sanitizer misses every
 * ordering that the pool itself lacks. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>

#include "backends/host/pool.h"
#include "base/clock.h"

enum { PARTS = 2, ROUNDS = 20 };
#define CALLER_SLEEPS 0x40000000u /* more helpers than there are: the pool's mark */

/* One part is the caller's, the other its helper's. */
typedef struct shared {
    kas_host_task task;
    kas_host_job job;
    pthread_t caller;
    bool sleeps; /* the helper goes on until its caller sleeps; else the caller until its helper has left */
    atomic_bool helped;
    int input, output[PARTS];
} shared;

static uint32_t helpers(shared *s)
{
    return atomic_load_explicit(&s->job.helpers, memory_order_relaxed);
}

static bool helped(shared *s)
{
    return atomic_load_explicit(&s->helped, memory_order_relaxed);
}

static void run(const kas_host_task *task, size_t begin, size_t end)
{
    shared *s = task->buffers[0];
    for (size_t part = begin; part < end; ++part)
        s->output[part] = s->input + (int)part;
    if (!pthread_equal(pthread_self(), s->caller)) {
        atomic_store_explicit(&s->helped, true, memory_order_relaxed);
        while (s->sleeps && helpers(s) < CALLER_SLEEPS)
            sched_yield();
        return;
    }
    while (helpers(s) > 0 && !(s->sleeps && helped(s)))
        sched_yield();
}

static void begin(shared *s, bool sleeps)
{
    *s = (shared){.caller = pthread_self(),
                  .sleeps = sleeps,
                  .task = {.buffers = {s}, .run = run, .parts = PARTS, .work = 1e9}};
}

static void run_once(kas_host_pool *pool, shared *s, int input)
{
    s->input = input;
    atomic_store_explicit(&s->helped, false, memory_order_relaxed);
    cr_assert(kas_host_pool_run(pool, &s->job, &s->task, KAS_NEVER));
    for (int part = 0; part < PARTS; ++part)
        cr_expect_eq(s->output[part], input + part);
}

static kas_host_pool *make_pool(void)
{
    kas_host_pool *pool;
    kas_status status = kas_host_pool_create(2, &pool);
    cr_assert_null(status, "%s", kas_status_message(status));
    return pool;
}

Test(host_pool, a_caller_that_looks_sees_what_its_helper_wrote)
{
    kas_host_pool *pool = make_pool();
    shared s;
    begin(&s, false);
    for (int round = 0; round < ROUNDS; ++round)
        run_once(pool, &s, round);
    cr_expect(helped(&s));
    kas_host_pool_destroy(pool);
}

Test(host_pool, a_caller_that_sleeps_sees_what_its_helper_wrote)
{
    kas_host_pool *pool = make_pool();
    shared s;
    begin(&s, true);
    for (int round = 0; round < ROUNDS; ++round)
        run_once(pool, &s, round);
    cr_expect(helped(&s));
    kas_host_pool_destroy(pool);
}

typedef struct turns {
    kas_host_pool *pool;
    atomic_int *turn;
    int own;
} turns;

static void *take_turns(void *argument)
{
    const turns *self = argument;
    shared s;
    begin(&s, false);
    for (int round = 0; round < ROUNDS; ++round) {
        while (atomic_load_explicit(self->turn, memory_order_relaxed) % 2 != self->own)
            sched_yield();
        run_once(self->pool, &s, round);
        atomic_fetch_add_explicit(self->turn, 1, memory_order_relaxed);
    }
    return NULL;
}

Test(host_pool, callers_that_know_nothing_of_each_other_share_a_helper)
{
    kas_host_pool *pool = make_pool();
    atomic_int turn = 0;
    pthread_t threads[2];
    turns each[2];
    for (int i = 0; i < 2; ++i) {
        each[i] = (turns){pool, &turn, i};
        cr_assert_eq(pthread_create(&threads[i], NULL, take_turns, &each[i]), 0);
    }
    for (int i = 0; i < 2; ++i)
        pthread_join(threads[i], NULL);
    kas_host_pool_destroy(pool);
}

Test(host_pool, helpers_are_gone_with_their_pool)
{
    for (int round = 0; round < ROUNDS; ++round) {
        kas_host_pool *pool = make_pool();
        shared s;
        begin(&s, round % 2);
        run_once(pool, &s, round);
        kas_host_pool_destroy(pool);
    }
}
