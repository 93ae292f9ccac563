/* Loads: how they begin, and the three ways in which they end. A load begins as an operation that waits for a
 * make (or finds the kernel on the device and ends at once); a failed one returns the seed to where it came
 * from. */
#include <stdio.h>
#include <string.h>

#include "engine/state/rules.h"

/* ---- begin ---- */

static kas_status enter_loading(kas_state *state, kas_layer *layer, uint32_t seed, const kas_wish *wish,
                                const char *reason)
{
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_slot *slot = &layer->slots[seed];
    if (wish != &slot->wish) slot->wish = *wish;
    uint32_t before = layer->seeds.last_update_epoch[seed];
    slot->from_recovery = kas_seed_state(layer, seed) == KAS_SEED_ERROR_RECOVERY;
    KAS_TRY(kas_seed_move(state, layer, seed, KAS_SEED_LOADING, reason));
    if (slot->from_recovery) /* what failed does not serve meanwhile */
        KAS_TRY(kas_seed_unbind(state, layer, seed));
    slot->epoch_before_load = before;
    return NULL;
}

kas_status kas_load_begin(kas_state *state, kas_layer *layer, uint32_t seed, const kas_wish *wish,
                          const char *reason, uint64_t *operation)
{
    KAS_TRY(enter_loading(state, layer, seed, wish, reason));
    kas_slot *slot = &layer->slots[seed];
    kas_operation *begun;
    KAS_TRY(kas_operation_begin(state, KAS_OPERATION_LOAD, layer, seed, slot->wish.artifact_id, &begun));
    slot->load = begun;
    *operation = begun->info.id;
    return kas_make_wait(state, begun, slot->wish.artifact_id, layer->device, layer->device_kind);
}

kas_status kas_load_at_once(kas_state *state, kas_layer *layer, uint32_t seed, const kas_wish *wish,
                            kas_entry *entry)
{
    KAS_TRY(enter_loading(state, layer, seed, wish, "load"));
    return kas_seed_bind(state, layer, seed, entry, &layer->slots[seed].wish);
}

static void wish_of(const kas_command *command, kas_wish *wish)
{
    *wish = (kas_wish){.has_alpha = command->has_alpha, .alpha = command->alpha, .ramp = command->ramp};
    memcpy(wish->artifact_id, command->artifact_id, strlen(command->artifact_id) + 1);
}

/* Another request for what is being loaded already: one operation; the alpha that was named last counts. */
static kas_status join_load(kas_state *state, kas_layer *layer, uint32_t seed, const kas_wish *wish)
{
    kas_operation *running = layer->slots[seed].load;
    state->pending.reply.operation = running->info.id;
    ++state->now.hits;
    kas_make *make = running->make;
    KAS_TRY(kas_make_edit(state, make));
    make->hits += !make->entry;
    if (make->entry) KAS_TRY(kas_cache_hit(state, make->entry));
    return wish->has_alpha ? kas_set_alpha(state, layer, seed, wish) : NULL;
}

static kas_status stage_load(kas_state *state, kas_layer *layer, const kas_command *command,
                             const kas_wish *wish)
{
    kas_staged *staged;
    KAS_TRY(kas_stage_check(layer, (int32_t)command->seed));
    KAS_TRY(kas_stage_add(state, layer, (int32_t)command->seed, KAS_CHANGE_LOAD, command->at_epoch, wish,
                          &staged));
    kas_operation *begun;
    KAS_TRY(kas_operation_begin(state, KAS_OPERATION_LOAD, layer, command->seed, wish->artifact_id, &begun));
    begun->staged = staged;
    staged->load = begun->info.id;
    staged->running = begun;
    KAS_TRY(kas_make_wait(state, begun, wish->artifact_id, layer->device, layer->device_kind));
    state->pending.reply.operation = begun->info.id;
    state->pending.reply.finished = begun->info.state >= KAS_OPERATION_SUCCEEDED;
    return NULL;
}

kas_status kas_load(kas_state *state, const kas_command *command)
{
    kas_layer *layer;
    kas_wish wish;
    KAS_TRY(kas_seed_of(state, command, &layer));
    KAS_TRY(kas_artifact_check_name(command->artifact_id));
    wish_of(command, &wish);
    KAS_TRY(kas_check_wish(&wish));
    KAS_TRY(kas_stage_check_epoch(state, command->at_epoch));
    const kas_slot *slot = &layer->slots[command->seed];
    bool same = slot->load && !strcmp(slot->load->info.artifact_id, wish.artifact_id);
    if (same && !command->at_epoch) return join_load(state, layer, command->seed, &wish);
    if (!same) KAS_TRY(kas_seed_check(state, layer, command->seed, KAS_REQUEST_LOAD));
    const kas_binding *binding = kas_binding_find(state, wish.artifact_id);
    KAS_TRY(kas_artifact_check_quarantine(binding ? binding->content : NULL));
    if (command->at_epoch) return stage_load(state, layer, command, &wish);
    kas_reply *reply = &state->pending.reply;
    KAS_TRY(kas_load_begin(state, layer, command->seed, &wish, "load", &reply->operation));
    reply->finished = slot->load == NULL;
    return NULL;
}

kas_status kas_preload(kas_state *state, const kas_command *command)
{
    KAS_TRY(kas_artifact_check_name(command->artifact_id));
    if (!command->preload.device[0])
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a preload of %s needs a device", command->artifact_id);
    const kas_binding *binding = kas_binding_find(state, command->artifact_id);
    KAS_TRY(kas_artifact_check_quarantine(binding ? binding->content : NULL));
    kas_operation *begun;
    KAS_TRY(
        kas_operation_begin(state, KAS_OPERATION_PRELOAD, NULL, KAS_NO_SEED, command->artifact_id, &begun));
    KAS_TRY(kas_make_wait(state, begun, command->artifact_id, command->preload.device,
                          command->preload.device_kind));
    state->pending.reply.operation = begun->info.id;
    state->pending.reply.finished = begun->info.state >= KAS_OPERATION_SUCCEEDED;
    return NULL;
}

kas_status kas_load_check_quarantine(const kas_operation *operation, const kas_content *content)
{
    return kas_operation_moves(operation) ? NULL : kas_artifact_check_quarantine(content);
}

kas_status kas_load_check(kas_state *state, const kas_operation *operation, uint32_t device_kind,
                          const kas_content *content, const kas_kernel_facts *facts)
{
    KAS_TRY(kas_load_check_quarantine(operation, content));
    ++state->now.compatibility_checks;
    kas_status refusal = kas_check_compatible(state, operation->layer, device_kind, facts, 0);
    if (refusal) ++state->now.compatibility_failures;
    return kas_annotate(refusal, "artifact %s", operation->info.artifact_id);
}

/* ---- end ---- */

kas_status kas_load_succeed(kas_state *state, kas_operation *operation, kas_entry *entry)
{
    if (kas_operation_moves(operation)) return kas_move_kernel_ready(state, operation, entry);
    kas_layer *layer = operation->layer;
    uint32_t seed = operation->seed;
    if (operation->staged) {
        KAS_TRY(kas_staged_edit(state, operation->staged));
        KAS_TRY(kas_hold_take(state, &operation->staged->hold, entry));
        operation->staged->running = NULL;
        KAS_TRY(kas_replicas_prepare(state, layer));
    } else if (layer) {
        KAS_TRY(kas_seed_edit(state, layer, seed));
        KAS_TRY(kas_seed_bind(state, layer, seed, entry, &layer->slots[seed].wish));
        layer->slots[seed].load = NULL;
    }
    return kas_operation_end(state, operation, KAS_OPERATION_SUCCEEDED, NULL);
}

/* What an artifact, a remote or an operator can bring about is no sign that something is wrong with the seed.
 */
static bool is_unexpected(kas_code code)
{
    switch (code) {
    case KAS_INVALID_ARGUMENT:
    case KAS_MALFORMED:
    case KAS_NOT_FOUND:
    case KAS_CONFLICT:
    case KAS_INVALID_ARTIFACT:
    case KAS_INCOMPATIBLE_KERNEL:
    case KAS_UNSUPPORTED:
    case KAS_TOO_LARGE:
    case KAS_NO_ROOM:
    case KAS_UNAVAILABLE:
    case KAS_CANCELLED:
        return false;
    default:
        return true;
    }
}

/* The seed goes back to where its load came from, or into ERROR_RECOVERY at the third unexpected failure. */
static kas_status send_back(kas_state *state, kas_layer *layer, uint32_t seed, const char *reason,
                            bool unexpected)
{
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_slot *slot = &layer->slots[seed];
    kas_seed_arrays *seeds = &layer->seeds;
    slot->load = NULL;
    if (unexpected && slot->load_failures < UINT16_MAX) ++slot->load_failures;
    bool over_kernel = slot->hold.entry != NULL;
    if (!over_kernel && !slot->from_recovery && unexpected && slot->load_failures >= KAS_CONSECUTIVE_FAILURES)
        return kas_recovery_enter(state, layer, seed, "load failures");
    KAS_TRY(kas_seed_move(state, layer, seed, over_kernel ? KAS_SEED_ACTIVE : KAS_SEED_DORMANT, reason));
    seeds->last_update_epoch[seed] = slot->epoch_before_load;
    if (slot->from_recovery) {
        seeds->error_count[seed] = 0;
        seeds->fallback_active[seed] = 0;
        slot->load_failures = 0;
    }
    return NULL;
}

static kas_status end_without_kernel(kas_state *state, kas_operation *operation, kas_operation_state how,
                                     const kas_failure *failure, bool unexpected)
{
    kas_layer *layer = operation->layer;
    uint32_t seed = operation->seed;
    kas_staged *staged = operation->staged;
    KAS_TRY(kas_make_leave(state, operation));
    KAS_TRY(kas_operation_end(state, operation, how, failure));
    if (!layer) return NULL;
    if (staged && how == KAS_OPERATION_CANCELLED)
        return NULL; /* the caller removes it; the seed was not loading */
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_error_info *error = &layer->slots[seed].last_error;
    *error = (kas_error_info){.type = failure->type, .code = failure->code, .at_ns = state->now.wall_ns};
    memcpy(error->detail, failure->detail, sizeof error->detail);
    if (staged) {
        KAS_TRY(kas_staged_edit(state, staged));
        staged->running = NULL; /* it stays, not ready, for the boundary to refuse or skip */
        return NULL;
    }
    return send_back(state, layer, seed, how == KAS_OPERATION_CANCELLED ? "cancelled" : "load failed",
                     unexpected);
}

kas_status kas_load_fail(kas_state *state, kas_operation *operation, const kas_failure *failure)
{
    if (kas_operation_moves(operation)) return kas_move_kernel_failed(state, operation, failure);
    kas_error_info error = {.type = failure->type, .code = failure->code};
    memcpy(error.detail, failure->detail, sizeof error.detail);
    KAS_TRY(kas_emit_error(state, KAS_EFFECT_ERROR, operation->layer, operation->seed,
                           operation->info.artifact_id, &error));
    return end_without_kernel(state, operation, KAS_OPERATION_FAILED, failure, is_unexpected(failure->code));
}

kas_status kas_load_refuse(kas_state *state, kas_operation *operation, kas_status refusal)
{
    if (kas_status_code(refusal) == KAS_OUT_OF_MEMORY) return refusal;
    kas_failure failure = {.code = kas_status_code(refusal),
                           .type = KAS_ERROR_KERNEL_VALIDATION,
                           .reason = kas_status_reason(refusal)};
    snprintf(failure.detail, sizeof failure.detail, "%s", kas_status_message(refusal));
    kas_status_free(refusal);
    return kas_load_fail(state, operation, &failure);
}

kas_status kas_load_cancel(kas_state *state, kas_operation *operation, const char *why)
{
    kas_failure failure = {.code = KAS_CANCELLED, .type = KAS_ERROR_KERNEL_LOADING, .reason = ""};
    if (kas_operation_moves(operation)) {
        snprintf(failure.detail, sizeof failure.detail, "the %s of layer %s has ended: %s",
                 operation->info.kind == KAS_OPERATION_MOVE ? "move" : "replica", operation->info.layer, why);
        return kas_move_cancel(state, operation, &failure);
    }
    snprintf(failure.detail, sizeof failure.detail, "the load of artifact %s has ended: %s",
             operation->info.artifact_id, why);
    kas_staged *staged = operation->staged;
    KAS_TRY(end_without_kernel(state, operation, KAS_OPERATION_CANCELLED, &failure, false));
    if (!staged) return NULL;
    KAS_TRY(kas_staged_edit(state, staged));
    staged->running = NULL;
    return kas_staged_remove(state, staged, true);
}
