/* After each command: the state, told by its own interface, must be what the model and the world's books say.
 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/half.h"
#include "tests/sim/sim.h"

#define RAMP_STEP_NS (10 * KAS_NS_PER_MS)

/* ---- transitions ---- */

static bool transition_is_allowed(kas_lifecycle from, kas_lifecycle to)
{
    static const uint8_t reaches[] = {
        [KAS_SEED_DORMANT] = 1 << KAS_SEED_LOADING,
        [KAS_SEED_LOADING] = 1 << KAS_SEED_ACTIVE | 1 << KAS_SEED_DORMANT | 1 << KAS_SEED_ERROR_RECOVERY,
        [KAS_SEED_ACTIVE] = 1 << KAS_SEED_DORMANT | 1 << KAS_SEED_LOADING | 1 << KAS_SEED_ERROR_RECOVERY |
                            1 << KAS_SEED_FOSSILIZED,
        [KAS_SEED_ERROR_RECOVERY] = 1 << KAS_SEED_LOADING | 1 << KAS_SEED_DORMANT,
        [KAS_SEED_FOSSILIZED] = 0,
    };
    return reaches[from] & 1 << to;
}

static void follow_transitions(sim *s)
{
    for (size_t i = 0; i < s->effects.count; ++i) {
        const kas_effect *effect = &s->effects.items[i];
        int layer = sim_layer_of(s, effect->layer_uid);
        if (effect->kind != KAS_EFFECT_TRANSITION || layer < 0) continue;
        sim_seed *seed = &s->model.layers[layer].seeds[effect->seed];
        SIM_REQUIRE(s, effect->transition.from == seed->told,
                    "a transition of seed %u leaves a state that it is not in", effect->seed);
        SIM_REQUIRE(s, transition_is_allowed(effect->transition.from, effect->transition.to),
                    "seed %u goes from state %d to state %d", effect->seed, (int)effect->transition.from,
                    (int)effect->transition.to);
        seed->told = effect->transition.to;
    }
}

/* ---- ramps ---- */

static bool is_between(float value, float a, float b)
{
    return a <= b ? value >= a && value <= b : value >= b && value <= a;
}

static float rounded(float value)
{
    return kas_half_to_float(kas_half_from_float(value));
}

/* Where a ramp over time is at that moment. */
static float ramp_at(const sim_seed *seed, int64_t now_ns)
{
    float t =
        (float)((double)(now_ns - seed->ramp_start_ns) / ((double)seed->ramp.length * (double)KAS_NS_PER_MS));
    return rounded(kas_ramp_value(seed->ramp_from, seed->ramp_to, t, seed->ramp.curve));
}

/* Takes over where a running ramp has got to: only forward, and only when time or passes have moved it. */
static void follow_ramp(sim *s, sim_seed *seed, const kas_seed_info *info, const kas_command *command)
{
    uint16_t alpha = kas_half_from_float(info->alpha_blend);
    bool time = seed->ramp.unit == KAS_RAMP_MS;
    bool may_move = command->kind == (time ? KAS_COMMAND_TICK : KAS_COMMAND_RAMP_STEPS);
    if (alpha != seed->alpha) {
        SIM_REQUIRE(s, may_move, "a ramp moves by itself");
        SIM_REQUIRE(s, is_between(info->alpha_blend, kas_half_to_float(seed->alpha), rounded(seed->ramp_to)),
                    "a ramp goes to %g, from %g on its way to %g", (double)info->alpha_blend,
                    (double)kas_half_to_float(seed->alpha), (double)seed->ramp_to);
        seed->alpha = alpha;
        seed->epoch = seed->epoch_back = s->model.epoch;
    }
    if (time && may_move)
        SIM_REQUIRE(
            s,
            is_between(info->alpha_blend, ramp_at(seed, s->now_ns - RAMP_STEP_NS), ramp_at(seed, s->now_ns)),
            "a ramp is at %g, which it was not in the last 10 ms", (double)info->alpha_blend);
    if (info->has_alpha_target) return;
    SIM_REQUIRE(s, alpha == kas_half_from_float(seed->ramp_to), "a ramp ends before it is there");
    SIM_REQUIRE(s, may_move, "a ramp ends by itself");
    seed->ramp = (kas_ramp){0};
}

/* ---- seeds ---- */

static void check_staged(sim *s, const sim_seed *seed, const kas_seed_info *info)
{
    const sim_staged *staged = &seed->staged;
    const kas_staged_info *told = &info->staged;
    SIM_REQUIRE(s, told->change == (staged->present ? staged->change : KAS_CHANGE_NONE),
                "seed %u of layer %s has %s staged", info->index, info->layer,
                staged->present ? "not what was" : "what was not");
    if (!staged->present) return;
    SIM_REQUIRE(s, told->at_epoch == staged->at_epoch, "a staged change is for another epoch");
    if (staged->change == KAS_CHANGE_LOAD)
        SIM_REQUIRE(s, sim_artifact_of(told->artifact_id) == staged->wish.artifact,
                    "another artifact is staged");
}

static uint64_t signature(const sim_seed *seed)
{
    uint16_t target = seed->ramp.unit ? kas_half_from_float(seed->ramp_to) : seed->alpha;
    return (uint64_t)seed->state | (uint64_t)(seed->artifact + 1) << 4 |
           (uint64_t)seed->staged.present << 12 | (uint64_t)seed->staged.at_epoch << 13 |
           (uint64_t)target << 40;
}

static bool check_revision(sim *s, sim_seed *seed, const kas_seed_info *info)
{
    uint64_t now = signature(seed), before = seed->revision;
    bool changed = now != seed->signature;
    SIM_REQUIRE(s, info->revision > before || (info->revision == before && !changed),
                "seed %u of layer %s goes from revision %llu to %llu", info->index, info->layer,
                (unsigned long long)before, (unsigned long long)info->revision);
    seed->revision = info->revision;
    seed->signature = now;
    return changed;
}

static void check_seed(sim *s, sim_layer *layer, uint32_t index, const kas_seed_info *info,
                       const kas_command *command)
{
    sim_seed *seed = &layer->seeds[index];
    SIM_REQUIRE(s, info->lifecycle_state == seed->state,
                "seed %u of layer %s is in state %d, but must be in %d", index, info->layer,
                (int)info->lifecycle_state, (int)seed->state);
    SIM_REQUIRE(s, seed->told == seed->state, "nobody was told that seed %u of layer %s is in state %d",
                index, info->layer, (int)seed->state);
    SIM_REQUIRE(s, (info->artifact_id[0] ? sim_artifact_of(info->artifact_id) : -1) == seed->artifact,
                "seed %u of layer %s has artifact %s, but must have %d", index, info->layer,
                info->artifact_id, seed->artifact);
    if (seed->ramp.unit) follow_ramp(s, seed, info, command);
    SIM_REQUIRE(s, kas_half_from_float(info->alpha_blend) == seed->alpha,
                "seed %u of layer %s has alpha %g, but must have %g", index, info->layer,
                (double)info->alpha_blend, (double)kas_half_to_float(seed->alpha));
    SIM_REQUIRE(s, info->has_alpha_target == (seed->ramp.unit != KAS_RAMP_NONE),
                "seed %u of layer %s: %s ramp", index, info->layer,
                info->has_alpha_target ? "a forgotten" : "a lost");
    SIM_REQUIRE(s, info->error_count == seed->errors, "seed %u of layer %s has %u errors, but must have %u",
                index, info->layer, info->error_count, seed->errors);
    SIM_REQUIRE(s, info->last_error.type == seed->last_error,
                "seed %u of layer %s has error %d, but must have %d", index, info->layer,
                (int)info->last_error.type, (int)seed->last_error);
    SIM_REQUIRE(s, info->health_accumulator == seed->health && info->exec_latency_us == seed->latency_us,
                "seed %u of layer %s has health %g, but must have %g", index, info->layer,
                (double)info->health_accumulator, (double)seed->health);
    SIM_REQUIRE(s, info->fallback_active == seed->fallback, "seed %u of layer %s: fallback_active", index,
                info->layer);
    SIM_REQUIRE(s, info->last_update_epoch == seed->epoch,
                "seed %u of layer %s was changed at epoch %u, not %u", index, info->layer, seed->epoch,
                info->last_update_epoch);
    SIM_REQUIRE(s, info->contributing == (sim_seed_live(seed) && info->alpha_blend > 0),
                "seed %u of layer %s: contributing", index, info->layer);
    SIM_REQUIRE(s, info->operation == (seed->load ? seed->load : seed->staged.operation),
                "seed %u of layer %s: its operation is %llu", index, info->layer,
                (unsigned long long)info->operation);
    bool pinned = seed->state == KAS_SEED_FOSSILIZED ||
                  (seed->kernel && sim_model_pins(s, s->world.resources[seed->kernel].content));
    SIM_REQUIRE(s, info->pinned == pinned, "seed %u of layer %s: pinned", index, info->layer);
    check_staged(s, seed, info);
}

/* ---- views ---- */

static void check_base(sim *s, const sim_layer *layer, const kas_published_layer *view)
{
    double base = s->world.resources[view->weights].value;
    SIM_REQUIRE(s,
                sim_device_named(view->device) == layer->device &&
                    s->world.resources[view->weights].device == layer->device,
                "layer %s is shown with weights that are elsewhere", view->name);
    SIM_REQUIRE(s, view->folded_fossils + view->fossil_count == layer->fossil_count,
                "layer %s loses a fossil", view->name);
    for (uint32_t i = 0; i < view->fossil_count; ++i) {
        double alpha = (double)view->fossils[i].alpha;
        base = (1 - alpha) * base + alpha * s->world.resources[view->fossils[i].kernel].value;
    }
    double expected = sim_model_base(s, layer);
    SIM_REQUIRE(s, fabs(base - expected) <= 1e-9 * (1 + fabs(expected)),
                "the base of layer %s gives %g, but must give %g", view->name, base, expected);
}

static void check_contributors(sim *s, sim_layer *layer, const kas_published_layer *view)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        sim_seed *seed = &layer->seeds[i];
        if (!sim_seed_live(seed)) continue;
        SIM_REQUIRE(
            s, at < view->seed_count && view->seeds[at].seed == i && view->seeds[at].kernel == seed->kernel,
            "layer %s does not show seed %u with kernel %llu", view->name, i,
            (unsigned long long)seed->kernel);
        const kas_published_seed *shown = &view->seeds[at++];
        bool by_passes = seed->ramp.unit == KAS_RAMP_PASSES;
        SIM_REQUIRE(s, shown->ramp == by_passes, "layer %s shows seed %u with another ramp", view->name, i);
        if (!by_passes)
            SIM_REQUIRE(s, shown->alpha == kas_half_to_float(seed->alpha),
                        "layer %s shows seed %u with alpha %g", view->name, i, (double)shown->alpha);
        SIM_REQUIRE(s, shown->binding && (!seed->binding || shown->binding == seed->binding),
                    "the binding of seed %u of layer %s changes by itself", i, view->name);
        seed->binding = shown->binding;
    }
    SIM_REQUIRE(s, at == view->seed_count, "layer %s shows a seed that does not contribute", view->name);
    for (uint32_t i = 0; i < view->fossil_count; ++i) {
        const kas_published_fossil *fossil = &view->fossils[i];
        SIM_REQUIRE(s, layer->seeds[fossil->seed].kernel == fossil->kernel, "layer %s has a fossil elsewhere",
                    view->name);
        layer->seeds[fossil->seed].binding = fossil->binding;
    }
}

/* What passes see is what the state is: nothing was left unpublished. */
static void check_view(sim *s, int index)
{
    sim_layer *layer = &s->model.layers[index];
    const sim_view *view = &s->world.views[index];
    kas_published_layer now;
    SIM_REQUIRE(s, view->shown && view->is.uid == layer->uid, "layer %s is not published",
                sim_layer_names[index]);
    SIM_REQUIRE(s, kas_state_published(s->state, layer->uid, &now) && now.generation == view->is.generation,
                "layer %s has changed and is not published", sim_layer_names[index]);
    SIM_REQUIRE(s, view->is.epoch == s->model.epoch, "layer %s shows epoch %u, not %u",
                sim_layer_names[index], view->is.epoch, s->model.epoch);
    SIM_REQUIRE(s, view->is.serving == layer->serving, "layer %s: serving", sim_layer_names[index]);
    check_base(s, layer, &view->is);
    check_contributors(s, layer, &view->is);
}

/* ---- layers ---- */

static void check_layer(sim *s, int index, const kas_command *command)
{
    sim_layer *layer = &s->model.layers[index];
    kas_layer_info info;
    kas_status status = kas_state_layer_info(s->state, sim_layer_names[index], &info);
    SIM_REQUIRE(s, !status, "%s", kas_status_message(status));
    SIM_REQUIRE(s,
                sim_device_named(info.device) == layer->device && info.layer_id == layer->layer_id &&
                    info.num_seeds == layer->num_seeds && info.serving == layer->serving &&
                    info.fossils == layer->fossil_count,
                "layer %s is not what was made", info.name);
    bool changed = false;
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        kas_seed_info seed;
        status = kas_state_seed_info(s->state, info.name, i, &seed);
        SIM_REQUIRE(s, !status, "%s", kas_status_message(status));
        check_seed(s, layer, i, &seed, command);
        changed |= check_revision(s, &layer->seeds[i], &seed);
    }
    SIM_REQUIRE(s, info.revision > layer->revision || (info.revision == layer->revision && !changed),
                "the revision of layer %s does not grow", info.name);
    layer->revision = info.revision;
    check_view(s, index);
    sim_replica_check(s, index);
}

/* ---- resources and the cache ---- */

static bool weights_have_owner(const sim *s, kas_resource number)
{
    for (int i = 0; i < SIM_LAYERS; ++i) {
        const sim_layer *layer = &s->model.layers[i];
        if (!layer->exists) continue;
        if (layer->weights == number || s->world.views[i].is.weights == number) return true;
        if (layer->staged.present && layer->staged.weights == number) return true;
        if (layer->move && s->world.resources[number].device == layer->move_to) return true; /* its copies */
        if (layer->replica && !layer->lost && s->world.resources[number].device == sim_replica_device(layer))
            return true;
    }
    return false;
}

static void note_idle(sim *s, kas_resource number)
{
    sim_resource *kernel = &s->world.resources[number];
    bool needed =
        sim_model_needs(s, number) || kernel->undrained || sim_world_in_use(s, number) || kernel->doomed;
    if (needed)
        kernel->idle_since = 0;
    else if (!kernel->idle_since)
        kernel->idle_since = s->step;
}

static void check_resources(sim *s)
{
    uint64_t bytes = 0;
    uint32_t entries = 0;
    for (kas_resource i = 1; i <= s->world.last_resource; ++i) {
        const sim_resource *resource = &s->world.resources[i];
        if (resource->owner != SIM_STATE) continue;
        if (resource->is_kernel) {
            note_idle(s, i);
            if (resource->lost) continue;
            ++entries;
            bytes += s->world.contents[resource->content].device_bytes;
        } else {
            SIM_REQUIRE(s, weights_have_owner(s, i), "weights %llu are lost", (unsigned long long)i);
        }
    }
    for (int i = 0; i < SIM_MAKES; ++i) {
        const sim_make *make = &s->world.makes[i];
        if (!make->id || make->over || !make->uploading) continue;
        ++entries;
        bytes += s->world.contents[make->content].device_bytes;
    }
    kas_cache_stats stats;
    kas_state_cache_stats(s->state, &stats);
    SIM_REQUIRE(s, stats.entries == entries && stats.total_bytes == bytes,
                "the cache counts %u kernels, %llu bytes; there are %u, %llu", stats.entries,
                (unsigned long long)stats.total_bytes, entries, (unsigned long long)bytes);
    SIM_REQUIRE(s,
                stats.hits == s->model.hits && stats.misses == s->model.misses &&
                    stats.evictions == s->model.evictions,
                "the cache counts %llu hits, %llu misses, %llu evictions; there were %llu, %llu, %llu",
                (unsigned long long)stats.hits, (unsigned long long)stats.misses,
                (unsigned long long)stats.evictions, (unsigned long long)s->model.hits,
                (unsigned long long)s->model.misses, (unsigned long long)s->model.evictions);
    SIM_REQUIRE(s, entries <= s->limits.cache_entries && bytes <= s->limits.cache_bytes,
                "the cache is beyond its limits");
}

/* ---- operations ---- */

/* Whatever was acknowledged has ended, or something works on it. */
static void check_operations(sim *s)
{
    for (uint64_t id = 1; id <= s->model.last_operation; ++id) {
        const sim_operation *operation = &s->model.operations[id];
        if (operation->ended) continue;
        SIM_REQUIRE(s, !operation->may_be_cancelled, "operation %llu should have been cancelled",
                    (unsigned long long)id);
        if (operation->replica) {
            SIM_REQUIRE(s, sim_replica_works(s, id), "nothing works on replica %llu", (unsigned long long)id);
            continue;
        }
        if (operation->move) {
            SIM_REQUIRE(s, sim_world_asked(s, id) || sim_move_makes(s, operation->device),
                        "nothing works on move %llu", (unsigned long long)id);
            continue;
        }
        SIM_REQUIRE(s, sim_world_make_for(s, operation->artifact, operation->device),
                    "nothing works on operation %llu", (unsigned long long)id);
        int content = s->model.bound[operation->artifact];
        const sim_make *make = sim_world_make_for(s, operation->artifact, operation->device);
        SIM_REQUIRE(s, content < 0 || !make->uploading || !sim_world_resident(s, content, operation->device),
                    "operation %llu waits for a kernel that is there", (unsigned long long)id);
    }
}

/* ---- the rest ---- */

static void check_artifacts(sim *s)
{
    for (int i = 0; i < SIM_ARTIFACTS; ++i) {
        kas_sha256 checksum;
        bool bound = kas_state_binding(s->state, sim_artifact_id(i), &checksum);
        SIM_REQUIRE(
            s,
            bound == (s->model.bound[i] >= 0) &&
                (!bound || kas_sha256_equal(&checksum, &s->world.contents[s->model.bound[i]].checksum)),
            "artifact %s is bound to something else", sim_artifact_id(i));
    }
    kas_quarantine_info listed[SIM_CONTENTS + 1];
    size_t count = kas_state_list_quarantine(s->state, 0, listed, SIM_CONTENTS + 1), expected = 0;
    for (int i = 0; i < SIM_CONTENTS; ++i) {
        if (!s->model.quarantined[i]) continue;
        ++expected;
        bool found = false;
        for (size_t q = 0; q < count; ++q)
            found |= kas_sha256_equal(&listed[q].checksum, &s->world.contents[i].checksum);
        SIM_REQUIRE(s, found, "content %d is not in quarantine", i);
    }
    SIM_REQUIRE(s, count == expected, "%zu kernels are in quarantine, but %zu must be", count, expected);
}

static void check_counts(sim *s)
{
    uint32_t layers = 0, staged = 0;
    for (int i = 0; i < SIM_LAYERS; ++i) {
        const sim_layer *layer = &s->model.layers[i];
        if (!layer->exists) continue;
        ++layers;
        staged += layer->staged.present;
        for (uint32_t n = 0; n < layer->num_seeds; ++n)
            staged += layer->seeds[n].staged.present;
    }
    SIM_REQUIRE(s, kas_state_layer_count(s->state) == layers, "there are %zu layers",
                kas_state_layer_count(s->state));
    SIM_REQUIRE(s, kas_state_staged(s->state) == staged, "%u changes are staged, but %u must be",
                kas_state_staged(s->state), staged);
    SIM_REQUIRE(s, kas_state_epoch(s->state) == s->model.epoch, "the epoch is %u", kas_state_epoch(s->state));
}

/* Whatever goes by the clock asks to be woken in time. */
static void check_wakeup(sim *s)
{
    int64_t wakeup_ns = kas_state_next_wakeup(s->state);
    for (int i = 0; i < SIM_LAYERS; ++i) {
        const sim_layer *layer = &s->model.layers[i];
        SIM_REQUIRE(s, !layer->exists || !layer->again_ns || wakeup_ns <= layer->again_ns,
                    "a move off a lost device is not woken");
        for (uint32_t n = 0; layer->exists && n < layer->num_seeds; ++n) {
            const sim_seed *seed = &layer->seeds[n];
            SIM_REQUIRE(s, seed->ramp.unit != KAS_RAMP_MS || wakeup_ns <= s->now_ns + RAMP_STEP_NS,
                        "a ramp over time is not woken");
            SIM_REQUIRE(s, !seed->retry || wakeup_ns <= seed->retry_ns, "a retry is not woken");
        }
    }
}

void sim_check_all(sim *s, const kas_command *command)
{
    kas_status status = kas_state_check(s->state);
    SIM_REQUIRE(s, !status, "%s", kas_status_message(status));
    follow_transitions(s);
    for (int i = 0; i < SIM_LAYERS; ++i)
        if (s->model.layers[i].exists) check_layer(s, i, command);
    check_counts(s);
    check_resources(s);
    check_operations(s);
    check_artifacts(s);
    check_wakeup(s);
}

void sim_check_gone(sim *s)
{
    for (kas_resource i = 1; i <= s->world.last_resource; ++i)
        SIM_REQUIRE(s, s->world.resources[i].owner != SIM_STATE, "resource %llu is never given back",
                    (unsigned long long)i);
    for (uint64_t id = 1; id <= s->model.last_operation; ++id)
        SIM_REQUIRE(s, s->model.operations[id].ended, "operation %llu never ends", (unsigned long long)id);
    SIM_REQUIRE(s, kas_state_layer_count(s->state) == 0 && kas_state_staged(s->state) == 0,
                "layers are left");
}
