/* What follows from a command. */
#include "tests/sim/sim.h"

#include <stdlib.h>
#include <string.h>

void sim_model_make(sim *s)
{
    for (int i = 0; i < SIM_ARTIFACTS; ++i)
        s->model.bound[i] = -1;
}

double sim_model_base(const sim *s, const sim_layer *layer)
{
    double base = s->world.resources[layer->weights].value;
    for (uint32_t i = 0; i < layer->fossil_count; ++i) {
        const sim_seed *seed = &layer->seeds[layer->fossils[i]];
        double alpha = (double)seed->fossil_alpha;
        base = (1 - alpha) * base + alpha * s->world.resources[seed->kernel].value;
    }
    return base;
}

/* ---- changes of seeds, at once or at an epoch ---- */

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

static void accept_change(sim *s, const kas_command *command, kas_change change)
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

static void accept_load(sim *s, const kas_command *command)
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

/* ---- layers ---- */

static int64_t smallest_unused(const sim *s)
{
    for (int64_t id = 0;; ++id) {
        bool taken = false;
        for (int i = 0; i < SIM_LAYERS; ++i)
            taken |= s->model.layers[i].exists && s->model.layers[i].layer_id == id;
        if (!taken) return id;
    }
}

static void accept_create(sim *s, const kas_command *command)
{
    int index = 0;
    while (strcmp(sim_layer_names[index], command->layer))
        ++index;
    int64_t layer_id = command->create.layer_id < 0 ? smallest_unused(s) : command->create.layer_id;
    sim_layer *layer = &s->model.layers[index];
    *layer = (sim_layer){.exists = true,
                         .layer_id = layer_id,
                         .device = (uint8_t)sim_device_named(command->create.device),
                         .num_seeds = (uint8_t)command->create.num_seeds,
                         .input_size = command->create.input_size,
                         .output_size = command->create.output_size,
                         .serving = true,
                         .weights = command->create.weights,
                         .weights_sha256 = command->create.weights_sha256};
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        layer->seeds[i].artifact = -1;
    SIM_REQUIRE(s, kas_state_layer_uid(s->state, command->layer, &layer->uid),
                "a layer that was made is not there");
}

static void drop_staged(sim *s, sim_staged *staged)
{
    if (staged->operation) s->model.operations[staged->operation].may_be_cancelled = true;
    *staged = (sim_staged){0};
}

static void cancel_replica(sim *s, const sim_layer *layer)
{
    for (uint64_t id = 1; id <= s->model.last_operation; ++id) {
        sim_operation *operation = &s->model.operations[id];
        if (operation->replica && !operation->ended && &s->model.layers[operation->layer] == layer)
            operation->may_be_cancelled = true;
    }
}

static void accept_replicas(sim *s, sim_layer *layer, const kas_replica_list *list)
{
    if (list->count == 0) {
        cancel_replica(s, layer);
        sim_replica_forget(layer);
    }
    layer->replica = list->count > 0;
}

static void accept_delete(sim *s, sim_layer *layer)
{
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        sim_seed *seed = &layer->seeds[i];
        if (seed->load) s->model.operations[seed->load].may_be_cancelled = true;
        seed->load = 0;
        drop_staged(s, &seed->staged);
    }
    if (layer->move) s->model.operations[layer->move].may_be_cancelled = true;
    cancel_replica(s, layer);
    layer->exists = false;
}

static void accept_move(sim *s, int index, const kas_command *command)
{
    sim_layer *layer = &s->model.layers[index];
    const kas_reply *reply = s->reply->reply.reply;
    int device = sim_device_named(command->move.device);
    if (layer->move || device == layer->device) {
        SIM_REQUIRE(s, reply->operation == layer->move && reply->finished == !layer->move,
                    "layer %s is told to move where it is, or goes already", command->layer);
        return;
    }
    layer->move = reply->operation;
    layer->move_to = (uint8_t)device;
    const bool flees = layer->again_ns != 0;
    layer->again_ns = 0;
    sim_operation_begun(
        s, layer->move,
        (sim_operation){.move = true, .flees = flees, .layer = index, .device = layer->move_to});
}

static void set_weights(sim_layer *layer, kas_resource weights, const kas_sha256 *sha256)
{
    if (kas_sha256_equal(sha256, &layer->weights_sha256)) return;
    layer->weights = weights;
    layer->weights_sha256 = *sha256;
}

static void accept_weights(sim *s, sim_layer *layer, const kas_command *command)
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

static void accept_advance(sim *s, const kas_command *command)
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
        drop_staged(s, list[i].staged);
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

/* ---- what is not about a layer ---- */

static void accept_preload(sim *s, const kas_command *command)
{
    sim_operation_begun(s, s->reply->reply.reply->operation,
                        (sim_operation){.preload = true,
                                        .artifact = (uint8_t)sim_artifact_of(command->artifact_id),
                                        .device = (uint8_t)sim_device_named(command->preload.device)});
}

static int content_of(const sim *s, const kas_sha256 *checksum)
{
    for (int i = 0; i < SIM_CONTENTS; ++i)
        if (kas_sha256_equal(checksum, &s->world.contents[i].checksum)) return i;
    return -1;
}

static void accept_evict(sim *s, const kas_command *command)
{
    int artifact = sim_artifact_of(command->artifact_id);
    if (artifact < 0 || s->model.bound[artifact] < 0) return;
    for (kas_resource i = 1; i <= s->world.last_resource; ++i) {
        sim_resource *kernel = &s->world.resources[i];
        if (kernel->owner == SIM_STATE && kernel->is_kernel && kernel->content == s->model.bound[artifact])
            kernel->doomed = true;
    }
}

static void accept_resolved(sim *s, const kas_command *command)
{
    for (int i = 0; i < SIM_MAKES; ++i) {
        const sim_make *make = &s->world.makes[i];
        if (make->id != command->resolved.make || s->model.bound[make->artifact] >= 0) continue;
        s->model.bound[make->artifact] = content_of(s, &command->resolved.checksum);
    }
}

static void accept_lift(sim *s, const kas_command *command)
{
    int content = content_of(s, &command->lift.checksum);
    s->model.quarantined[content] = false;
    s->model.fault_count[content] = 0;
}

/* ---- time ---- */

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
static void accept_tick(sim *s)
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

/* ---- accepting ---- */

/* What is not asked of a layer. */
static void accept_elsewhere(sim *s, const kas_command *command)
{
    int artifact = sim_artifact_of(command->artifact_id);
    switch (command->kind) {
    case KAS_COMMAND_CANCEL_OPERATION:
        s->model.operations[command->cancel.operation].may_be_cancelled = true;
        return;
    case KAS_COMMAND_ADVANCE_EPOCH:
        accept_advance(s, command);
        return;
    case KAS_COMMAND_PRELOAD:
        accept_preload(s, command);
        return;
    case KAS_COMMAND_BIND_ARTIFACT:
        s->model.bound[artifact] = content_of(s, &command->bind.checksum);
        return;
    case KAS_COMMAND_EVICT:
        accept_evict(s, command);
        return;
    case KAS_COMMAND_PIN:
    case KAS_COMMAND_UNPIN:
        s->model.pinned[artifact] = command->kind == KAS_COMMAND_PIN;
        return;
    case KAS_COMMAND_LIFT_QUARANTINE:
        accept_lift(s, command);
        return;
    case KAS_COMMAND_RESOLVED:
        accept_resolved(s, command);
        return;
    case KAS_COMMAND_PASS_RESULTS:
        for (size_t i = 0; i < command->passes.count; ++i)
            sim_seed_note_result(s, &command->passes.results[i]);
        return;
    case KAS_COMMAND_DEVICE_LOST:
        sim_accept_lost(s, command);
        return;
    case KAS_COMMAND_TICK:
        accept_tick(s);
        sim_accept_tries(s);
        return;
    default:
        return;
    }
}

static void accept(sim *s, const kas_command *command)
{
    int index = sim_layer_named(s, command->layer);
    sim_layer *layer = index < 0 ? NULL : &s->model.layers[index];
    switch (command->kind) {
    case KAS_COMMAND_CREATE_LAYER:
        accept_create(s, command);
        return;
    case KAS_COMMAND_DELETE_LAYER:
        accept_delete(s, layer);
        return;
    case KAS_COMMAND_SET_WEIGHTS:
        accept_weights(s, layer, command);
        return;
    case KAS_COMMAND_MOVE_LAYER:
        accept_move(s, index, command);
        return;
    case KAS_COMMAND_SET_REPLICAS:
        accept_replicas(s, layer, &command->replicas);
        return;
    case KAS_COMMAND_SET_SERVING:
        layer->serving = command->set_serving.serving;
        return;
    case KAS_COMMAND_LOAD:
        accept_load(s, command);
        return;
    case KAS_COMMAND_UNLOAD:
        accept_change(s, command, KAS_CHANGE_UNLOAD);
        return;
    case KAS_COMMAND_RESET:
        accept_change(s, command, KAS_CHANGE_RESET);
        return;
    case KAS_COMMAND_FOSSILIZE:
        accept_change(s, command, KAS_CHANGE_FOSSILIZE);
        return;
    case KAS_COMMAND_SET_ALPHA:
        accept_change(s, command, KAS_CHANGE_ALPHA);
        return;
    case KAS_COMMAND_DROP_STAGED:
        drop_staged(s, &layer->seeds[command->seed].staged);
        layer->gave_up = false;
        return;
    default:
        accept_elsewhere(s, command);
    }
}

void sim_model_accept(sim *s, const kas_command *command)
{
    accept(s, command);
    sim_replicas_begun(s);
    sim_operations_ended(s, command);
}
