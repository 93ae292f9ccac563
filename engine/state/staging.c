/* Staged changes: validated and made ready now, in effect at the boundary of an epoch. At most one a seed,
 * and one for a layer's weights. */
#include <string.h>

#include "engine/state/rules.h"

kas_status kas_stage_check_epoch(const kas_state *state, uint32_t at_epoch)
{
    if (!at_epoch || at_epoch > state->now.epoch) return NULL;
    return kas_with_reason(kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                                    "at_epoch must be greater than the present epoch %u, not %u",
                                    state->now.epoch, at_epoch),
                           "at_epoch");
}

kas_status kas_stage_check(const kas_layer *layer, int32_t seed)
{
    const kas_staged *present = seed < 0 ? layer->staged_weights : layer->slots[seed].staged;
    if (!present) return NULL;
    if (seed < 0)
        return kas_with_reason(kas_fail(KAS_CONFLICT, CALLER,
                                        "layer %s has weights staged for epoch %u already", layer->name,
                                        present->at_epoch),
                               "staged");
    return kas_with_reason(
        kas_fail(KAS_CONFLICT, CALLER,
                 "seed %d of layer %s has a change staged for epoch %u already: drop it first", seed,
                 layer->name, present->at_epoch),
        "staged");
}

/* The present change of a seed or of a layer's weights; being edited. */
static kas_status put(kas_state *state, kas_layer *layer, int32_t seed, kas_staged *staged)
{
    if (seed < 0) {
        KAS_TRY(kas_layer_edit(state, layer));
        layer->staged_weights = staged;
        ++layer->revision;
        return NULL;
    }
    KAS_TRY(kas_seed_edit(state, layer, (uint32_t)seed));
    layer->slots[seed].staged = staged;
    kas_seed_revise(layer, (uint32_t)seed);
    return NULL;
}

kas_status kas_stage_add(kas_state *state, kas_layer *layer, int32_t seed, kas_change change,
                         uint32_t at_epoch, const kas_wish *wish, kas_staged **out)
{
    void *block;
    KAS_TRY(kas_undo_alloc(&state->undo, sizeof(kas_staged), &block));
    kas_staged *staged = block;
    staged->hold.layer = layer;
    staged->hold.seed = (uint32_t)seed;
    staged->layer = layer;
    staged->seed = seed;
    staged->change = change;
    staged->at_epoch = at_epoch;
    if (wish) staged->wish = *wish;
    kas_link *where = &state->staged; /* behind those of its epoch and of earlier ones */
    while (where->prev != &state->staged && KAS_OWNER(where->prev, kas_staged, all)->at_epoch > at_epoch)
        where = where->prev;
    KAS_TRY(kas_list_insert_before(&state->undo, where, &staged->all));
    ++state->now.staged;
    *out = staged;
    return put(state, layer, seed, staged);
}

kas_status kas_staged_edit(kas_state *state, kas_staged *staged)
{
    if (staged->touched == state->pending.serial) return NULL;
    KAS_TRY(kas_undo_save(&state->undo, staged, sizeof *staged));
    staged->touched = state->pending.serial;
    return NULL;
}

bool kas_staged_ready(const kas_staged *staged)
{
    return staged->change != KAS_CHANGE_LOAD || staged->hold.entry;
}

kas_status kas_staged_remove(kas_state *state, kas_staged *staged, bool dropped)
{
    /* cancelling comes back here, when nothing runs any more */
    if (staged->running) return kas_load_cancel(state, staged->running, "its staged change was dropped");
    if (dropped) KAS_TRY(kas_emit_release(state, staged->weights));
    KAS_TRY(kas_hold_drop(state, &staged->hold));
    KAS_TRY(kas_list_remove(&state->undo, &staged->all));
    --state->now.staged;
    KAS_TRY(put(state, staged->layer, staged->seed, NULL));
    KAS_TRY(kas_replicas_prepare(state, staged->layer));
    return kas_undo_drop(&state->undo, staged);
}

kas_status kas_drop_staged(kas_state *state, const kas_command *command)
{
    kas_layer *layer;
    KAS_TRY(kas_seed_of(state, command, &layer));
    kas_staged *staged = layer->slots[command->seed].staged;
    if (!staged)
        return kas_fail(KAS_NOT_FOUND, CALLER, "nothing is staged for seed %u of layer %s", command->seed,
                        layer->name);
    return kas_staged_remove(state, staged, true);
}
