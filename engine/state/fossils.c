/* Fossils: kernels that have become part of a layer's base, for good.
 *
 *     D̂ₙ = (1 − α′ₙ)·D̂ₙ₋₁ + α′ₙ·Kₙ,   α′ = α / (1 − A + α)
 *
 * with A over all contributing seeds at that moment, this one among them: so the output does not move. While
 * all fossils up to the n-th are affine, they are folded into one W and b; until the folded weights are
 * there, and for good behind the first fossil that is not affine, they are steps of the plan. */
#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "engine/state/rules.h"

/* A of the layer: float32, ascending. */
static float sum_of_alphas(const kas_layer *layer)
{
    float sum = 0;
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        if (kas_seed_live(layer, i)) sum += kas_half_to_float(layer->seeds.alpha_blend[i]);
    return sum;
}

kas_status kas_fossilize_check(const kas_layer *layer, uint32_t seed)
{
    float sum = sum_of_alphas(layer);
    if (!(sum > 1)) return NULL;
    return kas_with_reason(
        kas_fail(KAS_CONFLICT, CALLER,
                 "seed %u of layer %s cannot be fossilized while the alphas of its contributing "
                 "seeds add up to %g: that must be at most 1",
                 seed, layer->name, (double)sum),
        "alphas");
}

kas_status kas_fossilize(kas_state *state, kas_layer *layer, uint32_t seed)
{
    float alpha = kas_half_to_float(layer->seeds.alpha_blend[seed]);
    float share = alpha > 0 ? alpha / (1 - sum_of_alphas(layer) + alpha) : 0;
    KAS_TRY(kas_seed_move(state, layer, seed, KAS_SEED_FOSSILIZED, "fossilize"));
    KAS_TRY(kas_ramp_end(state, layer, seed));
    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    layer->slots[seed].fossil_alpha = share;
    layer->seeds.alpha_blend[seed] = kas_half_from_float(share);
    layer->fossils[layer->fossil_count++] = (uint8_t)seed;
    return kas_fold_begin(state, layer);
}

/* ---- folding ---- */

static uint32_t affine_prefix(const kas_layer *layer)
{
    uint32_t count = 0;
    while (count < layer->fossil_count && layer->slots[layer->fossils[count]].hold.entry->facts.affine)
        ++count;
    return count;
}

kas_status kas_fold_begin(kas_state *state, kas_layer *layer)
{
    uint32_t count = affine_prefix(layer);
    if (count == layer->folded_fossils || (layer->fold && count == layer->fold_fossils)) return NULL;
    KAS_TRY(kas_fold_cancel(state, layer)); /* one that runs for fewer fossils: its answer comes too late */
    KAS_TRY(kas_layer_edit(state, layer));
    layer->fold = ++state->now.last_fold;
    layer->fold_fossils = count;
    KAS_TRY(kas_map_insert(&state->layers_by_fold, &state->undo, &layer->by_fold,
                           kas_map_hash_number(layer->fold)));
    kas_effect *effect;
    KAS_TRY(kas_emit(state, KAS_EFFECT_FOLD, layer, 0, &effect));
    effect->fold.fold = layer->fold;
    effect->fold.fossils = count;
    return NULL;
}

kas_status kas_fold_cancel(kas_state *state, kas_layer *layer)
{
    if (!layer->fold) return NULL;
    KAS_TRY(kas_layer_edit(state, layer));
    KAS_TRY(kas_map_remove(&state->layers_by_fold, &state->undo, &layer->by_fold));
    layer->fold = 0;
    layer->fold_fossils = 0;
    return NULL;
}

static kas_layer *layer_by_fold(const kas_state *state, uint64_t fold)
{
    kas_map_node *node = kas_map_first(&state->layers_by_fold, kas_map_hash_number(fold));
    for (; node; node = kas_map_next(node)) {
        kas_layer *layer = KAS_OWNER(node, kas_layer, by_fold);
        if (layer->fold == fold) return layer;
    }
    return NULL;
}

static kas_status tell_failure(kas_state *state, const kas_layer *layer)
{
    kas_error_info error = {.type = KAS_ERROR_DEVICE_ERROR};
    snprintf(error.detail, sizeof error.detail,
             "the fossils of layer %s could not be folded into its weights; they stay steps of its plan",
             layer->name);
    return kas_emit_error(state, KAS_EFFECT_ERROR, layer, 0, "", &error);
}

kas_status kas_folded(kas_state *state, const kas_command *command, bool failed)
{
    kas_resource weights = failed ? 0 : command->folded.weights;
    kas_layer *layer = layer_by_fold(state, command->folded.fold);
    if (!layer) return kas_emit_release(state, weights); /* too late: nobody will use them */
    uint32_t count = layer->fold_fossils;
    KAS_TRY(kas_fold_cancel(state, layer));
    if (!weights) return tell_failure(state, layer);
    KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    KAS_TRY(kas_emit_release(state, layer->folded_weights));
    layer->folded_weights = weights;
    layer->folded_fossils = count;
    return NULL;
}
