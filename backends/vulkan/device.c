#include <stdio.h>

#include "backends/vulkan/vulkan.h"

enum { FAMILIES_MAX = 32 };

bool kas_vulkan_find_family(const kas_vulkan_symbols *vk, VkPhysicalDevice physical, uint32_t *family,
                            uint32_t *timestamp_bits)
{
    VkQueueFamilyProperties families[FAMILIES_MAX];
    uint32_t count = FAMILIES_MAX;
    bool found = false;
    vk->vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
    for (uint32_t i = 0; i < count; ++i) {
        const bool alone = !(families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT);
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) || (found && !alone)) continue;
        *family = i;
        *timestamp_bits = families[i].timestampValidBits;
        found = true;
        if (alone) break;
    }
    return found;
}

static bool is_unified(VkPhysicalDeviceType type)
{
    return type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU || type == VK_PHYSICAL_DEVICE_TYPE_CPU;
}

static VkMemoryPropertyFlags buffer_flags(bool unified)
{
    return VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT |
           (unified ? VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT : 0u);
}

static size_t heap_bytes(const VkPhysicalDeviceMemoryProperties *memory, bool unified)
{
    uint32_t type = 0;
    if (!kas_vulkan_find_memory(memory, UINT32_MAX, buffer_flags(unified), &type)) return 0;
    return (size_t)memory->memoryHeaps[memory->memoryTypes[type].heapIndex].size;
}

void kas_vulkan_describe(const kas_vulkan_symbols *vk, VkPhysicalDevice physical, uint32_t index,
                         kas_device_info *info, kas_device_limits *limits)
{
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    vk->vkGetPhysicalDeviceProperties(physical, &properties);
    vk->vkGetPhysicalDeviceMemoryProperties(physical, &memory);
    const VkPhysicalDeviceLimits *has = &properties.limits;
    const size_t alignment = (size_t)has->minStorageBufferOffsetAlignment;
    *info = (kas_device_info){.state = KAS_DEVICE_READY};
    snprintf(info->id, sizeof info->id, "vulkan:%u", index);
    snprintf(info->kind, sizeof info->kind, "vulkan");
    snprintf(info->api, sizeof info->api, "vulkan");
    snprintf(info->name, sizeof info->name, "%.*s", KAS_DEVICE_NAME_SIZE - 1, properties.deviceName);
    info->software = properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    info->memory_total_bytes = heap_bytes(&memory, is_unified(properties.deviceType));
    *limits = (kas_device_limits){
        .max_buffer_bytes = has->maxStorageBufferRange,
        .buffer_alignment = alignment < 64 ? 64 : alignment,
        .max_shared_bytes = has->maxComputeSharedMemorySize,
        .max_group_items = has->maxComputeWorkGroupSize[0] < has->maxComputeWorkGroupInvocations
                               ? has->maxComputeWorkGroupSize[0]
                               : has->maxComputeWorkGroupInvocations,
        .max_groups_x = has->maxComputeWorkGroupCount[0],
        .max_groups_y = has->maxComputeWorkGroupCount[1],
        .compute_units = 1, /* Vulkan does not say */
        .bf16 = true,       /* two in a word, by shifts */
    };
}

/* Which memory types buffers and staging are made of; what one buffer may be bound to, all of its usage may.
 */
static kas_status choose_memory(kas_vulkan_device *device, VkPhysicalDeviceType type)
{
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = 4,
                                     .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    const VkMemoryPropertyFlags coherent =
        VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    VkPhysicalDeviceMemoryProperties memory;
    VkMemoryRequirements needs;
    VkBuffer buffer;
    device->vk->vkGetPhysicalDeviceMemoryProperties(device->physical, &memory);
    KAS_VULKAN_TRY(device->vk, vkCreateBuffer, device->device, &info, NULL, &buffer);
    device->vk->vkGetBufferMemoryRequirements(device->device, buffer, &needs);
    device->vk->vkDestroyBuffer(device->device, buffer, NULL);
    const uint32_t allowed = needs.memoryTypeBits;
    device->unified = is_unified(type) &&
                      kas_vulkan_find_memory(&memory, allowed, buffer_flags(true), &device->buffer_memory);
    if ((device->unified ||
         kas_vulkan_find_memory(&memory, allowed, buffer_flags(false), &device->buffer_memory)) &&
        (kas_vulkan_find_memory(&memory, allowed, coherent | VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                                &device->staging_memory) ||
         kas_vulkan_find_memory(&memory, allowed, coherent, &device->staging_memory)))
        return NULL;
    return kas_fail(KAS_UNSUPPORTED, DEVICE, "%s (%s) has no memory for buffers", device->base.info.id,
                    device->base.info.name);
}

static kas_status open_device(kas_vulkan_device *device)
{
    static const float priority = 1;
    kas_vulkan_find_family(device->vk, device->physical, &device->family, &device->timestamp_bits);
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = device->family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queue};
    KAS_VULKAN_TRY(device->vk, vkCreateDevice, device->physical, &info, NULL, &device->device);
    device->vk->vkGetDeviceQueue(device->device, device->family, 0, &device->queue);
    return NULL;
}

static kas_status init(kas_device *base, uint32_t index)
{
    kas_vulkan_device *device = kas_vulkan_device_of(base);
    VkPhysicalDevice found[KAS_VULKAN_DEVICES_MAX];
    VkPhysicalDeviceProperties properties;
    size_t count;
    device->vk = kas_vulkan_load();
    KAS_TRY(kas_vulkan_find_devices(found, &count));
    if (index >= count)
        return kas_fail(KAS_NOT_FOUND, CALLER, "no device vulkan:%u: this machine has %zu", index, count);
    device->physical = found[index];
    kas_vulkan_describe(device->vk, device->physical, index, &base->info, &base->limits);
    device->vk->vkGetPhysicalDeviceProperties(device->physical, &properties);
    device->timestamp_ns = (double)properties.limits.timestampPeriod;
    KAS_TRY(open_device(device));
    kas_status status = choose_memory(device, properties.deviceType);
    if (status)
        device->vk->vkDestroyDevice(device->device, NULL);
    else
        pthread_mutex_init(&device->queue_lock, NULL);
    return status;
}

static void finish(kas_device *base)
{
    kas_vulkan_device *device = kas_vulkan_device_of(base);
    pthread_mutex_destroy(&device->queue_lock);
    if (!atomic_load(&base->lost)) device->vk->vkDestroyDevice(device->device, NULL);
}

const kas_device_ops kas_vulkan_device_ops = {
    .size_bytes = sizeof(kas_vulkan_device),
    .init = init,
    .finish = finish,
    .buffer = &kas_vulkan_buffer_ops,
    .program = &kas_vulkan_program_ops,
    .queue = &kas_vulkan_queue_ops,
};
