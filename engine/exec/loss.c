/* Devices that hang or are lost: where their passes go; see loss.h. */
#include "engine/exec/loss.h"

#include "base/clock.h"
#include "base/log.h"
#include "engine/exec/executor.h"

static void tell(const kas_exec *exec)
{
    if (exec->options.trouble) exec->options.trouble(exec->options.user);
}

void kas_exec_abandon(kas_exec *exec, kas_context *context)
{
    if (!kas_device_is_lost(context->set->device))
        kas_warning(
            "pass", "%s has not come back from a pass within %lld ms: it is avoided until it has, or is lost",
            kas_device_id(context->set->device), (long long)(exec->options.deadline_ns / KAS_NS_PER_MS));
    kas_context_abandon(context);
    tell(exec);
}

void kas_exec_note_lost(kas_exec *exec, kas_context_set *set)
{
    int64_t never = 0;
    if (!atomic_compare_exchange_strong(&set->lost_ns, &never, kas_monotonic_ns())) return;
    atomic_store(&set->lost, true);
    tell(exec);
}

int64_t kas_exec_hold_until(const kas_exec *exec, const kas_context_set *set)
{
    int64_t lost_ns = atomic_load(&set->lost_ns);
    return exec->options.trouble ? lost_ns + exec->options.deadline_ns : lost_ns;
}

/* ---- passes ---- */

static void send(kas_exec *exec, const kas_plan *plan, kas_pass *pass)
{
    kas_status_free(pass->status);
    pass->status = NULL;
    pass->again = true;
    atomic_fetch_sub_explicit(&plan->record->failed_calls, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&exec->failed_calls, 1, memory_order_relaxed);
}

/* The layer has no device left: the pass waits for a root in which it has one. */
static bool is_held(const kas_exec *exec, const kas_plan *plan, uint64_t sequence, kas_pass *pass)
{
    int64_t until_ns = kas_exec_hold_until(exec, plan->set);
    if (kas_monotonic_ns() >= until_ns) return false;
    pass->after = sequence;
    pass->hold_until_ns = until_ns;
    return true;
}

bool kas_exec_sends_elsewhere(kas_exec *exec, const kas_plan *plan, uint64_t sequence, kas_pass *pass)
{
    kas_code code = kas_status_code(pass->status);
    bool sends = false;
    pass->after = 0;
    pass->hold_until_ns = 0;
    if (code == KAS_DEVICE_LOST) {
        kas_exec_note_lost(exec, plan->set);
        sends = kas_plan_has_device(plan->holder) || is_held(exec, plan, sequence, pass);
    } else if (code == KAS_DEADLINE && kas_status_blame(pass->status) == KAS_BLAME_DEVICE &&
               atomic_load(&plan->set->hanging) > 0) {
        sends = kas_plan_has_sound_device(plan->holder);
    }
    if (sends) send(exec, plan, pass);
    return sends;
}

/* ---- on the control thread ---- */

bool kas_exec_look_after(kas_exec *exec)
{
    bool hanging = false;
    uint32_t sets = atomic_load(&exec->set_count);
    for (uint32_t s = 0; s < sets; ++s) {
        kas_context_set *set = atomic_load(&exec->sets[s]);
        for (uint32_t i = 0; i < set->count; ++i)
            hanging |= kas_context_revive(&set->contexts[i]);
        if (kas_device_is_lost(set->device)) kas_exec_note_lost(exec, set);
    }
    kas_batcher_offer(exec); /* what has come back may be waited for; what is lost, not any more */
    return hanging;
}

void kas_exec_give_up(kas_exec *exec)
{
    for (uint32_t s = 0; s < atomic_load(&exec->set_count); ++s) {
        kas_context_set *set = atomic_load(&exec->sets[s]);
        for (uint32_t i = 0; i < set->count; ++i)
            kas_context_give_up(&set->contexts[i]);
    }
}
