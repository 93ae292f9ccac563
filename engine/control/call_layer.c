/* Creating a layer and changing its weights (made and uploaded by a task, then handed to the state), and the
 * device that it moves to. */
#include <string.h>

#include "engine/control/call.h"
#include "engine/control/trial.h"
#include "engine/control/upload.h"

/* ---- by tasks ---- */

/* Uploads held->weights. */
static kas_status upload_weights(kas_engine *engine, kas_device *device, kas_held *held)
{
    const kas_layer_weights *weights = &held->weights;
    return kas_upload_linear(engine, device, weights->weight, weights->bias, weights->inputs,
                             weights->outputs, &held->segment);
}

static kas_status upload_planned(kas_call *call, kas_device *device, const kas_segment_plan *plan,
                                 uint64_t free_bytes)
{
    const kas_segment_info *info = kas_segment_plan_info(plan);
    const kas_command *command = &call->command;
    uint64_t bytes = info->weight_bytes + info->work_bytes;
    if (bytes > free_bytes)
        return kas_fail(KAS_NO_ROOM, CALLER, "layer %s needs %llu bytes and %llu are free", command->layer,
                        (unsigned long long)bytes, (unsigned long long)free_bytes);
    kas_segment *segment;
    KAS_TRY(kas_upload(call->engine, device, plan, &segment));
    kas_status status =
        kas_trial_base(call->engine, command->layer, command->create.math, device, segment, &call->trial);
    if (status)
        kas_segment_release(segment);
    else
        call->held->segment = segment;
    return status;
}

/* Puts call->held->weights on the device, and all that the layer's plan needs there beside them. */
static kas_status take_device(void *user, kas_device *device, uint64_t free_bytes)
{
    kas_call *call = user;
    const kas_layer_weights *weights = &call->held->weights;
    kas_segment_plan *plan;
    KAS_TRY(
        kas_plan_linear(device, weights->weight, weights->bias, weights->inputs, weights->outputs, &plan));
    kas_status status = upload_planned(call, device, plan, free_bytes);
    kas_segment_plan_destroy(plan);
    return status;
}

/* Opens the devices that the call names for the list. */
static kas_status open_replicas(kas_call *call, kas_replica_list *list)
{
    for (uint32_t i = 0; i < list->count; ++i) {
        kas_device *device;
        kas_status status = kas_devices_open(&call->engine->devices, call->replicas[i], &device);
        if (kas_status_code(status) == KAS_NOT_FOUND) return kas_with_reason(status, "device");
        KAS_TRY(status);
        memcpy(list->devices[i], kas_device_id(device), strlen(kas_device_id(device)) + 1);
        list->device_kinds[i] = kas_device_kind_bit(device);
    }
    return NULL;
}

static kas_status make_initial_weights(kas_call *call)
{
    kas_device *device;
    kas_command *command = &call->command;
    KAS_TRY(open_replicas(call, &command->create.replicas));
    KAS_TRY(kas_held_create(&call->held));
    KAS_TRY(kas_weights_init(command->create.input_size, command->create.output_size, command->create.bias,
                             call->init_seed, &call->held->weights));
    KAS_TRY(kas_devices_choose(&call->engine->devices, call->device, take_device, call, &device));
    KAS_TRY(kas_held_table_add(&call->engine->held, call->held));
    memcpy(command->create.device, kas_device_id(device), strlen(kas_device_id(device)) + 1);
    command->create.device_kind = kas_device_kind_bit(device);
    command->create.weights = call->held->number;
    command->create.weights_sha256 = call->held->weights.sha256;
    return NULL;
}

static void run_create_layer(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, make_initial_weights(call));
}

static kas_status read_layer(kas_engine *engine, const char *name, kas_layer_info *out)
{
    pthread_rwlock_rdlock(&engine->state_lock);
    kas_status status = kas_state_layer_info(engine->state, name, out);
    pthread_rwlock_unlock(&engine->state_lock);
    return status;
}

static kas_status make_given_weights(kas_call *call)
{
    kas_device *device;
    kas_layer_info *layer = &call->layer;
    KAS_TRY(read_layer(call->engine, call->command.layer, layer));
    KAS_TRY(kas_devices_open(&call->engine->devices, layer->device, &device));
    KAS_TRY(kas_held_create(&call->held));
    KAS_TRY(kas_weights_from_file(call->bytes, call->size_bytes, layer->input_size, layer->output_size,
                                  layer->bias, &call->held->weights));
    KAS_TRY(upload_weights(call->engine, device, call->held));
    KAS_TRY(kas_held_table_add(&call->engine->held, call->held));
    call->command.set_weights.weights = call->held->number;
    call->command.set_weights.sha256 = call->held->weights.sha256;
    return NULL;
}

static void run_set_weights(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, make_given_weights(call));
}

/* ---- where a layer moves to ---- */

typedef struct moving {
    char from[KAS_DEVICE_ID_SIZE];
    uint64_t bytes; /* of all that the layer has there */
} moving;

/* What the layer needs elsewhere is taken to be what it has where it is. */
static kas_status measure(kas_engine *engine, const char *name, moving *out)
{
    kas_layer_info layer;
    KAS_TRY(kas_state_layer_info(engine->state, name, &layer));
    memcpy(out->from, layer.device, sizeof out->from);
    kas_resource weights;
    out->bytes = kas_state_layer_kernel_bytes(engine->state, name, &weights);
    const kas_held *held = kas_held_table_find(&engine->held, weights);
    if (!held) return NULL;
    const kas_segment_info *info = kas_segment_get_info(held->segment);
    out->bytes += info->weight_bytes + info->work_bytes;
    return NULL;
}

static kas_status check_room(void *user, kas_device *device, uint64_t free_bytes)
{
    const moving *layer = user;
    if (!strcmp(kas_device_id(device), layer->from) || layer->bytes <= free_bytes) return NULL;
    return kas_fail(KAS_NO_ROOM, CALLER, "the layer needs %llu bytes and %llu are free",
                    (unsigned long long)layer->bytes, (unsigned long long)free_bytes);
}

static kas_status choose_target(kas_call *call)
{
    moving layer = {.bytes = 0};
    kas_engine *engine = call->engine;
    kas_device *device;
    pthread_rwlock_rdlock(&engine->state_lock);
    kas_status status = measure(engine, call->command.layer, &layer);
    pthread_rwlock_unlock(&engine->state_lock);
    KAS_TRY(status);
    status = kas_devices_choose(&engine->devices, call->device, check_room, &layer, &device);
    if (kas_status_code(status) == KAS_NOT_FOUND) return kas_with_reason(status, "device");
    KAS_TRY(status);
    memcpy(call->command.move.device, kas_device_id(device), strlen(kas_device_id(device)) + 1);
    call->command.move.device_kind = kas_device_kind_bit(device);
    return NULL;
}

static void run_move_layer(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, choose_target(call));
}

static void run_set_replicas(kas_task *task)
{
    kas_call *call = kas_call_of_task(task);
    kas_call_prepared(call, open_replicas(call, &call->command.replicas));
}

/* ---- on the control thread ---- */

static bool handle_made(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    kas_control_ended(call->engine);
    kas_status status = call->status;
    if (!status) return kas_call_apply(call);
    kas_call_finish(call, status, NULL);
    return true;
}

/* The layer may have been deleted, and another made of its name, while the weights were made. */
static kas_status check_same_layer(const kas_call *call)
{
    kas_layer_info present;
    KAS_TRY(kas_state_layer_info(call->engine->state, call->command.layer, &present));
    const kas_layer_info *then = &call->layer;
    if (present.input_size == then->input_size && present.output_size == then->output_size &&
        present.bias == then->bias && !strcmp(present.device, then->device))
        return NULL;
    return kas_fail(KAS_CONFLICT, CALLER, "layer %s was replaced by another while its weights were made",
                    call->command.layer);
}

/* The layer has moved since: the weights are made again where it is now. */
static bool has_moved(const kas_call *call)
{
    kas_layer_info present;
    kas_status status = kas_state_layer_info(call->engine->state, call->command.layer, &present);
    kas_status_free(status);
    return !status && strcmp(present.device, call->layer.device) != 0;
}

static bool handle_weights_made(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
    if (!call->status && has_moved(call) && !atomic_load(&call->engine->stopping)) {
        kas_control_ended(call->engine);
        kas_held_table_remove(&call->engine->held, call->held->number);
        kas_held_release(call->held);
        call->held = NULL;
        kas_call_set_weights(call);
        return true;
    }
    if (!call->status) {
        call->status = check_same_layer(call);
        if (call->status) kas_held_table_remove(&call->engine->held, call->held->number);
    }
    return handle_made(message);
}

void kas_call_create_layer(kas_call *call)
{
    kas_call_prepare(call, run_create_layer, handle_made);
}

void kas_call_set_weights(kas_call *call)
{
    kas_call_prepare(call, run_set_weights, handle_weights_made);
}

void kas_call_move_layer(kas_call *call)
{
    kas_call_prepare(call, run_move_layer, handle_made);
}

void kas_call_set_replicas(kas_call *call)
{
    kas_call_prepare(call, run_set_replicas, handle_made);
}
