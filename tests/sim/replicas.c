/* Replicas: when one is part of a layer's view it shows what the layer's own device does, and when it is not
 * something works on it. */
#include <string.h>

#include "tests/sim/sim.h"

int sim_replica_device(const sim_layer *layer)
{
    return 1 - layer->device;
}

/* ---- operations ---- */

/* They begin whenever a view changes that a replica does not follow at once. */
void sim_replicas_begun(sim *s)
{
    for (size_t i = 0; i < s->effects.count; ++i) {
        const kas_effect *effect = &s->effects.items[i];
        uint64_t id = effect->operation.operation;
        if (effect->kind != KAS_EFFECT_OPERATION || id <= s->model.last_operation) continue;
        kas_operation_info info;
        kas_status status = kas_state_operation_info(s->state, id, &info);
        SIM_REQUIRE(s, !status, "%s", kas_status_message(status));
        int layer = sim_layer_named(s, info.layer);
        SIM_REQUIRE(s, info.kind == KAS_OPERATION_REPLICATE && layer >= 0 && s->model.layers[layer].replica,
                    "operation %llu begins by itself", (unsigned long long)id);
        sim_operation_begun(s, id,
                            (sim_operation){.replica = true,
                                            .layer = layer,
                                            .device = (uint8_t)sim_replica_device(&s->model.layers[layer])});
    }
}

static bool serves_on(const sim *s, const char *name)
{
    kas_layer_info layer;
    kas_status gone = kas_state_layer_info(s->state, name, &layer);
    bool serves = !gone && layer.replica_count && layer.replicas[0].ready;
    kas_status_free(gone);
    return serves;
}

void sim_replica_ended(sim *s, const sim_operation *operation, const kas_operation_info *info,
                       const kas_command *command, bool justified)
{
    sim_layer *layer = &s->model.layers[operation->layer];
    if (info->state == KAS_OPERATION_SUCCEEDED) {
        SIM_REQUIRE(s, layer->exists && layer->replica, "a replica is made that nobody wants");
        layer->joined = true;
        return;
    }
    kas_layer_info present;
    kas_status gone = kas_state_layer_info(s->state, info->layer, &present);
    bool arrived = !gone && sim_device_named(present.device) == operation->device;
    kas_status_free(gone);
    if (info->state == KAS_OPERATION_CANCELLED)
        SIM_REQUIRE(s, operation->may_be_cancelled || arrived, "a replica is cancelled for nothing");
    else
        SIM_REQUIRE(s, justified, "a replica fails for no reason: %s", info->error_detail);
    if (info->error_code == KAS_DEVICE_LOST && layer->replica && layer->joined)
        layer->lost = true;
    else if (info->state == KAS_OPERATION_FAILED && serves_on(s, info->layer))
        layer->gave_up = true; /* that was of what is staged */
    else
        sim_replica_forget(layer);
    bool answered = command->kind == KAS_COMMAND_MOVE_FAILED || command->kind == KAS_COMMAND_MAKE_FAILED;
    SIM_REQUIRE(s, !answered || !layer->was_ready || layer->lost || layer->gave_up,
                "a replica that serves is dropped for what is only staged");
}

void sim_replica_forget(sim_layer *layer)
{
    layer->replica = layer->joined = layer->lost = layer->gave_up = false;
}

bool sim_replica_works(const sim *s, uint64_t operation)
{
    return sim_world_asked(s, operation) || sim_move_makes(s, s->model.operations[operation].device);
}

/* ---- what it shows ---- */

static void require_same_seed(sim *s, const kas_published_seed *here, const kas_published_seed *there)
{
    SIM_REQUIRE(s,
                here->seed == there->seed && here->binding == there->binding && here->alpha == there->alpha &&
                    here->ramp == there->ramp && here->ramp_done == there->ramp_done,
                "seed %u is another on a replica", here->seed);
}

static void require_at(sim *s, kas_resource number, int device)
{
    const sim_resource *resource = &s->world.resources[number];
    SIM_REQUIRE(s, number && resource->owner == SIM_STATE && resource->device == device,
                "a replica shows %llu, which is not there", (unsigned long long)number);
}

static void require_same_kernel(sim *s, kas_resource here, kas_resource there, int device)
{
    require_at(s, there, device);
    SIM_REQUIRE(s, s->world.resources[here].content == s->world.resources[there].content,
                "a replica shows another kernel");
}

/* Fossils that are folded where the layer is are steps on the replica. */
static void check_fossils(sim *s, const sim_layer *layer, const kas_published_layer *there, int device)
{
    SIM_REQUIRE(s, there->fossil_count == layer->fossil_count && there->folded_fossils == 0,
                "a replica has other fossils");
    for (uint32_t i = 0; i < there->fossil_count; ++i) {
        const sim_seed *seed = &layer->seeds[layer->fossils[i]];
        SIM_REQUIRE(s, there->fossils[i].alpha == seed->fossil_alpha, "a fossil has another alpha there");
        require_same_kernel(s, seed->kernel, there->fossils[i].kernel, device);
    }
}

static void check_ready(sim *s, const sim_layer *layer)
{
    kas_published_layer here, there;
    uint32_t next;
    int device = sim_replica_device(layer);
    SIM_REQUIRE(s,
                kas_state_published(s->state, layer->uid, &here) &&
                    kas_state_replica(s->state, layer->uid, 0, &there, &next),
                "a ready replica is not shown");
    SIM_REQUIRE(s,
                there.uid == here.uid && there.generation == here.generation && there.epoch == here.epoch &&
                    there.serving == here.serving && there.seed_count == here.seed_count &&
                    sim_device_named(there.device) == device,
                "a replica shows another view");
    for (uint32_t i = 0; i < here.seed_count; ++i) {
        require_same_seed(s, &here.seeds[i], &there.seeds[i]);
        require_same_kernel(s, here.seeds[i].kernel, there.seeds[i].kernel, device);
    }
    check_fossils(s, layer, &there, device);
    require_at(s, there.weights, device);
    SIM_REQUIRE(s, s->world.resources[there.weights].value == s->world.resources[layer->weights].value,
                "a replica has other weights");
}

/* The kernels of staged loads that are ready are there, too. */
static void check_prepared(sim *s, const sim_layer *layer)
{
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        kas_resource kernel = layer->seeds[i].staged.kernel;
        if (!kernel) continue;
        kas_resource other =
            sim_world_resident(s, s->world.resources[kernel].content, sim_replica_device(layer));
        SIM_REQUIRE(s, other && !s->world.resources[other].idle_since,
                    "a replica does not have the kernel that is staged for seed %u", i);
    }
}

static bool is_being_made(const sim *s, int layer)
{
    for (uint64_t id = 1; id <= s->model.last_operation; ++id) {
        const sim_operation *operation = &s->model.operations[id];
        if (operation->replica && !operation->ended && operation->layer == layer) return true;
    }
    return false;
}

bool sim_replica_is_prepared(const sim *s, int index)
{
    const sim_layer *layer = &s->model.layers[index];
    return layer->exists && layer->replica && s->world.views[index].replicated && !is_being_made(s, index) &&
           !layer->gave_up;
}

void sim_replica_check(sim *s, int index)
{
    const sim_layer *layer = &s->model.layers[index];
    kas_layer_info info;
    kas_status status = kas_state_layer_info(s->state, sim_layer_names[index], &info);
    SIM_REQUIRE(s, !status, "%s", kas_status_message(status));
    SIM_REQUIRE(s, info.replica_count == (uint32_t)layer->replica, "layer %s has %u replicas", info.name,
                info.replica_count);
    if (!layer->replica) return;
    SIM_REQUIRE(s, sim_device_named(info.replicas[0].device) == sim_replica_device(layer),
                "a replica is elsewhere");
    SIM_REQUIRE(s, info.replicas[0].lost == layer->lost,
                "whether the replica of layer %s is lost is not told", info.name);
    bool made = is_being_made(s, index), ready = info.replicas[0].ready;
    SIM_REQUIRE(s, layer->lost ? !ready && !made : ready || made,
                "the replica of layer %s is neither ready nor made, or it is lost", info.name);
    SIM_REQUIRE(s, info.replicas[0].ready == s->world.views[index].replicated,
                "whether the replica of layer %s is published is not what is told of it", info.name);
    if (ready) check_ready(s, layer);
    if (ready && !made && !layer->gave_up) check_prepared(s, layer);
}
