/* A device is lost for good. Replicas there are not served from any more, and layers that were there leave
 * it: for the device of a ready replica, which has almost all that they need, else for the refuge, which is
 * the host. Nothing is read from the lost device, so these are moves like any others. */
#include <stdio.h>
#include <string.h>

#include "engine/state/rules.h"

static const kas_move *ready_replica(const kas_layer *layer)
{
    for (uint32_t i = 0; i < layer->replica_count; ++i)
        if (layer->replicas[i]->ready) return layer->replicas[i];
    return NULL;
}

static kas_status leave(kas_state *state, kas_layer *layer, const kas_command *command)
{
    const kas_move *replica = ready_replica(layer);
    if (replica) return kas_move_flee(state, layer, replica->device, replica->device_kind);
    if (!command->lost.refuge[0]) return NULL;
    return kas_move_flee(state, layer, command->lost.refuge, command->lost.refuge_kind);
}

static kas_status raise_alarm(kas_state *state, const kas_command *command, uint32_t layers)
{
    kas_error_info error = {.type = KAS_ERROR_DEVICE_ERROR};
    const char *refuge = command->lost.refuge;
    snprintf(error.detail, sizeof error.detail, "%s is lost, with %u layers on it, which %s%s; %.110s",
             command->lost.device, layers,
             refuge[0] ? "go to a replica or to " : "stay there: there is no other", refuge,
             command->lost.reason);
    KAS_TRY(kas_emit_error(state, KAS_EFFECT_ERROR, NULL, KAS_NO_SEED, "", &error));
    return kas_emit_error(state, KAS_EFFECT_ALERT, NULL, KAS_NO_SEED, "", &error);
}

kas_status kas_device_lost(kas_state *state, const kas_command *command)
{
    uint32_t layers = 0;
    for (size_t i = 0; i < state->layers_in_order.count; ++i) {
        kas_layer *layer = state->layers_in_order.items[i].object;
        KAS_TRY(kas_replica_device_lost(state, layer, command->lost.device));
        if (strcmp(layer->device, command->lost.device) != 0) continue;
        KAS_TRY(leave(state, layer, command));
        ++layers;
    }
    return raise_alarm(state, command, layers);
}
