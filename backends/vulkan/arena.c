#include "backends/vulkan/arena.h"

#include "backends/vulkan/vulkan.h"
#include "base/alloc.h"

enum {
    FIRST_BLOCK_BYTES = 4 << 20,
    LARGEST_BLOCK_BYTES = 64 << 20,
    HEAP_SHARE = 32, /* a block is at most this part of its heap */
    ALONE_SHARE = 4, /* what is larger than this part of the largest block has an allocation of its own */
    SMALLEST_BLOCK_BYTES = 64 << 10
};

struct kas_vulkan_block {
    kas_vulkan_block *previous, *next;
    VkDeviceMemory memory;
    char *host;
    uint64_t size_bytes, used_bytes;
    bool alone; /* one part has all of it; ranges are not used */
    kas_ranges ranges;
};

void kas_vulkan_arena_init(kas_vulkan_arena *arena, const kas_vulkan_symbols *vk, VkDevice device,
                           uint32_t type, bool map, uint64_t heap_bytes)
{
    uint64_t most = LARGEST_BLOCK_BYTES;
    while (most > SMALLEST_BLOCK_BYTES && most > heap_bytes / HEAP_SHARE)
        most /= 2;
    *arena = (kas_vulkan_arena){.vk = vk, .device = device, .type = type, .map = map, .block_max = most};
    arena->next_bytes = most < FIRST_BLOCK_BYTES ? most : FIRST_BLOCK_BYTES;
    pthread_mutex_init(&arena->lock, NULL);
}

/* ---- blocks; under the lock ---- */

static VkResult get_memory(const kas_vulkan_arena *arena, kas_vulkan_block *block)
{
    const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                       .allocationSize = block->size_bytes,
                                       .memoryTypeIndex = arena->type};
    void *host = NULL;
    VkResult result = arena->vk->vkAllocateMemory(arena->device, &info, NULL, &block->memory);
    if (result != VK_SUCCESS || !arena->map) return result;
    result = arena->vk->vkMapMemory(arena->device, block->memory, 0, VK_WHOLE_SIZE, 0, &host);
    if (result != VK_SUCCESS) arena->vk->vkFreeMemory(arena->device, block->memory, NULL);
    block->host = host;
    return result;
}

static void link_block(kas_vulkan_arena *arena, kas_vulkan_block *block)
{
    block->next = arena->blocks;
    if (block->next) block->next->previous = block;
    arena->blocks = block;
    arena->counts.reserved_bytes += block->size_bytes;
    ++arena->counts.allocations;
}

static kas_status add_block(kas_vulkan_arena *arena, uint64_t size_bytes, bool alone, kas_vulkan_block **out)
{
    kas_vulkan_block *block = kas_calloc(1, sizeof *block);
    if (!block) return kas_out_of_memory();
    block->size_bytes = size_bytes;
    block->alone = alone;
    if (!alone && !kas_ranges_init(&block->ranges, size_bytes)) {
        kas_free(block);
        return kas_out_of_memory();
    }
    VkResult result = get_memory(arena, block);
    if (result != VK_SUCCESS) {
        kas_ranges_finish(&block->ranges);
        kas_free(block);
        return kas_vulkan_fail(result, "memory from the driver");
    }
    link_block(arena, block);
    *out = block;
    return NULL;
}

static void drop_block(kas_vulkan_arena *arena, kas_vulkan_block *block, bool lost)
{
    if (block->previous)
        block->previous->next = block->next;
    else
        arena->blocks = block->next;
    if (block->next) block->next->previous = block->previous;
    arena->counts.reserved_bytes -= block->size_bytes;
    --arena->counts.allocations;
    if (!lost) arena->vk->vkFreeMemory(arena->device, block->memory, NULL); /* unmaps, too */
    kas_ranges_finish(&block->ranges);
    kas_free(block);
}

void kas_vulkan_arena_finish(kas_vulkan_arena *arena, bool lost)
{
    while (arena->blocks)
        drop_block(arena, arena->blocks, lost);
    pthread_mutex_destroy(&arena->lock);
}

/* ---- parts; under the lock ---- */

static bool take_from(kas_vulkan_block *block, const VkMemoryRequirements *needs, kas_vulkan_part *out)
{
    kas_range range = {0};
    if (block->alone ? block->used_bytes > 0
                     : !kas_ranges_take(&block->ranges, needs->size, needs->alignment, &range))
        return false;
    block->used_bytes += needs->size;
    *out = (kas_vulkan_part){.memory = block->memory,
                             .offset = range.offset_bytes,
                             .size_bytes = needs->size,
                             .host = block->host ? block->host + range.offset_bytes : NULL,
                             .block = block,
                             .node = range.node};
    return true;
}

static bool take_from_blocks(kas_vulkan_arena *arena, const VkMemoryRequirements *needs, kas_vulkan_part *out)
{
    for (kas_vulkan_block *block = arena->blocks; block; block = block->next)
        if (!block->alone && take_from(block, needs, out)) return true;
    return false;
}

static kas_status take_from_new_block(kas_vulkan_arena *arena, const VkMemoryRequirements *needs,
                                      kas_vulkan_part *out)
{
    kas_vulkan_block *block = NULL;
    const uint64_t size_bytes = needs->size;
    bool alone = size_bytes > arena->block_max / ALONE_SHARE;
    while (!alone && arena->next_bytes < size_bytes)
        arena->next_bytes *= 2;
    kas_status status = add_block(arena, alone ? size_bytes : arena->next_bytes, alone, &block);
    if (kas_status_code(status) == KAS_OUT_OF_MEMORY && !alone) { /* a whole block is more than there is */
        kas_status_free(status);
        alone = true;
        status = add_block(arena, size_bytes, alone, &block);
    }
    if (status) return status;
    if (!alone && arena->next_bytes < arena->block_max) arena->next_bytes *= 2;
    return take_from(block, needs, out) ? NULL : kas_out_of_memory();
}

kas_status kas_vulkan_arena_take(kas_vulkan_arena *arena, const VkMemoryRequirements *needs,
                                 kas_vulkan_part *out)
{
    kas_status status = NULL;
    pthread_mutex_lock(&arena->lock);
    if (needs->size > arena->block_max / ALONE_SHARE || !take_from_blocks(arena, needs, out))
        status = take_from_new_block(arena, needs, out);
    if (!status) arena->counts.used_bytes += needs->size;
    pthread_mutex_unlock(&arena->lock);
    return status;
}

static bool has_another_empty(const kas_vulkan_arena *arena, const kas_vulkan_block *than)
{
    for (const kas_vulkan_block *block = arena->blocks; block; block = block->next)
        if (block != than && block->used_bytes == 0) return true;
    return false;
}

void kas_vulkan_arena_give(kas_vulkan_arena *arena, const kas_vulkan_part *part)
{
    kas_vulkan_block *block = part->block;
    pthread_mutex_lock(&arena->lock);
    arena->counts.used_bytes -= part->size_bytes;
    block->used_bytes -= part->size_bytes;
    if (!block->alone) kas_ranges_give(&block->ranges, part->node);
    if (block->used_bytes == 0 && (block->alone || has_another_empty(arena, block)))
        drop_block(arena, block, false);
    pthread_mutex_unlock(&arena->lock);
}

void kas_vulkan_arena_count(kas_vulkan_arena *arena, kas_vulkan_arena_counts *out)
{
    pthread_mutex_lock(&arena->lock);
    *out = arena->counts;
    pthread_mutex_unlock(&arena->lock);
}
