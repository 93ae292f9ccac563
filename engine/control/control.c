/* The control thread: messages become commands, commands become effects, effects are carried out, and what is
 * due by the clock is done. All of it is kas_control_step, which a simulation calls in place of the thread.
 */
#include "base/log.h"
#include "engine/control/engine.h"

/* ---- applying ---- */

/* What passes have done to ramps is told first: a ramp that the command begins is not to count passes from
 * before. */
kas_status kas_control_apply(kas_engine *engine, kas_command *command)
{
    KAS_TRY(kas_results_tell_ramps(engine));
    return kas_control_apply_alone(engine, command);
}

kas_status kas_control_apply_alone(kas_engine *engine, kas_command *command)
{
    command->now_ns = kas_engine_now(engine);
    command->wall_ns = kas_engine_wall(engine);
    pthread_rwlock_wrlock(&engine->state_lock);
    kas_status status = kas_state_apply(engine->state, command, &engine->control.effects);
    pthread_rwlock_unlock(&engine->state_lock);
    return status;
}

bool kas_control_applied(kas_engine *engine, kas_command *command)
{
    kas_status status = kas_control_apply(engine, command);
    if (!status) return true;
    bool again = kas_status_code(status) == KAS_OUT_OF_MEMORY;
    if (!again) kas_error("control", "command %d: %s", (int)command->kind, kas_status_message(status));
    kas_status_free(status);
    return !again;
}

/* ---- tasks ---- */

void kas_control_start(kas_engine *engine, kas_task *task)
{
    ++engine->control.tasks;
    engine->env.post(engine->env.self, task);
}

void kas_control_ended(kas_engine *engine)
{
    --engine->control.tasks;
}

/* ---- stepping ---- */

static void take_messages(kas_engine *engine)
{
    kas_message **end = &engine->control.inbox;
    while (*end)
        end = &(*end)->next;
    *end = kas_mailbox_take(&engine->mailbox);
}

/* False: memory is out; what is left stays in the inbox. */
static bool handle_messages(kas_engine *engine)
{
    while (engine->control.inbox) {
        kas_message *message = engine->control.inbox;
        engine->control.inbox = message->next;
        if (!message->handle(message)) {
            message->next = engine->control.inbox;
            engine->control.inbox = message;
            return false;
        }
        if (!kas_control_carry(engine)) return false;
    }
    return true;
}

static bool tick(kas_engine *engine, int64_t now_ns)
{
    if (kas_state_next_wakeup(engine->state) > now_ns) return true;
    kas_command command = {.kind = KAS_COMMAND_TICK};
    return kas_control_applied(engine, &command) && kas_control_carry(engine);
}

/* What passes have put away is freed; what they still use is looked at again a little later. */
static void reclaim(kas_engine *engine, int64_t now_ns)
{
    if (engine->control.reclaim_due_ns > now_ns) return;
    bool waiting = kas_exec_reclaim(engine->exec);
    waiting |= kas_devices_reap(&engine->devices);
    engine->control.reclaim_due_ns = waiting ? now_ns + KAS_RECLAIM_NS : KAS_NEVER;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool work(kas_engine *engine, int64_t now_ns)
{
    if (!kas_control_carry(engine)) return false; /* what was left when memory was out */
    take_messages(engine);
    return handle_messages(engine) && kas_results_apply(engine, now_ns) && tick(engine, now_ns) &&
           kas_publish_again(engine);
}

static void cancel_everything(kas_engine *engine)
{
    kas_make_cancel_all(engine);
    kas_watch_cancel_all(engine);
}

int64_t kas_control_step(kas_engine *engine)
{
    int64_t now_ns = kas_engine_now(engine);
    bool done = work(engine, now_ns);
    kas_make_sweep(engine);
    if (atomic_exchange(&engine->trouble, false)) engine->control.reclaim_due_ns = now_ns;
    reclaim(engine, now_ns);
    kas_loss_look(engine);
    if (atomic_load(&engine->stopping)) cancel_everything(engine);
    int64_t next_ns = kas_watch_expire(engine, now_ns);
    kas_events_tell(&engine->events);
    next_ns = earlier(next_ns, earlier(engine->control.reclaim_due_ns, kas_results_due(engine)));
    if (!done || engine->control.unpublished_count) next_ns = earlier(next_ns, now_ns + KAS_RETRY_NS);
    return earlier(next_ns, kas_state_next_wakeup(engine->state));
}

bool kas_control_finished(kas_engine *engine)
{
    const kas_control *control = &engine->control;
    return atomic_load(&engine->stopping) && control->tasks == 0 && !control->inbox &&
           control->carried == control->effects.count && atomic_load(&engine->calls) == 0;
}

void *kas_control_run(void *user)
{
    kas_engine *engine = user;
    pthread_setname_np(pthread_self(), "kas-control");
    for (;;) {
        int64_t next_ns = kas_control_step(engine);
        if (kas_control_finished(engine)) break;
        kas_mailbox_wait(&engine->mailbox, next_ns);
    }
    return NULL;
}
