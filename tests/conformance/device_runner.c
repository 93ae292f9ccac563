#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/conformance/runner.h"

static void need(kas_status status)
{
    if (!status) return;
    fprintf(stderr, "%s\n", kas_status_message(status));
    exit(2);
}

/* Buffers of just the size, so that a kernel that strays is seen by a sanitizer. */
static void bind(conformance_runner *runner, const conformance_launch *from, kas_launch *launch,
                 uint32_t count)
{
    for (uint32_t b = 0; b < count; ++b) {
        kas_buffer *buffer;
        need(kas_buffer_create(runner->device, from->buffers[b].size_bytes, "case", &buffer));
        need(kas_queue_upload(runner->queue, buffer, 0, from->buffers[b].data, from->buffers[b].size_bytes));
        launch->bindings[b] = (kas_binding){.slot = b ? KAS_SLOT_FIXED : KAS_SLOT_PARAMS, .buffer = buffer};
    }
}

static void run(conformance_runner *runner, const conformance_launch *from)
{
    const kas_kernel_info *info = kas_kernel_get_info(from->kernel);
    kas_launch launch = {
        .kernel = from->kernel, .label = info->name, .grid_x = from->grid_x, .grid_y = from->grid_y};
    memcpy(launch.args, from->args, info->args_bytes);
    bind(runner, from, &launch, info->buffers);
    kas_submission submission = {0};
    submission.slots[KAS_SLOT_PARAMS].buffer = launch.bindings[0].buffer;
    need(kas_list_create(runner->device, &launch, 1, info->name, &submission.list));
    need(kas_queue_submit(runner->queue, &submission, 1, from->rows));
    for (uint32_t b = 1; b < info->buffers; ++b)
        need(kas_queue_download(runner->queue, launch.bindings[b].buffer, 0, from->buffers[b].data,
                                from->buffers[b].size_bytes));
    need(kas_queue_wait(runner->queue, KAS_NEVER, NULL));
    kas_list_release(submission.list);
    for (uint32_t b = 0; b < info->buffers; ++b)
        kas_buffer_release(launch.bindings[b].buffer);
}

static void *pack(conformance_runner *runner, kas_weight_type type, const float *weight, size_t inputs,
                  size_t outputs, size_t *size_bytes)
{
    *size_bytes = kas_device_packed_bytes(runner->device, type, inputs, outputs);
    void *out = conformance_alloc(1, *size_bytes);
    kas_device_pack(runner->device, type, weight, inputs, outputs, out);
    return out;
}

void conformance_device_runner(conformance_runner *runner, const char *device_id)
{
    *runner = (conformance_runner){.run = run, .pack = pack};
    need(kas_device_open(device_id, &runner->device));
    need(kas_queue_create(runner->device, "conformance", &runner->queue));
    runner->name = kas_device_id(runner->device);
}

void conformance_device_runner_finish(conformance_runner *runner)
{
    kas_queue_destroy(runner->queue);
    kas_device_release(runner->device);
}
