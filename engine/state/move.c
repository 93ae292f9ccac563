/* Moves: a layer goes to another device while it serves.
 *
 * What it needs there (copies of its weights, each kernel that a seed or a staged load of it holds) is made
 * one thing after the other and held. Meanwhile the layer may change in every way; after each thing it is
 * looked again at what is missing, so whatever was changed is made too. When nothing is missing a plan is
 * composed for trial, which takes the memory that passes need; then one command exchanges all of it, in one
 * publication. Until then the layer is where it was, and there it stays when anything fails. Bindings,
 * alphas, ramps and counts are the layer's, not the device's: they go on. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/state/rules.h"

/* ---- looking ---- */

kas_status kas_move_edit(kas_state *state, kas_move *move)
{
    if (move->touched == state->pending.serial) return NULL;
    KAS_TRY(kas_undo_save(&state->undo, move, sizeof *move));
    move->touched = state->pending.serial;
    return NULL;
}

kas_move *kas_move_of(const kas_operation *operation)
{
    const kas_layer *layer = operation ? operation->layer : NULL;
    if (!layer) return NULL;
    if (layer->move && layer->move->operation == operation) return layer->move;
    for (uint32_t i = 0; i < layer->replica_count; ++i)
        if (layer->replicas[i]->operation == operation) return layer->replicas[i];
    return NULL;
}

static kas_move *move_of(const kas_state *state, uint64_t operation)
{
    return kas_move_of(kas_operation_find(state, operation));
}

/* ---- the end ---- */

kas_status kas_move_let_go(kas_state *state, kas_move *move)
{
    for (uint32_t i = 0; i < 2 * move->layer->num_seeds; ++i)
        KAS_TRY(kas_hold_drop(state, &move->holds[i]));
    KAS_TRY(kas_emit_release(state, move->weights.copy));
    return kas_emit_release(state, move->staged.copy);
}

kas_status kas_move_end_operation(kas_state *state, kas_move *move, kas_operation_state how,
                                  const kas_failure *failure)
{
    kas_operation *operation = move->operation;
    kas_effect *effect;
    KAS_TRY(kas_emit(state, KAS_EFFECT_MOVE_END, move->layer, 0, &effect));
    effect->move.operation = operation->info.id;
    KAS_TRY(kas_move_edit(state, move));
    move->operation = NULL;
    move->wait = KAS_MOVE_WAITS_NOT;
    KAS_TRY(kas_make_leave(state, operation));
    return kas_operation_end(state, operation, how, failure);
}

static kas_status finish(kas_state *state, kas_move *move, kas_operation_state how,
                         const kas_failure *failure)
{
    kas_layer *layer = move->layer;
    KAS_TRY(kas_move_let_go(state, move));
    KAS_TRY(kas_move_end_operation(state, move, how, failure));
    KAS_TRY(kas_layer_edit(state, layer));
    layer->move = NULL;
    if (how != KAS_OPERATION_FAILED)
        KAS_TRY(kas_flight_end(state, layer));
    else if (move->flees)
        KAS_TRY(kas_flight_put_off(state, layer, failure->code));
    return kas_undo_drop(&state->undo, move);
}

static kas_status end(kas_state *state, kas_move *move, kas_operation_state how, const kas_failure *failure)
{
    return move->stays ? kas_replica_drop(state, move, how, failure) : finish(state, move, how, failure);
}

/* Of a layer that stays on a lost device only what is new, since it is tried again and again. */
static kas_status tell(kas_state *state, const kas_move *move, const kas_failure *failure)
{
    if (move->flees && !kas_flight_is_news(move->layer, failure->code)) return NULL;
    kas_error_info error = {.type = failure->type, .code = failure->code};
    memcpy(error.detail, failure->detail, sizeof error.detail);
    return kas_emit_error(state, move->flees ? KAS_EFFECT_ALERT : KAS_EFFECT_ERROR, move->layer, KAS_NO_SEED,
                          move->operation->info.artifact_id, &error);
}

static kas_status fail(kas_state *state, kas_move *move, const kas_failure *failure)
{
    const kas_layer *layer = move->layer;
    kas_failure told = *failure;
    if (move->stays && move->ready)
        snprintf(told.detail, sizeof told.detail,
                 "the replica of layer %s on %s is not ready for what is staged: ", layer->name,
                 move->device);
    else if (move->stays)
        snprintf(told.detail, sizeof told.detail, "layer %s has no replica on %s: ", layer->name,
                 move->device);
    else
        snprintf(told.detail, sizeof told.detail, "layer %s stays on %s%s: ", layer->name, layer->device,
                 move->flees ? ", which is lost, until a later try" : "");
    strncat(told.detail, failure->detail, sizeof told.detail - strlen(told.detail) - 1);
    KAS_TRY(tell(state, move, &told));
    if (move->stays && failure->code == KAS_DEVICE_LOST) return kas_replica_lose(state, move, &told);
    if (move->stays && move->ready) return kas_replica_give_up(state, move, &told);
    return end(state, move, KAS_OPERATION_FAILED, &told);
}

kas_status kas_move_cancel(kas_state *state, kas_operation *operation, const kas_failure *failure)
{
    return end(state, kas_move_of(operation), KAS_OPERATION_CANCELLED, failure);
}

/* ---- the exchange ---- */

static kas_status exchange(kas_state *state, kas_hold *present, kas_hold *moved)
{
    kas_entry *entry = moved->entry;
    KAS_TRY(kas_hold_drop(state, present));
    return kas_hold_take(state, present, entry);
}

static kas_status exchange_kernels(kas_state *state, kas_layer *layer)
{
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        kas_slot *slot = &layer->slots[i];
        kas_hold *moved = &layer->move->holds[i];
        if (slot->hold.entry) {
            KAS_TRY(kas_seed_edit(state, layer, i));
            KAS_TRY(exchange(state, &slot->hold, moved));
        }
        if (!slot->staged || !slot->staged->hold.entry) continue;
        KAS_TRY(kas_staged_edit(state, slot->staged));
        KAS_TRY(exchange(state, &slot->staged->hold, &moved[layer->num_seeds]));
    }
    return NULL;
}

/* The fossils are steps again, until they are folded there. */
static kas_status exchange_weights(kas_state *state, kas_layer *layer)
{
    kas_move *move = layer->move;
    KAS_TRY(kas_replicas_keep_weights(state, layer, move->weights.copy));
    KAS_TRY(kas_emit_release(state, layer->weights));
    KAS_TRY(kas_emit_release(state, layer->folded_weights));
    layer->weights = move->weights.copy;
    layer->folded_weights = 0;
    layer->folded_fossils = 0;
    if (layer->staged_weights) {
        KAS_TRY(kas_staged_edit(state, layer->staged_weights));
        KAS_TRY(kas_emit_release(state, layer->staged_weights->weights));
        layer->staged_weights->weights = move->staged.copy;
        move->staged.copy = 0;
    }
    move->weights.copy = 0;
    return NULL;
}

/* Loads that run go on where the layer is now. */
static kas_status redirect_loads(kas_state *state, kas_layer *layer)
{
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        kas_slot *slot = &layer->slots[i];
        if (slot->load) KAS_TRY(kas_make_redirect(state, slot->load, layer->device, layer->device_kind));
        if (slot->staged && slot->staged->running)
            KAS_TRY(kas_make_redirect(state, slot->staged->running, layer->device, layer->device_kind));
    }
    return NULL;
}

static kas_status arrive(kas_state *state, kas_move *move)
{
    kas_layer *layer = move->layer;
    KAS_TRY(kas_move_edit(state, move));
    KAS_TRY(kas_replica_make_way(state, layer, move->device));
    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    KAS_TRY(exchange_kernels(state, layer));
    KAS_TRY(exchange_weights(state, layer));
    memcpy(layer->device, move->device, sizeof layer->device);
    layer->device_kind = move->device_kind;
    ++layer->revision;
    KAS_TRY(finish(state, move, KAS_OPERATION_SUCCEEDED, NULL));
    KAS_TRY(redirect_loads(state, layer));
    KAS_TRY(kas_emit_plain(state, KAS_EFFECT_LAYER_UPDATE, layer));
    KAS_TRY(kas_fold_cancel(state, layer));
    return kas_fold_begin(state, layer);
}

/* ---- what is missing ---- */

static kas_status ask(kas_state *state, kas_move *move, kas_effect_kind kind, kas_move_wait wait,
                      kas_resource from)
{
    kas_effect *effect;
    KAS_TRY(kas_emit(state, kind, move->layer, 0, &effect));
    effect->move.operation = move->operation->info.id;
    effect->move.from = from;
    effect->move.math = move->layer->math;
    KAS_TRY(kas_operation_edit(state, move->operation));
    move->operation->info.artifact_id[0] = 0; /* it is no kernel that is made now */
    memcpy(effect->move.device, move->device, sizeof effect->move.device);
    move->wait = wait;
    move->stale = false;
    return NULL;
}

/* Copies `of`, unless there is a copy. */
static kas_status need_copy(kas_state *state, kas_move *move, kas_resource of, kas_resource *copied,
                            kas_resource *copy)
{
    if (*copied == of) return NULL;
    KAS_TRY(kas_emit_release(state, *copy));
    *copied = of;
    *copy = 0;
    move->tried = false;
    return of ? ask(state, move, KAS_EFFECT_MOVE_WEIGHTS, KAS_MOVE_WAITS_WEIGHTS, of) : NULL;
}

static kas_status need_weights(kas_state *state, kas_move *move)
{
    const kas_layer *layer = move->layer;
    KAS_TRY(need_copy(state, move, layer->weights, &move->weights.of, &move->weights.copy));
    if (move->wait || move->stays) return NULL;
    kas_resource staged = layer->staged_weights ? layer->staged_weights->weights : 0;
    return need_copy(state, move, staged, &move->staged.of, &move->staged.copy);
}

static kas_status make_kernel(kas_state *state, kas_move *move, uint32_t place)
{
    kas_operation *operation = move->operation;
    const char *artifact_id = kas_move_artifact(move->layer, place);
    KAS_TRY(kas_operation_edit(state, operation));
    memcpy(operation->info.artifact_id, artifact_id, strlen(artifact_id) + 1);
    return kas_make_wait(state, operation, artifact_id, move->device, move->device_kind);
}

kas_status kas_move_go_on(kas_state *state, kas_move *move)
{
    uint32_t missing;
    KAS_TRY(kas_move_edit(state, move));
    KAS_TRY(kas_move_hold(state, move, &missing));
    KAS_TRY(need_weights(state, move));
    if (move->wait) return NULL;
    if (missing < kas_move_places(move)) return make_kernel(state, move, missing);
    const bool done = move->ready ? kas_replica_is_prepared(move) : move->tried;
    if (!done) return ask(state, move, KAS_EFFECT_MOVE_TRY, KAS_MOVE_WAITS_TRIAL, 0);
    if (move->ready) return kas_move_end_operation(state, move, KAS_OPERATION_SUCCEEDED, NULL);
    return move->stays ? kas_replica_arrive(state, move) : arrive(state, move);
}

/* ---- answers ---- */

kas_status kas_move_weights_ready(kas_state *state, const kas_command *command)
{
    kas_move *move = move_of(state, command->moved.operation);
    kas_resource weights = command->moved.weights;
    if (!move || move->wait != KAS_MOVE_WAITS_WEIGHTS) return kas_emit_release(state, weights);
    KAS_TRY(kas_move_edit(state, move));
    move->wait = KAS_MOVE_WAITS_NOT;
    if (move->weights.copy)
        move->staged.copy = weights;
    else
        move->weights.copy = weights;
    return kas_move_go_on(state, move);
}

kas_status kas_move_tried(kas_state *state, const kas_command *command)
{
    kas_move *move = move_of(state, command->moved.operation);
    if (!move || move->wait != KAS_MOVE_WAITS_TRIAL) return NULL;
    KAS_TRY(kas_move_edit(state, move));
    move->wait = KAS_MOVE_WAITS_NOT;
    if (!move->stale && move->ready)
        move->ahead = true;
    else if (!move->stale)
        move->tried = true;
    return kas_move_go_on(state, move);
}

kas_status kas_move_failed(kas_state *state, const kas_command *command)
{
    kas_move *move = move_of(state, command->failed.make);
    if (!move || !move->wait) return NULL;
    kas_failure failure = {
        .code = command->failed.code, .type = command->failed.error_type, .reason = command->failed.reason};
    memcpy(failure.detail, command->failed.detail, sizeof failure.detail);
    failure.detail[sizeof failure.detail - 1] = 0;
    return fail(state, move, &failure);
}

kas_status kas_move_kernel_ready(kas_state *state, kas_operation *operation, kas_entry *entry)
{
    (void)entry; /* it is found when it is looked at what is missing */
    return kas_move_go_on(state, kas_move_of(operation));
}

kas_status kas_move_kernel_failed(kas_state *state, kas_operation *operation, const kas_failure *failure)
{
    kas_move *move = kas_move_of(operation);
    const kas_binding *binding = kas_binding_find(state, operation->info.artifact_id);
    KAS_TRY(kas_make_leave(state, operation));
    if (binding && kas_move_needs(move, binding->content)) return fail(state, move, failure);
    return kas_move_go_on(state, move); /* nobody needs that kernel any more */
}

kas_status kas_move_device_lost(kas_state *state, kas_layer *layer, const char *device)
{
    if (!layer->move || strcmp(layer->move->device, device) != 0) return NULL;
    kas_failure failure = {.code = KAS_DEVICE_LOST, .type = KAS_ERROR_DEVICE_ERROR, .reason = ""};
    snprintf(failure.detail, sizeof failure.detail, "%s is lost", device);
    return fail(state, layer->move, &failure);
}

/* ---- the request ---- */

kas_status kas_move_create(kas_state *state, kas_layer *layer, const char *device, uint32_t device_kind,
                           kas_move **out)
{
    uint32_t places = 2 * layer->num_seeds;
    size_t holds_at = kas_align_up(sizeof(kas_move), _Alignof(kas_hold));
    size_t shown_at = kas_align_up(holds_at + places * sizeof(kas_hold), _Alignof(kas_entry *));
    void *block;
    KAS_TRY(kas_undo_alloc(&state->undo, shown_at + layer->num_seeds * sizeof(kas_entry *), &block));
    kas_move *move = block;
    move->touched = state->pending.serial; /* new: there is nothing to go back to */
    move->layer = layer;
    move->holds = (kas_hold *)(void *)((char *)block + holds_at);
    move->shown = (kas_entry **)(void *)((char *)block + shown_at);
    for (uint32_t i = 0; i < places; ++i) {
        move->holds[i].layer = layer;
        move->holds[i].seed = i % layer->num_seeds;
    }
    memcpy(move->device, device, strnlen(device, KAS_DEVICE_NAME_SIZE - 1));
    move->device_kind = device_kind;
    *out = move;
    return NULL;
}

kas_status kas_move_begin(kas_state *state, kas_move *move, kas_operation_kind kind)
{
    KAS_TRY(kas_move_edit(state, move));
    KAS_TRY(kas_operation_begin(state, kind, move->layer, KAS_NO_SEED, "", &move->operation));
    move->operation->info.state = KAS_OPERATION_RUNNING;
    memcpy(move->operation->info.device, move->device, sizeof move->operation->info.device);
    return kas_move_go_on(state, move);
}

static kas_status begin(kas_state *state, kas_layer *layer, const char *device, uint32_t device_kind,
                        bool flees)
{
    kas_move *move;
    KAS_TRY(kas_move_create(state, layer, device, device_kind, &move));
    KAS_TRY(kas_flight_go_on(state, layer, &flees));
    layer->move = move;
    move->flees = flees;
    return kas_move_begin(state, move, KAS_OPERATION_MOVE);
}

kas_status kas_move_flee(kas_state *state, kas_layer *layer, const char *device, uint32_t device_kind)
{
    if (!layer->move) return begin(state, layer, device, device_kind, true);
    KAS_TRY(kas_move_edit(state, layer->move));
    layer->move->flees = true;
    return NULL;
}

kas_status kas_move_layer(kas_state *state, const kas_command *command)
{
    kas_layer *layer;
    KAS_TRY(kas_layer_of(state, command, &layer));
    const char *device = command->move.device;
    if (!device[0])
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "layer %s: a move needs a device", layer->name);
    const kas_move *running = layer->move;
    if (running && !strcmp(running->device, device)) {
        state->pending.reply.operation = running->operation->info.id;
        return NULL;
    }
    if (running)
        return kas_with_reason(
            kas_fail(KAS_CONFLICT, CALLER,
                     "layer %s is being moved to %s: wait for operation op-%llu or cancel it", layer->name,
                     running->device, (unsigned long long)running->operation->info.id),
            "moving");
    if (!strcmp(layer->device, device)) {
        state->pending.reply.finished = true;
        return NULL;
    }
    state->pending.reply.operation = state->now.last_operation + 1;
    KAS_TRY(begin(state, layer, device, command->move.device_kind, false));
    state->pending.reply.finished = layer->move == NULL;
    return NULL;
}
