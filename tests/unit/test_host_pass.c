/* What the host must not run at the same time, or by ranges of rows, it runs one after the other and whole.
 */
#include <criterion/criterion.h>
#include <sched.h>

#include "backends/host/pass.h"
#include "base/clock.h"

enum { STEPS = 2, ROWS = 64 };

static kas_host_job job;
static atomic_uint began[STEPS], ended[STEPS]; /* times that a step was run */
static bool many_rows;                         /* a thread may come to the second step by itself */
static unsigned early;                         /* steps that began before the one before had ended */

/* A step that another one might overtake gives it the opportunity. */
static void run(const kas_host_task *task, size_t begin, size_t end)
{
    const uint32_t step = task->group_items;
    (void)begin;
    (void)end;
    if (step > 0 && atomic_load(&ended[step - 1]) == 0) ++early;
    atomic_fetch_add(&began[step], 1);
    while (step == 0 && !many_rows && atomic_load(&job.helpers) > 0 && atomic_load(&began[1]) == 0)
        sched_yield();
    atomic_fetch_add(&ended[step], 1);
}

static void plan_whole(kas_host_task *task, unsigned threads)
{
    (void)threads;
    task->run = run;
    task->parts = 1;
    task->work = 10e6;
}

/* Two submissions of a step each. */
static void pass(bool by_rows, bool apart, uint32_t rows, const void *work)
{
    static const kas_list lists[STEPS] = {{.count = 1}, {.count = 1}};
    kas_host_step steps[STEPS];
    kas_host_pool *pool;
    kas_progress progress = {0};
    many_rows = rows == ROWS;
    kas_status status = kas_host_pool_create(2, &pool);
    cr_assert_null(status, "%s", kas_status_message(status));
    for (uint32_t i = 0; i < STEPS; ++i)
        steps[i] = (kas_host_step){.task = {.rows = rows, .group_items = i},
                                   .plan = plan_whole,
                                   .list = &lists[i],
                                   .work = work,
                                   .by_rows = by_rows,
                                   .apart = apart};
    status = kas_host_pass_run(pool, &job, steps, STEPS, KAS_NEVER, &progress);
    cr_assert_null(status, "%s", kas_status_message(status));
    cr_expect_eq(progress.completed, (uint32_t)STEPS);
    kas_host_pool_destroy(pool);
}

Test(host_pass, submissions_run_one_after_the_other)
{
    pass(false, false, 2, NULL);
    cr_expect_eq(early, 0u);
    cr_expect_eq(atomic_load(&ended[1]), 1u);
}

Test(host_pass, submissions_that_are_apart_need_not)
{
    pass(false, true, 2, NULL);
    cr_expect_eq(atomic_load(&ended[0]) + atomic_load(&ended[1]), (unsigned)STEPS);
}

Test(host_pass, a_step_that_knows_no_ranges_runs_once)
{
    pass(false, false, ROWS, NULL);
    cr_expect_eq(atomic_load(&ended[0]), 1u);
    cr_expect_eq(atomic_load(&ended[1]), 1u);
}

Test(host_pass, other_steps_run_by_ranges_of_rows)
{
    pass(true, false, ROWS, NULL);
    cr_expect_gt(atomic_load(&ended[0]), 1u);
    cr_expect_eq(atomic_load(&ended[0]), atomic_load(&ended[1]));
}

Test(host_pass, lists_that_share_workspace_do_not_run_by_the_same_ranges)
{
    static const float work[1];
    pass(true, false, ROWS, work);
    cr_expect_eq(atomic_load(&ended[0]), 1u);
    cr_expect_eq(atomic_load(&ended[1]), 1u);
}
