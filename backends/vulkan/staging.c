#include "backends/vulkan/queue.h"
#include "base/alloc.h"

enum { BLOCK_BYTES = 1 << 20, BLOCKS_MAX = 1 << 16, ALIGNMENT = 16 };

static kas_status add_block(kas_vulkan_queue *queue, size_t size_bytes)
{
    kas_vulkan_staging *staging = &queue->staging;
    if (size_bytes < BLOCK_BYTES) size_bytes = BLOCK_BYTES;
    if (!kas_grow((void **)&staging->blocks, &staging->capacity, staging->count + 1, BLOCKS_MAX,
                  sizeof *staging->blocks) ||
        !kas_grow((void **)&staging->block_bytes, &staging->sizes_capacity, staging->count + 1, BLOCKS_MAX,
                  sizeof *staging->block_bytes))
        return kas_out_of_memory();
    KAS_TRY(kas_vulkan_memory_make(&kas_vulkan_queue_device(queue)->staging, size_bytes,
                                   &staging->blocks[staging->count]));
    staging->block_bytes[staging->count++] = size_bytes;
    staging->used = 0;
    return NULL;
}

kas_status kas_vulkan_stage(kas_vulkan_queue *queue, size_t size_bytes, kas_vulkan_place *out)
{
    kas_vulkan_staging *staging = &queue->staging;
    if (staging->count == 0 || size_bytes > staging->block_bytes[staging->count - 1] - staging->used)
        KAS_TRY(add_block(queue, size_bytes));
    const kas_vulkan_memory *block = &staging->blocks[staging->count - 1];
    const size_t end = kas_align_up(staging->used + size_bytes, ALIGNMENT);
    const size_t whole = staging->block_bytes[staging->count - 1];
    *out = (kas_vulkan_place){
        .buffer = block->buffer, .offset = staging->used, .host = block->part.host + staging->used};
    staging->used = end < whole ? end : whole;
    return NULL;
}

void kas_vulkan_staging_reset(kas_vulkan_queue *queue)
{
    kas_vulkan_staging *staging = &queue->staging;
    kas_vulkan_arena *arena = &kas_vulkan_queue_device(queue)->staging;
    while (staging->count > 1 || (staging->count == 1 && staging->block_bytes[0] > BLOCK_BYTES))
        kas_vulkan_memory_free(arena, &staging->blocks[--staging->count]);
    staging->used = 0;
}

void kas_vulkan_staging_finish(kas_vulkan_queue *queue, bool lost)
{
    kas_vulkan_staging *staging = &queue->staging;
    while (!lost && staging->count > 0)
        kas_vulkan_memory_free(&kas_vulkan_queue_device(queue)->staging, &staging->blocks[--staging->count]);
    kas_free(staging->blocks);
    kas_free(staging->block_bytes);
}
