/* What of a request can be checked at once, and copying it into a command. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/control/call.h"

enum { FEATURES_MAX = 1 << 20 };
#define WEIGHT_ELEMENTS_MAX (1ull << 26)

static kas_status check_layer_sizes(const kas_request *request)
{
    uint64_t inputs = request->create_layer.input_size, outputs = request->create_layer.output_size;
    if (inputs < 1 || inputs > FEATURES_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "input_size is %llu; from 1 to %d is possible",
                        (unsigned long long)inputs, FEATURES_MAX);
    if (outputs < 1 || outputs > FEATURES_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "output_size is %llu; from 1 to %d is possible",
                        (unsigned long long)outputs, FEATURES_MAX);
    if (inputs * outputs > WEIGHT_ELEMENTS_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "a weight of %llu x %llu has more than %llu elements",
                        (unsigned long long)outputs, (unsigned long long)inputs, WEIGHT_ELEMENTS_MAX);
    return NULL;
}

static kas_status check_create_layer(const kas_request *request)
{
    if (!request->layer || !kas_name_is_valid(request->layer))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "the layer's name must be 1 to 128 of A-Z a-z 0-9 . _ - and neither . nor ..");
    KAS_TRY(check_layer_sizes(request));
    if (request->create_layer.num_seeds > KAS_MAX_SEEDS)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "num_seeds is %u; from 1 to %d is possible",
                        request->create_layer.num_seeds, KAS_MAX_SEEDS);
    if (request->create_layer.layer_id < -1)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "layer_id is %lld; it must not be negative",
                        (long long)request->create_layer.layer_id);
    if (request->create_layer.math != KAS_MATH_INVARIANT && request->create_layer.math != KAS_MATH_FAST)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "math is neither invariant nor fast");
    return NULL;
}

static kas_status check_alpha(const kas_request *request)
{
    if (request->has_alpha && !(request->alpha >= 0.0f && request->alpha <= 1.0f))
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "alpha is %g; from 0 to 1 is possible",
                        (double)request->alpha);
    if (request->ramp.unit > KAS_RAMP_PASSES || request->ramp.curve > KAS_CURVE_COSINE)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "the ramp's unit or curve is unknown");
    if (request->ramp.unit != KAS_RAMP_NONE && request->ramp.length == 0)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "the ramp's length is 0; at least 1 is needed");
    return NULL;
}

static kas_status check_artifact_id(const kas_request *request)
{
    if (request->artifact_id && kas_artifact_id_is_valid(request->artifact_id)) return NULL;
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                    "the artifact id must be 1 to 128 of A-Z a-z 0-9 . _ - : / and neither . nor ..");
}

/* A name that cannot be one is one that is not there. */
static kas_status check_layer_name(const kas_request *request)
{
    if (request->layer && kas_name_is_valid(request->layer)) return NULL;
    return kas_fail(KAS_NOT_FOUND, CALLER, "there is no layer %.128s",
                    request->layer ? request->layer : "without a name");
}

static kas_status check_bytes(const void *bytes, size_t size_bytes)
{
    if (bytes && size_bytes) return NULL;
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "no bytes were given");
}

static kas_status check_device(const char *device)
{
    if (!device || strlen(device) < KAS_DEVICE_CHOICE_SIZE) return NULL;
    return kas_with_reason(kas_fail(KAS_NOT_FOUND, CALLER, "there is no device %.64s", device), "device");
}

static kas_status check_replicas(const kas_device_names *devices)
{
    if (devices->count > KAS_REPLICAS_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%u replicas; at most %d are possible", devices->count,
                        KAS_REPLICAS_MAX);
    for (uint32_t i = 0; i < devices->count; ++i) {
        if (!devices->names[i] || !*devices->names[i] || !strcmp(devices->names[i], "auto"))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "the devices of replicas are named, not \"auto\"");
        KAS_TRY(check_device(devices->names[i]));
    }
    return NULL;
}

static kas_status check_validate(const kas_request *request)
{
    if (!request->validate.result)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "there is no place for the result");
    if (request->layer) KAS_TRY(check_layer_name(request));
    return request->validate.bytes ? NULL : check_artifact_id(request); /* no bytes at all: a finding */
}

static kas_status check_kind(const kas_request *request)
{
    switch (request->kind) {
    case KAS_REQUEST_CREATE_LAYER:
        KAS_TRY(check_create_layer(request));
        KAS_TRY(check_replicas(&request->create_layer.replicas));
        return check_device(request->create_layer.device);
    case KAS_REQUEST_SET_WEIGHTS:
        KAS_TRY(check_layer_name(request));
        return check_bytes(request->set_weights.bytes, request->set_weights.size_bytes);
    case KAS_REQUEST_LOAD:
        KAS_TRY(check_layer_name(request));
        KAS_TRY(check_artifact_id(request));
        return check_alpha(request);
    case KAS_REQUEST_SET_ALPHA:
        KAS_TRY(check_layer_name(request));
        if (!request->has_alpha) return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "no alpha was given");
        return check_alpha(request);
    case KAS_REQUEST_DELETE_LAYER:
    case KAS_REQUEST_SET_SERVING:
    case KAS_REQUEST_UNLOAD:
    case KAS_REQUEST_RESET:
    case KAS_REQUEST_FOSSILIZE:
    case KAS_REQUEST_DROP_STAGED:
        return check_layer_name(request);
    case KAS_REQUEST_MOVE_LAYER:
        KAS_TRY(check_layer_name(request));
        return check_device(request->move_layer.device);
    case KAS_REQUEST_SET_REPLICAS:
        KAS_TRY(check_layer_name(request));
        return check_replicas(&request->set_replicas.replicas);
    case KAS_REQUEST_PRELOAD:
        KAS_TRY(check_artifact_id(request));
        return check_device(request->preload.device);
    case KAS_REQUEST_PUT_KERNEL:
        KAS_TRY(check_artifact_id(request));
        return check_bytes(request->put_kernel.bytes, request->put_kernel.size_bytes);
    case KAS_REQUEST_EVICT_KERNEL:
    case KAS_REQUEST_PIN:
    case KAS_REQUEST_UNPIN:
        return check_artifact_id(request);
    case KAS_REQUEST_VALIDATE:
        return check_validate(request);
    case KAS_REQUEST_CANCEL_OPERATION:
    case KAS_REQUEST_ADVANCE_EPOCH:
    case KAS_REQUEST_LIFT_QUARANTINE:
        return NULL;
    case KAS_REQUEST_KIND_COUNT:
        break;
    }
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "there is no request of kind %d", (int)request->kind);
}

kas_status kas_request_check(const kas_request *request)
{
    if (request->size != sizeof *request)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "kas_request.size is %zu, not %zu: set it to its sizeof", request->size,
                        sizeof *request);
    KAS_TRY(check_kind(request));
    kas_sha256 checksum;
    if (request->kind == KAS_REQUEST_LIFT_QUARANTINE && !kas_sha256_parse(request->lift.checksum, &checksum))
        return kas_fail(KAS_NOT_FOUND, CALLER,
                        "nothing of that checksum is in quarantine: it is not 64 hex digits");
    return NULL;
}

/* ---- copying ---- */

/* What they are called is known when they have been opened. */
static void fill_replicas(const kas_device_names *devices, kas_call *call, kas_replica_list *out)
{
    out->count = devices->count;
    for (uint32_t i = 0; i < devices->count; ++i)
        snprintf(call->replicas[i], sizeof call->replicas[i], "%s", devices->names[i]);
}

static void fill_create_layer(const kas_request *request, kas_call *call)
{
    enum { DEFAULT_SEEDS = 4 };
    call->command.create.layer_id = request->create_layer.layer_id;
    call->command.create.input_size = request->create_layer.input_size;
    call->command.create.output_size = request->create_layer.output_size;
    call->command.create.num_seeds =
        request->create_layer.num_seeds ? request->create_layer.num_seeds : DEFAULT_SEEDS;
    call->command.create.bias = request->create_layer.bias;
    call->command.create.math = request->create_layer.math;
    call->init_seed = request->create_layer.init_seed;
    fill_replicas(&request->create_layer.replicas, call, &call->command.create.replicas);
    snprintf(call->device, sizeof call->device, "%s",
             request->create_layer.device ? request->create_layer.device : "auto");
}

static void fill_kind(const kas_request *request, kas_call *call)
{
    kas_command *command = &call->command;
    switch (request->kind) {
    case KAS_REQUEST_CREATE_LAYER:
        fill_create_layer(request, call);
        break;
    case KAS_REQUEST_DELETE_LAYER:
        command->delete_layer.force = request->delete_layer.force;
        break;
    case KAS_REQUEST_SET_WEIGHTS:
        call->bytes = request->set_weights.bytes;
        call->size_bytes = request->set_weights.size_bytes;
        break;
    case KAS_REQUEST_SET_SERVING:
        command->set_serving.serving = request->set_serving.serving;
        break;
    case KAS_REQUEST_CANCEL_OPERATION:
        command->cancel.operation = request->cancel.operation;
        break;
    case KAS_REQUEST_ADVANCE_EPOCH:
        command->advance.epoch = request->advance.epoch;
        command->advance.skip_unready = request->advance.skip_unready;
        break;
    case KAS_REQUEST_PRELOAD:
        snprintf(call->device, sizeof call->device, "%s",
                 request->preload.device ? request->preload.device : "auto");
        break;
    case KAS_REQUEST_MOVE_LAYER:
        snprintf(call->device, sizeof call->device, "%s",
                 request->move_layer.device ? request->move_layer.device : "auto");
        break;
    case KAS_REQUEST_SET_REPLICAS:
        fill_replicas(&request->set_replicas.replicas, call, &command->replicas);
        break;
    case KAS_REQUEST_PUT_KERNEL:
        call->bytes = request->put_kernel.bytes;
        call->size_bytes = request->put_kernel.size_bytes;
        break;
    case KAS_REQUEST_VALIDATE:
        call->bytes = request->validate.bytes;
        call->size_bytes = request->validate.size_bytes;
        call->validation = request->validate.result;
        break;
    case KAS_REQUEST_LIFT_QUARANTINE:
        (void)kas_sha256_parse(request->lift.checksum, &command->lift.checksum);
        break;
    default:
        break; /* the other kinds have nothing of their own */
    }
}

void kas_request_fill(const kas_request *request, kas_call *call)
{
    static const kas_command_kind commands[KAS_REQUEST_KIND_COUNT] = {
        [KAS_REQUEST_CREATE_LAYER] = KAS_COMMAND_CREATE_LAYER,
        [KAS_REQUEST_DELETE_LAYER] = KAS_COMMAND_DELETE_LAYER,
        [KAS_REQUEST_SET_WEIGHTS] = KAS_COMMAND_SET_WEIGHTS,
        [KAS_REQUEST_SET_SERVING] = KAS_COMMAND_SET_SERVING,
        [KAS_REQUEST_LOAD] = KAS_COMMAND_LOAD,
        [KAS_REQUEST_UNLOAD] = KAS_COMMAND_UNLOAD,
        [KAS_REQUEST_RESET] = KAS_COMMAND_RESET,
        [KAS_REQUEST_FOSSILIZE] = KAS_COMMAND_FOSSILIZE,
        [KAS_REQUEST_SET_ALPHA] = KAS_COMMAND_SET_ALPHA,
        [KAS_REQUEST_DROP_STAGED] = KAS_COMMAND_DROP_STAGED,
        [KAS_REQUEST_CANCEL_OPERATION] = KAS_COMMAND_CANCEL_OPERATION,
        [KAS_REQUEST_ADVANCE_EPOCH] = KAS_COMMAND_ADVANCE_EPOCH,
        [KAS_REQUEST_PRELOAD] = KAS_COMMAND_PRELOAD,
        [KAS_REQUEST_PUT_KERNEL] = KAS_COMMAND_BIND_ARTIFACT,
        [KAS_REQUEST_EVICT_KERNEL] = KAS_COMMAND_EVICT,
        [KAS_REQUEST_PIN] = KAS_COMMAND_PIN,
        [KAS_REQUEST_UNPIN] = KAS_COMMAND_UNPIN,
        [KAS_REQUEST_VALIDATE] = KAS_COMMAND_KIND_COUNT, /* changes nothing */
        [KAS_REQUEST_LIFT_QUARANTINE] = KAS_COMMAND_LIFT_QUARANTINE,
        [KAS_REQUEST_MOVE_LAYER] = KAS_COMMAND_MOVE_LAYER,
        [KAS_REQUEST_SET_REPLICAS] = KAS_COMMAND_SET_REPLICAS,
    };
    kas_command *command = &call->command;
    call->kind = request->kind;
    command->kind = commands[request->kind];
    snprintf(command->layer, sizeof command->layer, "%s", request->layer ? request->layer : "");
    snprintf(command->artifact_id, sizeof command->artifact_id, "%s",
             request->artifact_id ? request->artifact_id : "");
    command->seed = request->seed;
    command->at_epoch = request->at_epoch;
    command->revision = request->revision;
    command->has_alpha = request->has_alpha;
    command->alpha =
        request->alpha > 0 ? request->alpha : 0; /* no negative zero: alphas are compared as bits */
    command->ramp = request->ramp;
    fill_kind(request, call);
}
