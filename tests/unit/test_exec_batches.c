/* What happens while all contexts are busy: passes wait, those of one layer are computed together, and each
 * keeps its own alphas, failures and errors. Threads wait here; labelled `threads`. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "backends/core/fault.h"
#include "base/clock.h"
#include "engine/exec/executor.h"
#include "engine/exec/forward.h"
#include "tests/unit/exec_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(exec_batches, .fini = expect_no_leaks);

enum { CALLERS = 6 };

typedef struct caller {
    exec_world *w;
    probe p;
    kas_alpha_override given;
    kas_status status;
    pthread_t thread;
} caller;

static caller callers[CALLERS];

/* One context, base 2x, seed 0 is √x with alpha ½, seed 1 gives 6x with ¼. */
static exec_world *open_narrow_with(uint32_t rows_max,
                                    kas_resource (*make_base)(exec_world *w, float scale, float shift))
{
    exec_world *w =
        exec_world_open(NULL, &(kas_exec_options){.contexts = 1, .runners = 2, .rows_max = rows_max});
    kas_published_layer layer = a_layer("a", 1, make_base(w, 2, 0));
    add_seed(&layer, 0, make_sqrt(w), 0.5f);
    add_seed(&layer, 1, make_affine(w, 6, 0), 0.25f);
    publish(w, &layer);
    return w;
}

static exec_world *open_narrow(uint32_t rows_max)
{
    return open_narrow_with(rows_max, make_product);
}

static kas_visit occupy(exec_world *w)
{
    kas_context_set *set = NULL;
    kas_visit visit;
    cr_assert(kas_visit_begin(w->exec, "a", &set, &visit));
    return visit;
}

static void *call(void *user)
{
    caller *self = user;
    self->status = probe_run(self->w, &self->p);
    return NULL;
}

static void await_waiters(exec_world *w, uint32_t count)
{
    while (atomic_load(&w->exec->batcher.waiting) != count)
        sched_yield();
}

/* Starts caller i, of 1 + i rows with its own alpha for seed 1 where `own`, and returns when it waits. */
static void start_waiting(exec_world *w, uint32_t i, const char *layer, bool own)
{
    caller *self = &callers[i];
    self->w = w;
    probe_init(&self->p, layer, 1 + i, i);
    self->given = (kas_alpha_override){.seed = 1, .alpha = (float)i / 8};
    self->p.request.alphas = own ? &self->given : NULL;
    self->p.request.alpha_count = own;
    uint32_t before = atomic_load(&w->exec->batcher.waiting);
    cr_assert_eq(pthread_create(&self->thread, NULL, call, self), 0);
    await_waiters(w, before + 1);
}

static void join_all(uint32_t count)
{
    for (uint32_t i = 0; i < count; ++i)
        pthread_join(callers[i].thread, NULL);
}

static void expect_as_alone(exec_world *w, caller *self)
{
    probe alone;
    cr_assert_null(self->status, "%s", kas_status_message(self->status));
    probe_init(&alone, "a", (uint32_t)self->p.request.input.shape[0], (uint64_t)(self - callers));
    alone.request.alphas = self->p.request.alphas;
    alone.request.alpha_count = self->p.request.alpha_count;
    probe_ok(w, &alone);
    cr_expect_eq(memcmp(alone.y, self->p.y, sizeof alone.y), 0, "caller %d", (int)(self - callers));
    cr_expect_eq(memcmp(alone.failed_rows, self->p.failed_rows, sizeof alone.failed_rows), 0);
    cr_expect_eq(alone.result.seeds_used, self->p.result.seeds_used);
    cr_expect_eq(alone.result.seeds_failed, self->p.result.seeds_failed);
    cr_expect_eq(alone.result.rows_failed, self->p.result.rows_failed);
}

Test(exec_batches, who_waited_for_one_layer_goes_together_and_sees_nothing_of_it, .timeout = 60)
{
    const int64_t begun_ns = kas_monotonic_ns();
    exec_world *w = open_narrow(64);
    kas_visit visit = occupy(w);
    for (uint32_t i = 0; i < CALLERS; ++i)
        start_waiting(w, i, "a", i % 2);
    kas_fault_arm(KAS_FAULT_SUBMISSION, 5,
                  KAS_OUT_OF_MEMORY); /* √x, 6x, judge, blend: a second batch would hit it */
    kas_visit_end(w->exec, &visit);
    join_all(CALLERS);
    cr_expect_not(kas_fault_fired(KAS_FAULT_SUBMISSION), "one batch for all");
    kas_fault_arm(KAS_FAULT_SUBMISSION, 0, KAS_OK);
    for (uint32_t i = 0; i < CALLERS; ++i)
        expect_as_alone(w, &callers[i]);
    kas_exec_stats stats;
    cr_assert(kas_exec_layer_stats(w->exec, 1, &stats));
    cr_expect_eq(stats.forward_calls, 2 * CALLERS, "each call counts, here and alone");
    cr_expect_eq(stats.rows, 2 * CALLERS * (CALLERS + 1) / 2);
    uint64_t queue_ns = 0;
    for (uint32_t i = 0; i < CALLERS; ++i)
        queue_ns += callers[i].p.result.queue_ns;
    cr_expect_gt(queue_ns, 0);
    cr_expect_eq(stats.queue_ns, queue_ns, "what was asked alone did not wait");
    cr_expect(stats.last_ns > begun_ns && stats.last_ns <= kas_monotonic_ns());
    exec_world_close(w);
}

Test(exec_batches, a_kernel_that_breaks_in_a_batch_fails_each_of_its_passes, .timeout = 60)
{
    exec_world *w = open_narrow_with(64, make_affine); /* goes step by step */
    kas_visit visit = occupy(w);
    for (uint32_t i = 0; i < 3; ++i)
        start_waiting(w, i, "a", false);
    kas_fault_arm(KAS_FAULT_WAIT, 2, KAS_DEADLINE); /* that of 6x */
    kas_visit_end(w->exec, &visit);
    join_all(3);
    for (uint32_t i = 0; i < 3; ++i) {
        cr_assert_null(callers[i].status);
        cr_expect(callers[i].p.result.seeds_failed & 2);
        cr_expect_eq(callers[i].p.result.rows_failed, 1 + i);
    }
    kas_pass_result results[8];
    size_t count = take_results(w, results, 8), late = 0;
    for (size_t i = 0; i < count; ++i)
        late += results[i].outcome == KAS_OUTCOME_DEADLINE;
    cr_expect_eq(late, 3);
    exec_world_close(w);
}

Test(exec_batches, what_is_refused_in_a_batch_is_refused_alone, .timeout = 60)
{
    exec_world *w = open_narrow(64);
    kas_visit visit = occupy(w);
    start_waiting(w, 0, "a", false);
    start_waiting(w, 1, "a", false);
    callers[1].p.request.input.shape[1] = 5;
    start_waiting(w, 2, "a", false);
    callers[2].p.request.input.shape[0] = callers[2].p.request.output.shape[0] = 0;
    start_waiting(w, 3, "nobody", false);
    start_waiting(w, 4, "a", false);
    kas_visit_end(w->exec, &visit);
    join_all(5);
    expect_failure(callers[1].status, KAS_INVALID_ARGUMENT, "[2, 5]");
    cr_assert_null(callers[2].status, "no rows");
    expect_failure(callers[3].status, KAS_NOT_FOUND, "no layer nobody");
    expect_as_alone(w, &callers[0]);
    expect_as_alone(w, &callers[4]);
    exec_world_close(w);
}

/* Who waits may have been answered from the new root before: no layer goes back for anybody. */
Test(exec_batches, nobody_joins_a_batch_whose_root_was_replaced, .timeout = 60)
{
    exec_world *w = open_narrow(64);
    kas_visit visit = occupy(w);
    kas_published_layer next = a_layer("a", 1, make_product(w, 4, 0));
    next.generation = 2;
    publish(w, &next);
    start_waiting(w, 0, "a", false);
    probe p;
    kas_waiter leader;
    ok(kas_waiter_init(&leader, &w->exec->batcher.monotonic));
    probe_init(&p, "a", 1, 1);
    leader.pass.request = &p.request;
    leader.pass.result = &p.result;
    kas_visit_lead(w->exec, &visit, &leader);
    ok(leader.pass.status);
    kas_waiter_finish(&leader);
    cr_expect_eq(p.result.generation, 1);
    cr_expect_eq(atomic_load(&w->exec->batcher.waiting), 1);
    kas_visit_end(w->exec, &visit);
    join_all(1);
    cr_expect_eq(callers[0].p.result.generation, 2);
    exec_world_close(w);
}

Test(exec_batches, passes_that_do_not_fit_go_in_the_next_batch, .timeout = 60)
{
    exec_world *w = open_narrow(8); /* 1 + 2 + 3, then 4, … */
    kas_visit visit = occupy(w);
    for (uint32_t i = 0; i < CALLERS; ++i)
        start_waiting(w, i, "a", true);
    kas_visit_end(w->exec, &visit);
    join_all(CALLERS);
    for (uint32_t i = 0; i < CALLERS; ++i)
        expect_as_alone(w, &callers[i]);
    exec_world_close(w);
}

Test(exec_batches, a_deadline_passes_while_all_contexts_are_busy, .timeout = 60)
{
    exec_world *w = open_narrow(8);
    kas_visit visit = occupy(w);
    probe p;
    probe_init(&p, "a", 1, 1);
    p.request.deadline_ns = kas_monotonic_ns() + 2 * KAS_NS_PER_MS;
    expect_failure(probe_run(w, &p), KAS_DEADLINE, "while all execution contexts were busy");
    cr_expect_eq(atomic_load(&w->exec->batcher.waiting), 0);
    kas_visit_end(w->exec, &visit);
    p.request.deadline_ns = 0;
    probe_ok(w, &p);
    exec_world_close(w);
}

Test(exec_batches, nothing_is_small_while_others_wait, .timeout = 60)
{
    exec_world *w = open_narrow(8);
    cr_expect(kas_exec_is_small(w->exec, "a", 1));
    kas_visit visit = occupy(w);
    start_waiting(w, 0, "a", false);
    cr_expect_not(kas_exec_is_small(w->exec, "a", 1));
    kas_visit_end(w->exec, &visit);
    join_all(1);
    exec_world_close(w);
}

/* ---- submitted passes ---- */

static atomic_uint ended, failed;

static void note_end(void *user, kas_status status)
{
    (void)user;
    if (status) atomic_fetch_add(&failed, 1);
    kas_status_free(status);
    atomic_fetch_add(&ended, 1);
}

Test(exec_batches, submitted_passes_join_callers, .timeout = 60)
{
    exec_world *w = open_narrow(64);
    kas_visit visit = occupy(w);
    static probe submitted[3];
    for (uint32_t i = 0; i < 3; ++i) {
        probe_init(&submitted[i], "a", 2, 10 + i);
        ok(kas_exec_submit(w->exec, &submitted[i].request, &submitted[i].result, note_end, NULL));
    }
    await_waiters(w, 2); /* two runners took one each; the third waits without a thread */
    kas_visit_end(w->exec, &visit);
    while (atomic_load(&ended) < 3)
        sched_yield();
    cr_expect_eq(failed, 0);
    for (uint32_t i = 0; i < 3; ++i) {
        probe alone;
        probe_init(&alone, "a", 2, 10 + i);
        probe_ok(w, &alone);
        expect_same_bits(&submitted[i], 0, &alone, 0);
        expect_same_bits(&submitted[i], 1, &alone, 1);
    }
    exec_world_close(w);
}

/* ---- the end ---- */

static void *close_exec(void *user)
{
    exec_world *w = user;
    kas_exec_destroy(w->exec);
    w->exec = NULL;
    return NULL;
}

Test(exec_batches, who_waits_when_the_executor_ends_is_turned_away, .timeout = 60)
{
    exec_world *w = open_narrow(64);
    kas_visit visit = occupy(w);
    start_waiting(w, 0, "a", false);
    start_waiting(w, 1, "a", false);
    static probe submitted[4];
    for (uint32_t i = 0; i < 4; ++i) {
        probe_init(&submitted[i], "a", 1, i);
        ok(kas_exec_submit(w->exec, &submitted[i].request, &submitted[i].result, note_end, NULL));
    }
    pthread_t closer;
    cr_assert_eq(pthread_create(&closer, NULL, close_exec, w), 0);
    join_all(2);
    expect_failure(callers[0].status, KAS_UNAVAILABLE, "the engine is stopping");
    expect_failure(callers[1].status, KAS_UNAVAILABLE, "the engine is stopping");
    while (atomic_load(&ended) < 4)
        sched_yield();
    cr_expect_eq(failed, 4);
    kas_visit_end(w->exec, &visit); /* the pass in flight ends, and only then does the executor */
    pthread_join(closer, NULL);
    exec_world_close(w);
}
