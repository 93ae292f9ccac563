/* Changes of seeds and weights: at once, staged and due at the boundary of an epoch, and loads that a seed
 * in ERROR_RECOVERY tries again. */
#include "tests/sim/sim.h"

#include <stdlib.h>

/* ---- at once, or put off ---- */

static void make_change(sim *s, sim_layer *layer, uint32_t index, kas_change change, const sim_wish *wish)
{
    sim_seed *seed = &layer->seeds[index];
    switch (change) {
    case KAS_CHANGE_UNLOAD:
        sim_seed_unload(s, seed);
        return;
    case KAS_CHANGE_RESET:
        sim_seed_reset(s, seed);
        return;
    case KAS_CHANGE_FOSSILIZE:
        sim_seed_fossilize(s, layer, index);
        return;
    default:
        sim_seed_set_alpha(s, seed, wish);
    }
}

static sim_wish wish_of(const kas_command *command)
{
    return (sim_wish){.artifact = sim_artifact_of(command->artifact_id),
                      .has_alpha = command->has_alpha,
                      .alpha = command->alpha,
                      .ramp = command->ramp};
}

static sim_staged *stage(sim *s, sim_staged *staged, const kas_command *command, kas_change change)
{
    *staged = (sim_staged){.present = true,
                           .change = change,
                           .at_epoch = command->at_epoch,
                           .order = ++s->model.last_order,
                           .wish = wish_of(command)};
    return staged;
}

void sim_drop_staged(sim *s, sim_staged *staged)
{
    if (staged->operation) s->model.operations[staged->operation].may_be_cancelled = true;
    *staged = (sim_staged){0};
}

void sim_accept_change(sim *s, const kas_command *command, kas_change change)
{
    sim_layer *layer = &s->model.layers[sim_layer_named(s, command->layer)];
    sim_wish wish = wish_of(command);
    if (command->at_epoch)
        (void)stage(s, &layer->seeds[command->seed].staged, command, change);
    else
        make_change(s, layer, command->seed, change, &wish);
}

static void count_load(sim *s, bool hits)
{
    s->model.hits += hits;
    s->model.misses += !hits;
}

void sim_accept_load(sim *s, const kas_command *command)
{
    int index = sim_layer_named(s, command->layer);
    sim_seed *seed = &s->model.layers[index].seeds[command->seed];
    uint64_t id = s->reply->reply.reply->operation;
    sim_wish wish = wish_of(command);
    count_load(s, s->model.load_hits);
    if (!command->at_epoch && seed->load && seed->wish.artifact == wish.artifact) {
        SIM_REQUIRE(s, id == seed->load, "a load that is asked for twice is two operations");
        if (wish.has_alpha) sim_seed_set_alpha(s, seed, &wish);
        return;
    }
    sim_operation_begun(s, id,
                        (sim_operation){.staged = command->at_epoch > 0,
                                        .layer = index,
                                        .seed = command->seed,
                                        .artifact = (uint8_t)wish.artifact,
                                        .device = s->model.layers[index].device});
    if (command->at_epoch)
        stage(s, &seed->staged, command, KAS_CHANGE_LOAD)->operation = id;
    else
        sim_seed_begin_load(s, seed, &wish, id);
}

static void set_weights(sim_layer *layer, kas_resource weights, const kas_sha256 *sha256)
{
    if (kas_sha256_equal(sha256, &layer->weights_sha256)) return;
    layer->weights = weights;
    layer->weights_sha256 = *sha256;
}

void sim_accept_weights(sim *s, sim_layer *layer, const kas_command *command)
{
    if (!command->at_epoch) {
        set_weights(layer, command->set_weights.weights, &command->set_weights.sha256);
        return;
    }
    sim_staged *staged = stage(s, &layer->staged, command, KAS_CHANGE_NONE);
    staged->weights = command->set_weights.weights;
    staged->weights_sha256 = command->set_weights.sha256;
}

/* ---- the boundary of an epoch ---- */

typedef struct due {
    sim_layer *layer;
    int32_t seed; /* −1: weights */
    sim_staged *staged;
} due;

static int by_epoch_then_arrival(const void *a, const void *b)
{
    const sim_staged *x = ((const due *)a)->staged, *y = ((const due *)b)->staged;
    if (x->at_epoch != y->at_epoch) return x->at_epoch < y->at_epoch ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static size_t list_due(sim *s, due *list)
{
    size_t count = 0;
    for (int i = 0; i < SIM_LAYERS; ++i) {
        sim_layer *layer = &s->model.layers[i];
        if (!layer->exists) continue;
        if (layer->staged.present && layer->staged.at_epoch <= s->model.epoch)
            list[count++] = (due){.layer = layer, .seed = -1, .staged = &layer->staged};
        for (uint32_t n = 0; n < layer->num_seeds; ++n)
            if (layer->seeds[n].staged.present && layer->seeds[n].staged.at_epoch <= s->model.epoch)
                list[count++] = (due){.layer = layer, .seed = (int32_t)n, .staged = &layer->seeds[n].staged};
    }
    qsort(list, count, sizeof *list, by_epoch_then_arrival);
    return count;
}

/* False: it is not allowed any more, or was not ready. */
static bool apply_due(sim *s, const due *at)
{
    sim_staged staged = *at->staged;
    if (at->seed < 0) {
        set_weights(at->layer, staged.weights, &staged.weights_sha256);
    } else if (staged.change == KAS_CHANGE_LOAD) {
        if (!staged.kernel || sim_model_check_change(at->layer, (uint32_t)at->seed, staged.change) ||
            sim_model_is_quarantined(s, staged.wish.artifact))
            return false;
        sim_seed_bind(s, at->layer, (uint32_t)at->seed, &staged.wish, staged.kernel);
    } else {
        if (sim_model_check_change(at->layer, (uint32_t)at->seed, staged.change)) return false;
        make_change(s, at->layer, (uint32_t)at->seed, staged.change, &staged.wish);
    }
    return true;
}

void sim_accept_advance(sim *s, const kas_command *command)
{
    due list[SIM_LAYERS * (SIM_SEEDS + 1)];
    const kas_reply *reply = s->reply->reply.reply;
    uint32_t applied = 0, failed = 0;
    s->model.epoch = command->advance.epoch;
    size_t count = list_due(s, list);
    for (size_t i = 0; i < count; ++i) {
        if (apply_due(s, &list[i])) {
            ++applied;
        } else {
            SIM_REQUIRE(s,
                        failed < reply->failed_count && reply->failed[failed].seed == list[i].seed &&
                            sim_layer_named(s, reply->failed[failed].layer) ==
                                (int)(list[i].layer - s->model.layers),
                        "the epoch does not list what it did not apply");
            ++failed;
        }
        sim_drop_staged(s, list[i].staged);
        list[i].layer->gave_up = false;
        if (list[i].seed < 0)
            list[i].layer->was_prepared = false; /* weights are copied when they are the layer's */
    }
    for (int i = 0; i < SIM_LAYERS; ++i)
        SIM_REQUIRE(s, !s->model.layers[i].was_prepared || s->world.views[i].replicated,
                    "layer %s goes into the epoch without its replica, which was ready for it",
                    sim_layer_names[i]);
    SIM_REQUIRE(s,
                reply->applied == applied && reply->failed_count == failed && reply->epoch == s->model.epoch,
                "the epoch applied %u changes and not %u, but should have applied %u and not %u",
                reply->applied, reply->failed_count, applied, failed);
}

/* ---- tried again ---- */

/* The operation that began without being asked for, of this seed. */
static uint64_t begun_by_itself(const sim *s, const sim_layer *layer, uint32_t seed)
{
    for (size_t i = 0; i < s->effects.count; ++i) {
        const kas_effect *effect = &s->effects.items[i];
        if (effect->kind == KAS_EFFECT_OPERATION && effect->layer_uid == layer->uid && effect->seed == seed &&
            !s->model.operations[effect->operation.operation % SIM_OPERATIONS].known)
            return effect->operation.operation;
    }
    return 0;
}

/* Whether the command has begun to make this artifact; then the first load of it missed. */
static bool fetches(sim *s, const sim_wish *wish, int device)
{
    for (size_t i = 0; i < s->effects.count; ++i) {
        const kas_effect *effect = &s->effects.items[i];
        if (effect->kind != KAS_EFFECT_RESOLVE ||
            sim_artifact_of(effect->make.artifact_id) != wish->artifact ||
            sim_device_named(effect->make.device) != device || effect->make.make == s->model.last_fetch)
            continue;
        s->model.last_fetch = effect->make.make;
        return true;
    }
    return false;
}

static void retry(sim *s, int index, uint32_t n)
{
    sim_layer *layer = &s->model.layers[index];
    sim_seed *seed = &layer->seeds[n];
    seed->retry = false;
    if (sim_model_is_quarantined(s, seed->wish.artifact)) return;
    uint64_t id = begun_by_itself(s, layer, n);
    SIM_REQUIRE(s, id, "seed %u of layer %s is not tried again after 30 s", n, sim_layer_names[index]);
    sim_wish wish = seed->wish;
    count_load(s, !fetches(s, &wish, layer->device));
    sim_operation_begun(
        s, id,
        (sim_operation){
            .layer = index, .seed = n, .artifact = (uint8_t)wish.artifact, .device = layer->device});
    sim_seed_begin_load(s, seed, &wish, id);
}

/* In order of time, as their operations are numbered. */
void sim_accept_retries(sim *s)
{
    for (;;) {
        int layer = -1;
        uint32_t seed = 0;
        uint64_t first = UINT64_MAX;
        for (int i = 0; i < SIM_LAYERS; ++i)
            for (uint32_t n = 0; s->model.layers[i].exists && n < s->model.layers[i].num_seeds; ++n) {
                const sim_seed *at = &s->model.layers[i].seeds[n];
                if (at->state != KAS_SEED_ERROR_RECOVERY || !at->retry || at->retry_ns > s->now_ns) continue;
                uint64_t id = begun_by_itself(s, &s->model.layers[i], n);
                if (id > first) continue;
                first = id;
                layer = i;
                seed = n;
            }
        if (layer < 0) return;
        retry(s, layer, seed);
    }
}
