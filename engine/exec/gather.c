/* Forming batches of what waits for the same layer; see batcher.h. */
#include <string.h>

#include "base/clock.h"
#include "engine/exec/batcher.h"
#include "engine/exec/executor.h"
#include "engine/exec/forward.h"
#include "engine/exec/runners.h"

typedef struct gathering {
    const kas_sight *sight;
    uint64_t sequence; /* of the root that it is in */
    uint64_t rows, rows_max;
    int64_t now_ns;
    kas_waiter_list taken;
} gathering;

/* Whether the waiter goes along: it is refused, or it fits. */
static bool goes_along(gathering *found, kas_waiter *waiter)
{
    kas_pass *pass = &waiter->pass;
    const kas_plan *plan = found->sight->plan;
    if (pass->after >= found->sequence || strcmp(pass->request->layer, plan->name) != 0) return false;
    pass->started_ns = found->now_ns;
    pass->status = kas_pass_admit(pass, found->sight);
    if (pass->status) return true;
    if (pass->rows > found->rows_max - found->rows) {
        pass->started_ns = 0;
        return false;
    }
    found->rows += pass->rows;
    return true;
}

static uint32_t gather_from(gathering *found, kas_waiter_list *list)
{
    uint32_t count = 0;
    kas_waiter *before = NULL;
    for (kas_waiter *waiter = list->first; waiter && found->rows < found->rows_max;) {
        kas_waiter *next = waiter->next;
        if (goes_along(found, waiter)) {
            kas_waiters_append(&found->taken, kas_waiters_take_after(list, before));
            ++count;
        } else {
            before = waiter;
        }
        waiter = next;
    }
    return count;
}

/* Who waits may have been answered from a newer root before: nobody joins a batch whose root was replaced. */
static bool is_present(kas_exec *exec, const kas_visit *visit)
{
    return atomic_load(&exec->publication.sequence) == visit->context->found_in;
}

/* Rows of a batch: what contributes to those who wait is not known yet, so all that may. */
static uint32_t rows_together(const kas_plan *plan)
{
    uint64_t seeds = plan->dormant ? 0 : (plan->seed_count < 64 ? (1ull << plan->seed_count) - 1 : ~0ull);
    return kas_plan_rows_of_a_piece(plan, seeds, plan->layout.staged_rows);
}

kas_waiter *kas_batcher_gather(kas_exec *exec, const kas_visit *visit, uint64_t rows)
{
    kas_batcher *batcher = &exec->batcher;
    const kas_sight *sight = &visit->sight;
    gathering found = {.sight = sight,
                       .sequence = visit->context->found_in,
                       .rows = rows,
                       .rows_max = rows_together(sight->plan),
                       .now_ns = kas_monotonic_ns()};
    if (rows >= found.rows_max) return NULL;
    pthread_mutex_lock(&batcher->lock);
    if (is_present(exec, visit)) {
        uint32_t callers = gather_from(&found, &batcher->callers);
        atomic_fetch_sub(&batcher->waiting, callers);
        (void)gather_from(&found, &batcher->submitted);
    }
    pthread_mutex_unlock(&batcher->lock);
    return found.taken.first;
}

static bool submit_again(kas_batcher *batcher, kas_waiter *waiter)
{
    if (!kas_waiter_goes_again(waiter)) return false;
    if (kas_runners_put(batcher, waiter)) return true;
    waiter->pass.status =
        kas_fail(KAS_UNAVAILABLE, ENGINE, "layer %s: the engine is stopping", waiter->pass.request->layer);
    return false;
}

void kas_batcher_complete(kas_exec *exec, kas_waiter *gathered)
{
    kas_batcher *batcher = &exec->batcher;
    while (gathered) {
        kas_waiter *waiter = gathered;
        gathered = waiter->next; /* before it ends: it is its owner's then */
        if (!waiter->has_thread) {
            if (!submit_again(batcher, waiter)) kas_waiter_end_submitted(waiter);
            continue;
        }
        pthread_mutex_lock(&batcher->lock);
        waiter->done = true;
        pthread_cond_signal(&waiter->wake);
        pthread_mutex_unlock(&batcher->lock);
    }
}
