/* What callers ask for: everything that the interface offers, mostly of things that there are and mostly
 * sensible. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/sim/sim.h"

const char *const sim_layer_names[SIM_LAYERS] = {"alpha", "beta", "gamma"};
const char *const sim_device_names[SIM_DEVICES] = {"host:0", "cuda:0"};
const uint32_t sim_device_kinds[SIM_DEVICES] = {KAS_KIND_CPU, KAS_KIND_CUDA};

/* ---- parts of a command ---- */

static void copy_text(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text);
}

static void name_layer(sim *s, kas_command *command)
{
    if (sim_chance(s, 2))
        copy_text(command->layer, sizeof command->layer, "nobody");
    else
        copy_text(command->layer, sizeof command->layer, sim_layer_names[sim_below(s, SIM_LAYERS)]);
    if (sim_layer_named(s, command->layer) < 0 && sim_chance(s, 80)) /* rather one that there is */
        for (int i = 0; i < SIM_LAYERS; ++i)
            if (s->model.layers[i].exists)
                copy_text(command->layer, sizeof command->layer, sim_layer_names[i]);
}

static void name_seed(sim *s, kas_command *command)
{
    name_layer(s, command);
    int layer = sim_layer_named(s, command->layer);
    uint32_t seeds = layer < 0 || sim_chance(s, 2) ? SIM_SEEDS + 1 : s->model.layers[layer].num_seeds;
    command->seed = sim_below(s, seeds);
    if (layer < 0 || command->seed >= SIM_SEEDS || !sim_chance(s, 10)) return;
    uint64_t revision = s->model.layers[layer].seeds[command->seed].revision;
    command->revision = sim_chance(s, 50) ? revision : revision + 1;
}

static void name_artifact(sim *s, kas_command *command)
{
    if (sim_chance(s, 1))
        copy_text(command->artifact_id, sizeof command->artifact_id, "no artifact");
    else if (s->trouble && sim_chance(s, 60))
        copy_text(command->artifact_id, sizeof command->artifact_id,
                  sim_artifact_id(sim_chance(s, 50) ? 1 : 8));
    else
        copy_text(command->artifact_id, sizeof command->artifact_id,
                  sim_artifact_id((int)sim_below(s, SIM_ARTIFACTS)));
}

static void wish_alpha(sim *s, kas_command *command)
{
    static const float odd[] = {-0.01f, 1.01f, NAN, INFINITY};
    command->has_alpha = true;
    command->alpha = sim_chance(s, 3) ? odd[sim_below(s, 4)] : (float)sim_below(s, 9) / 8;
    if (sim_chance(s, 50)) return;
    command->ramp = (kas_ramp){.unit = sim_chance(s, 50) ? KAS_RAMP_MS : KAS_RAMP_PASSES,
                               .length = sim_chance(s, 3) ? 0 : 1 + sim_below(s, 12),
                               .curve = sim_chance(s, 50) ? KAS_CURVE_LINEAR : KAS_CURVE_COSINE};
    if (command->ramp.unit == KAS_RAMP_MS) command->ramp.length *= 7;
}

static void maybe_stage(sim *s, kas_command *command, uint32_t percent)
{
    if (sim_chance(s, percent)) command->at_epoch = s->model.epoch + sim_below(s, 4);
}

/* ---- the kinds ---- */

static void create_layer(sim *s, kas_command *command)
{
    copy_text(command->layer, sizeof command->layer, sim_layer_names[sim_below(s, SIM_LAYERS)]);
    uint32_t device = sim_chance(s, 70) ? 0 : 1;
    command->create.layer_id = sim_chance(s, 80) ? -1 : (int64_t)sim_below(s, 3);
    command->create.input_size = 8;
    command->create.output_size = sim_chance(s, 80) ? 4 : 8;
    command->create.num_seeds = 1 + sim_below(s, SIM_SEEDS);
    command->create.bias = true;
    copy_text(command->create.device, sizeof command->create.device, sim_device_names[device]);
    command->create.device_kind = sim_device_kinds[device];
    command->create.weights = sim_world_weights(s, (int)device);
    command->create.weights_sha256 = kas_sha256_of(&command->create.weights, sizeof command->create.weights);
}

static void set_weights(sim *s, kas_command *command)
{
    name_layer(s, command);
    int layer = sim_layer_named(s, command->layer);
    command->set_weights.weights = sim_world_weights(s, layer < 0 ? 0 : s->model.layers[layer].device);
    command->set_weights.sha256 =
        kas_sha256_of(&command->set_weights.weights, sizeof command->set_weights.weights);
    if (layer >= 0 && sim_chance(s, 10)) /* the same again */
        command->set_weights.sha256 = s->model.layers[layer].weights_sha256;
    maybe_stage(s, command, 30);
}

static void load(sim *s, kas_command *command)
{
    name_seed(s, command);
    name_artifact(s, command);
    if (sim_chance(s, 70)) wish_alpha(s, command);
    maybe_stage(s, command, 20);
}

static void move(sim *s, kas_command *command)
{
    name_layer(s, command);
    int layer = sim_layer_named(s, command->layer);
    uint32_t device = sim_below(s, SIM_DEVICES);
    if (layer >= 0 && sim_chance(s, 80)) device = 1 - s->model.layers[layer].device;
    copy_text(command->move.device, sizeof command->move.device, sim_device_names[device]);
    command->move.device_kind = sim_device_kinds[device];
    if (layer >= 0 && sim_chance(s, 10))
        command->revision = s->model.layers[layer].revision + sim_below(s, 2);
}

/* Rather the other device, or none. */
static void replicate(sim *s, kas_command *command)
{
    kas_replica_list *list = &command->replicas;
    name_layer(s, command);
    int layer = sim_layer_named(s, command->layer);
    list->count = sim_chance(s, 5) ? 2 : sim_chance(s, 70);
    for (uint32_t i = 0; i < list->count; ++i) {
        uint32_t device = sim_below(s, SIM_DEVICES);
        if (layer >= 0 && sim_chance(s, 90)) device = (uint32_t)sim_replica_device(&s->model.layers[layer]);
        copy_text(list->devices[i], sizeof list->devices[i], sim_device_names[device]);
        list->device_kinds[i] = sim_device_kinds[device];
    }
    if (layer >= 0 && sim_chance(s, 10))
        command->revision = s->model.layers[layer].revision + sim_below(s, 2);
}

static void advance(sim *s, kas_command *command)
{
    command->advance.epoch = s->model.epoch + sim_below(s, 4);
    command->advance.skip_unready = sim_chance(s, 60);
}

static void cancel(sim *s, kas_command *command)
{
    uint64_t last = s->model.last_operation;
    uint64_t recent = last > 6 ? 6 : last;
    command->cancel.operation = last - sim_below(s, (uint32_t)recent + 1) + sim_chance(s, 3);
}

static void preload(sim *s, kas_command *command)
{
    uint32_t device = sim_below(s, SIM_DEVICES);
    name_artifact(s, command);
    copy_text(command->preload.device, sizeof command->preload.device, sim_device_names[device]);
    command->preload.device_kind = sim_device_kinds[device];
}

static void bind(sim *s, kas_command *command)
{
    name_artifact(s, command);
    command->bind.checksum = s->world.contents[sim_below(s, SIM_CONTENTS)].checksum;
    int artifact = sim_artifact_of(command->artifact_id);
    if (artifact >= 0 && sim_chance(s, 80))
        command->bind.checksum = s->world.contents[s->world.registry[artifact]].checksum;
}

static void lift(sim *s, kas_command *command)
{
    uint32_t content = sim_below(s, SIM_CONTENTS);
    for (uint32_t i = 0; i < SIM_CONTENTS; ++i)
        if (s->model.quarantined[i] && sim_chance(s, 80)) content = i;
    command->lift.checksum = s->world.contents[content].checksum;
}

static void fill(sim *s, kas_command *command)
{
    switch (command->kind) {
    case KAS_COMMAND_CREATE_LAYER:
        create_layer(s, command);
        return;
    case KAS_COMMAND_DELETE_LAYER:
        name_layer(s, command);
        command->delete_layer.force = sim_chance(s, 40);
        return;
    case KAS_COMMAND_SET_WEIGHTS:
        set_weights(s, command);
        return;
    case KAS_COMMAND_MOVE_LAYER:
        move(s, command);
        return;
    case KAS_COMMAND_SET_REPLICAS:
        replicate(s, command);
        return;
    case KAS_COMMAND_SET_SERVING:
        name_layer(s, command);
        command->set_serving.serving = sim_chance(s, 85);
        return;
    case KAS_COMMAND_LOAD:
        load(s, command);
        return;
    case KAS_COMMAND_UNLOAD:
    case KAS_COMMAND_RESET:
    case KAS_COMMAND_FOSSILIZE:
        name_seed(s, command);
        maybe_stage(s, command, 20);
        return;
    case KAS_COMMAND_SET_ALPHA:
        name_seed(s, command);
        if (!sim_chance(s, 2)) wish_alpha(s, command);
        maybe_stage(s, command, 20);
        return;
    case KAS_COMMAND_DROP_STAGED:
        name_seed(s, command);
        return;
    case KAS_COMMAND_CANCEL_OPERATION:
        cancel(s, command);
        return;
    case KAS_COMMAND_ADVANCE_EPOCH:
        advance(s, command);
        return;
    case KAS_COMMAND_PRELOAD:
        preload(s, command);
        return;
    case KAS_COMMAND_BIND_ARTIFACT:
        bind(s, command);
        return;
    case KAS_COMMAND_LIFT_QUARANTINE:
        lift(s, command);
        return;
    default: /* EVICT, PIN, UNPIN */
        name_artifact(s, command);
    }
}

/* ---- asking ---- */

static const struct {
    kas_command_kind kind;
    uint32_t weight;
    const char *name;
} mix[] = {
    {KAS_COMMAND_CREATE_LAYER, 6, "create layer"},
    {KAS_COMMAND_DELETE_LAYER, 2, "delete layer"},
    {KAS_COMMAND_SET_WEIGHTS, 4, "set weights"},
    {KAS_COMMAND_MOVE_LAYER, 5, "move layer"},
    {KAS_COMMAND_SET_REPLICAS, 6, "set replicas"},
    {KAS_COMMAND_SET_SERVING, 1, "set serving"},
    {KAS_COMMAND_LOAD, 40, "load"},
    {KAS_COMMAND_UNLOAD, 5, "unload"},
    {KAS_COMMAND_RESET, 2, "reset"},
    {KAS_COMMAND_FOSSILIZE, 2, "fossilize"},
    {KAS_COMMAND_SET_ALPHA, 16, "set alpha"},
    {KAS_COMMAND_DROP_STAGED, 2, "drop staged"},
    {KAS_COMMAND_CANCEL_OPERATION, 3, "cancel"},
    {KAS_COMMAND_ADVANCE_EPOCH, 5, "advance epoch"},
    {KAS_COMMAND_PRELOAD, 4, "preload"},
    {KAS_COMMAND_BIND_ARTIFACT, 2, "bind"},
    {KAS_COMMAND_EVICT, 3, "evict"},
    {KAS_COMMAND_PIN, 2, "pin"},
    {KAS_COMMAND_UNPIN, 2, "unpin"},
    {KAS_COMMAND_LIFT_QUARANTINE, 1, "lift quarantine"},
};

static size_t pick(sim *s)
{
    uint32_t all = 0;
    for (size_t i = 0; i < sizeof mix / sizeof *mix; ++i)
        all += mix[i].weight;
    uint32_t at = sim_below(s, all);
    size_t which = 0;
    while (at >= mix[which].weight)
        at -= mix[which++].weight;
    return which;
}

static uint32_t count_layers(const sim *s)
{
    uint32_t count = 0;
    for (int i = 0; i < SIM_LAYERS; ++i)
        count += s->model.layers[i].exists;
    return count;
}

void sim_ask(sim *s)
{
    size_t which = count_layers(s) < 2 && sim_chance(s, 50) ? 0 : pick(s);
    kas_command command = {.kind = mix[which].kind};
    fill(s, &command);
    sim_trace(s, "%s layer %s seed %u artifact %s alpha %g ramp %u/%u at_epoch %u", mix[which].name,
              command.layer, command.seed, command.artifact_id,
              command.has_alpha ? (double)command.alpha : -1, command.ramp.unit, command.ramp.length,
              command.at_epoch);
    sim_give(s, &command);
}

void sim_ask_all_to_go(sim *s)
{
    for (int i = 0; i < SIM_LAYERS; ++i) {
        if (!s->model.layers[i].exists) continue;
        kas_command command = {.kind = KAS_COMMAND_DELETE_LAYER, .delete_layer = {.force = true}};
        copy_text(command.layer, sizeof command.layer, sim_layer_names[i]);
        sim_give(s, &command);
    }
    for (int i = 0; i < SIM_ARTIFACTS; ++i) {
        kas_command command = {.kind = KAS_COMMAND_UNPIN};
        copy_text(command.artifact_id, sizeof command.artifact_id, sim_artifact_id(i));
        sim_give(s, &command);
    }
    for (int i = 0; i < SIM_ARTIFACTS; ++i) {
        kas_command command = {.kind = KAS_COMMAND_EVICT};
        copy_text(command.artifact_id, sizeof command.artifact_id, sim_artifact_id(i));
        sim_give(s, &command);
    }
}
