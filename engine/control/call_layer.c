/* Creating a layer and changing its weights: made and uploaded by a task, then handed to the state. */
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
    kas_status status = kas_trial_base(call->engine, command->layer, device, segment, &call->trial);
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

static kas_status make_initial_weights(kas_call *call)
{
    kas_device *device;
    kas_command *command = &call->command;
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

static bool handle_weights_made(kas_message *message)
{
    kas_call *call = kas_call_of_message(message);
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
