/* Passes of one caller that are run together: as a batch that nobody had to wait for. */
#include <string.h>

#include "base/clock.h"
#include "engine/exec/executor.h"
#include "engine/exec/forward.h"

enum { GROUP_MAX = 32 };

typedef struct group {
    kas_forward_call *calls;
    uint64_t left; /* bit i: call i has not ended */
    kas_pass passes[GROUP_MAX];
} group;

static void end_alone(kas_exec *exec, group *all, size_t i)
{
    kas_forward_call *call = &all->calls[i];
    call->status = kas_exec_forward(exec, call->request, call->result);
    all->left &= ~(1ull << i);
}

static void begin(kas_exec *exec, group *all, kas_forward_call *calls, size_t count)
{
    const int64_t now_ns = kas_monotonic_ns();
    all->calls = calls;
    all->left = (1ull << count) - 1;
    for (size_t i = 0; i < count; ++i) {
        const kas_forward_request *request = calls[i].request;
        kas_pass *pass = &all->passes[i];
        pass->request = request;
        pass->result = calls[i].result;
        pass->arrived_ns = now_ns;
        pass->again = false;
        if (request->size < sizeof *request || !request->layer) end_alone(exec, all, i); /* refused */
    }
}

/* Whether the pass is one of the visit's batch, which has `*rows` rows without it. One that is refused, or
 * has no rows, has ended instead. */
static bool joins(kas_exec *exec, const kas_visit *visit, group *all, size_t i, uint64_t *rows)
{
    kas_pass *pass = &all->passes[i];
    pass->started_ns = kas_monotonic_ns();
    if (!kas_visit_admit(exec, visit, pass)) {
        all->calls[i].status = pass->status;
        all->left &= ~(1ull << i);
        return false;
    }
    const kas_plan *plan = visit->sight.plan;
    if (*rows > 0 && *rows + pass->rows > plan->layout.staged_rows) return false;
    *rows += pass->rows;
    kas_pass_begin(pass, plan);
    return true;
}

/* Computes in one batch what is left of a layer and fits. */
static void run_layer(kas_exec *exec, kas_visit *visit, group *all, const char *layer)
{
    kas_pass *first = NULL, **link = &first;
    uint64_t rows = 0;
    for (uint64_t rest = all->left; rest; rest &= rest - 1) {
        size_t i = (size_t)__builtin_ctzll(rest);
        kas_pass *pass = &all->passes[i];
        if (strcmp(pass->request->layer, layer) != 0 || !joins(exec, visit, all, i, &rows)) continue;
        *link = pass;
        link = &pass->next;
    }
    *link = NULL;
    if (first) kas_visit_run(exec, visit, first);
    for (kas_pass *pass = first; pass; pass = pass->next) {
        size_t i = (size_t)(pass - all->passes);
        all->calls[i].status = pass->status;
        if (!pass->again) all->left &= ~(1ull << i);
    }
}

static void run_group(kas_exec *exec, group *all)
{
    while (all->left) {
        size_t i = (size_t)__builtin_ctzll(all->left);
        const kas_pass *pass = &all->passes[i];
        const char *layer = pass->request->layer;
        kas_context_set *set = NULL;
        kas_visit visit;
        if (pass->again || kas_batcher_is_waited(exec) || !kas_visit_begin(exec, layer, &set, &visit)) {
            end_alone(exec, all, i);
            continue;
        }
        run_layer(exec, &visit, all, layer);
        kas_visit_end(exec, &visit);
    }
}

void kas_exec_forward_together(kas_exec *exec, kas_forward_call *calls, size_t count)
{
    group some;
    while (count > 0) {
        size_t taken = count < GROUP_MAX ? count : GROUP_MAX;
        begin(exec, &some, calls, taken);
        run_group(exec, &some);
        calls += taken;
        count -= taken;
    }
}
