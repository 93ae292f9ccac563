/* Seeds: their arrays, what their lifecycle allows, and the two changes that all others are made of: binding
 * a kernel to a seed and taking it away. */
#include "engine/state/rules.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/half.h"

/* ---- arrays ---- */

void kas_seeds_lay_out(kas_layer *layer, void *block)
{
    size_t n = layer->num_seeds;
    kas_seed_arrays *seeds = &layer->seeds;
    seeds->active_kernel_id = block; /* widest first: each array is aligned without gaps */
    seeds->health_accumulator = (float *)(void *)(seeds->active_kernel_id + n);
    seeds->last_update_epoch = (uint32_t *)(void *)(seeds->health_accumulator + n);
    seeds->alpha_blend = (uint16_t *)(void *)(seeds->last_update_epoch + n);
    seeds->exec_latency_us = seeds->alpha_blend + n;
    seeds->error_count = seeds->exec_latency_us + n;
    seeds->lifecycle_state = (uint8_t *)(seeds->error_count + n);
    seeds->fallback_active = seeds->lifecycle_state + n;
}

uint32_t kas_seeds_control_crc(const kas_layer *layer)
{
    const kas_seed_arrays *seeds = &layer->seeds;
    size_t n = layer->num_seeds;
    uint32_t crc = kas_crc32c(0, seeds->lifecycle_state, n);
    crc = kas_crc32c(crc, seeds->active_kernel_id, n * sizeof *seeds->active_kernel_id);
    crc = kas_crc32c(crc, seeds->alpha_blend, n * sizeof *seeds->alpha_blend);
    return kas_crc32c(crc, seeds->fallback_active, n);
}

kas_lifecycle kas_seed_state(const kas_layer *layer, uint32_t seed)
{
    return (kas_lifecycle)layer->seeds.lifecycle_state[seed];
}

/* ---- the lifecycle as data ---- */

enum { STATE_COUNT = 5 };

#define BIT(n) (1u << (n))

static const struct {
    const char *name;
    uint8_t requests; /* bits of kas_request */
    uint8_t reaches;  /* bits of kas_lifecycle */
} lifecycle[STATE_COUNT] = {
    [KAS_SEED_DORMANT] = {"DORMANT", BIT(KAS_REQUEST_LOAD) | BIT(KAS_REQUEST_UNLOAD) | BIT(KAS_REQUEST_RESET),
                          BIT(KAS_SEED_LOADING)},
    /* load only joins a load of the same artifact: kas_load sees to that before it asks here */
    [KAS_SEED_LOADING] = {"LOADING",
                          BIT(KAS_REQUEST_UNLOAD) | BIT(KAS_REQUEST_ALPHA) | BIT(KAS_REQUEST_RESET),
                          BIT(KAS_SEED_ACTIVE) | BIT(KAS_SEED_DORMANT) | BIT(KAS_SEED_ERROR_RECOVERY)},
    [KAS_SEED_ACTIVE] = {"ACTIVE",
                         BIT(KAS_REQUEST_LOAD) | BIT(KAS_REQUEST_UNLOAD) | BIT(KAS_REQUEST_ALPHA) |
                             BIT(KAS_REQUEST_FOSSILIZE) | BIT(KAS_REQUEST_RESET),
                         BIT(KAS_SEED_DORMANT) | BIT(KAS_SEED_LOADING) | BIT(KAS_SEED_ERROR_RECOVERY) |
                             BIT(KAS_SEED_FOSSILIZED)},
    [KAS_SEED_ERROR_RECOVERY] = {"ERROR_RECOVERY",
                                 BIT(KAS_REQUEST_LOAD) | BIT(KAS_REQUEST_UNLOAD) | BIT(KAS_REQUEST_RESET),
                                 BIT(KAS_SEED_LOADING) | BIT(KAS_SEED_DORMANT)},
    [KAS_SEED_FOSSILIZED] = {"FOSSILIZED", 0, 0},
};

static const struct {
    const char *name;
    const char *needs;
} requests[KAS_REQUEST_COUNT] = {
    [KAS_REQUEST_LOAD] = {"load", "DORMANT, ACTIVE or ERROR_RECOVERY"},
    [KAS_REQUEST_UNLOAD] = {"unload", "any state but FOSSILIZED"},
    [KAS_REQUEST_ALPHA] = {"alpha", "ACTIVE or LOADING"},
    [KAS_REQUEST_FOSSILIZE] = {"fossilize", "ACTIVE"},
    [KAS_REQUEST_RESET] = {"reset", "any state but FOSSILIZED"},
};

const char *kas_lifecycle_name(kas_lifecycle state)
{
    return lifecycle[state].name;
}

bool kas_lifecycle_allows(kas_lifecycle state, kas_request request)
{
    return lifecycle[state].requests & BIT(request);
}

bool kas_lifecycle_reaches(kas_lifecycle from, kas_lifecycle to)
{
    return lifecycle[from].reaches & BIT(to);
}

bool kas_seed_live(const kas_layer *layer, uint32_t seed)
{
    kas_lifecycle state = kas_seed_state(layer, seed);
    return state == KAS_SEED_ACTIVE || (state == KAS_SEED_LOADING && layer->slots[seed].hold.entry);
}

bool kas_seed_shows(const kas_layer *layer, uint32_t seed)
{
    if (kas_seed_live(layer, seed)) return true;
    if (kas_seed_state(layer, seed) != KAS_SEED_FOSSILIZED) return false;
    for (uint32_t i = layer->folded_fossils; i < layer->fossil_count; ++i)
        if (layer->fossils[i] == seed) return true;
    return false;
}

/* ---- requests ---- */

kas_status kas_seed_of(kas_state *state, const kas_command *command, kas_layer **layer)
{
    kas_layer *found = kas_layer_find(state, command->layer);
    if (!found) return kas_fail(KAS_NOT_FOUND, CALLER, "there is no layer %s", command->layer);
    if (command->seed >= found->num_seeds)
        return kas_fail(KAS_NOT_FOUND, CALLER, "layer %s has no seed %u: it has %u, numbered from 0",
                        found->name, command->seed, found->num_seeds);
    uint64_t revision = found->slots[command->seed].revision;
    if (command->revision && command->revision != revision)
        return kas_with_reason(kas_fail(KAS_CONFLICT, CALLER,
                                        "seed %u of layer %s has changed: it is at revision %llu, not %llu",
                                        command->seed, found->name, (unsigned long long)revision,
                                        (unsigned long long)command->revision),
                               "precondition");
    *layer = found;
    return NULL;
}

kas_status kas_seed_check(kas_state *state, const kas_layer *layer, uint32_t seed, kas_request request)
{
    kas_lifecycle present = kas_seed_state(layer, seed);
    if (kas_lifecycle_allows(present, request)) return NULL;
    kas_reply *reply = &state->pending.reply;
    size_t allowed = 0;
    reply->state = kas_lifecycle_name(present);
    for (unsigned i = 0; i < KAS_REQUEST_COUNT; ++i)
        if (kas_lifecycle_allows(present, (kas_request)i)) reply->allowed[allowed++] = requests[i].name;
    return kas_fail(KAS_ILLEGAL_TRANSITION, CALLER, "seed %u of layer %s is %s; %s needs %s", seed,
                    layer->name, reply->state, requests[request].name, requests[request].needs);
}

/* ---- changes ---- */

kas_status kas_seed_edit(kas_state *state, kas_layer *layer, uint32_t seed)
{
    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_ARRAYS));
    if (layer->arrays_touched != state->pending.serial) {
        KAS_TRY(kas_undo_save(&state->undo, layer->seeds.active_kernel_id,
                              (size_t)layer->num_seeds * KAS_SEED_BYTES));
        layer->arrays_touched = state->pending.serial;
    }
    kas_slot *slot = &layer->slots[seed];
    if (slot->touched == state->pending.serial) return NULL;
    KAS_TRY(kas_undo_save(&state->undo, slot, sizeof *slot));
    slot->touched = state->pending.serial;
    return NULL;
}

void kas_seed_revise(kas_layer *layer, uint32_t seed)
{
    ++layer->slots[seed].revision;
    ++layer->revision;
}

void kas_seed_stamp(const kas_state *state, kas_layer *layer, uint32_t seed)
{
    layer->seeds.last_update_epoch[seed] = state->now.epoch;
    layer->slots[seed].epoch_before_load = state->now.epoch;
}

kas_status kas_seed_move(kas_state *state, kas_layer *layer, uint32_t seed, kas_lifecycle to,
                         const char *reason)
{
    kas_lifecycle from = kas_seed_state(layer, seed);
    assert(kas_lifecycle_reaches(from, to));
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_slot *slot = &layer->slots[seed];
    KAS_TRY(kas_list_remove(&state->undo, &slot->recovering));
    kas_effect *effect;
    KAS_TRY(kas_emit(state, KAS_EFFECT_TRANSITION, layer, seed, &effect));
    effect->transition.from = from;
    effect->transition.to = to;
    effect->transition.reason = reason;
    bool loading = from == KAS_SEED_LOADING || to == KAS_SEED_LOADING;
    const char *artifact = loading ? slot->wish.artifact_id : slot->artifact_id;
    memcpy(effect->transition.artifact_id, artifact, strlen(artifact) + 1);
    layer->seeds.lifecycle_state[seed] = (uint8_t)to;
    layer->seeds.last_update_epoch[seed] = state->now.epoch;
    kas_seed_revise(layer, seed);
    return NULL;
}

kas_status kas_seed_unbind(kas_state *state, kas_layer *layer, uint32_t seed)
{
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_slot *slot = &layer->slots[seed];
    if (slot->shown) KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    KAS_TRY(kas_ramp_end(state, layer, seed));
    KAS_TRY(kas_hold_drop(state, &slot->hold));
    slot->binding = 0;
    slot->artifact_id[0] = 0;
    slot->kernel_faults = 0;
    layer->seeds.active_kernel_id[seed] = 0;
    layer->seeds.alpha_blend[seed] = 0;
    kas_seed_stamp(state, layer, seed);
    return NULL;
}

/* Alpha of a loaded kernel where the caller names none. */
static float alpha_of_confidence(float confidence)
{
    float alpha = confidence * 0.6f;
    if (!(alpha > 0)) return 0;
    return alpha < 0.5f ? alpha : 0.5f;
}

kas_status kas_seed_bind(kas_state *state, kas_layer *layer, uint32_t seed, kas_entry *entry,
                         const kas_wish *wish)
{
    KAS_TRY(kas_seed_unbind(state, layer, seed));
    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    kas_slot *slot = &layer->slots[seed];
    KAS_TRY(kas_hold_take(state, &slot->hold, entry));
    memcpy(slot->artifact_id, wish->artifact_id, sizeof slot->artifact_id);
    slot->binding = ++state->now.last_binding;
    slot->last_error = (kas_error_info){0};
    slot->load_failures = 0;
    layer->seeds.active_kernel_id[seed] = kas_binding_find(state, wish->artifact_id)->kernel_id;
    layer->seeds.error_count[seed] = 0;
    layer->seeds.fallback_active[seed] = 0;
    float alpha = wish->has_alpha ? wish->alpha : alpha_of_confidence(entry->facts.confidence);
    if (wish->ramp.unit != KAS_RAMP_NONE)
        KAS_TRY(kas_ramp_begin(state, layer, seed, 0, alpha, &wish->ramp));
    else
        layer->seeds.alpha_blend[seed] = kas_half_from_float(alpha);
    return kas_seed_move(state, layer, seed, KAS_SEED_ACTIVE, "load");
}
