/* Alpha on its way. A ramp over time moves when a TICK comes, every 10 ms while one runs; each step that
 * moves the half-precision alpha is published. A ramp over passes moves with the passes themselves: the view
 * carries it, pass k under that view has the value after k more steps and generation + k, and the state
 * learns of them afterwards. */
#include <math.h>

#include "base/clock.h"
#include "base/half.h"
#include "engine/state/rules.h"

#define RAMP_STEP_NS (10 * KAS_NS_PER_MS)

/* sin x for x in [0, π/2], from exact operations only: the same bits on every machine. */
static double sine(double x)
{
    double term = x, sum = x;
    for (int n = 1; n <= 9; ++n) {
        term = -term * x * x / (double)(2 * n * (2 * n + 1));
        sum += term;
    }
    return sum;
}

float kas_ramp_value(float from, float to, float t, kas_curve curve)
{
    if (!(t > 0)) return from;
    if (t >= 1) return to;
    double share = (double)t;
    if (curve == KAS_CURVE_COSINE) {
        double root = sine(share * 1.5707963267948966);
        share = root * root; /* (1 − cos πt)/2 = sin²(πt/2) */
    }
    return (float)((double)from + ((double)to - (double)from) * share);
}

static uint16_t value_at(const kas_ramp_run *ramp, float t)
{
    return kas_half_from_float(kas_ramp_value(ramp->from, ramp->to, t, ramp->curve));
}

float kas_ramp_alpha(const kas_ramp_run *ramp, uint32_t passes)
{
    return kas_half_to_float(value_at(ramp, (float)passes / (float)ramp->length));
}

/* ---- begin and end ---- */

kas_status kas_ramp_begin(kas_state *state, kas_layer *layer, uint32_t seed, float from, float to,
                          const kas_ramp *ramp)
{
    KAS_TRY(kas_ramp_end(state, layer, seed));
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_slot *slot = &layer->slots[seed];
    slot->ramp = (kas_ramp_run){.unit = ramp->unit,
                                .curve = ramp->curve,
                                .from = from,
                                .to = to,
                                .length = ramp->length,
                                .start_ns = state->now.now_ns};
    layer->seeds.alpha_blend[seed] = kas_half_from_float(from);
    if (ramp->unit == KAS_RAMP_PASSES) return kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED);
    if (kas_list_empty(&state->ramping)) state->now.next_ramp_ns = state->now.now_ns + RAMP_STEP_NS;
    return kas_list_append(&state->undo, &state->ramping, &slot->ramping);
}

kas_status kas_ramp_end(kas_state *state, kas_layer *layer, uint32_t seed)
{
    kas_slot *slot = &layer->slots[seed];
    if (slot->ramp.unit == KAS_RAMP_NONE) return NULL;
    KAS_TRY(kas_seed_edit(state, layer, seed));
    if (slot->ramp.unit == KAS_RAMP_PASSES)
        KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
    slot->ramp = (kas_ramp_run){0};
    return kas_list_remove(&state->undo, &slot->ramping);
}

/* ---- over passes ---- */

kas_status kas_ramp_rebase(kas_state *state, kas_layer *layer)
{
    layer->view_steps = 0;
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        if (layer->slots[i].ramp.unit != KAS_RAMP_PASSES) continue;
        KAS_TRY(kas_seed_edit(state, layer, i));
        kas_ramp_run *ramp = &layer->slots[i].ramp;
        ramp->published = ramp->done;
        uint32_t left = ramp->length - ramp->done;
        if (left > layer->view_steps) layer->view_steps = left;
    }
    return NULL;
}

static kas_status step_seed(kas_state *state, kas_layer *layer, uint32_t seed, uint32_t steps)
{
    KAS_TRY(kas_seed_edit(state, layer, seed));
    kas_ramp_run *ramp = &layer->slots[seed].ramp;
    uint32_t left = ramp->length - ramp->published;
    ramp->done = ramp->published + (steps < left ? steps : left);
    uint16_t alpha = value_at(ramp, (float)ramp->done / (float)ramp->length);
    if (layer->seeds.alpha_blend[seed] != alpha) {
        layer->seeds.alpha_blend[seed] = alpha;
        kas_seed_stamp(state, layer, seed);
    }
    if (ramp->done < ramp->length) return NULL;
    *ramp = (kas_ramp_run){0};
    return kas_layer_mark(state, layer, KAS_MARK_VIEW); /* what passes have seen already: no new generation */
}

kas_status kas_ramp_steps(kas_state *state, const kas_command *command)
{
    kas_layer *layer = kas_layer_by_uid(state, command->ramp_steps.layer_uid);
    if (!layer) return NULL;
    uint32_t steps = command->ramp_steps.steps;
    if (steps > layer->view_steps) steps = layer->view_steps;
    uint64_t generation = layer->published_generation + steps;
    if (generation <= layer->generation) return NULL; /* known already */
    KAS_TRY(kas_layer_edit(state, layer));
    layer->generation = generation;
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        if (layer->slots[i].ramp.unit == KAS_RAMP_PASSES) KAS_TRY(step_seed(state, layer, i, steps));
    return NULL;
}

/* ---- over time ---- */

static kas_status tick_seed(kas_state *state, kas_layer *layer, uint32_t seed)
{
    kas_slot *slot = &layer->slots[seed];
    double passed_ns = (double)(state->now.now_ns - slot->ramp.start_ns);
    float t = (float)(passed_ns / ((double)slot->ramp.length * (double)KAS_NS_PER_MS));
    uint16_t alpha = value_at(&slot->ramp, t);
    if (alpha != layer->seeds.alpha_blend[seed]) {
        KAS_TRY(kas_seed_edit(state, layer, seed));
        KAS_TRY(kas_layer_mark(state, layer, KAS_MARK_VIEW | KAS_MARK_CHANGED));
        layer->seeds.alpha_blend[seed] = alpha;
        kas_seed_stamp(state, layer, seed);
    }
    return t >= 1 ? kas_ramp_end(state, layer, seed) : NULL;
}

kas_status kas_ramp_tick(kas_state *state)
{
    if (kas_list_empty(&state->ramping) || state->now.now_ns < state->now.next_ramp_ns) return NULL;
    for (kas_link *link = state->ramping.next, *next; link != &state->ramping; link = next) {
        next = link->next;
        kas_slot *slot = KAS_OWNER(link, kas_slot, ramping);
        KAS_TRY(tick_seed(state, slot->hold.layer, slot->hold.seed));
    }
    state->now.next_ramp_ns = state->now.now_ns + RAMP_STEP_NS;
    return NULL;
}
