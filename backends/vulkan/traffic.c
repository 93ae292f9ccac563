/* Memory traffic. What the host sees needs no staging while nothing that is enqueued could meet it: an upload
 * before everything else is a plain copy, and so is, once the queue is idle, a download after everything
 * else. */
#include <string.h>

#include "backends/vulkan/queue.h"
#include "base/alloc.h"

enum { DOWNLOADS_MAX = 1 << 20 };

static void copy(kas_vulkan_queue *queue, VkBuffer from, size_t from_offset, VkBuffer to, size_t to_offset,
                 size_t size_bytes)
{
    const VkBufferCopy region = {.srcOffset = from_offset, .dstOffset = to_offset, .size = size_bytes};
    const kas_vulkan_symbols *vk = kas_vulkan_queue_device(queue)->vk;
    VkCommandBuffer commands = queue->steps[queue->step_count].commands;
    vk->vkCmdCopyBuffer(commands, from, to, 1, &region);
    kas_vulkan_barrier(vk, commands); /* wait */
}

static kas_status stage_download(kas_vulkan_queue *queue, kas_vulkan_download *download)
{
    kas_vulkan_place place;
    KAS_TRY(kas_vulkan_stage(queue, download->size_bytes, &place));
    KAS_TRY(kas_vulkan_begin(queue));
    copy(queue, download->buffer, download->offset, place.buffer, place.offset, download->size_bytes);
    download->from = place.host;
    return NULL;
}

kas_status kas_vulkan_stage_downloads(kas_vulkan_queue *queue)
{
    for (; queue->staged_count < queue->download_count; ++queue->staged_count)
        KAS_TRY(stage_download(queue, &queue->downloads[queue->staged_count]));
    return NULL;
}

void kas_vulkan_deliver(kas_vulkan_queue *queue)
{
    for (size_t i = 0; i < queue->download_count; ++i)
        memcpy(queue->downloads[i].to, queue->downloads[i].from, queue->downloads[i].size_bytes);
    queue->download_count = queue->staged_count = 0;
}

static bool is_empty(const kas_vulkan_queue *queue)
{
    if (queue->recording) return false;      /* wait */
    if (queue->step_count > 0) return false; /* wait */
    return true;
}

kas_status kas_vulkan_upload(kas_queue *base, kas_buffer *to, size_t offset, const void *host,
                             size_t size_bytes)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    const kas_vulkan_memory *memory = &((kas_vulkan_buffer *)to)->memory;
    kas_vulkan_place place;
    KAS_TRY(kas_vulkan_stage_downloads(queue)); /* wait */
    if (memory->part.host && is_empty(queue)) {
        memcpy(memory->part.host + offset, host, size_bytes);
        return NULL;
    }
    KAS_TRY(kas_vulkan_stage(queue, size_bytes, &place));
    KAS_TRY(kas_vulkan_begin(queue));
    memcpy(place.host, host, size_bytes);
    copy(queue, place.buffer, place.offset, memory->buffer, offset, size_bytes);
    return NULL;
}

kas_status kas_vulkan_download_to(kas_queue *base, kas_buffer *from, size_t offset, void *host,
                                  size_t size_bytes)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    const kas_vulkan_memory *memory = &((kas_vulkan_buffer *)from)->memory;
    if (!kas_grow((void **)&queue->downloads, &queue->download_capacity, queue->download_count + 1,
                  DOWNLOADS_MAX, sizeof *queue->downloads))
        return kas_out_of_memory();
    kas_vulkan_download download = {
        .buffer = memory->buffer, .offset = offset, .to = host, .size_bytes = size_bytes};
    if (memory->part.host) {
        download.from = memory->part.host + offset;
    } else {
        KAS_TRY(stage_download(queue, &download));
        ++queue->staged_count; /* all before it are, too: one device's buffers are alike */
    }
    queue->downloads[queue->download_count++] = download;
    return NULL;
}

kas_status kas_vulkan_fill(kas_queue *base, kas_buffer *to, size_t offset, uint32_t word, size_t size_bytes)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    KAS_TRY(kas_vulkan_stage_downloads(queue)); /* wait */
    KAS_TRY(kas_vulkan_begin(queue));
    const kas_vulkan_symbols *vk = kas_vulkan_queue_device(queue)->vk;
    VkCommandBuffer commands = queue->steps[queue->step_count].commands;
    vk->vkCmdFillBuffer(commands, ((kas_vulkan_buffer *)to)->memory.buffer, offset, size_bytes, word);
    kas_vulkan_barrier(vk, commands); /* wait */
    return NULL;
}
