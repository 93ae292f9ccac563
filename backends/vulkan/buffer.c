#include "backends/vulkan/vulkan.h"

static kas_status init(kas_buffer *base)
{
    kas_vulkan_device *device = kas_vulkan_device_of(base->device);
    ((kas_vulkan_buffer *)base)->serial = kas_vulkan_next_serial(device);
    return kas_vulkan_memory_make(&device->buffers, base->size_bytes, &((kas_vulkan_buffer *)base)->memory);
}

static void finish(kas_buffer *base)
{
    if (!atomic_load(&base->device->lost))
        kas_vulkan_memory_free(&kas_vulkan_device_of(base->device)->buffers,
                               &((kas_vulkan_buffer *)base)->memory);
}

const kas_buffer_ops kas_vulkan_buffer_ops = {
    .size_bytes = sizeof(kas_vulkan_buffer),
    .init = init,
    .finish = finish,
};
