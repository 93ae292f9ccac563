/* Unload, reset and alpha, and the one way in which every change of a seed but a load is asked for: checked
 * now, and then made at once or staged. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "engine/state/rules.h"

kas_status kas_check_wish(const kas_wish *wish)
{
    if (wish->has_alpha && !(wish->alpha >= 0 && wish->alpha <= 1))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "alpha must be in [0, 1], not %g", (double)wish->alpha);
    const kas_ramp *ramp = &wish->ramp;
    if (ramp->unit != KAS_RAMP_NONE && ramp->unit != KAS_RAMP_MS && ramp->unit != KAS_RAMP_PASSES)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a ramp is over milliseconds or over passes");
    if (ramp->unit != KAS_RAMP_NONE && !ramp->length)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a ramp must be at least 1 %s long",
                        ramp->unit == KAS_RAMP_MS ? "millisecond" : "pass");
    if (ramp->curve != KAS_CURVE_LINEAR && ramp->curve != KAS_CURVE_COSINE)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a ramp's curve is linear or cosine");
    return NULL;
}

kas_status kas_unload(kas_state *state, kas_layer *layer, uint32_t seed)
{
    if (kas_seed_state(layer, seed) == KAS_SEED_DORMANT) return NULL;
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_slot *slot = &layer->slots[seed];
    if (slot->load) KAS_TRY(kas_load_cancel(state, slot->load, "its seed was unloaded"));
    if (kas_seed_state(layer, seed) != KAS_SEED_DORMANT)
        KAS_TRY(kas_seed_move(state, layer, seed, KAS_SEED_DORMANT, "unload"));
    KAS_TRY(kas_seed_unbind(state, layer, seed));
    slot->load_failures = 0;
    layer->seeds.error_count[seed] = 0;
    layer->seeds.fallback_active[seed] = 0;
    return NULL;
}

kas_status kas_reset(kas_state *state, kas_layer *layer, uint32_t seed)
{
    KAS_TRY(kas_unload(state, layer, seed));
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_slot *slot = &layer->slots[seed];
    slot->last_error = (kas_error_info){0};
    slot->load_failures = 0;
    slot->has_health = false;
    slot->recent_count = slot->recent_at = 0;
    memset(slot->recent, 0, sizeof slot->recent);
    layer->seeds.health_accumulator[seed] = 0;
    layer->seeds.exec_latency_us[seed] = 0;
    layer->seeds.last_update_epoch[seed] = 0;
    return NULL;
}

/* ---- alpha ---- */

static kas_status wish_alpha(kas_state *state, kas_layer *layer, uint32_t seed, const kas_wish *wish)
{
    const kas_wish *present = &layer->slots[seed].wish;
    if (present->has_alpha && present->alpha == wish->alpha && present->ramp.unit == wish->ramp.unit &&
        present->ramp.length == wish->ramp.length && present->ramp.curve == wish->ramp.curve)
        return NULL;
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_wish *changed = &layer->slots[seed].wish;
    changed->has_alpha = true;
    changed->alpha = wish->alpha;
    changed->ramp = wish->ramp;
    kas_seed_revise(layer, seed);
    return NULL;
}

kas_status kas_set_alpha(kas_state *state, kas_layer *layer, uint32_t seed, const kas_wish *wish)
{
    if (kas_seed_state(layer, seed) == KAS_SEED_LOADING) return wish_alpha(state, layer, seed, wish);
    uint16_t *alpha = &layer->seeds.alpha_blend[seed];
    uint16_t target = kas_half_from_float(wish->alpha);
    if (*alpha == target && layer->slots[seed].ramp.unit == KAS_RAMP_NONE) return NULL;
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_seed_revise(layer, seed);
    if (wish->ramp.unit != KAS_RAMP_NONE && *alpha != target)
        return kas_ramp_begin(state, layer, seed, kas_half_to_float(*alpha), wish->alpha, &wish->ramp);
    KAS_TRY(kas_ramp_end(state, layer, seed));
    if (*alpha == target) return NULL;
    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    *alpha = target;
    kas_seed_stamp(state, layer, seed);
    return NULL;
}

/* ---- asking for a change ---- */

static const kas_request request_of[] = {
    [KAS_CHANGE_LOAD] = KAS_REQUEST_LOAD,   [KAS_CHANGE_UNLOAD] = KAS_REQUEST_UNLOAD,
    [KAS_CHANGE_RESET] = KAS_REQUEST_RESET, [KAS_CHANGE_FOSSILIZE] = KAS_REQUEST_FOSSILIZE,
    [KAS_CHANGE_ALPHA] = KAS_REQUEST_ALPHA,
};

kas_status kas_change_check(kas_state *state, const kas_layer *layer, uint32_t seed, kas_change change)
{
    KAS_TRY(kas_seed_check(state, layer, seed, request_of[change]));
    return change == KAS_CHANGE_FOSSILIZE ? kas_fossilize_check(layer, seed) : NULL;
}

kas_status kas_change_make(kas_state *state, kas_layer *layer, uint32_t seed, kas_change change,
                           const kas_wish *wish)
{
    switch (change) {
    case KAS_CHANGE_UNLOAD:
        return kas_unload(state, layer, seed);
    case KAS_CHANGE_RESET:
        return kas_reset(state, layer, seed);
    case KAS_CHANGE_FOSSILIZE:
        return kas_fossilize(state, layer, seed);
    default:
        return kas_set_alpha(state, layer, seed, wish);
    }
}

kas_status kas_change_seed(kas_state *state, const kas_command *command, kas_change change)
{
    kas_layer *layer;
    uint32_t seed = command->seed;
    KAS_TRY(kas_seed_of(state, command, &layer));
    kas_wish wish = {.has_alpha = command->has_alpha, .alpha = command->alpha, .ramp = command->ramp};
    if (change == KAS_CHANGE_ALPHA) {
        if (!wish.has_alpha) return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "an alpha is needed");
        KAS_TRY(kas_check_wish(&wish));
    }
    KAS_TRY(kas_stage_check_epoch(state, command->at_epoch));
    KAS_TRY(kas_change_check(state, layer, seed, change));
    if (!command->at_epoch) return kas_change_make(state, layer, seed, change, &wish);
    kas_staged *staged;
    KAS_TRY(kas_stage_check(layer, (int32_t)seed));
    return kas_stage_add(state, layer, (int32_t)seed, change, command->at_epoch, &wish, &staged);
}
