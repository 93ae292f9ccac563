/* The carrier of effects: keeps the books of makes, folds, resources and what is published, and requires of
 * each effect that it may be asked for. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/sim.h"

/* ---- making ---- */

void sim_world_make(sim *s)
{
    for (int i = 0; i < SIM_CONTENTS; ++i) {
        sim_content *content = &s->world.contents[i];
        content->checksum = kas_sha256_of(&i, sizeof i);
        content->value = 1 + (double)sim_below(s, 1000) / 100;
        content->device_bytes = 20 + sim_below(s, i == 6 ? 300 : 100);
        content->facts = (kas_kernel_facts){
            .input_size = 8,
            .output_size = i == 3 ? 8 : 4,
            .input_shape = "[8]",
            .parameter_count = i == 5 ? 5000 : 100, /* of at most 1,000 */
            .memory_footprint_mb = 1,
            .device_kinds = i == 4 ? KAS_KIND_GPU : 0,
            .confidence = (float)sim_below(s, 11) / 10,
            .affine = i % 2 == 0,
        };
    }
    for (int i = 0; i < SIM_ARTIFACTS; ++i)
        s->world.registry[i] = (uint8_t)(i % SIM_CONTENTS);
}

static kas_resource hand_out(sim *s, sim_resource resource)
{
    SIM_REQUIRE(s, s->world.last_resource + 1 < SIM_RESOURCES, "the simulation is out of resources");
    s->world.resources[++s->world.last_resource] = resource;
    return s->world.last_resource;
}

kas_resource sim_world_weights(sim *s, int device)
{
    return hand_out(s, (sim_resource){.owner = SIM_CARRIER,
                                      .device = (uint8_t)device,
                                      .value = (double)sim_below(s, 1000) / 100});
}

/* ---- looking ---- */

static bool any_pass_has(const sim *s, kas_resource kernel)
{
    for (int i = 0; i < SIM_PASSES; ++i) {
        const sim_pass *pass = &s->world.passes[i];
        for (uint32_t u = 0; pass->layer_uid && u < pass->count; ++u)
            if (pass->uses[u].kernel == kernel) return true;
    }
    return false;
}

bool sim_world_in_use(const sim *s, kas_resource kernel)
{
    return sim_views_have(s, kernel) || any_pass_has(s, kernel);
}

kas_resource sim_world_resident(const sim *s, int content, int device)
{
    for (kas_resource i = 1; i <= s->world.last_resource; ++i) {
        const sim_resource *kernel = &s->world.resources[i];
        if (kernel->owner == SIM_STATE && kernel->is_kernel && !kernel->doomed &&
            kernel->content == content && kernel->device == device)
            return i;
    }
    return 0;
}

static sim_make *find_make(sim *s, uint64_t id)
{
    for (int i = 0; i < SIM_MAKES; ++i)
        if (s->world.makes[i].id == id && !s->world.makes[i].over) return &s->world.makes[i];
    return NULL;
}

const sim_make *sim_world_make_for(const sim *s, int artifact, int device)
{
    int content = s->model.bound[artifact];
    for (int i = 0; i < SIM_MAKES; ++i) {
        const sim_make *make = &s->world.makes[i];
        if (!make->id || make->over || make->device != device) continue;
        if (make->artifact == artifact || (make->known && make->content == content)) return make;
    }
    return NULL;
}

bool sim_world_asked(const sim *s, uint64_t operation)
{
    for (int i = 0; i < SIM_ASKED; ++i)
        if (s->world.asked[i].operation == operation && !s->world.asked[i].over) return true;
    return false;
}

bool sim_world_uploads(const sim *s, int content, int device)
{
    for (int i = 0; i < SIM_MAKES; ++i) {
        const sim_make *make = &s->world.makes[i];
        if (make->id && !make->over && make->uploading && make->content == content && make->device == device)
            return true;
    }
    return false;
}

/* ---- makes ---- */

/* Bytes are on the device, or are made for it, once. (An id whose bytes are not known yet may be fetched
 * beside another id of the same ones.) */
static void require_alone(sim *s, const sim_make *make)
{
    SIM_REQUIRE(s, !sim_world_resident(s, make->content, make->device), "artifact %s is made again on %s",
                sim_artifact_id(make->artifact), sim_device_names[make->device]);
    for (int i = 0; i < SIM_MAKES; ++i) {
        const sim_make *other = &s->world.makes[i];
        if (other == make || !other->id || other->over || other->device != make->device) continue;
        SIM_REQUIRE(s, !other->uploading || other->content != make->content,
                    "makes %llu and %llu make the same bytes", (unsigned long long)make->id,
                    (unsigned long long)other->id);
    }
}

static sim_make *free_make(sim *s)
{
    for (int i = 0; i < SIM_MAKES; ++i)
        if (!s->world.makes[i].id) return &s->world.makes[i];
    for (int i = 0; i < SIM_MAKES; ++i)
        if (s->world.makes[i].over) return &s->world.makes[i]; /* its late answer never comes */
    sim_fail(s, "the simulation is out of makes");
}

/* Most answer soon; some take long. */
static uint32_t due(sim *s)
{
    return s->step + (sim_chance(s, 80) ? 0 : sim_below(s, 120));
}

/* What an id is bound to, by the command at hand too: a replica may want at once what it has made known. */
static int bound_by(const sim *s, int artifact, const kas_command *command)
{
    int bound = s->model.bound[artifact];
    if (bound >= 0 || command->kind != KAS_COMMAND_RESOLVED) return bound;
    for (int i = 0; i < SIM_MAKES; ++i) {
        const sim_make *make = &s->world.makes[i];
        if (make->id != command->resolved.make || make->artifact != artifact) continue;
        for (int content = 0; content < SIM_CONTENTS; ++content)
            if (kas_sha256_equal(&command->resolved.checksum, &s->world.contents[content].checksum))
                return content;
    }
    return bound;
}

static void carry_resolve(sim *s, const kas_effect *effect, const kas_command *command)
{
    int artifact = sim_artifact_of(effect->make.artifact_id), device = sim_device_named(effect->make.device);
    SIM_REQUIRE(s, artifact >= 0, "an artifact nobody named is asked for: %s", effect->make.artifact_id);
    SIM_REQUIRE(s, !sim_world_make_for(s, artifact, device), "artifact %s is fetched twice at once",
                effect->make.artifact_id);
    int bound = bound_by(s, artifact, command);
    SIM_REQUIRE(s, effect->make.has_checksum == (bound >= 0), "a make does not know what its id is bound to");
    sim_make *make = free_make(s);
    *make = (sim_make){.id = effect->make.make,
                       .artifact = (uint8_t)artifact,
                       .device = (uint8_t)device,
                       .due = due(s),
                       .known = bound >= 0,
                       .content = (uint8_t)(bound < 0 ? 0 : bound)};
    if (!make->known) return;
    SIM_REQUIRE(s, kas_sha256_equal(&effect->make.checksum, &s->world.contents[bound].checksum),
                "a make has another checksum than its id");
    require_alone(s, make);
}

static void carry_upload(sim *s, const kas_effect *effect, const kas_command *command)
{
    sim_make *make = find_make(s, effect->make.make);
    SIM_REQUIRE(s, make && !make->uploading, "an upload is asked for of make %llu, which is not resolved",
                (unsigned long long)effect->make.make);
    SIM_REQUIRE(s, command->kind == KAS_COMMAND_RESOLVED && command->resolved.make == make->id,
                "an upload is asked for by another command than RESOLVED");
    make->uploading = true;
    make->due = due(s);
    make->known = true;
    make->content = s->world.registry[make->artifact];
    require_alone(s, make);
}

static void carry_abandon(sim *s, const kas_effect *effect)
{
    sim_make *make = find_make(s, effect->make.make);
    SIM_REQUIRE(s, make, "make %llu is abandoned, which does not run", (unsigned long long)effect->make.make);
    make->over = true;
}

/* ---- resources ---- */

static sim_resource *owned(sim *s, kas_resource number, bool is_kernel)
{
    SIM_REQUIRE(s, number && number <= s->world.last_resource, "resource %llu is unknown",
                (unsigned long long)number);
    sim_resource *resource = &s->world.resources[number];
    SIM_REQUIRE(s, resource->owner == SIM_STATE && resource->is_kernel == is_kernel,
                "resource %llu is not the state's to give back", (unsigned long long)number);
    return resource;
}

/* Eviction takes what nothing needs, longest idle first. */
static void require_least_recent(sim *s, kas_resource victim)
{
    const sim_resource *resources = s->world.resources;
    SIM_REQUIRE(s, resources[victim].idle_since, "kernel %llu is evicted, which something needs",
                (unsigned long long)victim);
    for (kas_resource i = 1; i <= s->world.last_resource; ++i)
        SIM_REQUIRE(s,
                    resources[i].owner != SIM_STATE || !resources[i].is_kernel || !resources[i].idle_since ||
                        resources[i].idle_since >= resources[victim].idle_since,
                    "kernel %llu is evicted before kernel %llu, which was used earlier",
                    (unsigned long long)victim, (unsigned long long)i);
}

static void carry_release_kernel(sim *s, const kas_effect *effect, const kas_command *command)
{
    kas_resource number = effect->kernel.kernel;
    sim_resource *kernel = owned(s, number, true);
    SIM_REQUIRE(s, !sim_world_in_use(s, number), "kernel %llu is released while passes use it",
                (unsigned long long)number);
    SIM_REQUIRE(s, !kernel->undrained, "kernel %llu is released before it is drained",
                (unsigned long long)number);
    if (command->kind == KAS_COMMAND_RESOLVED && !kernel->lost) {
        require_least_recent(s, number);
        ++s->model.evictions;
    }
    kernel->owner = SIM_NOBODY;
}

static void carry_release_weights(sim *s, const kas_effect *effect)
{
    kas_resource number = effect->weights.weights;
    sim_resource *weights = owned(s, number, false);
    for (int i = 0; i < SIM_LAYERS; ++i)
        SIM_REQUIRE(s,
                    !s->world.views[i].shown ||
                        (s->world.views[i].is.weights != number &&
                         (!s->world.views[i].replicated || s->world.views[i].there.weights != number)),
                    "weights %llu are released while layer %s shows them", (unsigned long long)number,
                    sim_layer_names[i]);
    weights->owner = SIM_NOBODY;
}

/* Whose the resources are that came with the command. */
static void take_over(sim *s, const kas_command *command)
{
    kas_resource number = 0;
    if (command->kind == KAS_COMMAND_CREATE_LAYER) number = command->create.weights;
    if (command->kind == KAS_COMMAND_SET_WEIGHTS) number = command->set_weights.weights;
    if (command->kind == KAS_COMMAND_FOLDED) number = command->folded.weights;
    if (command->kind == KAS_COMMAND_MOVE_WEIGHTS_READY) number = command->moved.weights;
    if (command->kind == KAS_COMMAND_KERNEL_READY && find_make(s, command->ready.make))
        number = command->ready.kernel;
    if (number) s->world.resources[number].owner = SIM_STATE;
}

/* ---- folds ---- */

static void carry_fold(sim *s, const kas_effect *effect)
{
    kas_resource weights;
    kas_published_fossil fossils[KAS_MAX_SEEDS];
    uint32_t count;
    SIM_REQUIRE(s,
                kas_state_fold_source(s->state, effect->layer_uid, &weights, fossils, &count) &&
                    effect->fold.fossils <= count,
                "a fold of layer %s is asked for that has no source", effect->layer);
    double value = s->world.resources[weights].value;
    for (uint32_t i = 0; i < effect->fold.fossils; ++i) {
        const sim_resource *kernel = &s->world.resources[fossils[i].kernel];
        SIM_REQUIRE(s, s->world.contents[kernel->content].facts.affine, "a fold of what is not affine");
        value = (1 - (double)fossils[i].alpha) * value + (double)fossils[i].alpha * kernel->value;
    }
    for (int i = 0; i < SIM_FOLDS; ++i) {
        if (s->world.folds[i].id) continue;
        s->world.folds[i] =
            (sim_fold){.id = effect->fold.fold, .value = value, .device = s->world.resources[weights].device};
        return;
    }
    sim_fail(s, "the simulation is out of folds");
}

/* ---- moves ---- */

static void require_there(sim *s, kas_resource number, int device, const char *what)
{
    SIM_REQUIRE(s,
                s->world.resources[number].owner == SIM_STATE && s->world.resources[number].device == device,
                "a plan is tried on %s with %s %llu, which is not there", sim_device_names[device], what,
                (unsigned long long)number);
}

/* A replica that serves is tried with what is staged. */
static void require_staged(sim *s, const sim_layer *layer, const kas_published_layer *view)
{
    for (uint32_t seed = 0; seed < layer->num_seeds; ++seed) {
        bool found = !layer->seeds[seed].staged.kernel;
        for (uint32_t i = 0; i < view->seed_count && !found; ++i)
            found = view->seeds[i].seed == seed &&
                    s->world.resources[view->seeds[i].kernel].content ==
                        s->world.resources[layer->seeds[seed].staged.kernel].content;
        SIM_REQUIRE(s, found, "a plan is tried without what is staged for seed %u", seed);
    }
}

/* Everything that the layer would be there is there. */
static void check_trial(sim *s, const kas_effect *effect, int device)
{
    kas_published_layer view;
    SIM_REQUIRE(s, kas_state_moving(s->state, effect->move.operation, &view), "a plan is tried of no move");
    SIM_REQUIRE(s, sim_device_named(view.device) == device, "a plan is tried on another device");
    require_there(s, view.weights, device, "weights");
    for (uint32_t i = 0; i < view.fossil_count; ++i)
        require_there(s, view.fossils[i].kernel, device, "fossil");
    for (uint32_t i = 0; i < view.seed_count; ++i)
        require_there(s, view.seeds[i].kernel, device, "kernel");
    const sim_operation *operation = &s->model.operations[effect->move.operation];
    if (operation->replica && s->world.views[operation->layer].replicated)
        require_staged(s, &s->model.layers[operation->layer], &view);
}

static void carry_move(sim *s, const kas_effect *effect)
{
    bool trial = effect->kind == KAS_EFFECT_MOVE_TRY;
    int device = sim_device_named(effect->move.device);
    SIM_REQUIRE(s, !sim_world_asked(s, effect->move.operation), "a move asks for two things at once");
    if (trial)
        check_trial(s, effect, device);
    else
        SIM_REQUIRE(s, s->world.resources[effect->move.from].owner == SIM_STATE,
                    "weights that are gone are copied");
    for (int i = 0; i < SIM_ASKED; ++i) {
        if (s->world.asked[i].operation) continue;
        s->world.asked[i] = (sim_asked){
            .operation = effect->move.operation, .from = effect->move.from, .device = (uint8_t)device};
        return;
    }
    sim_fail(s, "the simulation is out of moves");
}

static void carry_move_end(sim *s, const kas_effect *effect)
{
    for (int i = 0; i < SIM_ASKED; ++i)
        if (s->world.asked[i].operation == effect->move.operation) s->world.asked[i].over = true;
}

static bool is_publication(const kas_effect *effect)
{
    return effect->kind == KAS_EFFECT_PUBLISH || effect->kind == KAS_EFFECT_UNPUBLISH;
}

static void carry_published(sim *s, const kas_effect *effect)
{
    SIM_REQUIRE(s, effect->operation.finished, "an operation that runs is told to be published");
    SIM_REQUIRE(s, s->world.published_count < SIM_PUBLISHED, "the simulation is out of publications");
    s->world.published[s->world.published_count++] = effect->operation.operation;
}

/* ---- carrying ---- */

static void carry_one(sim *s, const kas_effect *effect, const kas_command *command)
{
    switch (effect->kind) {
    case KAS_EFFECT_RESOLVE:
        carry_resolve(s, effect, command);
        return;
    case KAS_EFFECT_UPLOAD:
        carry_upload(s, effect, command);
        return;
    case KAS_EFFECT_ABANDON:
        carry_abandon(s, effect);
        return;
    case KAS_EFFECT_RELEASE_KERNEL:
        carry_release_kernel(s, effect, command);
        return;
    case KAS_EFFECT_RELEASE_WEIGHTS:
        carry_release_weights(s, effect);
        return;
    case KAS_EFFECT_FOLD:
        carry_fold(s, effect);
        return;
    case KAS_EFFECT_MOVE_WEIGHTS:
    case KAS_EFFECT_MOVE_TRY:
        carry_move(s, effect);
        return;
    case KAS_EFFECT_MOVE_END:
        carry_move_end(s, effect);
        return;
    case KAS_EFFECT_OPERATION:
        if (effect->operation.published) carry_published(s, effect);
        return;
    case KAS_EFFECT_ALERT:
        sim_trace(s, "   alert: %s", effect->error.detail);
        return;
    default: /* what is told; checks.c looks at transitions */
        return;
    }
}

/* The answer that the command was has been heard. */
static void note_answer(sim *s, const kas_command *command)
{
    sim_make *make = NULL;
    if (command->kind == KAS_COMMAND_KERNEL_READY) make = find_make(s, command->ready.make);
    if (command->kind == KAS_COMMAND_MAKE_FAILED) make = find_make(s, command->failed.make);
    if (make) make->over = true;
}

void sim_world_carry(sim *s, const kas_command *command)
{
    bool published = false;
    take_over(s, command);
    note_answer(s, command);
    for (size_t i = 0; i < s->effects.count; ++i) {
        const kas_effect *effect = &s->effects.items[i];
        if (is_publication(effect) && !published) sim_views_publish(s);
        SIM_REQUIRE(s, !is_publication(effect) || !published || is_publication(effect - 1),
                    "the publications of a command are not one");
        published |= is_publication(effect);
        carry_one(s, effect, command);
    }
}
