/* Buffers with memory of their own. */
#include "backends/vulkan/vulkan.h"

bool kas_vulkan_find_memory(const VkPhysicalDeviceMemoryProperties *memory, uint32_t allowed,
                            VkMemoryPropertyFlags flags, uint32_t *type)
{
    for (uint32_t i = 0; i < memory->memoryTypeCount; ++i)
        if (allowed >> i & 1 && (memory->memoryTypes[i].propertyFlags & flags) == flags) {
            *type = i;
            return true;
        }
    return false;
}

static kas_status make(kas_vulkan_device *device, size_t size_bytes, uint32_t type, bool map,
                       kas_vulkan_memory *out)
{
    const kas_vulkan_symbols *vk = device->vk;
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                     .size = size_bytes,
                                     .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                              VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkMemoryRequirements needs;
    void *host = NULL;
    KAS_VULKAN_TRY(vk, vkCreateBuffer, device->device, &info, NULL, &out->buffer);
    vk->vkGetBufferMemoryRequirements(device->device, out->buffer, &needs);
    const VkMemoryAllocateInfo memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                         .allocationSize = needs.size,
                                         .memoryTypeIndex = type};
    KAS_VULKAN_TRY(vk, vkAllocateMemory, device->device, &memory, NULL, &out->memory);
    KAS_VULKAN_TRY(vk, vkBindBufferMemory, device->device, out->buffer, out->memory, 0);
    if (map) KAS_VULKAN_TRY(vk, vkMapMemory, device->device, out->memory, 0, VK_WHOLE_SIZE, 0, &host);
    out->host = host;
    return NULL;
}

kas_status kas_vulkan_memory_make(kas_vulkan_device *device, size_t size_bytes, uint32_t type, bool map,
                                  kas_vulkan_memory *out)
{
    *out = (kas_vulkan_memory){0};
    kas_status status = make(device, size_bytes, type, map, out);
    if (status) kas_vulkan_memory_free(device, out);
    return status;
}

void kas_vulkan_memory_free(kas_vulkan_device *device, kas_vulkan_memory *memory)
{
    device->vk->vkDestroyBuffer(device->device, memory->buffer, NULL);
    device->vk->vkFreeMemory(device->device, memory->memory, NULL);
    *memory = (kas_vulkan_memory){0};
}
