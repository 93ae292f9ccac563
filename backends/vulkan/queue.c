/* An in-order queue: every submission is one hand-over to the device with a fence. Waiting polls, so that a
 * deadline always holds, and a driver that hangs in a wait of its own keeps nobody. */
#include "backends/vulkan/queue.h"
#include "backends/core/poll.h"
#include "base/alloc.h"
#include "base/clock.h"

static void destroy(kas_vulkan_queue *queue)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    for (size_t i = 0; i < KAS_VULKAN_STEPS_MAX; ++i)
        device->vk->vkDestroyFence(device->device, queue->steps[i].fence, NULL);
    device->vk->vkDestroyCommandPool(device->device, queue->traffic, NULL);
}

static kas_status make_pools(kas_vulkan_queue *queue)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    const VkCommandPoolCreateInfo traffic = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                             .flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT,
                                             .queueFamilyIndex = device->family};
    KAS_VULKAN_TRY(device->vk, vkCreateCommandPool, device->device, &traffic, NULL, &queue->traffic);
    return kas_vulkan_replays_init(queue);
}

static kas_status init(kas_queue *base)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    kas_status status = make_pools(queue);
    if (status) {
        kas_vulkan_replays_finish(queue, false);
        destroy(queue);
    }
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
    const bool keep = atomic_load(&base->device->lost);
    kas_vulkan_staging_finish(queue, keep);
    kas_vulkan_replays_finish(queue, keep);
    if (!keep) destroy(queue);
    kas_free(queue->downloads);
}

/* Everything is done: what was used can be used again. A fence that stays signalled would tell of work to
 * come that it is done: without it nobody can go on. */
static kas_status recycle(kas_vulkan_queue *queue)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    for (uint32_t i = 0; i < queue->step_count; ++i) {
        VkResult result = device->vk->vkResetFences(device->device, 1, &queue->steps[i].fence);
        if (result != VK_SUCCESS) return kas_vulkan_refuse(queue, result, "vkResetFences");
        if (queue->steps[i].replay) queue->steps[i].replay->busy = false;
    }
    VkResult result = device->vk->vkResetCommandPool(device->device, queue->traffic, 0);
    if (result != VK_SUCCESS) return kas_vulkan_refuse(queue, result, "vkResetCommandPool");
    queue->step_count = queue->submission_count = 0;
    kas_vulkan_staging_reset(queue);
    return NULL;
}

/* ---- submissions ---- */

static kas_status submit(kas_queue *base, const kas_submission *submission, uint32_t rows)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    kas_vulkan_replay *replay;
    KAS_TRY(kas_vulkan_get_replay(queue, submission, rows, &replay));
    KAS_TRY(kas_vulkan_stage_downloads(queue)); /* wait */
    KAS_TRY(kas_vulkan_flush(queue, replay));
    ++queue->submission_count;
    return NULL;
}

static uint32_t elapsed_ns(const kas_vulkan_queue *queue, uint32_t submission)
{
    const kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    uint64_t ticks[2];
    if (!queue->replays.stamps ||
        device->vk->vkGetQueryPoolResults(device->device, queue->replays.stamps,
                                          queue->steps[submission].replay->query, 2, sizeof ticks, ticks,
                                          sizeof *ticks, VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
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
    KAS_TRY(kas_vulkan_flush(queue, NULL));                                   /* wait */
    if (queue->step_count) KAS_TRY(poll_until(queue, deadline_ns, progress)); /* wait */
    report(queue, progress);
    kas_vulkan_deliver(queue);
    KAS_TRY(recycle(queue));
    return kas_vulkan_check_validation();
}

static bool idle(kas_queue *base)
{
    kas_vulkan_queue *queue = (kas_vulkan_queue *)base;
    if (queue->step_count == 0) return true;
    if (state_of(queue, queue->step_count - 1) != VK_SUCCESS) return false; /* wait */
    queue->download_count = queue->staged_count = 0; /* nobody waits for them any more */
    kas_status status = recycle(queue);
    const bool done = !status;
    kas_status_free(status);
    return done;
}

const kas_queue_ops kas_vulkan_queue_ops = {
    .size_bytes = sizeof(kas_vulkan_queue),
    .init = init,
    .finish = finish,
    .upload = kas_vulkan_upload,
    .download = kas_vulkan_download_to,
    .fill = kas_vulkan_fill,
    .submit = submit,
    .wait = wait,
    .idle = idle,
};
