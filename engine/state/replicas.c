/* Replicas: a layer on several devices at once.
 *
 * There is one set of host state arrays, and one view: a publication has the layer's plan on its own device
 * and on each that has a replica which lacks nothing, all of the same generation. What a replica lacks is
 * made as for a move (move.c), in the background, whenever the view changes; until it is there the layer
 * serves without it, so that no change waits for a replica, or fails with one. A replica that lacks nothing
 * gets the kernels of staged loads as well, so that their epoch finds it ready; what of them it cannot get it
 * does without, until then. */
#include <stdio.h>
#include <string.h>

#include "engine/state/rules.h"

static kas_move *find(const kas_layer *layer, const char *device)
{
    for (uint32_t i = 0; i < layer->replica_count; ++i)
        if (!strcmp(layer->replicas[i]->device, device)) return layer->replicas[i];
    return NULL;
}

const kas_move *kas_replica_ready(const kas_layer *layer)
{
    for (uint32_t i = 0; i < layer->replica_count; ++i)
        if (layer->replicas[i]->ready) return layer->replicas[i];
    return NULL;
}

/* ---- the end ---- */

static void take_out(kas_layer *layer, const kas_move *replica)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < layer->replica_count; ++i)
        if (layer->replicas[i] != replica) layer->replicas[kept++] = layer->replicas[i];
    layer->replica_count = kept;
}

/* It is out of its layer's view and has nothing any more; what is being made for it ends. */
static kas_status withdraw(kas_state *state, kas_move *replica, kas_operation_state how,
                           const kas_failure *failure)
{
    kas_layer *layer = replica->layer;
    KAS_TRY(kas_layer_mark(state, layer, replica->ready ? KAS_MARK_VIEW : KAS_MARK_ARRAYS));
    KAS_TRY(kas_publish_hide_replica(state, replica));
    KAS_TRY(kas_move_let_go(state, replica));
    if (replica->operation) KAS_TRY(kas_move_end_operation(state, replica, how, failure));
    ++layer->revision;
    return kas_emit_plain(state, KAS_EFFECT_LAYER_UPDATE, layer);
}

kas_status kas_replica_drop(kas_state *state, kas_move *replica, kas_operation_state how,
                            const kas_failure *failure)
{
    KAS_TRY(withdraw(state, replica, how, failure));
    take_out(replica->layer, replica);
    return kas_undo_drop(&state->undo, replica);
}

static kas_status cancel(kas_state *state, kas_move *replica, const char *why)
{
    kas_failure failure = {.code = KAS_CANCELLED, .type = KAS_ERROR_KERNEL_LOADING, .reason = ""};
    snprintf(failure.detail, sizeof failure.detail, "the replica of layer %s on %s has ended: %s",
             replica->layer->name, replica->device, why);
    return kas_replica_drop(state, replica, KAS_OPERATION_CANCELLED, &failure);
}

kas_status kas_replica_make_way(kas_state *state, kas_layer *layer, const char *device)
{
    kas_move *replica = find(layer, device);
    return replica ? cancel(state, replica, "the layer itself is there now") : NULL;
}

kas_status kas_replicas_drop_all(kas_state *state, kas_layer *layer)
{
    while (layer->replica_count)
        KAS_TRY(cancel(state, layer->replicas[0], "its layer was removed"));
    return NULL;
}

/* ---- loss ---- */

kas_status kas_replica_lose(kas_state *state, kas_move *replica, const kas_failure *failure)
{
    if (!replica->joined) return kas_replica_drop(state, replica, KAS_OPERATION_FAILED, failure);
    KAS_TRY(kas_move_edit(state, replica));
    KAS_TRY(withdraw(state, replica, KAS_OPERATION_FAILED, failure));
    replica->weights.of = replica->weights.copy = 0;
    replica->tried = replica->ahead = replica->ready = false;
    replica->lost = true;
    return NULL;
}

kas_status kas_replica_device_lost(kas_state *state, kas_layer *layer, const char *device)
{
    kas_move *replica = find(layer, device);
    if (!replica || replica->lost) return NULL;
    kas_failure failure = {.code = KAS_DEVICE_LOST, .type = KAS_ERROR_DEVICE_ERROR, .reason = ""};
    snprintf(failure.detail, sizeof failure.detail, "layer %s has no replica on %s: the device is lost",
             layer->name, device);
    return kas_replica_lose(state, replica, &failure);
}

/* ---- what is missing ---- */

kas_status kas_replica_arrive(kas_state *state, kas_move *replica)
{
    replica->ready = replica->joined = true;
    KAS_TRY(kas_layer_mark(state, replica->layer, KAS_MARK_VIEW));
    KAS_TRY(kas_move_end_operation(state, replica, KAS_OPERATION_SUCCEEDED, NULL));
    return kas_emit_plain(state, KAS_EFFECT_LAYER_UPDATE, replica->layer);
}

/* Lets go of what it need not have any more, and takes what is there; then makes what it lacks: first of what
 * its layer has, without which it is out of the view, then of what is staged for the layer. */
static kas_status look_again(kas_state *state, kas_move *replica)
{
    uint32_t missing;
    if (replica->lost || (replica->operation && !replica->ready)) return NULL;
    if (kas_move_has_all(replica) && kas_replica_is_prepared(replica)) return NULL;
    KAS_TRY(kas_move_edit(state, replica));
    KAS_TRY(kas_move_hold(state, replica, &missing));
    if (!kas_move_has_all(replica)) {
        replica->ready = false;
        replica->stale = true;
        KAS_TRY(kas_layer_mark(state, replica->layer, KAS_MARK_VIEW));
    }
    if (replica->operation || (replica->ready && kas_replica_is_prepared(replica))) return NULL;
    return kas_move_begin(state, replica, KAS_OPERATION_REPLICATE);
}

kas_status kas_replica_give_up(kas_state *state, kas_move *replica, const kas_failure *failure)
{
    KAS_TRY(kas_move_edit(state, replica));
    replica->gave_up = true;
    return kas_move_end_operation(state, replica, KAS_OPERATION_FAILED, failure);
}

kas_status kas_replicas_prepare(kas_state *state, kas_layer *layer)
{
    for (uint32_t i = 0; i < layer->replica_count; ++i) {
        KAS_TRY(kas_move_edit(state, layer->replicas[i]));
        layer->replicas[i]->gave_up = false;
    }
    return layer->replica_count ? kas_layer_mark(state, layer, KAS_MARK_ARRAYS) : NULL;
}

kas_status kas_replicas_settle(kas_state *state, kas_layer *layer)
{
    for (uint32_t i = layer->replica_count; i-- > 0;) /* one that fails is taken out */
        KAS_TRY(look_again(state, layer->replicas[i]));
    return NULL;
}

kas_status kas_replicas_keep_weights(kas_state *state, kas_layer *layer, kas_resource weights)
{
    for (uint32_t i = 0; i < layer->replica_count; ++i) {
        kas_move *replica = layer->replicas[i];
        if (!replica->weights.copy || replica->weights.of != layer->weights) continue;
        KAS_TRY(kas_move_edit(state, replica));
        replica->weights.of = weights;
    }
    return NULL;
}

/* ---- the request ---- */

static kas_status check(const kas_layer *layer, const kas_replica_list *list)
{
    if (list->count > KAS_REPLICAS_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "layer %s: at most %d replicas, not %u", layer->name,
                        KAS_REPLICAS_MAX, list->count);
    for (uint32_t i = 0; i < list->count; ++i) {
        const char *device = list->devices[i];
        if (!device[0] || !strcmp(device, layer->device))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                            "layer %s is on %s itself: replicas are on other devices", layer->name,
                            layer->device);
        for (uint32_t j = 0; j < i; ++j)
            if (!strcmp(device, list->devices[j]))
                return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                                "layer %s: %s is named twice among its replicas", layer->name, device);
    }
    return NULL;
}

static bool is_named(const kas_replica_list *list, const char *device)
{
    for (uint32_t i = 0; i < list->count; ++i)
        if (!strcmp(list->devices[i], device)) return true;
    return false;
}

static kas_status add(kas_state *state, kas_layer *layer, const char *device, uint32_t device_kind)
{
    kas_move *replica;
    KAS_TRY(kas_move_create(state, layer, device, device_kind, &replica));
    replica->stays = true;
    KAS_TRY(kas_layer_edit(state, layer));
    layer->replicas[layer->replica_count++] = replica;
    ++layer->revision;
    state->pending.reply.operation = state->now.last_operation + 1;
    return kas_move_begin(state, replica, KAS_OPERATION_REPLICATE);
}

kas_status kas_replicas_add(kas_state *state, kas_layer *layer, const kas_replica_list *list)
{
    KAS_TRY(check(layer, list));
    for (uint32_t i = 0; i < list->count; ++i) {
        const kas_move *present = find(layer, list->devices[i]);
        if (!present)
            KAS_TRY(add(state, layer, list->devices[i], list->device_kinds[i]));
        else if (present->operation)
            state->pending.reply.operation = present->operation->info.id;
    }
    return NULL;
}

kas_status kas_set_replicas(kas_state *state, const kas_command *command)
{
    kas_layer *layer;
    const kas_replica_list *list = &command->replicas;
    KAS_TRY(kas_layer_of(state, command, &layer));
    KAS_TRY(check(layer, list));
    for (uint32_t i = layer->replica_count; i-- > 0;)
        if (!is_named(list, layer->replicas[i]->device))
            KAS_TRY(cancel(state, layer->replicas[i], "it was dropped on request"));
    KAS_TRY(kas_replicas_add(state, layer, list));
    const kas_operation *last = kas_operation_find(state, state->pending.reply.operation);
    state->pending.reply.finished = !last || last->info.state >= KAS_OPERATION_SUCCEEDED;
    return NULL;
}
