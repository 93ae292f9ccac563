/* Operations: what can be watched, listed and cancelled of loads, preloads and moves. */
#include <stdio.h>
#include <string.h>

#include "engine/state/rules.h"

kas_operation *kas_operation_find(const kas_state *state, uint64_t id)
{
    kas_map_node *node = kas_map_first(&state->operations, kas_map_hash_number(id));
    for (; node; node = kas_map_next(node)) {
        kas_operation *operation = KAS_OWNER(node, kas_operation, by_id);
        if (operation->info.id == id) return operation;
    }
    return NULL;
}

bool kas_operation_moves(const kas_operation *operation)
{
    return operation->info.kind == KAS_OPERATION_MOVE || operation->info.kind == KAS_OPERATION_REPLICATE;
}

kas_status kas_operation_edit(kas_state *state, kas_operation *operation)
{
    if (operation->touched == state->pending.serial) return NULL;
    KAS_TRY(kas_undo_save(&state->undo, operation, sizeof *operation));
    operation->touched = state->pending.serial;
    return NULL;
}

kas_status kas_operation_changed(kas_state *state, const kas_operation *operation)
{
    kas_effect *effect;
    KAS_TRY(kas_emit(state, KAS_EFFECT_OPERATION, operation->layer, operation->seed, &effect));
    effect->operation.operation = operation->info.id;
    effect->operation.finished = operation->info.state >= KAS_OPERATION_SUCCEEDED;
    effect->operation.published =
        operation->info.state == KAS_OPERATION_SUCCEEDED && operation->layer &&
        !operation->staged; /* of what has a layer only a staged load shows nothing */
    return NULL;
}

kas_status kas_operation_begin(kas_state *state, kas_operation_kind kind, kas_layer *layer, uint32_t seed,
                               const char *artifact_id, kas_operation **out)
{
    void *block;
    KAS_TRY(kas_undo_alloc(&state->undo, sizeof(kas_operation), &block));
    kas_operation *operation = block;
    operation->touched = state->pending.serial; /* new: there is nothing to go back to */
    operation->layer = layer;
    operation->seed = seed;
    operation->started_ns = state->now.asked_ns;
    kas_operation_info *info = &operation->info;
    info->size = sizeof *info;
    info->id = ++state->now.last_operation;
    info->kind = kind;
    info->seed = seed == KAS_NO_SEED ? -1 : (int32_t)seed;
    info->created_at_ns = state->now.wall_ns;
    info->error_reason = "";
    if (layer) memcpy(info->layer, layer->name, sizeof info->layer);
    memcpy(info->artifact_id, artifact_id, strlen(artifact_id) + 1);
    KAS_TRY(
        kas_map_insert(&state->operations, &state->undo, &operation->by_id, kas_map_hash_number(info->id)));
    KAS_TRY(kas_list_append(&state->undo, &state->operations_in_order, &operation->all));
    *out = operation;
    return kas_operation_changed(state, operation);
}

kas_status kas_operation_end(kas_state *state, kas_operation *operation, kas_operation_state how,
                             const kas_failure *failure)
{
    KAS_TRY(kas_operation_edit(state, operation));
    KAS_TRY(kas_list_remove(&state->undo, &operation->waiting));
    kas_operation_info *info = &operation->info;
    info->state = how;
    info->finished_at_ns = state->now.wall_ns;
    info->duration_ns = state->now.now_ns - operation->started_ns;
    if (how == KAS_OPERATION_SUCCEEDED) info->stage = KAS_STAGE_DONE;
    if (failure) {
        info->error_code = failure->code;
        info->error_reason = failure->reason ? failure->reason : "";
        info->error_type = failure->type;
        memcpy(info->error_detail, failure->detail, sizeof info->error_detail);
    }
    KAS_TRY(kas_operation_changed(state, operation));
    operation->make = NULL;
    operation->layer = NULL;
    operation->staged = NULL;
    ++state->now.ended_operations;
    return kas_list_append(&state->undo, &state->ended, &operation->ended);
}

kas_status kas_operation_published(kas_state *state, const kas_command *command)
{
    kas_operation *operation = kas_operation_find(state, command->published.operation);
    if (!operation || operation->info.state != KAS_OPERATION_SUCCEEDED) return NULL;
    KAS_TRY(kas_operation_edit(state, operation));
    operation->info.duration_ns = state->now.now_ns - operation->started_ns;
    return NULL;
}

kas_status kas_operations_trim(kas_state *state)
{
    while (state->now.ended_operations > state->limits.operations_kept) {
        kas_operation *oldest = KAS_OWNER(state->ended.next, kas_operation, ended);
        KAS_TRY(kas_list_remove(&state->undo, &oldest->ended));
        KAS_TRY(kas_list_remove(&state->undo, &oldest->all));
        KAS_TRY(kas_map_remove(&state->operations, &state->undo, &oldest->by_id));
        KAS_TRY(kas_undo_drop(&state->undo, oldest));
        --state->now.ended_operations;
    }
    return NULL;
}

kas_status kas_cancel_operation(kas_state *state, const kas_command *command)
{
    unsigned long long id = command->cancel.operation;
    kas_operation *operation = kas_operation_find(state, id);
    if (!operation) return kas_fail(KAS_NOT_FOUND, CALLER, "there is no operation op-%llu", id);
    if (operation->info.state >= KAS_OPERATION_SUCCEEDED)
        return kas_fail(KAS_CONFLICT, CALLER, "operation op-%llu has finished already", id);
    return kas_load_cancel(state, operation, "it was cancelled on request");
}
