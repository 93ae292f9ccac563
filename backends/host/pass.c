#include "backends/host/pass.h"

#include "base/clock.h"

enum {
    LEAST_ROWS = 6,       /* of a thread: with fewer, tiles leave multipliers idle */
    RANGE_ROWS = 32,      /* that a range has where each thread can have several */
    CLOSE_NS = 20000,     /* from the end of a pass to the beginning of one that follows close upon it */
    RANGES_PER_THREAD = 4 /* at most; so that a late helper costs little */
};
/* Multiply-adds of a pass from which on meeting after a launch costs nothing, and reading its weights for
 * each range of rows does where they are more than a second-level cache holds. */
#define LARGE_WORK    64e6
#define LARGE_WEIGHTS 400e3 /* multiply-adds of one row */

/* ---- by ranges of rows ---- */

typedef struct stretch {
    const kas_host_step *steps;
    size_t count;
    uint32_t rows, range_rows;
} stretch;

static void run_ranges(const kas_host_task *task, size_t begin, size_t end)
{
    const stretch *s = task->args;
    for (size_t range = begin; range < end; ++range) {
        uint32_t row = (uint32_t)range * s->range_rows, left = s->rows - row;
        for (size_t i = 0; i < s->count; ++i) {
            kas_host_task own = s->steps[i].task;
            own.row = row;
            own.rows = left < s->range_rows ? left : s->range_rows;
            s->steps[i].plan(&own, 1);
            own.run(&own, 0, own.parts);
        }
    }
}

static uint32_t rows_of_range(uint32_t rows, unsigned threads)
{
    uint32_t each = rows / (threads * RANGE_ROWS);
    if (each > RANGES_PER_THREAD) each = RANGES_PER_THREAD;
    uint32_t ranges = each > 1 ? each * threads : threads;
    return (rows + ranges - 1) / ranges;
}

/* Whether a step begins a list that has its workspace where another one of the stretch has its own. */
static bool shares_workspace(const kas_host_step *steps, size_t at)
{
    const kas_host_step *step = &steps[at];
    if (!step->work || step->launch > 0) return false;
    for (size_t i = 0; i < at; ++i)
        if (steps[i].work == step->work && steps[i].list != step->list) return true;
    return false;
}

/* How many steps from the first on are worth being run together by ranges: 0 or more than 1. */
static size_t stretch_length(kas_host_step *steps, size_t count, unsigned threads, double *work)
{
    size_t length = 0;
    *work = 0.0;
    if (threads == 1 || steps->task.rows < threads * LEAST_ROWS) return 0;
    for (; length < count; ++length) {
        if (!steps[length].by_rows) break;          /* wait */
        if (shares_workspace(steps, length)) break; /* wait */
        kas_host_task *task = &steps[length].task;
        steps[length].plan(task, 1);
        if (*work + task->work >= LARGE_WORK && task->work >= task->rows * LARGE_WEIGHTS) break;
        *work += task->work;
    }
    return length > 1 ? length : 0;
}

/* ---- by submissions that are apart ---- */

static bool ends_submission(const kas_host_step *step)
{
    return step->launch + 1 == step->list->count;
}

typedef struct division {
    const kas_host_step *steps;
    size_t count, submissions, parts;
} division;

/* Part p is every submission from p · submissions / parts on, up to the next part's. */
static void run_submissions(const kas_host_task *task, size_t begin, size_t end)
{
    const division *d = task->args;
    size_t first = begin * d->submissions / d->parts, last = end * d->submissions / d->parts, submission = 0;
    for (const kas_host_step *step = d->steps; step < d->steps + d->count; ++step) {
        if (submission >= first && submission < last) {
            kas_host_task own = step->task;
            step->plan(&own, 1);
            own.run(&own, 0, own.parts);
        }
        submission += ends_submission(step);
    }
}

static division divide(kas_host_step *steps, size_t count, unsigned threads, double *work)
{
    division d = {.steps = steps};
    *work = 0.0;
    for (; threads > 1 && d.count < count; ++d.count) {
        if (!steps[d.count].apart) break; /* wait */
        steps[d.count].plan(&steps[d.count].task, 1);
        *work += steps[d.count].task.work;
        d.submissions += ends_submission(&steps[d.count]);
    }
    d.parts = d.submissions < threads ? d.submissions : threads;
    return d;
}

/* ---- accounts ---- */

/* When the oldest submission that has not completed began. */
typedef struct account {
    kas_progress *progress;
    int64_t since_ns;
} account;

/* What steps took together belongs to their submissions in proportion to their work. */
static void settle(account *a, const kas_host_step *steps, size_t count)
{
    int64_t now_ns = kas_monotonic_ns();
    double total = 0.0, share = 0.0, elapsed_ns = (double)(now_ns - a->since_ns);
    for (size_t i = 0; i < count; ++i)
        total += steps[i].task.work;
    for (size_t i = 0; i < count; ++i) {
        share += steps[i].task.work;
        if (!ends_submission(&steps[i])) continue;
        double ns = elapsed_ns * share / total;
        a->progress->elapsed_ns[a->progress->completed++] = ns < UINT32_MAX ? (uint32_t)ns : UINT32_MAX;
        share = 0.0;
    }
    a->since_ns = now_ns - (int64_t)(elapsed_ns * share / total);
}

/* ---- passes ---- */

static kas_status passed(const kas_host_step *step)
{
    return kas_fail(KAS_DEADLINE, KERNEL, "\"%s\": the deadline passed in launch %u of %zu",
                    step->list->label, step->launch + 1, step->list->count);
}

/* Each of the two makes one task of the next steps and says of how many; 0: it is not to be had or not worth
 * it. */
static size_t by_ranges(kas_host_step *steps, size_t count, unsigned threads, stretch *s,
                        kas_host_task *whole)
{
    *s = (stretch){.steps = steps, .rows = steps->task.rows};
    s->count = stretch_length(steps, count, threads, &whole->work);
    s->range_rows = rows_of_range(s->rows, threads);
    whole->run = run_ranges;
    whole->args = s;
    whole->parts = (s->rows + s->range_rows - 1) / s->range_rows;
    return s->count;
}

static size_t by_submissions(kas_host_step *steps, size_t count, unsigned threads, division *d,
                             kas_host_task *whole)
{
    *d = divide(steps, count, threads, &whole->work);
    whole->run = run_submissions;
    whole->args = d;
    whole->parts = d->parts;
    return d->submissions > 1 && whole->work < LARGE_WORK ? d->count : 0;
}

/* Runs the next steps and says how many; 0: the deadline has passed. */
static size_t advance(kas_host_pool *pool, kas_host_job *job, kas_host_step *steps, size_t count,
                      int64_t deadline_ns)
{
    unsigned threads = kas_host_pool_threads(pool);
    stretch s;
    division d;
    kas_host_task whole;
    size_t together = by_ranges(steps, count, threads, &s, &whole);
    if (together == 0) together = by_submissions(steps, count, threads, &d, &whole);
    if (together > 0) return kas_host_pool_run(pool, job, &whole, deadline_ns) ? together : 0;
    steps->plan(&steps->task, threads);
    return kas_host_pool_run(pool, job, &steps->task, deadline_ns) ? 1 : 0;
}

kas_status kas_host_pass_run(kas_host_pool *pool, kas_host_job *job, kas_host_step *steps, size_t count,
                             int64_t deadline_ns, kas_progress *progress)
{
    account a = {.progress = progress, .since_ns = kas_monotonic_ns()};
    job->follows = a.since_ns - job->ended_ns < CLOSE_NS;
    for (size_t unsettled = 0, at = 0; at < count;) {
        bool late = deadline_ns != KAS_NEVER && a.since_ns >= deadline_ns;
        size_t ran = late ? 0 : advance(pool, job, &steps[at], count - at, deadline_ns);
        if (ran == 0) return passed(&steps[at]);
        at += ran;
        if (ran == 1 && !ends_submission(&steps[at - 1])) continue;
        settle(&a, &steps[unsettled], at - unsettled);
        unsettled = at;
    }
    job->ended_ns = a.since_ns;
    return NULL;
}
