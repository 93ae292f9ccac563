/* What passes report, on its way to the state: at once when nothing was reported for a while, then at most a
 * hundred times a second. Also ramps by passes, and kernels that no pass uses any more. */
#include "base/log.h"
#include "engine/control/engine.h"

/* ---- from any thread ---- */

void kas_results_wait(void *user)
{
    kas_engine *engine = user;
    atomic_store(&engine->results_waiting, true);
    if (!atomic_load(&engine->results_armed)) kas_mailbox_wake(&engine->mailbox);
}

static bool handle_drained(kas_message *message)
{
    kas_held *held = (kas_held *)((char *)message - offsetof(kas_held, drained));
    kas_engine *engine = held->owner;
    kas_command command = {.kind = KAS_COMMAND_KERNEL_DRAINED, .drained = {.kernel = held->number}};
    if (!atomic_load(&engine->stopping) && !kas_control_applied(engine, &command)) return false;
    kas_held_table_end_drained(&engine->held, held);
    return true;
}

void kas_results_drained(void *user, kas_resource kernel)
{
    kas_engine *engine = user;
    kas_held *held = kas_held_table_begin_drained(&engine->held, kernel);
    if (!held) return;
    held->drained.handle = handle_drained;
    kas_mailbox_post(&engine->mailbox, &held->drained);
}

/* ---- on the control thread ---- */

static bool apply_results(kas_engine *engine)
{
    kas_control *control = &engine->control;
    if (!control->result_count) return true;
    kas_command command = {
        .kind = KAS_COMMAND_PASS_RESULTS,
        .passes = {.results = control->results, .count = control->result_count},
    };
    if (!kas_control_applied(engine, &command)) return false;
    control->result_count = 0;
    return kas_control_carry(engine);
}

static bool take_results(kas_engine *engine)
{
    kas_control *control = &engine->control;
    do {
        if (!apply_results(engine)) return false;
        control->result_count = kas_exec_take_results(engine->exec, control->results, KAS_RESULTS_BATCH);
    } while (control->result_count == KAS_RESULTS_BATCH);
    return apply_results(engine);
}

/* A view that ended a ramp is published before more is taken: steps are counted from a publication. */
static kas_status apply_ramps(kas_engine *engine)
{
    kas_control *control = &engine->control;
    for (; control->ramp_count; --control->ramp_count) {
        const kas_ramp_progress *ramp = &control->ramps[control->ramp_count - 1];
        kas_command command = {
            .kind = KAS_COMMAND_RAMP_STEPS,
            .ramp_steps = {.layer_uid = ramp->layer_uid, .steps = ramp->steps},
        };
        KAS_TRY(kas_control_apply_alone(engine, &command));
    }
    return kas_control_carry(engine) ? NULL : kas_out_of_memory();
}

kas_status kas_results_tell_ramps(kas_engine *engine)
{
    kas_control *control = &engine->control;
    size_t taken;
    if (atomic_load(&engine->stopping)) return NULL; /* nothing is published any more */
    do {
        KAS_TRY(apply_ramps(engine));
        taken = control->ramp_count =
            kas_exec_take_ramp_progress(engine->exec, control->ramps, KAS_RAMPS_BATCH);
    } while (taken == KAS_RAMPS_BATCH);
    return apply_ramps(engine);
}

static bool take_ramps(kas_engine *engine)
{
    kas_status status = kas_results_tell_ramps(engine);
    bool again = kas_status_code(status) == KAS_OUT_OF_MEMORY;
    if (status && !again) kas_error("control", "ramps: %s", kas_status_message(status));
    kas_status_free(status);
    return !again;
}

bool kas_results_apply(kas_engine *engine, int64_t now_ns)
{
    kas_control *control = &engine->control;
    bool armed = atomic_load(&engine->results_armed);
    if (armed && now_ns < control->results_due_ns) return true;
    if (armed)
        atomic_store(&engine->results_armed, false); /* before the look: a report from now on wakes us */
    if (!atomic_load(&engine->results_waiting)) return true;
    atomic_store(&engine->results_armed, true);
    atomic_store(&engine->results_waiting, false);
    control->results_due_ns = now_ns + KAS_RESULTS_NS;
    if (take_results(engine) && take_ramps(engine)) return true;
    atomic_store(&engine->results_waiting, true);
    return false;
}

int64_t kas_results_due(kas_engine *engine)
{
    if (atomic_load(&engine->results_armed)) return engine->control.results_due_ns;
    return atomic_load(&engine->results_waiting) ? 0 : KAS_NEVER;
}
