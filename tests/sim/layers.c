/* What happens to a layer that is made, deleted, moved, or given a replica. */
#include "tests/sim/sim.h"

#include <string.h>

static int64_t smallest_unused(const sim *s)
{
    for (int64_t id = 0;; ++id) {
        bool taken = false;
        for (int i = 0; i < SIM_LAYERS; ++i)
            taken |= s->model.layers[i].exists && s->model.layers[i].layer_id == id;
        if (!taken) return id;
    }
}

void sim_accept_create(sim *s, const kas_command *command)
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

static void cancel_replica(sim *s, const sim_layer *layer)
{
    for (uint64_t id = 1; id <= s->model.last_operation; ++id) {
        sim_operation *operation = &s->model.operations[id];
        if (operation->replica && !operation->ended && &s->model.layers[operation->layer] == layer)
            operation->may_be_cancelled = true;
    }
}

void sim_accept_replicas(sim *s, sim_layer *layer, const kas_replica_list *list)
{
    if (list->count == 0) {
        cancel_replica(s, layer);
        sim_replica_forget(layer);
    }
    layer->replica = list->count > 0;
}

void sim_accept_delete(sim *s, sim_layer *layer)
{
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        sim_seed *seed = &layer->seeds[i];
        if (seed->load) s->model.operations[seed->load].may_be_cancelled = true;
        seed->load = 0;
        sim_drop_staged(s, &seed->staged);
    }
    if (layer->move) s->model.operations[layer->move].may_be_cancelled = true;
    cancel_replica(s, layer);
    layer->exists = false;
}

void sim_accept_move(sim *s, int index, const kas_command *command)
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
