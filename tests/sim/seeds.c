/* What happens to a seed, as docs/semantics.md and docs/fine-points.md say; with none of the state's
 * bookkeeping. */
#include <math.h>

#include "base/clock.h"
#include "base/half.h"
#include "tests/sim/sim.h"

#define RETRY_NS  (30 * KAS_NS_PER_S)
#define WINDOW_NS (300 * KAS_NS_PER_S)

bool sim_seed_live(const sim_seed *seed)
{
    return seed->state == KAS_SEED_ACTIVE || (seed->state == KAS_SEED_LOADING && seed->kernel);
}

static float alpha_of(const sim_seed *seed)
{
    return kas_half_to_float(seed->alpha);
}

/* ---- kernels ---- */

static void unbind(const sim *s, sim_seed *seed)
{
    seed->artifact = -1;
    seed->kernel = 0;
    seed->alpha = 0;
    seed->ramp = (kas_ramp){0};
    seed->own_errors = 0;
    seed->binding = 0;
    seed->epoch = s->model.epoch;
}

static void start_ramp(const sim *s, sim_seed *seed, float from, float to, const kas_ramp *ramp)
{
    seed->ramp = *ramp;
    seed->ramp_from = from;
    seed->ramp_to = to;
    seed->ramp_start_ns = s->now_ns;
}

void sim_seed_bind(sim *s, sim_layer *layer, uint32_t index, const sim_wish *wish, kas_resource kernel)
{
    sim_seed *seed = &layer->seeds[index];
    unbind(s, seed);
    seed->kernel = kernel;
    seed->artifact = wish->artifact;
    seed->state = KAS_SEED_ACTIVE;
    seed->errors = seed->load_failures = 0;
    seed->fallback = seed->retry = false;
    seed->load = 0;
    seed->last_error = KAS_ERROR_NONE;
    float confidence = s->world.contents[s->world.resources[kernel].content].facts.confidence;
    float alpha = wish->has_alpha ? wish->alpha : fminf(confidence * 0.6f, 0.5f);
    if (wish->ramp.unit)
        start_ramp(s, seed, 0, alpha, &wish->ramp);
    else
        seed->alpha = kas_half_from_float(alpha);
}

/* ---- loads ---- */

void sim_seed_begin_load(sim *s, sim_seed *seed, const sim_wish *wish, uint64_t operation)
{
    seed->from_recovery = seed->state == KAS_SEED_ERROR_RECOVERY;
    seed->epoch_back = seed->epoch;
    if (seed->from_recovery) unbind(s, seed);
    seed->epoch = s->model.epoch;
    seed->state = KAS_SEED_LOADING;
    seed->wish = *wish;
    seed->load = operation;
    seed->retry = false;
}

static void enter_recovery(sim *s, sim_seed *seed)
{
    if (seed->kernel)
        seed->wish = (sim_wish){.artifact = seed->artifact,
                                .has_alpha = true,
                                .alpha = seed->ramp.unit ? seed->ramp_to : alpha_of(seed)};
    seed->ramp = (kas_ramp){0};
    seed->state = KAS_SEED_ERROR_RECOVERY;
    seed->fallback = seed->retry = true;
    seed->retry_ns = s->now_ns + RETRY_NS;
    seed->binding = 0;
    seed->epoch = s->model.epoch;
}

void sim_seed_send_back(sim *s, sim_seed *seed, bool unexpected)
{
    seed->load = 0;
    seed->load_failures = (uint16_t)(seed->load_failures + unexpected);
    if (!seed->kernel && !seed->from_recovery && unexpected && seed->load_failures >= 3) {
        enter_recovery(s, seed);
        return;
    }
    seed->state = seed->kernel ? KAS_SEED_ACTIVE : KAS_SEED_DORMANT;
    seed->epoch = seed->epoch_back;
    if (!seed->from_recovery) return;
    seed->errors = seed->load_failures = 0;
    seed->fallback = false;
}

/* ---- changes ---- */

void sim_seed_unload(sim *s, sim_seed *seed)
{
    if (seed->state == KAS_SEED_DORMANT) return;
    if (seed->load) {
        s->model.operations[seed->load].may_be_cancelled = true;
        seed->last_error = KAS_ERROR_KERNEL_LOADING;
    }
    unbind(s, seed);
    seed->state = KAS_SEED_DORMANT;
    seed->load = 0;
    seed->errors = seed->load_failures = 0;
    seed->fallback = seed->retry = false;
}

void sim_seed_reset(sim *s, sim_seed *seed)
{
    sim_seed_unload(s, seed);
    seed->load_failures = 0;
    seed->epoch = 0;
    seed->last_error = KAS_ERROR_NONE;
    seed->health = 0;
    seed->has_health = false;
    seed->latency_us = 0;
    seed->recent_count = seed->recent_at = 0;
}

void sim_seed_set_alpha(sim *s, sim_seed *seed, const sim_wish *wish)
{
    if (seed->state == KAS_SEED_LOADING) { /* what it is loaded with */
        seed->wish.has_alpha = true;
        seed->wish.alpha = wish->alpha;
        seed->wish.ramp = wish->ramp;
        return;
    }
    uint16_t target = kas_half_from_float(wish->alpha);
    if (wish->ramp.unit && target != seed->alpha) {
        start_ramp(s, seed, alpha_of(seed), wish->alpha, &wish->ramp);
        return;
    }
    seed->ramp = (kas_ramp){0};
    if (target != seed->alpha) seed->epoch = s->model.epoch;
    seed->alpha = target;
}

/* ---- fossils ---- */

/* y of one row: c·B + Σ s·αᵢ·Kᵢ. */
static double answer(const sim *s, const sim_layer *layer)
{
    double all = 0, sum = 0;
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        if (sim_seed_live(&layer->seeds[i])) all += (double)alpha_of(&layer->seeds[i]);
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        if (sim_seed_live(&layer->seeds[i]))
            sum += (double)alpha_of(&layer->seeds[i]) * s->world.resources[layer->seeds[i].kernel].value;
    return all >= 1 ? sum / all : (1 - all) * sim_model_base(s, layer) + sum;
}

void sim_seed_fossilize(sim *s, sim_layer *layer, uint32_t index)
{
    sim_seed *seed = &layer->seeds[index];
    double before = answer(s, layer);
    float all = 0, alpha = alpha_of(seed);
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        if (sim_seed_live(&layer->seeds[i])) all += alpha_of(&layer->seeds[i]);
    seed->fossil_alpha = alpha > 0 ? alpha / (1 - all + alpha) : 0;
    seed->alpha = kas_half_from_float(seed->fossil_alpha);
    seed->ramp = (kas_ramp){0};
    seed->state = KAS_SEED_FOSSILIZED;
    seed->epoch = s->model.epoch;
    layer->fossils[layer->fossil_count++] = (uint8_t)index;
    double after = answer(s, layer);
    SIM_REQUIRE(s, fabs(after - before) <= 1e-5 * (1 + fabs(before)),
                "fossilizing seed %u moves the answer from %g to %g", index, before, after);
}

/* ---- results of passes ---- */

static void count_fault(sim *s, int content)
{
    sim_model *model = &s->model;
    int64_t *faults = model->faults_ns[content];
    faults[0] = faults[1];
    faults[1] = faults[2];
    faults[2] = s->now_ns;
    if (model->fault_count[content] < 3) ++model->fault_count[content];
    if (model->fault_count[content] == 3 && faults[2] - faults[0] <= WINDOW_NS)
        model->quarantined[content] = true;
}

/* The third failure in a row. */
static void take_out(sim *s, sim_seed *seed)
{
    int content = s->world.resources[seed->kernel].content;
    bool own = seed->own_errors >= 3;
    if (seed->state == KAS_SEED_LOADING) {
        unbind(s, seed);
        seed->epoch_back = s->model.epoch;
        seed->from_recovery = seed->fallback = true;
    } else {
        enter_recovery(s, seed);
    }
    if (own) count_fault(s, content);
}

static kas_error_type error_of(kas_outcome outcome)
{
    if (outcome == KAS_OUTCOME_NON_FINITE) return KAS_ERROR_KERNEL_EXECUTION;
    return outcome == KAS_OUTCOME_DEADLINE ? KAS_ERROR_TIMEOUT : KAS_ERROR_DEVICE_ERROR;
}

/* (1 − dead_neuron_ratio)·(1 − recent error rate), 0 of a failure; averaged with smoothing 0.1. */
static void note_health(sim_seed *seed, const kas_pass_result *result)
{
    const uint32_t kept = sizeof seed->recent;
    bool failed = result->outcome != KAS_OUTCOME_OK;
    seed->recent[seed->recent_at] = failed;
    seed->recent_at = (seed->recent_at + 1) % kept;
    if (seed->recent_count < kept) ++seed->recent_count;
    uint32_t failures = 0;
    for (uint32_t i = 0; i < seed->recent_count; ++i)
        failures += seed->recent[i];
    if (!failed && result->dead_ratio < 0) return; /* not sampled */
    float rate = (float)failures / (float)seed->recent_count;
    float score = failed ? 0 : (1 - result->dead_ratio) * (1 - rate);
    seed->health = seed->has_health ? seed->health + 0.1f * (score - seed->health) : score;
    seed->has_health = true;
}

void sim_seed_note_result(sim *s, const kas_pass_result *result)
{
    int index = sim_layer_of(s, result->layer_uid);
    if (index < 0) return;
    sim_seed *seed = &s->model.layers[index].seeds[result->seed];
    if (!seed->binding || seed->binding != result->binding) return; /* of a kernel that has gone */
    note_health(seed, result);
    seed->latency_us = result->latency_us;
    if (result->outcome == KAS_OUTCOME_OK) {
        seed->errors = seed->own_errors = 0;
        return;
    }
    ++seed->errors;
    seed->last_error = error_of((kas_outcome)result->outcome);
    seed->own_errors = (uint16_t)(seed->own_errors + (result->outcome == KAS_OUTCOME_NON_FINITE));
    if (seed->state != KAS_SEED_FOSSILIZED && seed->errors >= 3) take_out(s, seed);
}
