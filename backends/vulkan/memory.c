/* Which memory buffers and staging are made of, how much of it is left, and buffers within it. */
#include <stdlib.h>
#include <string.h>

#include "backends/vulkan/vulkan.h"

enum { COHERENT = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT };

static const VkBufferUsageFlags usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                        VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT |
                                        VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;

/* ---- types ---- */

static bool find_type(const VkPhysicalDeviceMemoryProperties *memory, uint32_t allowed,
                      VkMemoryPropertyFlags flags, uint32_t *type)
{
    for (uint32_t i = 0; i < memory->memoryTypeCount; ++i)
        if (allowed >> i & 1 && (memory->memoryTypes[i].propertyFlags & flags) == flags) {
            *type = i;
            return true;
        }
    return false;
}

bool kas_vulkan_choose_memory(const VkPhysicalDeviceMemoryProperties *memory, VkPhysicalDeviceType type,
                              uint32_t allowed, kas_vulkan_memory_types *out)
{
    const char *discrete = getenv("KASMINA_VULKAN_DISCRETE");
    const bool integrated =
        type == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU || type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    out->unified = integrated && !(discrete && !strcmp(discrete, "1")) &&
                   find_type(memory, allowed, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | COHERENT, &out->buffer);
    return (out->unified || find_type(memory, allowed, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, &out->buffer)) &&
           (find_type(memory, allowed, COHERENT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT, &out->staging) ||
            find_type(memory, allowed, COHERENT, &out->staging));
}

/* What one of our buffers may be bound to, all of them may. */
static kas_status allowed_types(const kas_vulkan_device *device, uint32_t *out)
{
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = 4, .usage = usage};
    VkMemoryRequirements needs;
    VkBuffer buffer;
    KAS_VULKAN_TRY(device->vk, vkCreateBuffer, device->device, &info, NULL, &buffer);
    device->vk->vkGetBufferMemoryRequirements(device->device, buffer, &needs);
    device->vk->vkDestroyBuffer(device->device, buffer, NULL);
    *out = needs.memoryTypeBits;
    return NULL;
}

static void init_arena(kas_vulkan_device *device, const VkPhysicalDeviceMemoryProperties *memory,
                       uint32_t type, bool map, kas_vulkan_arena *arena)
{
    const uint32_t heap = memory->memoryTypes[type].heapIndex;
    kas_vulkan_arena_init(arena, device->vk, device->device, type, map, memory->memoryHeaps[heap].size);
}

kas_status kas_vulkan_memory_init(kas_vulkan_device *device, VkPhysicalDeviceType type)
{
    VkPhysicalDeviceMemoryProperties memory;
    kas_vulkan_memory_types types = {0};
    uint32_t allowed = 0;
    device->vk->vkGetPhysicalDeviceMemoryProperties(device->physical, &memory);
    KAS_TRY(allowed_types(device, &allowed));
    if (!kas_vulkan_choose_memory(&memory, type, allowed, &types))
        return kas_fail(KAS_UNSUPPORTED, DEVICE, "%s (%s) has no memory for buffers", device->base.info.id,
                        device->base.info.name);
    device->unified = types.unified;
    device->heap = memory.memoryTypes[types.buffer].heapIndex;
    init_arena(device, &memory, types.buffer, types.unified, &device->buffers);
    init_arena(device, &memory, types.staging, true, &device->staging);
    return NULL;
}

void kas_vulkan_memory_finish(kas_vulkan_device *device, bool lost)
{
    kas_vulkan_arena_finish(&device->buffers, lost);
    kas_vulkan_arena_finish(&device->staging, lost);
}

/* ---- what is left ---- */

static size_t budget_left(const kas_vulkan_device *device)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT budget = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT};
    VkPhysicalDeviceMemoryProperties2 memory = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2, .pNext = &budget};
    device->vk->vkGetPhysicalDeviceMemoryProperties2(device->physical, &memory);
    const VkDeviceSize may = budget.heapBudget[device->heap], has = budget.heapUsage[device->heap];
    return may > has ? (size_t)(may - has) : 0;
}

size_t kas_vulkan_memory_left(kas_device *base)
{
    kas_vulkan_device *device = kas_vulkan_device_of(base);
    const size_t total = base->info.memory_total_bytes;
    kas_vulkan_arena_counts counts;
    kas_vulkan_arena_count(&device->buffers, &counts);
    const size_t ours = (size_t)(counts.reserved_bytes - counts.used_bytes);
    if (device->has_budget) return budget_left(device) + ours;
    return total > counts.used_bytes ? total - (size_t)counts.used_bytes : 0;
}

/* ---- buffers ---- */

static kas_status make(kas_vulkan_arena *arena, size_t size_bytes, kas_vulkan_memory *out)
{
    const VkBufferCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = size_bytes, .usage = usage};
    VkMemoryRequirements needs;
    KAS_VULKAN_TRY(arena->vk, vkCreateBuffer, arena->device, &info, NULL, &out->buffer);
    arena->vk->vkGetBufferMemoryRequirements(arena->device, out->buffer, &needs);
    KAS_TRY(kas_vulkan_arena_take(arena, &needs, &out->part));
    KAS_VULKAN_TRY(arena->vk, vkBindBufferMemory, arena->device, out->buffer, out->part.memory,
                   out->part.offset);
    return NULL;
}

kas_status kas_vulkan_memory_make(kas_vulkan_arena *arena, size_t size_bytes, kas_vulkan_memory *out)
{
    *out = (kas_vulkan_memory){0};
    kas_status status = make(arena, size_bytes, out);
    if (status) kas_vulkan_memory_free(arena, out);
    return status;
}

void kas_vulkan_memory_free(kas_vulkan_arena *arena, kas_vulkan_memory *memory)
{
    arena->vk->vkDestroyBuffer(arena->device, memory->buffer, NULL);
    if (memory->part.block) kas_vulkan_arena_give(arena, &memory->part);
    *memory = (kas_vulkan_memory){0};
}
