/* Layers that move: what they hold on the other device, and what they are once they are there. */
#include <string.h>

#include "tests/sim/sim.h"

/* ---- what is held for them ---- */

static uint32_t users_of(const sim *s, kas_resource kernel)
{
    uint32_t count = 0;
    for (int i = 0; i < SIM_LAYERS; ++i)
        for (uint32_t n = 0; s->model.layers[i].exists && n < s->model.layers[i].num_seeds; ++n) {
            const sim_seed *seed = &s->model.layers[i].seeds[n];
            count += seed->kernel == kernel;
            count += seed->staged.present && seed->staged.kernel == kernel;
        }
    return count;
}

/* Or has a replica there. */
static bool anybody_moves_to(const sim *s, int device)
{
    for (int i = 0; i < SIM_LAYERS; ++i)
        if (s->model.layers[i].exists &&
            ((s->model.layers[i].move && s->model.layers[i].move_to == device) ||
             (s->model.layers[i].replica && sim_replica_device(&s->model.layers[i]) == device)))
            return true;
    return false;
}

/* A layer that moves holds kernels from when they are there until it looks again: what the state counts
 * beyond seeds and staged loads is its. */
bool sim_move_holds(const sim *s, kas_resource kernel)
{
    const sim_resource *resource = &s->world.resources[kernel];
    if (!anybody_moves_to(s, resource->device)) return false;
    kas_cache_entry_info info;
    for (size_t i = 0; kas_state_list_cache(s->state, i, &info, 1); ++i)
        if (info.ready && sim_device_named(info.device) == resource->device &&
            kas_sha256_equal(&info.checksum, &s->world.contents[resource->content].checksum))
            return info.uses > users_of(s, kernel);
    return false;
}

/* ---- what they need ---- */

static int content_of(const sim *s, kas_resource kernel)
{
    return kernel ? s->world.resources[kernel].content : -1;
}

bool sim_move_makes(const sim *s, int device)
{
    for (int i = 0; i < SIM_ARTIFACTS; ++i)
        if (sim_world_make_for(s, i, device)) return true;
    return false;
}

bool sim_move_fits(const sim *s, const sim_layer *layer, int device)
{
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        const kas_resource kernels[] = {layer->seeds[i].kernel, layer->seeds[i].staged.kernel};
        for (int k = 0; k < 2; ++k)
            if (kernels[k] && !sim_model_fits(s, layer, device, content_of(s, kernels[k]))) return false;
    }
    return true;
}

/* ---- the end ---- */

static kas_resource there(sim *s, const sim_layer *layer, kas_resource kernel)
{
    if (!kernel) return 0;
    kas_resource moved = sim_world_resident(s, content_of(s, kernel), layer->device);
    SIM_REQUIRE(s, moved, "a layer has moved to %s without kernel %llu", sim_device_names[layer->device],
                (unsigned long long)kernel);
    return moved;
}

static void take_over_weights(sim *s, sim_layer *layer)
{
    kas_resource weights;
    kas_published_fossil fossils[KAS_MAX_SEEDS];
    uint32_t count;
    SIM_REQUIRE(s, kas_state_fold_source(s->state, layer->uid, &weights, fossils, &count),
                "a layer is lost as it moves");
    SIM_REQUIRE(s,
                s->world.resources[weights].value == s->world.resources[layer->weights].value &&
                    s->world.resources[weights].device == layer->device,
                "a layer has moved with other weights");
    layer->weights = weights;
}

/* Staged weights have a copy on the new device, which nobody is told of but by their release. */
static void take_over_staged(sim *s, sim_layer *layer)
{
    if (!layer->staged.present) return;
    double value = s->world.resources[layer->staged.weights].value;
    for (kas_resource i = s->world.last_resource; i > 0; --i) {
        const sim_resource *resource = &s->world.resources[i];
        if (resource->owner != SIM_STATE || resource->is_kernel || resource->device != layer->device ||
            resource->value != value || i == layer->weights)
            continue;
        layer->staged.weights = i;
        return;
    }
    sim_fail(s, "a layer has moved without its staged weights");
}

void sim_move_ended(sim *s, int index, bool arrived)
{
    sim_layer *layer = &s->model.layers[index];
    layer->move = 0;
    if (!layer->exists || !arrived) return;
    layer->device = layer->move_to;
    sim_replica_forget(layer); /* the only other place is where it was */
    take_over_weights(s, layer);
    take_over_staged(s, layer);
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        sim_seed *seed = &layer->seeds[i];
        seed->kernel = there(s, layer, seed->kernel);
        seed->staged.kernel = there(s, layer, seed->staged.kernel);
        if (seed->load) s->model.operations[seed->load].device = layer->device;
        if (seed->staged.operation) s->model.operations[seed->staged.operation].device = layer->device;
    }
}
