/* Operations of the model: each ends once, for a reason that the world has given. */
#include <string.h>

#include "tests/sim/sim.h"

void sim_operation_begun(sim *s, uint64_t id, sim_operation operation)
{
    SIM_REQUIRE(s, id == s->model.last_operation + 1 && id < SIM_OPERATIONS,
                "operation %llu follows operation %llu", (unsigned long long)id,
                (unsigned long long)s->model.last_operation);
    operation.known = true;
    operation.begun_ns = s->asked_ns;
    s->model.operations[id] = operation;
    s->model.last_operation = id;
}

/* The state keeps only so many that have ended. */
void sim_operation_published(sim *s, uint64_t id)
{
    kas_operation_info info;
    kas_status status = kas_state_operation_info(s->state, id, &info);
    if (status) {
        kas_status_free(status);
        return;
    }
    SIM_REQUIRE(s, info.duration_ns == s->now_ns - s->model.operations[id].begun_ns,
                "operation %llu lasted %lld ns, not from its request to its publication",
                (unsigned long long)id, (long long)info.duration_ns);
}

/* ---- reasons ---- */

static const sim_make *make_of(const sim *s, uint64_t id)
{
    for (int i = 0; i < SIM_MAKES; ++i)
        if (s->world.makes[i].id == id) return &s->world.makes[i];
    return NULL;
}

static bool waited_for(const sim *s, const sim_operation *operation, uint64_t id)
{
    const sim_make *make = make_of(s, id);
    if (!make || make->device != operation->device) return false;
    return make->artifact == operation->artifact ||
           (make->known && s->model.bound[operation->artifact] == make->content);
}

static bool has_no_room(const sim *s, uint64_t bytes)
{
    uint64_t kept = bytes, entries = 1;
    for (kas_resource i = 1; i <= s->world.last_resource; ++i) {
        const sim_resource *kernel = &s->world.resources[i];
        if (kernel->owner != SIM_STATE || !kernel->is_kernel || kernel->idle_since || kernel->lost) continue;
        kept += s->world.contents[kernel->content].device_bytes;
        ++entries;
    }
    for (int i = 0; i < SIM_MAKES; ++i) {
        const sim_make *make = &s->world.makes[i];
        if (!make->id || make->over || !make->uploading) continue;
        kept += s->world.contents[make->content].device_bytes;
        ++entries;
    }
    return kept > s->limits.cache_bytes || entries > s->limits.cache_entries;
}

static bool is_justified(const sim *s, const sim_operation *operation, const sim_layer *layer,
                         const kas_operation_info *info, const kas_command *command)
{
    int content = s->model.bound[operation->artifact];
    switch (info->error_code) {
    case KAS_INCOMPATIBLE_KERNEL:
        return content >= 0 && !sim_model_fits(s, layer, operation->device, content);
    case KAS_CONFLICT:
        if (!strcmp(info->error_reason, "quarantined")) return content >= 0 && s->model.quarantined[content];
        return command->kind == KAS_COMMAND_RESOLVED && content >= 0 &&
               waited_for(s, operation, command->resolved.make) &&
               !kas_sha256_equal(&command->resolved.checksum, &s->world.contents[content].checksum);
    case KAS_NO_ROOM:
        return command->kind == KAS_COMMAND_RESOLVED && waited_for(s, operation, command->resolved.make) &&
               has_no_room(s, command->resolved.device_bytes);
    default:
        return command->kind == KAS_COMMAND_MAKE_FAILED && waited_for(s, operation, command->failed.make) &&
               info->error_code == command->failed.code;
    }
}

/* Of a move: of a kernel that the layer needs there, or of what the carrier could not do. */
static bool move_may_fail(const sim *s, const sim_operation *operation, const kas_operation_info *info,
                          const kas_command *command)
{
    const sim_layer *layer = &s->model.layers[operation->layer];
    if (command->kind == KAS_COMMAND_MOVE_FAILED) return info->error_code == command->failed.code;
    if (command->kind == KAS_COMMAND_DEVICE_LOST)
        return info->error_code == KAS_DEVICE_LOST &&
               operation->device == sim_device_named(command->lost.device);
    if (info->error_code == KAS_INCOMPATIBLE_KERNEL) return !sim_move_fits(s, layer, operation->device);
    sim_operation waits = {.device = operation->device,
                           .artifact = (uint8_t)sim_artifact_of(info->artifact_id)};
    bool failed = is_justified(s, &waits, layer, info, command);
    return failed && info->error_code != KAS_INCOMPATIBLE_KERNEL && strcmp(info->error_reason, "quarantined");
}

/* A move that fails leaves its layer on a lost device, or where it serves. */
static bool was_alert(const sim *s, uint64_t layer_uid)
{
    for (size_t i = 0; i < s->effects.count; ++i)
        if (s->effects.items[i].kind == KAS_EFFECT_ALERT && s->effects.items[i].layer_uid == layer_uid)
            return true;
    return false;
}

static void end_move(sim *s, sim_operation *operation, const kas_operation_info *info,
                     const kas_command *command)
{
    bool arrived = info->state == KAS_OPERATION_SUCCEEDED;
    if (info->state == KAS_OPERATION_CANCELLED)
        SIM_REQUIRE(s, operation->may_be_cancelled, "a move is cancelled for nothing");
    else if (!arrived)
        SIM_REQUIRE(s, move_may_fail(s, operation, info, command), "a move fails for no reason: %s",
                    info->error_detail);
    else
        SIM_REQUIRE(s, command->kind == KAS_COMMAND_MOVE_TRIED, "a layer moves without a trial");
    sim_layer *layer = &s->model.layers[operation->layer];
    if (info->state == KAS_OPERATION_FAILED) {
        bool news = operation->flees && (!layer->tries || layer->failure != info->error_code);
        SIM_REQUIRE(s, was_alert(s, layer->uid) == news,
                    "a layer %s a lost device, or that is no news, and it is%s an alert",
                    operation->flees ? "stays on" : "is on no", news ? " not" : "");
        if (operation->flees) sim_put_off(s, layer, info->error_code);
    } else {
        layer->tries = 0;
        layer->refuge = false;
    }
    sim_move_ended(s, operation->layer, arrived);
}

static bool is_unexpected(kas_code code)
{
    return code == KAS_OUT_OF_MEMORY || code == KAS_DEADLINE || code == KAS_DEVICE_LOST || code == KAS_IO ||
           code == KAS_INTERNAL;
}

/* ---- ends ---- */

static kas_resource require_kernel(sim *s, const sim_operation *operation, const sim_layer *layer)
{
    int content = s->model.bound[operation->artifact];
    kas_resource kernel = content < 0 ? 0 : sim_world_resident(s, content, operation->device);
    SIM_REQUIRE(s, kernel, "a load of artifact %s succeeds, which is not on the device",
                sim_artifact_id(operation->artifact));
    SIM_REQUIRE(s, !s->model.quarantined[content], "a load of artifact %s succeeds, which is in quarantine",
                sim_artifact_id(operation->artifact));
    SIM_REQUIRE(s, sim_model_fits(s, layer, operation->device, content),
                "a load of artifact %s succeeds, which does not fit", sim_artifact_id(operation->artifact));
    return kernel;
}

static void end_staged(sim_layer *layer, sim_seed *seed, kas_resource kernel, bool cancelled)
{
    if (kernel || cancelled) layer->gave_up = false; /* replicas get ready for what is staged now */
    if (cancelled)
        seed->staged = (sim_staged){0};
    else
        seed->staged.kernel = kernel;
    seed->staged.operation = 0;
}

static void end(sim *s, uint64_t id, const kas_command *command)
{
    SIM_REQUIRE(s, id < SIM_OPERATIONS && s->model.operations[id].known, "operation %llu is unknown",
                (unsigned long long)id);
    sim_operation *operation = &s->model.operations[id];
    SIM_REQUIRE(s, !operation->ended, "operation %llu ends twice", (unsigned long long)id);
    operation->ended = true;
    kas_operation_info info;
    kas_status status = kas_state_operation_info(s->state, id, &info);
    SIM_REQUIRE(s, !status, "%s", kas_status_message(status));
    sim_trace(s, "   operation %llu: %d %s", (unsigned long long)id, (int)info.state, info.error_detail);
    if (operation->move) {
        end_move(s, operation, &info, command);
        return;
    }
    if (operation->replica) {
        sim_replica_ended(s, operation, &info, command,
                          info.state == KAS_OPERATION_FAILED && move_may_fail(s, operation, &info, command));
        return;
    }
    sim_layer *layer = operation->preload ? NULL : &s->model.layers[operation->layer];
    sim_seed *seed = layer ? &layer->seeds[operation->seed] : NULL;
    bool cancelled = info.state == KAS_OPERATION_CANCELLED;
    kas_resource kernel = 0;
    if (info.state == KAS_OPERATION_SUCCEEDED)
        kernel = require_kernel(s, operation, layer);
    else if (cancelled)
        SIM_REQUIRE(s, operation->may_be_cancelled, "operation %llu is cancelled for nothing",
                    (unsigned long long)id);
    else
        SIM_REQUIRE(s, is_justified(s, operation, layer, &info, command),
                    "operation %llu fails for no reason: %s", (unsigned long long)id, info.error_detail);
    if (seed && !kernel && !(operation->staged && cancelled) && (operation->staged || seed->load == id))
        seed->last_error = cancelled ? KAS_ERROR_KERNEL_LOADING : info.error_type;
    if (seed && seed->staged.operation == id && id)
        end_staged(layer, seed, kernel, cancelled);
    else if (seed && seed->load == id && kernel)
        sim_seed_bind(s, layer, operation->seed, &seed->wish, kernel);
    else if (seed && seed->load == id)
        sim_seed_send_back(s, seed, !cancelled && is_unexpected(info.error_code));
}

void sim_operations_ended(sim *s, const kas_command *command)
{
    for (size_t i = 0; i < s->effects.count; ++i) {
        const kas_effect *effect = &s->effects.items[i];
        if (effect->kind == KAS_EFFECT_OPERATION && effect->operation.finished)
            end(s, effect->operation.operation, command);
    }
}
