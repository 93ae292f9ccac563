/* Steps: the traffic that is recorded into them, and how they are handed to the device. */
#include "backends/vulkan/queue.h"

void kas_vulkan_barrier(const kas_vulkan_symbols *vk, VkCommandBuffer commands)
{
    const VkPipelineStageFlags work = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                     .srcAccessMask =
                                         VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                                     .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                                                      VK_ACCESS_TRANSFER_READ_BIT |
                                                      VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT};
    vk->vkCmdPipelineBarrier(commands, work, work | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, NULL, 0,
                             NULL);
}

static kas_status make_commands(kas_vulkan_queue *queue, kas_vulkan_step *step)
{
    const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                              .commandPool = queue->traffic,
                                              .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                              .commandBufferCount = 1};
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    if (step->commands) return NULL;
    KAS_VULKAN_TRY(device->vk, vkAllocateCommandBuffers, device->device, &info, &step->commands);
    return NULL;
}

kas_status kas_vulkan_refuse(const kas_vulkan_queue *queue, VkResult result, const char *what)
{
    return kas_with_native(kas_fail(KAS_DEVICE_LOST, DEVICE, "%s: %s: Vulkan error %d",
                                    queue->base.device->info.id, what, (int)result),
                           result);
}

static kas_status make_fence(kas_vulkan_queue *queue, kas_vulkan_step *step)
{
    const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    if (step->fence) return NULL;
    VkResult result = device->vk->vkCreateFence(device->device, &info, NULL, &step->fence);
    return result == VK_SUCCESS ? NULL : kas_vulkan_refuse(queue, result, "vkCreateFence");
}

kas_status kas_vulkan_begin(kas_vulkan_queue *queue)
{
    static const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                                  .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    kas_vulkan_step *step = &queue->steps[queue->step_count];
    if (queue->recording) return NULL;
    KAS_TRY(make_commands(queue, step));
    KAS_VULKAN_TRY(kas_vulkan_queue_device(queue)->vk, vkBeginCommandBuffer, step->commands, &info);
    queue->recording = true;
    return NULL;
}

kas_status kas_vulkan_flush(kas_vulkan_queue *queue, kas_vulkan_replay *replay)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    kas_vulkan_step *step = &queue->steps[queue->step_count];
    VkCommandBuffer commands[2];
    VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .pCommandBuffers = commands};
    if (!queue->recording && !replay) return NULL;
    KAS_TRY(make_fence(queue, step));
    if (queue->recording) {
        queue->recording = false;
        VkResult result = device->vk->vkEndCommandBuffer(step->commands);
        if (result != VK_SUCCESS) return kas_vulkan_refuse(queue, result, "vkEndCommandBuffer");
        commands[info.commandBufferCount++] = step->commands;
    }
    if (replay) commands[info.commandBufferCount++] = replay->commands;
    pthread_mutex_lock(&device->queue_lock);
    VkResult result = device->vk->vkQueueSubmit(device->queue, 1, &info, step->fence);
    pthread_mutex_unlock(&device->queue_lock);
    if (result != VK_SUCCESS) return kas_vulkan_refuse(queue, result, "vkQueueSubmit");
    step->replay = replay;
    if (replay) replay->busy = true; /* wait */
    ++queue->step_count;
    return NULL;
}
