/* What passes found, folded into their seeds in order of completion: latency, health, and consecutive
 * failures, the third of which takes the kernel out of service. Results of a binding that is no longer there
 * are dropped. */
#include <stdio.h>
#include <string.h>

#include "engine/state/rules.h"

static const float health_smoothing = 0.1f;

static kas_slot *slot_of(kas_layer *layer, const kas_pass_result *result)
{
    if (!layer || !result->binding || result->seed >= layer->num_seeds) return NULL;
    kas_slot *slot = &layer->slots[result->seed];
    return slot->binding == result->binding ? slot : NULL;
}

/* Notes one more execution; returns the share of failures among the recent ones. */
static float note_recent(kas_slot *slot, bool failed)
{
    uint64_t bit = 1ull << (slot->recent_at % 64);
    uint64_t *word = &slot->recent[slot->recent_at / 64];
    *word = failed ? *word | bit : *word & ~bit;
    slot->recent_at = (slot->recent_at + 1) % KAS_RECENT_PASSES;
    if (slot->recent_count < KAS_RECENT_PASSES) ++slot->recent_count;
    int failures = __builtin_popcountll(slot->recent[0]) + __builtin_popcountll(slot->recent[1]);
    return (float)failures / (float)slot->recent_count;
}

static void note_health(kas_slot *slot, float *health, const kas_pass_result *result, float error_rate)
{
    bool failed = result->outcome != KAS_OUTCOME_OK;
    if (!failed && !(result->dead_ratio >= 0)) return; /* not sampled */
    float dead = result->dead_ratio < 1 ? result->dead_ratio : 1;
    float score = failed ? 0 : (1 - dead) * (1 - error_rate);
    *health = slot->has_health ? *health + health_smoothing * (score - *health) : score;
    slot->has_health = true;
}

static void describe(const kas_pass_result *result, int64_t wall_ns, kas_error_info *error)
{
    *error = (kas_error_info){.at_ns = wall_ns};
    switch (result->outcome) {
    case KAS_OUTCOME_NON_FINITE:
        error->type = KAS_ERROR_KERNEL_EXECUTION;
        snprintf(error->detail, sizeof error->detail, "non-finite output");
        return;
    case KAS_OUTCOME_DEADLINE:
        error->type = KAS_ERROR_TIMEOUT;
        snprintf(error->detail, sizeof error->detail, "the execution passed its deadline");
        return;
    default:
        error->type = KAS_ERROR_DEVICE_ERROR;
        snprintf(error->detail, sizeof error->detail, "the device failed to run the kernel");
    }
}

/* The kernel goes out of service. One that served under a running load leaves that load running. */
static kas_status take_out(kas_state *state, kas_layer *layer, uint32_t seed)
{
    kas_slot *slot = &layer->slots[seed];
    kas_content *content = slot->hold.entry->content;
    bool own_fault = slot->kernel_faults >= KAS_CONSECUTIVE_FAILURES;
    if (kas_seed_state(layer, seed) == KAS_SEED_LOADING) {
        slot->from_recovery = true;
        KAS_TRY(kas_seed_unbind(state, layer, seed));
        layer->seeds.fallback_active[seed] = 1;
        kas_seed_revise(layer, seed);
    } else {
        KAS_TRY(kas_recovery_enter(state, layer, seed, "execution failures"));
    }
    return own_fault ? kas_recovery_count_fault(state, content) : NULL;
}

static kas_status note_failure(kas_state *state, kas_layer *layer, kas_slot *slot,
                               const kas_pass_result *result)
{
    uint32_t seed = result->seed;
    uint16_t *errors = &layer->seeds.error_count[seed];
    bool fossil = kas_seed_state(layer, seed) == KAS_SEED_FOSSILIZED;
    if (*errors < UINT16_MAX) ++*errors;
    bool own = result->outcome == KAS_OUTCOME_NON_FINITE;
    if (own && slot->kernel_faults < UINT16_MAX) ++slot->kernel_faults;
    describe(result, state->now.wall_ns, &slot->last_error);
    KAS_TRY(kas_emit_error(state, KAS_EFFECT_ERROR, layer, seed, slot->artifact_id, &slot->last_error));
    if (fossil) /* never unloaded: somebody must look; once for each run of failures */
        return *errors == 1 ? kas_emit_error(state, KAS_EFFECT_ALERT, layer, seed, slot->artifact_id,
                                             &slot->last_error)
                            : NULL;
    return *errors >= KAS_CONSECUTIVE_FAILURES ? take_out(state, layer, seed) : NULL;
}

static kas_status note_result(kas_state *state, const kas_pass_result *result)
{
    kas_layer *layer = kas_layer_by_uid(state, result->layer_uid);
    kas_slot *slot = slot_of(layer, result);
    if (!slot) return NULL;
    uint32_t seed = result->seed;
    KAS_TRY(kas_seed_edit(state, layer, seed));
    bool failed = result->outcome != KAS_OUTCOME_OK;
    float error_rate = note_recent(slot, failed);
    note_health(slot, &layer->seeds.health_accumulator[seed], result, error_rate);
    layer->seeds.exec_latency_us[seed] = result->latency_us;
    if (failed) return note_failure(state, layer, slot, result);
    layer->seeds.error_count[seed] = 0;
    slot->kernel_faults = 0;
    return NULL;
}

kas_status kas_pass_results(kas_state *state, const kas_command *command)
{
    for (size_t i = 0; i < command->passes.count; ++i)
        KAS_TRY(note_result(state, &command->passes.results[i]));
    return NULL;
}
