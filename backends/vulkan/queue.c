/* An in-order queue: every submission is one command buffer with a fence. Waiting polls, so that a deadline
 * always holds, and a driver that hangs in a wait of its own keeps nobody. */
#include <string.h>

#include "backends/core/poll.h"
#include "backends/vulkan/queue.h"
#include "base/alloc.h"
#include "base/clock.h"

enum { DOWNLOADS_MAX = 1 << 20 };

static void destroy(kas_vulkan_queue *queue)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    for (size_t i = 0; i < KAS_VULKAN_STEPS_MAX; ++i) {
        device->vk->vkDestroyFence(device->device, queue->steps[i].fence, NULL);
        device->vk->vkDestroyDescriptorPool(device->device, queue->steps[i].sets, NULL);
    }
    device->vk->vkDestroyQueryPool(device->device, queue->stamps, NULL);
    device->vk->vkDestroyCommandPool(device->device, queue->pool, NULL);
}

static kas_status make_pools(kas_vulkan_queue *queue)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
                                          .queueFamilyIndex = device->family};
    const VkQueryPoolCreateInfo stamps = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                          .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                          .queryCount = 2 * KAS_SUBMISSIONS_MAX};
    KAS_VULKAN_TRY(device->vk, vkCreateCommandPool, device->device, &pool, NULL, &queue->pool);
    if (device->timestamp_bits)
        KAS_VULKAN_TRY(device->vk, vkCreateQueryPool, device->device, &stamps, NULL, &queue->stamps);
    return NULL;
}

static kas_status init(kas_queue *base)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    kas_status status = make_pools(queue);
    if (status) destroy(queue);
    return status;
}

/* VK_SUCCESS when all that was handed over is done, VK_NOT_READY, or an error. */
static VkResult state_of(const kas_vulkan_queue *queue, uint32_t step)
{
    const kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    return device->vk->vkGetFenceStatus(device->device, queue->steps[step].fence);
}

static void finish(kas_queue *base)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    /* What a device may still use is never destroyed; that may even wait for work that never ends. */
    bool keep = atomic_load(&base->device->lost);
    if (queue->step_count && state_of(queue, queue->step_count - 1) != VK_SUCCESS) keep = true; /* wait */
    kas_vulkan_staging_finish(queue, keep);
    if (!keep) destroy(queue);
    kas_free(queue->downloads);
}

/* Everything is done: what was used can be used again. */
static kas_status recycle(kas_vulkan_queue *queue)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    const uint32_t count = queue->step_count;
    queue->step_count = queue->submission_count = 0;
    queue->download_count = 0;
    kas_vulkan_staging_reset(queue);
    for (uint32_t i = 0; i < count; ++i) {
        KAS_VULKAN_TRY(device->vk, vkResetFences, device->device, 1, &queue->steps[i].fence);
        if (queue->steps[i].sets)
            KAS_VULKAN_TRY(device->vk, vkResetDescriptorPool, device->device, queue->steps[i].sets, 0);
    }
    KAS_VULKAN_TRY(device->vk, vkResetCommandPool, device->device, queue->pool, 0);
    return NULL;
}

/* ---- memory traffic ---- */

static void copy(kas_vulkan_queue *queue, VkBuffer from, size_t from_offset, VkBuffer to, size_t to_offset,
                 size_t size_bytes)
{
    const VkBufferCopy region = {.srcOffset = from_offset, .dstOffset = to_offset, .size = size_bytes};
    kas_vulkan_queue_device(queue)->vk->vkCmdCopyBuffer(queue->steps[queue->step_count].commands, from, to, 1,
                                                        &region);
    kas_vulkan_barrier(queue); /* wait */
}

static bool is_empty(const kas_vulkan_queue *queue)
{
    if (queue->recording) return false;      /* wait */
    if (queue->step_count > 0) return false; /* wait */
    return true;
}

static kas_status upload(kas_queue *base, kas_buffer *to, size_t offset, const void *host, size_t size_bytes)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    const kas_vulkan_memory *memory = &((kas_vulkan_buffer *)to)->memory;
    kas_vulkan_place place;
    if (memory->host && is_empty(queue)) { /* nothing is before it */
        memcpy(memory->host + offset, host, size_bytes);
        return NULL;
    }
    KAS_TRY(kas_vulkan_stage(queue, size_bytes, &place));
    KAS_TRY(kas_vulkan_begin(queue));
    memcpy(place.host, host, size_bytes);
    copy(queue, place.buffer, place.offset, memory->buffer, offset, size_bytes);
    return NULL;
}

static kas_status download(kas_queue *base, kas_buffer *from, size_t offset, void *host, size_t size_bytes)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    kas_vulkan_place place;
    if (!kas_grow((void **)&queue->downloads, &queue->download_capacity, queue->download_count + 1,
                  DOWNLOADS_MAX, sizeof *queue->downloads))
        return kas_out_of_memory();
    KAS_TRY(kas_vulkan_stage(queue, size_bytes, &place));
    KAS_TRY(kas_vulkan_begin(queue));
    copy(queue, ((kas_vulkan_buffer *)from)->memory.buffer, offset, place.buffer, place.offset, size_bytes);
    queue->downloads[queue->download_count++] =
        (kas_vulkan_download){.from = place.host, .to = host, .size_bytes = size_bytes};
    return NULL;
}

static kas_status fill(kas_queue *base, kas_buffer *to, size_t offset, uint32_t word, size_t size_bytes)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    KAS_TRY(kas_vulkan_begin(queue));
    kas_vulkan_queue_device(queue)->vk->vkCmdFillBuffer(queue->steps[queue->step_count].commands,
                                                        ((kas_vulkan_buffer *)to)->memory.buffer, offset,
                                                        size_bytes, word);
    kas_vulkan_barrier(queue); /* wait */
    return NULL;
}

/* ---- submissions ---- */

static kas_status submit(kas_queue *base, const kas_submission *submission, uint32_t rows)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    KAS_TRY(kas_vulkan_record(queue, submission, rows));
    KAS_TRY(kas_vulkan_flush(queue));
    ++queue->submission_count;
    return NULL;
}

static uint32_t elapsed_ns(const kas_vulkan_queue *queue, uint32_t submission)
{
    const kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    uint64_t ticks[2];
    if (!queue->stamps ||
        device->vk->vkGetQueryPoolResults(device->device, queue->stamps, 2 * submission, 2, sizeof ticks,
                                          ticks, sizeof *ticks, VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
        return 0;
    const uint64_t mask =
        device->timestamp_bits < 64 ? ((uint64_t)1 << device->timestamp_bits) - 1 : UINT64_MAX;
    const double ns = (double)((ticks[1] - ticks[0]) & mask) * device->timestamp_ns;
    return ns >= (double)UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

static void report(const kas_vulkan_queue *queue, kas_progress *progress)
{
    while (progress->completed < queue->submission_count) {
        if (state_of(queue, progress->completed) != VK_SUCCESS) return; /* wait */
        progress->elapsed_ns[progress->completed] = elapsed_ns(queue, progress->completed);
        ++progress->completed;
    }
}

static void deliver(const kas_vulkan_queue *queue)
{
    for (size_t i = 0; i < queue->download_count; ++i)
        memcpy(queue->downloads[i].to, queue->downloads[i].from, queue->downloads[i].size_bytes);
}

static kas_status poll_until(kas_vulkan_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    const char *id = queue->base.device->info.id;
    const int64_t start = kas_monotonic_ns();
    for (int64_t now = start;; now = kas_monotonic_ns()) {
        VkResult state = state_of(queue, queue->step_count - 1);
        if (state == VK_SUCCESS) return NULL;
        if (state != VK_NOT_READY)
            return kas_with_native(
                kas_fail(KAS_DEVICE_LOST, DEVICE, "%s: work ended with Vulkan error %d", id, (int)state),
                state);
        if (now >= deadline_ns) {
            report(queue, progress);
            if (state_of(queue, queue->step_count - 1) == VK_SUCCESS) return NULL; /* just now */
            return kas_fail(KAS_DEADLINE, KERNEL, "%s: submission %u of %u was not done in time", id,
                            progress->completed + 1, queue->submission_count);
        }
        kas_poll_pause(now - start);
    }
}

static kas_status wait(kas_queue *base, int64_t deadline_ns, kas_progress *progress)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    KAS_TRY(kas_vulkan_flush(queue)); /* wait */
    if (queue->step_count == 0) return kas_vulkan_check_validation();
    KAS_TRY(poll_until(queue, deadline_ns, progress)); /* wait */
    report(queue, progress);
    deliver(queue);
    KAS_TRY(recycle(queue));
    return kas_vulkan_check_validation();
}

static bool idle(kas_queue *base)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    if (queue->step_count == 0) return true;
    if (state_of(queue, queue->step_count - 1) != VK_SUCCESS) return false; /* wait */
    kas_status status = recycle(queue);
    const bool done = !status;
    kas_status_free(status);
    return done;
}

const kas_queue_ops kas_vulkan_queue_ops = {
    .size_bytes = sizeof(kas_vulkan_queue),
    .init = init,
    .finish = finish,
    .upload = upload,
    .download = download,
    .fill = fill,
    .submit = submit,
    .wait = wait,
    .idle = idle,
};
