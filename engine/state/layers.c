/* Layers: making and removing them, their weights, whether they serve. */
#include <string.h>

#include "base/alloc.h"
#include "engine/state/rules.h"

/* ---- finding and marking ---- */

static uint64_t hash_name(const char *name)
{
    return kas_fnv1a(name, strlen(name));
}

kas_layer *kas_layer_find(const kas_state *state, const char *name)
{
    kas_map_node *node = kas_map_first(&state->layers_by_name, hash_name(name));
    for (; node; node = kas_map_next(node)) {
        kas_layer *layer = KAS_OWNER(node, kas_layer, by_name);
        if (!strcmp(layer->name, name)) return layer;
    }
    return NULL;
}

kas_layer *kas_layer_by_uid(const kas_state *state, uint64_t uid)
{
    kas_map_node *node = kas_map_first(&state->layers_by_uid, kas_map_hash_number(uid));
    for (; node; node = kas_map_next(node)) {
        kas_layer *layer = KAS_OWNER(node, kas_layer, by_uid);
        if (layer->uid == uid) return layer;
    }
    return NULL;
}

static bool id_taken(const kas_state *state, int64_t layer_id)
{
    kas_map_node *node = kas_map_first(&state->layers_by_id, kas_map_hash_number((uint64_t)layer_id));
    for (; node; node = kas_map_next(node))
        if (KAS_OWNER(node, kas_layer, by_layer_id)->layer_id == layer_id) return true;
    return false;
}

kas_status kas_layer_of(kas_state *state, const kas_command *command, kas_layer **out)
{
    kas_layer *layer = kas_layer_find(state, command->layer);
    if (!layer) return kas_fail(KAS_NOT_FOUND, CALLER, "there is no layer %s", command->layer);
    if (command->revision && command->revision != layer->revision)
        return kas_with_reason(
            kas_fail(KAS_CONFLICT, CALLER, "layer %s has changed: it is at revision %llu, not %llu",
                     layer->name, (unsigned long long)layer->revision, (unsigned long long)command->revision),
            "precondition");
    *out = layer;
    return NULL;
}

kas_status kas_layer_edit(kas_state *state, kas_layer *layer)
{
    if (layer->touched == state->pending.serial) return NULL;
    KAS_TRY(kas_undo_save(&state->undo, layer, sizeof *layer));
    layer->touched = state->pending.serial;
    return NULL;
}

kas_status kas_layer_mark(kas_state *state, kas_layer *layer, uint8_t marks)
{
    KAS_TRY(kas_layer_edit(state, layer));
    kas_pending *pending = &state->pending;
    if (!layer->marks) {
        if (!kas_grow((void **)&pending->marked, &pending->marked_capacity, pending->marked_count + 1,
                      state->limits.layers, sizeof *pending->marked))
            return kas_out_of_memory();
        pending->marked[pending->marked_count++] = layer;
    }
    layer->marks |= marks;
    return NULL;
}

/* ---- making ---- */

static kas_status check_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strnlen(name, KAS_NAME_SIZE);
    if (length == 0 || length == KAS_NAME_SIZE || strspn(name, allowed) != length)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "a layer's name is 1 to 128 of A-Z a-z 0-9 . _ -; \"%.128s\" is not", name);
    if (!strcmp(name, ".") || !strcmp(name, ".."))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "\"%s\" is no name for a layer", name);
    return NULL;
}

static kas_status check_create(const kas_state *state, const kas_command *command)
{
    KAS_TRY(check_name(command->layer));
    if (!command->create.input_size || !command->create.output_size)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "layer %s: input_size (%u) and output_size (%u) must be positive", command->layer,
                        command->create.input_size, command->create.output_size);
    if (!command->create.num_seeds || command->create.num_seeds > KAS_MAX_SEEDS)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "layer %s: num_seeds must be 1 to %d, not %u",
                        command->layer, KAS_MAX_SEEDS, command->create.num_seeds);
    if (command->create.layer_id < -1)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "layer %s: layer_id must not be negative, as %lld is",
                        command->layer, (long long)command->create.layer_id);
    if (!command->create.weights || !command->create.device[0])
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "layer %s: a layer needs weights on a device",
                        command->layer);
    if (kas_layer_find(state, command->layer))
        return kas_fail(KAS_CONFLICT, CALLER, "there is a layer %s already", command->layer);
    if (command->create.layer_id >= 0 && id_taken(state, command->create.layer_id))
        return kas_fail(KAS_CONFLICT, CALLER, "layer %s: layer_id %lld is taken", command->layer,
                        (long long)command->create.layer_id);
    if (state->layers_in_order.count >= state->limits.layers)
        return kas_fail(KAS_TOO_LARGE, CALLER,
                        "layer %s: there are %u layers, as many as this engine may have", command->layer,
                        state->limits.layers);
    return NULL;
}

static kas_status make_layer(kas_state *state, const kas_command *command, kas_layer **out)
{
    size_t n = command->create.num_seeds;
    size_t slots_at = kas_align_up(sizeof(kas_layer), _Alignof(kas_slot));
    size_t arrays_at = kas_align_up(slots_at + n * sizeof(kas_slot), sizeof(uint64_t));
    void *block;
    KAS_TRY(kas_undo_alloc(&state->undo, arrays_at + n * KAS_SEED_BYTES, &block));
    kas_layer *layer = block;
    layer->num_seeds = command->create.num_seeds;
    layer->slots = (kas_slot *)(void *)((char *)block + slots_at);
    kas_seeds_lay_out(layer, (char *)block + arrays_at);
    for (uint32_t i = 0; i < n; ++i) {
        layer->slots[i].hold.layer = layer;
        layer->slots[i].hold.seed = i;
        layer->slots[i].revision = 1;
    }
    *out = layer;
    return NULL;
}

static void describe_layer(kas_state *state, kas_layer *layer, const kas_command *command)
{
    layer->uid = ++state->now.last_uid;
    layer->layer_id = command->create.layer_id >= 0 ? command->create.layer_id : state->now.free_layer_id;
    layer->input_size = command->create.input_size;
    layer->output_size = command->create.output_size;
    layer->device_kind = command->create.device_kind;
    layer->math = command->create.math;
    layer->bias = command->create.bias;
    layer->serving = true;
    layer->revision = 1;
    layer->weights = command->create.weights;
    layer->weights_sha256 = command->create.weights_sha256;
    layer->created_at_ns = state->now.wall_ns;
    memcpy(layer->name, command->layer, strlen(command->layer) + 1);
    memcpy(layer->device, command->create.device, strnlen(command->create.device, KAS_DEVICE_NAME_SIZE - 1));
}

static kas_status enter_layer(kas_state *state, kas_layer *layer)
{
    kas_undo *undo = &state->undo;
    KAS_TRY(kas_map_insert(&state->layers_by_name, undo, &layer->by_name, hash_name(layer->name)));
    KAS_TRY(kas_map_insert(&state->layers_by_uid, undo, &layer->by_uid, kas_map_hash_number(layer->uid)));
    KAS_TRY(kas_map_insert(&state->layers_by_id, undo, &layer->by_layer_id,
                           kas_map_hash_number((uint64_t)layer->layer_id)));
    while (id_taken(state, state->now.free_layer_id))
        ++state->now.free_layer_id;
    return kas_sorted_insert(&state->layers_in_order, undo, layer->name, layer);
}

kas_status kas_create_layer(kas_state *state, const kas_command *command)
{
    KAS_TRY(check_create(state, command));
    kas_layer *layer;
    KAS_TRY(make_layer(state, command, &layer));
    describe_layer(state, layer, command);
    KAS_TRY(enter_layer(state, layer));
    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_ARRAYS | KAS_MARK_VIEW | KAS_MARK_CHANGED));
    KAS_TRY(kas_replicas_add(state, layer, &command->create.replicas));
    return kas_emit_plain(state, KAS_EFFECT_LAYER_UPDATE, layer);
}

/* ---- removing ---- */

static kas_status check_delete(const kas_layer *layer, bool force)
{
    if (layer->fossil_count && !force)
        return kas_fail(KAS_CONFLICT, CALLER,
                        "layer %s has %u fossilized seeds, which are permanent; force removes it with them",
                        layer->name, layer->fossil_count);
    return NULL;
}

static kas_status clear_seed(kas_state *state, kas_layer *layer, uint32_t seed)
{
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_slot *slot = &layer->slots[seed];
    if (slot->load) KAS_TRY(kas_load_cancel(state, slot->load, "its layer was removed"));
    if (slot->staged) KAS_TRY(kas_staged_remove(state, slot->staged, true));
    KAS_TRY(kas_ramp_end(state, layer, seed));
    KAS_TRY(kas_list_remove(&state->undo, &slot->recovering));
    return kas_hold_drop(state, &slot->hold);
}

static kas_status leave_layer(kas_state *state, kas_layer *layer)
{
    kas_undo *undo = &state->undo;
    KAS_TRY(kas_map_remove(&state->layers_by_name, undo, &layer->by_name));
    KAS_TRY(kas_map_remove(&state->layers_by_uid, undo, &layer->by_uid));
    KAS_TRY(kas_map_remove(&state->layers_by_id, undo, &layer->by_layer_id));
    if (layer->layer_id < state->now.free_layer_id) state->now.free_layer_id = layer->layer_id;
    KAS_TRY(kas_sorted_remove(&state->layers_in_order, undo, layer->name));
    return kas_undo_drop(undo, layer);
}

kas_status kas_delete_layer(kas_state *state, const kas_command *command)
{
    kas_layer *layer;
    KAS_TRY(kas_layer_of(state, command, &layer));
    KAS_TRY(check_delete(layer, command->delete_layer.force));
    KAS_TRY(kas_fold_cancel(state, layer));
    if (layer->move) KAS_TRY(kas_load_cancel(state, layer->move->operation, "its layer was removed"));
    KAS_TRY(kas_flight_end(state, layer));
    KAS_TRY(kas_replicas_drop_all(state, layer));
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        KAS_TRY(clear_seed(state, layer, i));
    if (layer->staged_weights) KAS_TRY(kas_staged_remove(state, layer->staged_weights, true));
    KAS_TRY(kas_publish_nothing(state, layer));
    KAS_TRY(kas_emit_plain(state, KAS_EFFECT_UNPUBLISH, layer));
    KAS_TRY(kas_emit_release(state, layer->folded_weights));
    KAS_TRY(kas_emit_release(state, layer->weights));
    KAS_TRY(kas_emit_plain(state, KAS_EFFECT_LAYER_UPDATE, layer));
    return leave_layer(state, layer);
}

/* ---- weights and service ---- */

kas_status kas_layer_set_weights(kas_state *state, kas_layer *layer, kas_resource weights,
                                 const kas_sha256 *sha256)
{
    if (kas_sha256_equal(sha256, &layer->weights_sha256)) return kas_emit_release(state, weights);
    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    KAS_TRY(kas_emit_release(state, layer->weights));
    KAS_TRY(kas_emit_release(state, layer->folded_weights));
    layer->weights = weights;
    layer->weights_sha256 = *sha256;
    layer->folded_weights = 0;
    layer->folded_fossils = 0; /* all are steps again, until they are folded into the new weights */
    ++layer->revision;
    KAS_TRY(kas_emit_plain(state, KAS_EFFECT_LAYER_UPDATE, layer));
    KAS_TRY(kas_fold_cancel(state, layer));
    return kas_fold_begin(state, layer);
}

kas_status kas_set_weights(kas_state *state, const kas_command *command)
{
    kas_layer *layer;
    KAS_TRY(kas_layer_of(state, command, &layer));
    if (!command->set_weights.weights)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "layer %s: there are no weights to set", layer->name);
    KAS_TRY(kas_stage_check_epoch(state, command->at_epoch));
    if (!command->at_epoch)
        return kas_layer_set_weights(state, layer, command->set_weights.weights,
                                     &command->set_weights.sha256);
    kas_staged *staged;
    KAS_TRY(kas_stage_check(layer, -1));
    KAS_TRY(kas_stage_add(state, layer, -1, KAS_CHANGE_NONE, command->at_epoch, NULL, &staged));
    staged->weights = command->set_weights.weights;
    staged->weights_sha256 = command->set_weights.sha256;
    return NULL;
}

kas_status kas_set_serving(kas_state *state, const kas_command *command)
{
    kas_layer *layer;
    KAS_TRY(kas_layer_of(state, command, &layer));
    if (layer->serving == command->set_serving.serving) return NULL;
    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    layer->serving = command->set_serving.serving;
    ++layer->revision;
    return kas_emit_plain(state, KAS_EFFECT_LAYER_UPDATE, layer);
}
