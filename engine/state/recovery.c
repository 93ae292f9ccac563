/* ERROR_RECOVERY: the base stands in for a seed whose kernel failed three times in a row. After 30 s its load
 * is tried again, once; a kernel that got its seeds there three times in five minutes by its own fault goes
 * into quarantine and is not tried again. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/half.h"
#include "engine/state/rules.h"

#define RETRY_AFTER_NS  (30 * KAS_NS_PER_S)
#define FAULT_WINDOW_NS (300 * KAS_NS_PER_S)

/* The retry is to bring back what served; of a load that never succeeded the wish is still there. */
static void wish_what_served(kas_layer *layer, uint32_t seed)
{
    kas_slot *slot = &layer->slots[seed];
    if (!slot->hold.entry) return;
    slot->wish = (kas_wish){.has_alpha = true, .alpha = kas_half_to_float(layer->seeds.alpha_blend[seed])};
    if (slot->ramp.unit != KAS_RAMP_NONE) slot->wish.alpha = slot->ramp.to;
    memcpy(slot->wish.artifact_id, slot->artifact_id, sizeof slot->wish.artifact_id);
}

kas_status kas_recovery_enter(kas_state *state, kas_layer *layer, uint32_t seed, const char *reason)
{
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_slot *slot = &layer->slots[seed];
    wish_what_served(layer, seed);
    KAS_TRY(kas_ramp_end(state, layer, seed));
    if (slot->shown) KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    KAS_TRY(kas_seed_move(state, layer, seed, KAS_SEED_ERROR_RECOVERY, reason));
    slot->binding = 0;
    slot->recover_at_ns = state->now.now_ns + RETRY_AFTER_NS;
    layer->seeds.fallback_active[seed] = 1;
    return kas_list_append(&state->undo, &state->recovering, &slot->recovering);
}

/* ---- quarantine ---- */

static kas_status put_into_quarantine(kas_state *state, kas_content *content)
{
    content->quarantined = true;
    content->quarantined_at_ns = state->now.wall_ns;
    snprintf(content->reason, sizeof content->reason,
             "its seeds entered ERROR_RECOVERY %d times within %lld minutes by its own fault",
             KAS_FAULTS_IN_WINDOW, FAULT_WINDOW_NS / (60 * KAS_NS_PER_S));
    kas_error_info error = {.type = KAS_ERROR_KERNEL_EXECUTION};
    snprintf(error.detail, sizeof error.detail, "artifact %.100s is in quarantine: %.100s", content->first_id,
             content->reason);
    return kas_emit_error(state, KAS_EFFECT_ALERT, NULL, 0, content->first_id, &error);
}

kas_status kas_recovery_count_fault(kas_state *state, kas_content *content)
{
    KAS_TRY(kas_content_edit(state, content));
    int64_t *faults = content->faults_ns;
    if (content->fault_count == KAS_FAULTS_IN_WINDOW) {
        memmove(faults, faults + 1, (KAS_FAULTS_IN_WINDOW - 1) * sizeof *faults);
        --content->fault_count;
    }
    faults[content->fault_count++] = state->now.now_ns;
    bool third =
        content->fault_count == KAS_FAULTS_IN_WINDOW && state->now.now_ns - faults[0] <= FAULT_WINDOW_NS;
    return third && !content->quarantined ? put_into_quarantine(state, content) : NULL;
}

/* ---- the retry ---- */

static kas_status retry(kas_state *state, kas_slot *slot)
{
    KAS_TRY(kas_list_remove(&state->undo, &slot->recovering));
    const kas_binding *binding = kas_binding_find(state, slot->wish.artifact_id);
    if (binding && binding->content->quarantined) return NULL;
    uint64_t operation;
    return kas_load_begin(state, slot->hold.layer, slot->hold.seed, &slot->wish, "retry", &operation);
}

kas_status kas_recovery_tick(kas_state *state)
{
    while (!kas_list_empty(&state->recovering)) {
        kas_slot *slot = KAS_OWNER(state->recovering.next, kas_slot, recovering);
        if (slot->recover_at_ns > state->now.now_ns) return NULL;
        KAS_TRY(retry(state, slot));
    }
    return NULL;
}
