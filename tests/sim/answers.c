/* What the world answers: kernels are found, made or not, passes run and report, memory drains. In any order,
 * late, wrongly, and while a device is lost not at all well. */
#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "tests/sim/sim.h"

/* ---- makes ---- */

static const struct {
    kas_code code;
    kas_error_type type;
} failures[] = {
    {KAS_NOT_FOUND, KAS_ERROR_KERNEL_LOADING},  {KAS_INVALID_ARTIFACT, KAS_ERROR_KERNEL_VALIDATION},
    {KAS_UNAVAILABLE, KAS_ERROR_NETWORK_ERROR}, {KAS_IO, KAS_ERROR_KERNEL_LOADING},
    {KAS_DEADLINE, KAS_ERROR_TIMEOUT},          {KAS_OUT_OF_MEMORY, KAS_ERROR_MEMORY_OVERFLOW},
    {KAS_INTERNAL, KAS_ERROR_UNKNOWN},
};

static kas_command fail(sim *s, const sim_make *make)
{
    kas_command command = {.kind = KAS_COMMAND_MAKE_FAILED};
    size_t which = sim_below(s, sizeof failures / sizeof *failures);
    bool lost = s->world.lost[make->device];
    command.failed.make = make->id;
    command.failed.code = lost ? KAS_DEVICE_LOST : failures[which].code;
    command.failed.error_type = lost ? KAS_ERROR_DEVICE_ERROR : failures[which].type;
    command.failed.blame = lost ? KAS_BLAME_DEVICE : KAS_BLAME_ENGINE;
    command.failed.reason = "simulated";
    snprintf(command.failed.detail, sizeof command.failed.detail, "it failed");
    return command;
}

static kas_command resolve(sim *s, const sim_make *make)
{
    const sim_content *content = &s->world.contents[s->world.registry[make->artifact]];
    kas_command command = {.kind = KAS_COMMAND_RESOLVED};
    command.resolved.make = make->id;
    command.resolved.tier = KAS_TIER_DISK;
    command.resolved.checksum = content->checksum;
    command.resolved.facts = content->facts;
    command.resolved.device_bytes = content->device_bytes;
    return command;
}

static kas_command ready(sim *s, const sim_make *make)
{
    sim_world *world = &s->world;
    SIM_REQUIRE(s, world->last_resource + 1 < SIM_RESOURCES, "the simulation is out of resources");
    world->resources[++world->last_resource] = (sim_resource){.owner = make->over ? SIM_NOBODY : SIM_CARRIER,
                                                              .is_kernel = true,
                                                              .content = make->content,
                                                              .device = make->device,
                                                              .value = world->contents[make->content].value};
    kas_command command = {.kind = KAS_COMMAND_KERNEL_READY};
    command.ready.make = make->id;
    command.ready.kernel = world->last_resource;
    return command;
}

static kas_command progress(sim *s, const sim_make *make)
{
    kas_command command = {.kind = KAS_COMMAND_PROGRESS};
    command.progress.make = make->id;
    command.progress.stage = make->uploading ? KAS_STAGE_COMPILE : (kas_stage)sim_below(s, KAS_STAGE_COMPILE);
    command.progress.tier = KAS_TIER_REGISTRY;
    command.progress.bytes_done = sim_below(s, 100);
    command.progress.bytes_total = 100;
    return command;
}

static void answer_make(sim *s, sim_make *make, bool well)
{
    kas_command command;
    const char *what;
    if (!well && sim_chance(s, 20)) {
        what = "progress";
        command = progress(s, make);
    } else if (s->world.lost[make->device] || (!well && sim_chance(s, 15))) {
        what = "failed";
        command = fail(s, make);
    } else if (make->uploading) {
        what = "ready";
        command = ready(s, make);
    } else {
        what = "resolved";
        command = resolve(s, make);
    }
    sim_trace(s, "make %llu of %s on %s: %s%s", (unsigned long long)make->id, sim_artifact_id(make->artifact),
              sim_device_names[make->device], what, make->over ? ", too late" : "");
    if (make->over) {
        make->id = 0;
        sim_give_late(s, &command);
    } else {
        sim_give(s, &command);
    }
}

static bool answer_some_make(sim *s, bool well)
{
    uint32_t from = sim_below(s, SIM_MAKES);
    for (uint32_t i = 0; i < SIM_MAKES; ++i) {
        sim_make *make = &s->world.makes[(from + i) % SIM_MAKES];
        if (!make->id || (!well && make->due > s->step)) continue;
        answer_make(s, make, well);
        return true;
    }
    return false;
}

/* ---- folds ---- */

static bool answer_some_fold(sim *s)
{
    uint32_t from = sim_below(s, SIM_FOLDS);
    for (uint32_t i = 0; i < SIM_FOLDS; ++i) {
        sim_fold *fold = &s->world.folds[(from + i) % SIM_FOLDS];
        if (!fold->id) continue;
        kas_command command = {.kind = KAS_COMMAND_FOLD_FAILED, .folded = {.fold = fold->id}};
        if (sim_chance(s, 80)) {
            command.kind = KAS_COMMAND_FOLDED;
            command.folded.weights = sim_world_weights(s, fold->device);
            s->world.resources[command.folded.weights].value = fold->value;
        }
        sim_trace(s, "fold %llu: %s", (unsigned long long)fold->id,
                  command.folded.weights ? "done" : "failed");
        fold->id = 0;
        sim_give(s, &command);
        return true;
    }
    return false;
}

/* ---- moves ---- */

static kas_command answer_of(sim *s, const sim_asked *asked)
{
    bool lost = s->world.lost[asked->device];
    kas_command command = {.kind = KAS_COMMAND_MOVE_TRIED, .moved = {.operation = asked->operation}};
    if (lost || sim_chance(s, 10)) {
        command = (kas_command){.kind = KAS_COMMAND_MOVE_FAILED};
        command.failed.make = asked->operation;
        command.failed.code = lost ? KAS_DEVICE_LOST : KAS_OUT_OF_MEMORY;
        command.failed.error_type = lost ? KAS_ERROR_DEVICE_ERROR : KAS_ERROR_MEMORY_OVERFLOW;
        command.failed.reason = "simulated";
        snprintf(command.failed.detail, sizeof command.failed.detail, "it failed");
    } else if (asked->from) {
        command.kind = KAS_COMMAND_MOVE_WEIGHTS_READY;
        command.moved.weights = sim_world_weights(s, asked->device);
        s->world.resources[command.moved.weights].value = s->world.resources[asked->from].value;
    }
    return command;
}

static bool answer_some_move(sim *s)
{
    uint32_t from = sim_below(s, SIM_ASKED);
    for (uint32_t i = 0; i < SIM_ASKED; ++i) {
        sim_asked *asked = &s->world.asked[(from + i) % SIM_ASKED];
        if (!asked->operation) continue;
        kas_command command = answer_of(s, asked);
        sim_trace(
            s, "move %llu: %s %s%s", (unsigned long long)asked->operation, asked->from ? "weights" : "a plan",
            command.kind == KAS_COMMAND_MOVE_FAILED ? "failed" : "made", asked->over ? ", too late" : "");
        bool over = asked->over;
        *asked = (sim_asked){0};
        if (over)
            sim_give_late(s, &command);
        else
            sim_give(s, &command);
        return true;
    }
    return false;
}

/* ---- passes ---- */

static uint64_t mix(uint64_t hash, uint64_t number)
{
    return kas_fnv1a(&number, sizeof number) ^ hash * 31;
}

static uint64_t mix_float(uint64_t hash, float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    return mix(hash, bits);
}

/* Takes the next step of the view's ramps, if any runs; returns how many were taken. */
static uint32_t step_ramps(sim_view *view)
{
    uint32_t longest = 0;
    for (uint32_t i = 0; i < view->is.seed_count; ++i) {
        const kas_published_seed *seed = &view->is.seeds[i];
        if (seed->ramp && seed->ramp_length - seed->ramp_done > longest)
            longest = seed->ramp_length - seed->ramp_done;
    }
    if (view->steps < longest) ++view->steps;
    return view->steps;
}

/* What a pass computes, as a number: what its generation must imply. */
static uint64_t meaning(const kas_published_layer *layer, uint32_t steps)
{
    uint64_t hash = mix(1, layer->weights);
    for (uint32_t i = 0; i < layer->fossil_count; ++i)
        hash = mix_float(mix(hash, layer->fossils[i].kernel), layer->fossils[i].alpha);
    for (uint32_t i = 0; i < layer->seed_count; ++i) {
        const kas_published_seed *seed = &layer->seeds[i];
        float alpha = seed->alpha;
        if (seed->ramp) {
            uint32_t done = seed->ramp_done + steps;
            if (done > seed->ramp_length) done = seed->ramp_length;
            alpha = kas_ramp_value(seed->ramp_from, seed->ramp_to, (float)done / (float)seed->ramp_length,
                                   seed->ramp_curve);
            alpha = kas_half_to_float(kas_half_from_float(alpha));
        }
        hash = mix_float(mix(mix(hash, seed->seed), seed->kernel), alpha);
    }
    return hash;
}

static void add_use(sim_pass *pass, uint32_t seed, uint64_t binding, kas_resource kernel)
{
    pass->uses[pass->count++] = (sim_use){.seed = (uint16_t)seed, .binding = binding, .kernel = kernel};
}

/* One that serves, rather with kernels; NULL: there is none. */
static sim_view *pick_view(sim *s)
{
    sim_view *any = NULL;
    uint32_t from = sim_below(s, SIM_LAYERS);
    for (uint32_t i = 0; i < SIM_LAYERS; ++i) {
        sim_view *view = &s->world.views[(from + i) % SIM_LAYERS];
        if (!view->shown || !view->is.serving) continue;
        if (view->is.seed_count) return view;
        any = view;
    }
    return any;
}

static bool begin_pass(sim *s)
{
    sim_view *view = pick_view(s);
    sim_pass *pass = &s->world.passes[sim_below(s, SIM_PASSES)];
    if (!view || pass->layer_uid) return false;
    *pass = (sim_pass){.layer_uid = view->is.uid};
    const kas_published_layer *on = view->replicated && sim_chance(s, 50) ? &view->there : &view->is;
    for (uint32_t i = 0; i < on->seed_count; ++i)
        add_use(pass, on->seeds[i].seed, on->seeds[i].binding, on->seeds[i].kernel);
    for (uint32_t i = 0; i < on->fossil_count; ++i)
        add_use(pass, on->fossils[i].seed, on->fossils[i].binding, on->fossils[i].kernel);
    uint32_t steps = step_ramps(view);
    uint64_t generation = view->is.generation + steps, means = meaning(&view->is, steps);
    sim_trace(s, "pass of layer %s begins, generation %llu", view->is.name, (unsigned long long)generation);
    SIM_REQUIRE(s, generation >= view->last_generation, "generations of passes of layer %s go back",
                view->is.name);
    SIM_REQUIRE(s, generation != view->last_generation || means == view->last_meaning,
                "two passes of layer %s have generation %llu and are not the same", view->is.name,
                (unsigned long long)generation);
    view->last_generation = generation;
    view->last_meaning = means;
    return true;
}

static kas_outcome outcome_of(sim *s, const sim_use *use)
{
    const sim_resource *kernel = &s->world.resources[use->kernel];
    if (s->world.lost[kernel->device]) return KAS_OUTCOME_DEVICE;
    if (sim_chance(s, 5)) return sim_chance(s, 50) ? KAS_OUTCOME_DEADLINE : KAS_OUTCOME_DEVICE;
    return sim_chance(s, kernel->content == 1 ? 95 : 10) ? KAS_OUTCOME_NON_FINITE : KAS_OUTCOME_OK;
}

static void report(sim *s, const sim_pass *pass)
{
    sim_world *world = &s->world;
    for (uint32_t i = 0; i < pass->count && world->result_count < SIM_RESULTS; ++i)
        world->results[world->result_count++] =
            (kas_pass_result){.layer_uid = pass->layer_uid,
                              .binding = pass->uses[i].binding,
                              .seed = pass->uses[i].seed,
                              .latency_us = (uint16_t)sim_below(s, 1000),
                              .outcome = (uint8_t)outcome_of(s, &pass->uses[i]),
                              .dead_ratio = sim_chance(s, 50) ? -1 : kas_rng_unit(&s->rng)};
}

static bool end_pass(sim *s)
{
    uint32_t from = sim_below(s, SIM_PASSES);
    for (uint32_t i = 0; i < SIM_PASSES; ++i) {
        sim_pass *pass = &s->world.passes[(from + i) % SIM_PASSES];
        if (!pass->layer_uid) continue;
        sim_trace(s, "pass of layer %llu ends", (unsigned long long)pass->layer_uid);
        report(s, pass);
        pass->layer_uid = 0;
        return true;
    }
    return false;
}

static bool tell_results(sim *s)
{
    if (!s->world.result_count) return false;
    kas_command command = {.kind = KAS_COMMAND_PASS_RESULTS,
                           .passes = {.results = s->world.results, .count = s->world.result_count}};
    sim_trace(s, "results of %u kernels", s->world.result_count);
    sim_give(s, &command);
    s->world.result_count = 0;
    return true;
}

static bool tell_steps(sim *s)
{
    uint32_t from = sim_below(s, SIM_LAYERS);
    for (uint32_t i = 0; i < SIM_LAYERS; ++i) {
        sim_view *view = &s->world.views[(from + i) % SIM_LAYERS];
        if (!view->shown || !view->steps || (view->steps == view->told && !sim_chance(s, 10))) continue;
        kas_command command = {.kind = KAS_COMMAND_RAMP_STEPS,
                               .ramp_steps = {.layer_uid = view->is.uid, .steps = view->steps}};
        sim_trace(s, "layer %s has seen %u steps", view->is.name, view->steps);
        view->told = view->steps;
        sim_give(s, &command);
        return true;
    }
    return false;
}

/* ---- publications ---- */

static bool tell_published(sim *s)
{
    if (!s->world.published_count) return false;
    kas_command command = {.kind = KAS_COMMAND_PUBLISHED};
    command.published.operation = s->world.published[--s->world.published_count];
    sim_trace(s, "operation %llu is published", (unsigned long long)command.published.operation);
    sim_give(s, &command);
    sim_operation_published(s, command.published.operation);
    return true;
}

/* ---- memory ---- */

static bool drain(sim *s)
{
    uint32_t from = sim_below(s, SIM_RESOURCES);
    for (uint32_t i = 0; i < SIM_RESOURCES; ++i) {
        kas_resource number = (from + i) % SIM_RESOURCES;
        sim_resource *kernel = &s->world.resources[number];
        if (!kernel->undrained || sim_world_in_use(s, number)) continue;
        kas_command command = {.kind = KAS_COMMAND_KERNEL_DRAINED, .drained = {.kernel = number}};
        sim_trace(s, "kernel %llu is drained", (unsigned long long)number);
        kernel->undrained = false;
        sim_give(s, &command);
        return true;
    }
    return false;
}

/* ---- the world itself ---- */

static void turn_world(sim *s)
{
    if (sim_chance(s, 50)) {
        uint32_t device = sim_below(s, SIM_DEVICES);
        s->world.lost[device] = !s->world.lost[device] && sim_chance(s, 30);
        if (!s->world.lost[device]) return;
        sim_trace(s, "device %s is lost", sim_device_names[device]);
        if (sim_chance(s, 70)) sim_tell_lost(s, (int)device);
    } else {
        uint32_t artifact = sim_below(s, SIM_ARTIFACTS);
        s->world.registry[artifact] = (uint8_t)sim_below(s, SIM_CONTENTS);
        sim_trace(s, "the registry has other bytes for %s", sim_artifact_id((int)artifact));
    }
}

void sim_world_answer(sim *s)
{
    if (sim_chance(s, 30) && tell_published(s)) return;
    uint32_t which = s->trouble && sim_chance(s, 50) ? 45 + sim_below(s, 37) : sim_below(s, 100);
    if (which < 34)
        (void)answer_some_make(s, false);
    else if (which < 41)
        (void)answer_some_move(s);
    else if (which < 45)
        (void)answer_some_fold(s);
    else if (which < 60)
        (void)begin_pass(s);
    else if (which < 72)
        (void)end_pass(s);
    else if (which < 82)
        (void)tell_results(s);
    else if (which < 88)
        (void)tell_steps(s);
    else if (which < 98)
        (void)drain(s);
    else
        turn_world(s);
}

bool sim_world_answer_all(sim *s)
{
    return answer_some_make(s, true) || answer_some_fold(s) || answer_some_move(s) || end_pass(s) ||
           tell_results(s) || tell_published(s) || drain(s);
}
