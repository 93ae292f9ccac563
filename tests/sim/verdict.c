/* What a caller's command must be answered with. */
#include "base/half.h"
#include "tests/sim/sim.h"

/* ---- rules ---- */

bool sim_model_fits(const sim *s, const sim_layer *layer, int device, int content)
{
    const kas_kernel_facts *facts = &s->world.contents[content].facts;
    if (facts->parameter_count > s->limits.parameters ||
        facts->memory_footprint_mb > s->limits.memory_footprint_mb)
        return false;
    if (layer && (facts->input_size != layer->input_size || facts->output_size != layer->output_size))
        return false;
    return !facts->device_kinds || (facts->device_kinds & sim_device_kinds[device]);
}

/* What docs/semantics.md has under Transitions and the interface under 409. */
static bool allows(kas_lifecycle state, kas_change change)
{
    switch (change) {
    case KAS_CHANGE_LOAD:
        return state == KAS_SEED_DORMANT || state == KAS_SEED_ACTIVE || state == KAS_SEED_ERROR_RECOVERY;
    case KAS_CHANGE_ALPHA:
        return state == KAS_SEED_ACTIVE || state == KAS_SEED_LOADING;
    case KAS_CHANGE_FOSSILIZE:
        return state == KAS_SEED_ACTIVE;
    default:
        return state != KAS_SEED_FOSSILIZED;
    }
}

static float sum_of_alphas(const sim_layer *layer)
{
    float sum = 0;
    for (uint32_t i = 0; i < layer->num_seeds; ++i)
        if (sim_seed_live(&layer->seeds[i])) sum += kas_half_to_float(layer->seeds[i].alpha);
    return sum;
}

kas_code sim_model_check_change(const sim_layer *layer, uint32_t seed, kas_change change)
{
    if (!allows(layer->seeds[seed].state, change)) return KAS_ILLEGAL_TRANSITION;
    return change == KAS_CHANGE_FOSSILIZE && sum_of_alphas(layer) > 1 ? KAS_CONFLICT : KAS_OK;
}

static bool wish_is_valid(const kas_command *command)
{
    if (command->has_alpha && !(command->alpha >= 0 && command->alpha <= 1)) return false;
    return command->ramp.unit == KAS_RAMP_NONE || command->ramp.length > 0;
}

bool sim_model_is_quarantined(const sim *s, int artifact)
{
    return s->model.bound[artifact] >= 0 && s->model.quarantined[s->model.bound[artifact]];
}

/* ---- verdicts: 404, then the precondition, then what the request says (422), then the state (409) ---- */

static kas_code find_seed(sim *s, const kas_command *command, sim_layer **layer)
{
    int index = sim_layer_named(s, command->layer);
    if (index < 0 || command->seed >= s->model.layers[index].num_seeds) return KAS_NOT_FOUND;
    *layer = &s->model.layers[index];
    uint64_t revision = (*layer)->seeds[command->seed].revision;
    return command->revision && command->revision != revision ? KAS_CONFLICT : KAS_OK;
}

static bool epoch_is_valid(const sim *s, const kas_command *command)
{
    return !command->at_epoch || command->at_epoch > s->model.epoch;
}

static kas_code verdict_create(sim *s, const kas_command *command)
{
    if (sim_layer_named(s, command->layer) >= 0) return KAS_CONFLICT;
    for (int i = 0; i < SIM_LAYERS; ++i)
        if (s->model.layers[i].exists && s->model.layers[i].layer_id == command->create.layer_id)
            return KAS_CONFLICT;
    return KAS_OK;
}

static kas_code verdict_weights(sim *s, const kas_command *command)
{
    int index = sim_layer_named(s, command->layer);
    if (index < 0) return KAS_NOT_FOUND;
    if (!epoch_is_valid(s, command)) return KAS_INVALID_ARGUMENT;
    return command->at_epoch && s->model.layers[index].staged.present ? KAS_CONFLICT : KAS_OK;
}

static kas_code verdict_load(sim *s, const kas_command *command)
{
    sim_layer *layer;
    kas_code code = find_seed(s, command, &layer);
    if (code) return code;
    int artifact = sim_artifact_of(command->artifact_id);
    if (artifact < 0 || !wish_is_valid(command) || !epoch_is_valid(s, command)) return KAS_INVALID_ARGUMENT;
    const sim_seed *seed = &layer->seeds[command->seed];
    bool joins = seed->load && seed->wish.artifact == artifact;
    if (joins && !command->at_epoch) return KAS_OK;
    if (!joins && !allows(seed->state, KAS_CHANGE_LOAD)) return KAS_ILLEGAL_TRANSITION;
    if (sim_model_is_quarantined(s, artifact)) return KAS_CONFLICT;
    return command->at_epoch && seed->staged.present ? KAS_CONFLICT : KAS_OK;
}

static kas_code verdict_change(sim *s, const kas_command *command, kas_change change)
{
    sim_layer *layer;
    kas_code code = find_seed(s, command, &layer);
    if (code) return code;
    if (change == KAS_CHANGE_ALPHA && (!command->has_alpha || !wish_is_valid(command)))
        return KAS_INVALID_ARGUMENT;
    if (!epoch_is_valid(s, command)) return KAS_INVALID_ARGUMENT;
    code = sim_model_check_change(layer, command->seed, change);
    if (code) return code;
    return command->at_epoch && layer->seeds[command->seed].staged.present ? KAS_CONFLICT : KAS_OK;
}

static bool is_held(const sim *s, kas_resource kernel)
{
    for (int i = 0; i < SIM_LAYERS; ++i)
        for (uint32_t n = 0; s->model.layers[i].exists && n < s->model.layers[i].num_seeds; ++n) {
            const sim_seed *seed = &s->model.layers[i].seeds[n];
            if (seed->kernel == kernel || (seed->staged.present && seed->staged.kernel == kernel))
                return true;
        }
    return false;
}

bool sim_model_pins(const sim *s, int content)
{
    for (int i = 0; i < SIM_ARTIFACTS; ++i)
        if (s->model.pinned[i] && s->model.bound[i] == content) return true;
    return false;
}

bool sim_model_needs(const sim *s, kas_resource kernel)
{
    return is_held(s, kernel) || sim_move_holds(s, kernel) ||
           sim_model_pins(s, s->world.resources[kernel].content);
}

static kas_code verdict_evict(const sim *s, const kas_command *command)
{
    int artifact = sim_artifact_of(command->artifact_id);
    int content = artifact < 0 ? -1 : s->model.bound[artifact];
    if (content < 0) return KAS_OK;
    bool any = false;
    for (int device = 0; device < SIM_DEVICES; ++device) {
        kas_resource kernel = sim_world_resident(s, content, device);
        if (kernel && (is_held(s, kernel) || sim_move_holds(s, kernel))) return KAS_CONFLICT;
        if (sim_world_uploads(s, content, device)) return KAS_CONFLICT;
        any |= kernel != 0;
    }
    return any && sim_model_pins(s, content) ? KAS_CONFLICT : KAS_OK;
}

uint32_t sim_model_unready(const sim *s, uint32_t epoch)
{
    uint32_t count = 0;
    for (int i = 0; i < SIM_LAYERS; ++i)
        for (uint32_t n = 0; s->model.layers[i].exists && n < s->model.layers[i].num_seeds; ++n) {
            const sim_staged *staged = &s->model.layers[i].seeds[n].staged;
            count += staged->present && staged->at_epoch <= epoch && staged->change == KAS_CHANGE_LOAD &&
                     !staged->kernel;
        }
    return count;
}

static kas_code verdict_other(sim *s, const kas_command *command)
{
    int index = sim_layer_named(s, command->layer), artifact = sim_artifact_of(command->artifact_id);
    sim_layer *layer;
    const sim_operation *operation = &s->model.operations[command->cancel.operation % SIM_OPERATIONS];
    switch (command->kind) {
    case KAS_COMMAND_DELETE_LAYER:
        if (index < 0) return KAS_NOT_FOUND;
        return s->model.layers[index].fossil_count && !command->delete_layer.force ? KAS_CONFLICT : KAS_OK;
    case KAS_COMMAND_MOVE_LAYER:
        if (index < 0) return KAS_NOT_FOUND;
        if (command->revision && command->revision != s->model.layers[index].revision) return KAS_CONFLICT;
        return s->model.layers[index].move &&
                       s->model.layers[index].move_to != sim_device_named(command->move.device)
                   ? KAS_CONFLICT
                   : KAS_OK;
    case KAS_COMMAND_SET_REPLICAS:
        if (index < 0) return KAS_NOT_FOUND;
        if (command->revision && command->revision != s->model.layers[index].revision) return KAS_CONFLICT;
        for (uint32_t i = 0; i < command->replicas.count; ++i)
            if (i || sim_device_named(command->replicas.devices[i]) == s->model.layers[index].device)
                return KAS_INVALID_ARGUMENT;
        return KAS_OK;
    case KAS_COMMAND_SET_SERVING:
        return index < 0 ? KAS_NOT_FOUND : KAS_OK;
    case KAS_COMMAND_DROP_STAGED: {
        kas_code code = find_seed(s, command, &layer);
        return code ? code : layer->seeds[command->seed].staged.present ? KAS_OK : KAS_NOT_FOUND;
    }
    case KAS_COMMAND_CANCEL_OPERATION:
        return !operation->known ? KAS_NOT_FOUND : operation->ended ? KAS_CONFLICT : KAS_OK;
    case KAS_COMMAND_ADVANCE_EPOCH:
        if (command->advance.epoch <= s->model.epoch) return KAS_CONFLICT;
        return !command->advance.skip_unready && sim_model_unready(s, command->advance.epoch) ? KAS_CONFLICT
                                                                                              : KAS_OK;
    case KAS_COMMAND_PRELOAD:
        if (artifact < 0) return KAS_INVALID_ARGUMENT;
        return sim_model_is_quarantined(s, artifact) ? KAS_CONFLICT : KAS_OK;
    case KAS_COMMAND_BIND_ARTIFACT:
        if (artifact < 0) return KAS_INVALID_ARGUMENT;
        return s->model.bound[artifact] >= 0 &&
                       !kas_sha256_equal(&command->bind.checksum,
                                         &s->world.contents[s->model.bound[artifact]].checksum)
                   ? KAS_CONFLICT
                   : KAS_OK;
    case KAS_COMMAND_EVICT:
        return verdict_evict(s, command);
    case KAS_COMMAND_LIFT_QUARANTINE:
        for (int i = 0; i < SIM_CONTENTS; ++i)
            if (s->model.quarantined[i] &&
                kas_sha256_equal(&command->lift.checksum, &s->world.contents[i].checksum))
                return KAS_OK;
        return KAS_NOT_FOUND;
    default: /* PIN, UNPIN */
        return artifact < 0 || s->model.bound[artifact] < 0 ? KAS_NOT_FOUND : KAS_OK;
    }
}

/* A hit: the kernel is on the device or being made. */
static bool would_hit(const sim *s, const kas_command *command)
{
    int layer = sim_layer_named(s, command->layer), artifact = sim_artifact_of(command->artifact_id);
    if (layer < 0 || artifact < 0) return false;
    int content = s->model.bound[artifact], device = s->model.layers[layer].device;
    return (content >= 0 && sim_world_resident(s, content, device)) ||
           sim_world_make_for(s, artifact, device);
}

kas_code sim_model_verdict(sim *s, const kas_command *command)
{
    s->model.load_hits = command->kind == KAS_COMMAND_LOAD && would_hit(s, command);
    switch (command->kind) {
    case KAS_COMMAND_CREATE_LAYER:
        return verdict_create(s, command);
    case KAS_COMMAND_SET_WEIGHTS:
        return verdict_weights(s, command);
    case KAS_COMMAND_LOAD:
        return verdict_load(s, command);
    case KAS_COMMAND_UNLOAD:
        return verdict_change(s, command, KAS_CHANGE_UNLOAD);
    case KAS_COMMAND_RESET:
        return verdict_change(s, command, KAS_CHANGE_RESET);
    case KAS_COMMAND_FOSSILIZE:
        return verdict_change(s, command, KAS_CHANGE_FOSSILIZE);
    case KAS_COMMAND_SET_ALPHA:
        return verdict_change(s, command, KAS_CHANGE_ALPHA);
    default:
        return verdict_other(s, command);
    }
}
