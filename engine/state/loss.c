/* A device is lost for good. Replicas there are not served from any more, and layers that were there leave
 * it: for the device of a ready replica, which has almost all that they need, else for the refuge, which is
 * the host. Nothing is read from the lost device, so these are moves like any others. */
#include <stdio.h>
#include <string.h>

#include "engine/state/rules.h"

static kas_status leave(kas_state *state, kas_layer *layer, const kas_command *command)
{
    const char *refuge = strcmp(command->lost.refuge, layer->device) != 0 ? command->lost.refuge : "";
    KAS_TRY(kas_flight_to(state, layer, refuge, command->lost.refuge_kind));
    return kas_flight_try(state, layer);
}

/* From another device, which is lost, too. */
static bool flees_to(const kas_layer *layer, const char *device)
{
    if (kas_list_linked(&layer->flight.waiting)) return !strcmp(layer->flight.device, device);
    return layer->move && layer->move->flees && !strcmp(layer->move->device, device);
}

static kas_status lose(kas_state *state, kas_layer *layer, const kas_command *command, bool *leaves)
{
    const char *device = command->lost.device;
    *leaves = !strcmp(layer->device, device) || flees_to(layer, device);
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
