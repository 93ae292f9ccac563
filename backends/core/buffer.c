/* Device memory, counted to the byte. */
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/fault.h"
#include "backends/core/lost.h"
#include "base/alloc.h"

static kas_status check_size(const kas_device *device, size_t size_bytes, const char *label)
{
    if (size_bytes == 0)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "buffer \"%s\" on %s: a size of 0 bytes", label,
                        device->info.id);
    if (size_bytes > device->limits.max_buffer_bytes)
        return kas_fail(KAS_OUT_OF_MEMORY, DEVICE,
                        "buffer \"%s\": %zu bytes, but %s holds at most %zu in one buffer", label, size_bytes,
                        device->info.id, device->limits.max_buffer_bytes);
    return NULL;
}

static kas_status init_buffer(kas_buffer *buffer)
{
    KAS_TRY(kas_fault_check(KAS_FAULT_ALLOCATION, buffer->device->info.id));
    return buffer->device->ops->buffer->init(buffer);
}

kas_status kas_buffer_create(kas_device *device, size_t size_bytes, const char *label, kas_buffer **out)
{
    *out = NULL;
    char name[KAS_LABEL_SIZE];
    kas_label_copy(name, label);
    KAS_TRY(kas_device_check(device));
    KAS_TRY(check_size(device, size_bytes, name));
    kas_buffer *buffer = kas_calloc(1, device->ops->buffer->size_bytes);
    if (!buffer) return kas_out_of_memory();
    buffer->device = device;
    buffer->size_bytes = size_bytes;
    memcpy(buffer->label, name, sizeof name);
    atomic_init(&buffer->references, 1);
    kas_status status = kas_device_outcome(device, init_buffer(buffer));
    if (status) {
        kas_free(buffer);
        return kas_annotate(status, "buffer \"%s\" of %zu bytes on %s", name, size_bytes, device->info.id);
    }
    atomic_fetch_add(&device->used_bytes, size_bytes);
    kas_device_retain(device);
    *out = buffer;
    return NULL;
}

kas_buffer *kas_buffer_retain(kas_buffer *buffer)
{
    atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

static void free_buffer(kas_kept *kept)
{
    kas_buffer *buffer = (kas_buffer *)((char *)kept - offsetof(kas_buffer, kept));
    kas_device *device = buffer->device;
    device->ops->buffer->finish(buffer);
    atomic_fetch_sub(&device->used_bytes, buffer->size_bytes);
    kas_free(buffer);
    kas_device_release(device);
}

void kas_buffer_release(kas_buffer *buffer)
{
    if (!buffer || atomic_fetch_sub_explicit(&buffer->references, 1, memory_order_acq_rel) != 1) return;
    if (!kas_device_keeps(buffer->device, &buffer->kept, free_buffer)) free_buffer(&buffer->kept);
}

size_t kas_buffer_size(const kas_buffer *buffer)
{
    return buffer->size_bytes;
}

kas_device *kas_buffer_device(const kas_buffer *buffer)
{
    return buffer->device;
}

void *kas_buffer_host(kas_buffer *buffer)
{
    return buffer->device->ops->buffer->host ? buffer->device->ops->buffer->host(buffer) : NULL;
}
