/* What an opened device is asked: limits, state, programs, the layout of product weights. */
#include <stdio.h>
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/lost.h"
#include "base/alloc.h"

void kas_label_copy(char out[KAS_LABEL_SIZE], const char *label)
{
    snprintf(out, KAS_LABEL_SIZE, "%s", label ? label : "unnamed");
}

const kas_device_limits *kas_device_get_limits(const kas_device *device)
{
    return &device->limits;
}

const char *kas_device_id(const kas_device *device)
{
    return device->info.id;
}

void kas_device_get_info(kas_device *device, kas_device_info *out)
{
    size_t used = atomic_load(&device->used_bytes), total = device->info.memory_total_bytes;
    bool lost = atomic_load(&device->lost);
    *out = device->info;
    out->state = lost ? KAS_DEVICE_IS_LOST : KAS_DEVICE_READY;
    out->memory_used_bytes = used;
    out->memory_free_bytes = total > used ? total - used : 0;
    if (device->ops->memory_free && !lost) out->memory_free_bytes = device->ops->memory_free(device);
}

static bool may_be_fast(const kas_device *device)
{
    for (int type = 0; type < KAS_WEIGHT_TYPES; ++type)
        if (device->limits.fast_acts[type]) return true;
    return false;
}

uint32_t kas_device_fast_types(kas_device *device)
{
    if (!may_be_fast(device) || atomic_load_explicit(&device->fast_is_known, memory_order_acquire))
        return device->fast_types;
    pthread_mutex_lock(&device->lock);
    if (!atomic_load(&device->fast_is_known)) {
        if (!atomic_load(&device->lost))
            device->fast_types = device->ops->start_fast_product(device, device->fast_product);
        atomic_store_explicit(&device->fast_is_known, true, memory_order_release);
    }
    pthread_mutex_unlock(&device->lock);
    return device->fast_types;
}

const char *kas_device_fast_product(kas_device *device)
{
    (void)kas_device_fast_types(device);
    return device->fast_product;
}

/* ---- programs ---- */

static kas_status compile(kas_device *device, kas_kernel kernel, kas_program **out)
{
    kas_program *program = kas_calloc(1, device->ops->program->size_bytes);
    if (!program) return kas_out_of_memory();
    program->device = device;
    program->kernel = kernel;
    kas_status status = device->ops->program->init(program);
    if (status) {
        kas_free(program);
        return kas_annotate(status, "kernel %s on %s", kas_kernel_get_info(kernel)->name, device->info.id);
    }
    *out = program;
    return NULL;
}

kas_status kas_device_program(kas_device *device, kas_kernel kernel, const kas_program **out)
{
    *out = NULL;
    if ((unsigned)kernel >= KAS_KERNEL_COUNT)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "no kernel has number %u", (unsigned)kernel);
    KAS_TRY(kas_device_check(device));
    kas_program *program = atomic_load_explicit(&device->programs[kernel], memory_order_acquire);
    kas_status status = NULL;
    if (!program) {
        pthread_mutex_lock(&device->lock);
        program = atomic_load(&device->programs[kernel]);
        if (!program) status = compile(device, kernel, &program);
        if (!status) atomic_store_explicit(&device->programs[kernel], program, memory_order_release);
        pthread_mutex_unlock(&device->lock);
    }
    if (status) return kas_device_outcome(device, status);
    *out = program;
    return NULL;
}
