/* A device is lost: layers leave it, and replicas that were ready there are listed as lost. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/sim/sim.h"

void sim_tell_lost(sim *s, int device)
{
    kas_command command = {.kind = KAS_COMMAND_DEVICE_LOST};
    int refuge = sim_chance(s, 80) ? 1 - device : -1;
    snprintf(command.lost.device, sizeof command.lost.device, "%s", sim_device_names[device]);
    snprintf(command.lost.reason, sizeof command.lost.reason, "simulated");
    if (refuge >= 0) {
        snprintf(command.lost.refuge, sizeof command.lost.refuge, "%s", sim_device_names[refuge]);
        command.lost.refuge_kind = sim_device_kinds[refuge];
    }
    sim_trace(s, "the state is told that %s is lost, %s", sim_device_names[device],
              refuge >= 0 ? "with a refuge" : "without refuge");
    sim_give(s, &command);
}

static bool is_ready_elsewhere(const sim *s, int index, int device)
{
    const sim_layer *layer = &s->model.layers[index];
    return layer->replica && !layer->lost && sim_replica_device(layer) != device && layer->was_ready;
}

/* The move that has begun by itself; 0: none has. */
static uint64_t begun(const sim *s, uint64_t layer_uid)
{
    for (size_t i = 0; i < s->effects.count; ++i) {
        const kas_effect *effect = &s->effects.items[i];
        uint64_t id = effect->operation.operation;
        kas_operation_info info;
        if (effect->kind != KAS_EFFECT_OPERATION || effect->layer_uid != layer_uid ||
            id <= s->model.last_operation)
            continue;
        kas_status status = kas_state_operation_info(s->state, id, &info);
        bool found = !status && info.kind == KAS_OPERATION_MOVE;
        kas_status_free(status);
        if (found) return id;
    }
    return 0;
}

static void go(sim *s, int index, uint64_t id)
{
    sim_layer *layer = &s->model.layers[index];
    layer->move = id;
    layer->move_to = (uint8_t)(1 - layer->device);
    layer->again_ns = 0;
    sim_operation_begun(
        s, id, (sim_operation){.move = true, .flees = true, .layer = index, .device = layer->move_to});
}

static void leave(sim *s, int index, int device, bool refuge)
{
    sim_layer *layer = &s->model.layers[index];
    bool goes = refuge || is_ready_elsewhere(s, index, device);
    if (layer->move) { /* on its way already */
        s->model.operations[layer->move].flees |= goes;
        return;
    }
    uint64_t id = begun(s, layer->uid);
    SIM_REQUIRE(s, goes == (id != 0), "layer %s %s", sim_layer_names[index],
                goes ? "stays on a lost device" : "goes nowhere");
    if (id) go(s, index, id);
}

static int64_t pause_after(uint32_t tries)
{
    int64_t pause_s = tries > 9 ? 300 : (int64_t)1 << (tries - 1);
    return (pause_s < 300 ? pause_s : 300) * KAS_NS_PER_S;
}

void sim_put_off(sim *s, sim_layer *layer, kas_code code)
{
    layer->again_ns = s->now_ns + pause_after(++layer->tries);
    layer->failure = code;
}

/* In the order in which their operations are numbered. */
void sim_accept_tries(sim *s)
{
    for (;;) {
        int next = -1;
        uint64_t first = UINT64_MAX;
        for (int i = 0; i < SIM_LAYERS; ++i) {
            sim_layer *layer = &s->model.layers[i];
            if (!layer->exists || !layer->again_ns || layer->again_ns > s->now_ns) continue;
            uint64_t id = begun(s, layer->uid);
            SIM_REQUIRE(s, (id != 0) == (layer->refuge || is_ready_elsewhere(s, i, layer->device)),
                        "layer %s on a lost device %s", sim_layer_names[i],
                        id ? "goes nowhere" : "is not moved again");
            if (!id) sim_put_off(s, layer, layer->failure);
            if (!id || id > first) continue;
            first = id;
            next = i;
        }
        if (next < 0) return;
        go(s, next, first);
    }
}

/* Moves to where the loss is end. */
static void lose_moves(sim *s, int device)
{
    for (int i = 0; i < SIM_LAYERS; ++i)
        if (s->model.layers[i].exists && s->model.layers[i].move && s->model.layers[i].move_to == device)
            s->model.operations[s->model.layers[i].move].may_be_cancelled = true;
}

static void lose_kernels(sim *s, int device)
{
    for (kas_resource i = 1; i <= s->world.last_resource; ++i) {
        sim_resource *kernel = &s->world.resources[i];
        if (!kernel->is_kernel || kernel->owner != SIM_STATE || kernel->device != device) continue;
        kernel->lost = kernel->doomed = true;
    }
}

static bool flees(const sim *s, const sim_layer *layer)
{
    return layer->again_ns ? layer->refuge : layer->move && s->model.operations[layer->move].flees;
}

static void require_alarm(sim *s)
{
    for (size_t i = 0; i < s->effects.count; ++i)
        if (s->effects.items[i].kind == KAS_EFFECT_ALERT) return;
    sim_fail(s, "nobody is told that a device is lost");
}

void sim_accept_lost(sim *s, const kas_command *command)
{
    int device = sim_device_named(command->lost.device);
    require_alarm(s);
    lose_moves(s, device);
    lose_kernels(s, device);
    for (int i = 0; i < SIM_LAYERS; ++i) {
        sim_layer *layer = &s->model.layers[i];
        if (!layer->exists) continue;
        if (layer->replica && layer->joined && sim_replica_device(layer) == device) layer->lost = true;
        bool refuge = command->lost.refuge[0] != 0;
        if (layer->device == device) layer->refuge = refuge;
        if (layer->device != device && flees(s, layer)) layer->refuge = false; /* to there */
        if (layer->device == device) leave(s, i, device, refuge);
    }
}
