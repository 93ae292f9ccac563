/* The state as an object, and apply: one command, all of it or nothing.
 *
 * A command is carried out on the state itself while the undo log keeps what it overwrites. When it is
 * refused, or memory is out, the log is played back and the effects gathered so far are thrown away; a
 * refusal is then answered. So no rule has to think about leaving things half done, and none may write to
 * memory that it has not saved. */
#include "engine/state/state.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/state/rules.h"

/* ---- the object ---- */

static kas_state_limits with_defaults(const kas_state_limits *given)
{
    kas_state_limits limits = given ? *given : (kas_state_limits){0};
    if (!limits.cache_bytes) limits.cache_bytes = 512ull << 20;
    if (!limits.cache_entries) limits.cache_entries = 128;
    if (!limits.layers) limits.layers = 10000;
    if (!limits.parameters) limits.parameters = 10000000;
    if (!(limits.memory_footprint_mb > 0)) limits.memory_footprint_mb = 2048;
    if (!limits.operations_kept) limits.operations_kept = 1024;
    return limits;
}

enum { MAP_COUNT = 10 };

static void list_maps(kas_state *state, kas_map *maps[MAP_COUNT])
{
    kas_map *all[MAP_COUNT] = {&state->layers_by_name,    &state->layers_by_uid, &state->layers_by_id,
                               &state->layers_by_fold,    &state->contents,      &state->bindings,
                               &state->entries_by_kernel, &state->makes,         &state->makes_by_artifact,
                               &state->operations};
    memcpy(maps, all, sizeof all);
}

kas_status kas_state_create(const kas_state_limits *limits, kas_state **out)
{
    kas_state *state = kas_calloc(1, sizeof *state);
    if (!state) return kas_out_of_memory();
    state->limits = with_defaults(limits);
    kas_link *heads[] = {&state->contents_in_order,
                         &state->entries_in_order,
                         &state->makes_in_order,
                         &state->operations_in_order,
                         &state->ended,
                         &state->cold,
                         &state->staged,
                         &state->ramping,
                         &state->recovering,
                         &state->fleeing};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; ++i)
        kas_list_init(heads[i]);
    kas_map *maps[MAP_COUNT];
    list_maps(state, maps);
    for (size_t i = 0; i < MAP_COUNT; ++i) {
        kas_status status = kas_map_init(maps[i]);
        if (!status) continue;
        kas_state_destroy(state);
        return status;
    }
    *out = state;
    return NULL;
}

/* Frees the objects of a list whose link is `offset` bytes into each. */
static void free_list(kas_link *head, size_t offset)
{
    for (kas_link *link = head->next, *next; link != head; link = next) {
        next = link->next;
        kas_free((char *)link - offset);
    }
}

static void free_sorted(kas_sorted *sorted)
{
    for (size_t i = 0; i < sorted->count; ++i)
        kas_free(sorted->items[i].object);
    kas_sorted_finish(sorted);
}

void kas_state_destroy(kas_state *state)
{
    if (!state) return;
    free_list(&state->contents_in_order, offsetof(kas_content, all));
    free_list(&state->entries_in_order, offsetof(kas_entry, all));
    free_list(&state->makes_in_order, offsetof(kas_make, all));
    free_list(&state->operations_in_order, offsetof(kas_operation, all));
    free_list(&state->staged, offsetof(kas_staged, all));
    for (size_t i = 0; i < state->layers_in_order.count; ++i) {
        const kas_layer *layer = state->layers_in_order.items[i].object;
        kas_free(layer->move);
        for (uint32_t replica = 0; replica < layer->replica_count; ++replica)
            kas_free(layer->replicas[replica]);
    }
    free_sorted(&state->layers_in_order);
    free_sorted(&state->bindings_in_order);
    kas_map *maps[MAP_COUNT];
    list_maps(state, maps);
    for (size_t i = 0; i < MAP_COUNT; ++i)
        kas_map_finish(maps[i]);
    kas_undo_finish(&state->undo);
    kas_free(state->pending.effects);
    kas_free(state->pending.marked);
    kas_free(state);
}

/* ---- apply ---- */

static bool is_asked_by_caller(kas_command_kind kind)
{
    return kind < KAS_COMMAND_PROGRESS;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t kas_state_next_wakeup(const kas_state *state)
{
    int64_t next_ns = kas_list_empty(&state->ramping) ? KAS_NEVER : state->now.next_ramp_ns;
    if (!kas_list_empty(&state->recovering))
        next_ns = earlier(next_ns, KAS_OWNER(state->recovering.next, kas_slot, recovering)->recover_at_ns);
    if (!kas_list_empty(&state->fleeing))
        next_ns = earlier(next_ns, KAS_OWNER(state->fleeing.next, kas_layer, flight.waiting)->flight.at_ns);
    return next_ns;
}

static kas_status tick(kas_state *state)
{
    KAS_TRY(kas_ramp_tick(state));
    KAS_TRY(kas_recovery_tick(state));
    return kas_flight_tick(state);
}

static kas_change change_of(kas_command_kind kind)
{
    return kind == KAS_COMMAND_UNLOAD      ? KAS_CHANGE_UNLOAD
           : kind == KAS_COMMAND_RESET     ? KAS_CHANGE_RESET
           : kind == KAS_COMMAND_FOSSILIZE ? KAS_CHANGE_FOSSILIZE
                                           : KAS_CHANGE_ALPHA;
}

static kas_status carry_out(kas_state *state, const kas_command *command)
{
    switch (command->kind) {
    case KAS_COMMAND_CREATE_LAYER:
        return kas_create_layer(state, command);
    case KAS_COMMAND_DELETE_LAYER:
        return kas_delete_layer(state, command);
    case KAS_COMMAND_SET_WEIGHTS:
        return kas_set_weights(state, command);
    case KAS_COMMAND_MOVE_LAYER:
        return kas_move_layer(state, command);
    case KAS_COMMAND_SET_REPLICAS:
        return kas_set_replicas(state, command);
    case KAS_COMMAND_SET_SERVING:
        return kas_set_serving(state, command);
    case KAS_COMMAND_LOAD:
        return kas_load(state, command);
    case KAS_COMMAND_UNLOAD:
    case KAS_COMMAND_RESET:
    case KAS_COMMAND_FOSSILIZE:
    case KAS_COMMAND_SET_ALPHA:
        return kas_change_seed(state, command, change_of(command->kind));
    case KAS_COMMAND_DROP_STAGED:
        return kas_drop_staged(state, command);
    case KAS_COMMAND_CANCEL_OPERATION:
        return kas_cancel_operation(state, command);
    case KAS_COMMAND_ADVANCE_EPOCH:
        return kas_advance_epoch(state, command);
    case KAS_COMMAND_PRELOAD:
        return kas_preload(state, command);
    case KAS_COMMAND_BIND_ARTIFACT:
        return kas_bind_artifact(state, command);
    case KAS_COMMAND_EVICT:
        return kas_evict(state, command);
    case KAS_COMMAND_PIN:
    case KAS_COMMAND_UNPIN:
        return kas_pin(state, command, command->kind == KAS_COMMAND_PIN);
    case KAS_COMMAND_LIFT_QUARANTINE:
        return kas_lift_quarantine(state, command);
    case KAS_COMMAND_PROGRESS:
        return kas_make_progress(state, command);
    case KAS_COMMAND_RESOLVED:
        return kas_make_resolved(state, command);
    case KAS_COMMAND_KERNEL_READY:
        return kas_make_ready(state, command);
    case KAS_COMMAND_MAKE_FAILED:
        return kas_make_failed(state, command);
    case KAS_COMMAND_KERNEL_DRAINED:
        return kas_kernel_drained(state, command);
    case KAS_COMMAND_FOLDED:
    case KAS_COMMAND_FOLD_FAILED:
        return kas_folded(state, command, command->kind == KAS_COMMAND_FOLD_FAILED);
    case KAS_COMMAND_MOVE_WEIGHTS_READY:
        return kas_move_weights_ready(state, command);
    case KAS_COMMAND_MOVE_TRIED:
        return kas_move_tried(state, command);
    case KAS_COMMAND_MOVE_FAILED:
        return kas_move_failed(state, command);
    case KAS_COMMAND_DEVICE_LOST:
        return kas_device_lost(state, command);
    case KAS_COMMAND_PUBLISHED:
        return kas_operation_published(state, command);
    case KAS_COMMAND_PASS_RESULTS:
        return kas_pass_results(state, command);
    case KAS_COMMAND_RAMP_STEPS:
        return kas_ramp_steps(state, command);
    case KAS_COMMAND_TICK:
        return tick(state);
    case KAS_COMMAND_KIND_COUNT:
        break;
    }
    return kas_fail(KAS_INTERNAL, ENGINE, "there is no command %d", (int)command->kind);
}

/* Answers whoever asked; consumes `status`. */
static kas_status answer(kas_state *state, const kas_command *command, kas_status status)
{
    kas_reply *reply = &state->pending.reply;
    if (!command->ticket || !is_asked_by_caller(command->kind)) {
        kas_status_free(status);
        return NULL;
    }
    const kas_layer *layer = kas_layer_find(state, command->layer);
    reply->generation = layer ? layer->generation : 0;
    reply->epoch = state->now.epoch;
    kas_effect *effect;
    kas_reply *owned = kas_memdup(reply, sizeof *reply);
    kas_status failure =
        owned ? kas_emit(state, KAS_EFFECT_REPLY, layer, command->seed, &effect) : kas_out_of_memory();
    if (failure) {
        kas_free(owned);
        kas_status_free(status);
        return failure;
    }
    effect->reply.ticket = command->ticket;
    effect->reply.status = status;
    effect->reply.reply = owned;
    reply->failed = NULL; /* now the effect's */
    return NULL;
}

static kas_status prepare(kas_state *state, const kas_command *command)
{
    kas_map *maps[MAP_COUNT];
    list_maps(state, maps);
    for (size_t i = 0; i < MAP_COUNT; ++i)
        kas_map_settle(maps[i]);
    KAS_TRY(kas_sorted_reserve(&state->layers_in_order));
    KAS_TRY(kas_sorted_reserve(&state->bindings_in_order));
    KAS_TRY(kas_undo_save(&state->undo, &state->now, sizeof state->now));
    ++state->pending.serial;
    state->pending.reply = (kas_reply){.size = sizeof(kas_reply)};
    if (command->now_ns > state->now.now_ns) state->now.now_ns = command->now_ns;
    state->now.wall_ns = command->wall_ns;
    const bool asked = command->asked_ns > 0 && command->asked_ns < state->now.now_ns;
    state->now.asked_ns = asked ? command->asked_ns : state->now.now_ns;
    return NULL;
}

static kas_status change(kas_state *state, const kas_command *command)
{
    KAS_TRY(carry_out(state, command));
    KAS_TRY(kas_publish_marked(state));
    return kas_operations_trim(state);
}

static void undo_change(kas_state *state)
{
    kas_undo_revert(&state->undo);
    kas_effects_discard(state);
    state->pending.marked_count = 0;
}

static bool is_text(const char *bytes, size_t size_bytes)
{
    return memchr(bytes, 0, size_bytes) != NULL;
}

kas_status kas_state_apply(kas_state *state, const kas_command *command, kas_effects *effects)
{
    if (!is_text(command->layer, sizeof command->layer) ||
        !is_text(command->artifact_id, sizeof command->artifact_id))
        return kas_fail(KAS_INTERNAL, ENGINE, "a command's names must end");
    kas_status status = prepare(state, command);
    if (!status) status = change(state, command);
    if (status) undo_change(state);
    if (kas_status_code(status) != KAS_OUT_OF_MEMORY) status = answer(state, command, status);
    if (!status) status = kas_effects_deliver(state, effects);
    if (status)
        undo_change(state);
    else
        kas_undo_keep(&state->undo);
    state->pending.marked_count = 0;
    kas_free(state->pending.reply.failed);
    state->pending.reply.failed = NULL;
    return status;
}
