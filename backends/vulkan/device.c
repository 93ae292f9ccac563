#include <stdio.h>
#include <string.h>

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

static size_t heap_bytes(const VkPhysicalDeviceMemoryProperties *memory, VkPhysicalDeviceType type)
{
    kas_vulkan_memory_types types;
    if (!kas_vulkan_choose_memory(memory, type, UINT32_MAX, &types)) return 0;
    return (size_t)memory->memoryHeaps[memory->memoryTypes[types.buffer].heapIndex].size;
}

static void tell_uuid(const kas_vulkan_symbols *vk, VkPhysicalDevice physical, char out[KAS_DEVICE_UUID_SIZE])
{
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &id};
    vk->vkGetPhysicalDeviceProperties2(physical, &properties);
    kas_device_uuid_text(id.deviceUUID, out);
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
    tell_uuid(vk, physical, info->uuid);
    info->software = properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    info->memory_total_bytes = heap_bytes(&memory, properties.deviceType);
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
        .fp16 = true,       /* two in a word, widened by bits: no extension is needed */
        .bf16 = true,
    };
}

static kas_status open_device(kas_vulkan_device *device)
{
    static const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                           .queueFamilyIndex = device->family,
                                           .queueCount = 1,
                                           .pQueuePriorities = &priority};
    VkPhysicalDeviceSubgroupSizeControlFeaturesEXT full = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES_EXT,
        .computeFullSubgroups = VK_TRUE};
    const char *extensions[2];
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                               .pNext = device->subgroup_size ? &full : NULL,
                               .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue,
                               .ppEnabledExtensionNames = extensions};
    if (device->has_budget) extensions[info.enabledExtensionCount++] = VK_EXT_MEMORY_BUDGET_EXTENSION_NAME;
    if (device->subgroup_size)
        extensions[info.enabledExtensionCount++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
    KAS_VULKAN_TRY(device->vk, vkCreateDevice, device->physical, &info, NULL, &device->device);
    device->vk->vkGetDeviceQueue(device->device, device->family, 0, &device->queue);
    return NULL;
}

static kas_vulkan_identity identity_of(const VkPhysicalDeviceProperties *properties)
{
    kas_vulkan_identity identity = {.vendor = properties->vendorID,
                                    .device = properties->deviceID,
                                    .driver_version = properties->driverVersion};
    memcpy(identity.cache_uuid, properties->pipelineCacheUUID, sizeof identity.cache_uuid);
    return identity;
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
    device->identity = identity_of(&properties);
    kas_vulkan_find_family(device->vk, device->physical, &device->family, &device->timestamp_bits);
    device->has_budget =
        kas_vulkan_has_extension(device->vk, device->physical, VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
    device->subgroup_size = kas_vulkan_subgroup_size(device->vk, device->physical);
    base->limits.subgroups = device->subgroup_size > 0;
    KAS_TRY(open_device(device));
    kas_status status = kas_vulkan_memory_init(device, properties.deviceType);
    if (status)
        device->vk->vkDestroyDevice(device->device, NULL);
    else
        pthread_mutex_init(&device->queue_lock, NULL);
    return status;
}

static void finish(kas_device *base)
{
    kas_vulkan_device *device = kas_vulkan_device_of(base);
    const bool lost = atomic_load(&base->lost);
    pthread_mutex_destroy(&device->queue_lock);
    kas_vulkan_memory_finish(device, lost);
    if (!lost) device->vk->vkDestroyDevice(device->device, NULL);
}

const kas_device_ops kas_vulkan_device_ops = {
    .size_bytes = sizeof(kas_vulkan_device),
    .init = init,
    .finish = finish,
    .memory_free = kas_vulkan_memory_left,
    .buffer = &kas_vulkan_buffer_ops,
    .program = &kas_vulkan_program_ops,
    .list = &kas_vulkan_list_ops,
    .queue = &kas_vulkan_queue_ops,
};
