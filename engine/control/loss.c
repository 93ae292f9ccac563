/* Lost devices: whoever finds out wakes the control thread, which tells the state of each once, with the
 * device that its layers can go to: the host's, which a task opens where nobody has used it yet. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "engine/control/engine.h"

static const char refuge_id[] = "host:0";

void kas_loss_trouble(void *user)
{
    kas_engine *engine = user;
    atomic_store(&engine->trouble, true);
    kas_mailbox_wake(&engine->mailbox);
}

static void run_find_refuge(kas_task *task)
{
    kas_loss *loss = (kas_loss *)((char *)task - offsetof(kas_loss, task));
    kas_status status = kas_devices_open(&loss->engine->devices, refuge_id, &loss->refuge);
    if (status) {
        kas_error("device", "layers of lost devices have nowhere to go: %s", kas_status_message(status));
        loss->refuge = NULL;
    } else if (kas_device_is_lost(loss->refuge)) {
        loss->refuge = NULL;
    }
    kas_status_free(status);
    kas_mailbox_post(&loss->engine->mailbox, &loss->answered);
}

static kas_command command_of(const kas_loss *loss)
{
    kas_command command = {.kind = KAS_COMMAND_DEVICE_LOST};
    const char *reason = kas_device_lost_reason(loss->device);
    snprintf(command.lost.device, sizeof command.lost.device, "%s", kas_device_id(loss->device));
    snprintf(command.lost.reason, sizeof command.lost.reason, "%s", reason);
    if (!loss->refuge) return command;
    snprintf(command.lost.refuge, sizeof command.lost.refuge, "%s", kas_device_id(loss->refuge));
    command.lost.refuge_kind = kas_device_kind_bit(loss->refuge);
    return command;
}

static bool handle_found(kas_message *message)
{
    kas_loss *loss = (kas_loss *)((char *)message - offsetof(kas_loss, answered));
    kas_engine *engine = loss->engine;
    kas_command command = command_of(loss);
    if (!atomic_load(&engine->stopping) && !kas_control_applied(engine, &command)) return false;
    kas_control_ended(engine);
    kas_devices_set_told(&engine->devices, loss->device);
    loss->device = NULL;
    return true;
}

void kas_loss_look(kas_engine *engine)
{
    kas_loss *loss = &engine->control.loss;
    if (loss->device || atomic_load(&engine->stopping)) return;
    loss->device = kas_devices_find_lost(&engine->devices);
    if (!loss->device) return;
    loss->engine = engine;
    loss->answered.handle = handle_found;
    loss->task.run = run_find_refuge;
    kas_control_start(engine, &loss->task);
}
