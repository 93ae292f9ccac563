/* What follows from a command: here, what is about no layer; changes.c and layers.c have the rest. */
#include "tests/sim/sim.h"

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
        sim_accept_advance(s, command);
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
        sim_accept_retries(s);
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
        sim_accept_create(s, command);
        return;
    case KAS_COMMAND_DELETE_LAYER:
        sim_accept_delete(s, layer);
        return;
    case KAS_COMMAND_SET_WEIGHTS:
        sim_accept_weights(s, layer, command);
        return;
    case KAS_COMMAND_MOVE_LAYER:
        sim_accept_move(s, index, command);
        return;
    case KAS_COMMAND_SET_REPLICAS:
        sim_accept_replicas(s, layer, &command->replicas);
        return;
    case KAS_COMMAND_SET_SERVING:
        layer->serving = command->set_serving.serving;
        return;
    case KAS_COMMAND_LOAD:
        sim_accept_load(s, command);
        return;
    case KAS_COMMAND_UNLOAD:
        sim_accept_change(s, command, KAS_CHANGE_UNLOAD);
        return;
    case KAS_COMMAND_RESET:
        sim_accept_change(s, command, KAS_CHANGE_RESET);
        return;
    case KAS_COMMAND_FOSSILIZE:
        sim_accept_change(s, command, KAS_CHANGE_FOSSILIZE);
        return;
    case KAS_COMMAND_SET_ALPHA:
        sim_accept_change(s, command, KAS_CHANGE_ALPHA);
        return;
    case KAS_COMMAND_DROP_STAGED:
        sim_drop_staged(s, &layer->seeds[command->seed].staged);
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
