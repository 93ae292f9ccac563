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
    if (!command->lost.refuge[0] || !strcmp(command->lost.refuge, layer->device)) return NULL;
    return kas_move_flee(state, layer, command->lost.refuge, command->lost.refuge_kind);
}

/* Whether the layer was there, or on its way there from another lost device. */
static kas_status lose(kas_state *state, kas_layer *layer, const kas_command *command, bool *leaves)
{
    const char *device = command->lost.device;
    *leaves = !strcmp(layer->device, device) ||
              (layer->move && layer->move->flees && !strcmp(layer->move->device, device));
    KAS_TRY(kas_replica_device_lost(state, layer, device));
    KAS_TRY(kas_move_device_lost(state, layer, device));
    return *leaves ? leave(state, layer, command) : NULL;
}

static kas_status raise_alarm(kas_state *state, const kas_command *command, uint32_t layers)
{
    kas_error_info error = {.type = KAS_ERROR_DEVICE_ERROR};
    const char *refuge = command->lost.refuge;
    const char *where = !layers ? "" : *refuge ? ", which go to a replica or to " : ", and no other to go to";
    snprintf(error.detail, sizeof error.detail, "%s is lost, with %u layers on it%s%s: %.110s",
             command->lost.device, layers, where, layers ? refuge : "", command->lost.reason);
    KAS_TRY(kas_emit_error(state, KAS_EFFECT_ERROR, NULL, KAS_NO_SEED, "", &error));
    return kas_emit_error(state, KAS_EFFECT_ALERT, NULL, KAS_NO_SEED, "", &error);
}

kas_status kas_device_lost(kas_state *state, const kas_command *command)
{
    uint32_t layers = 0;
    for (size_t i = 0; i < state->layers_in_order.count; ++i) {
        bool leaves;
        KAS_TRY(lose(state, state->layers_in_order.items[i].object, command, &leaves));
        layers += leaves;
    }
    KAS_TRY(kas_cache_device_lost(state, command->lost.device));
    return raise_alarm(state, command, layers);
}
