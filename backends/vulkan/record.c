/* Recording of steps. */
#include "backends/vulkan/queue.h"

static kas_status make_step(kas_vulkan_queue *queue, kas_vulkan_step *step)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    if (!step->commands) {
        const VkCommandBufferAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = queue->pool,
                                                  .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                  .commandBufferCount = 1};
        KAS_VULKAN_TRY(device->vk, vkAllocateCommandBuffers, device->device, &info, &step->commands);
    }
    if (!step->fence) {
        const VkFenceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
        KAS_VULKAN_TRY(device->vk, vkCreateFence, device->device, &info, NULL, &step->fence);
    }
    return NULL;
}

void kas_vulkan_barrier(kas_vulkan_queue *queue)
{
    const VkPipelineStageFlags work = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                     .srcAccessMask =
                                         VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
                                     .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                                                      VK_ACCESS_TRANSFER_READ_BIT |
                                                      VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT};
    kas_vulkan_queue_device(queue)->vk->vkCmdPipelineBarrier(queue->steps[queue->step_count].commands, work,
                                                             work | VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                                                             &barrier, 0, NULL, 0, NULL);
}

kas_status kas_vulkan_begin(kas_vulkan_queue *queue)
{
    static const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                                  .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    kas_vulkan_step *step = &queue->steps[queue->step_count];
    if (queue->recording) return NULL;
    KAS_TRY(make_step(queue, step));
    KAS_VULKAN_TRY(kas_vulkan_queue_device(queue)->vk, vkBeginCommandBuffer, step->commands, &info);
    queue->recording = true;
    kas_vulkan_barrier(queue); /* wait */
    return NULL;
}

/* Whatever was recorded would be missing: nobody could go on. */
static kas_status refuse(const kas_vulkan_queue *queue, VkResult result, const char *what)
{
    return kas_with_native(kas_fail(KAS_DEVICE_LOST, DEVICE, "%s: %s: Vulkan error %d",
                                    queue->base.device->info.id, what, (int)result),
                           result);
}

kas_status kas_vulkan_flush(kas_vulkan_queue *queue)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    kas_vulkan_step *step = &queue->steps[queue->step_count];
    if (!queue->recording) return NULL;
    queue->recording = false;
    VkResult result = device->vk->vkEndCommandBuffer(step->commands);
    if (result != VK_SUCCESS) return refuse(queue, result, "vkEndCommandBuffer");
    const VkSubmitInfo info = {
        .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &step->commands};
    pthread_mutex_lock(&device->queue_lock);
    result = device->vk->vkQueueSubmit(device->queue, 1, &info, step->fence);
    pthread_mutex_unlock(&device->queue_lock);
    if (result != VK_SUCCESS) return refuse(queue, result, "vkQueueSubmit");
    ++queue->step_count;
    return NULL;
}

/* ---- launches ---- */

static kas_status make_sets(kas_vulkan_queue *queue, kas_vulkan_step *step, size_t count)
{
    enum { LAUNCHES_MAX = 1 << 20 };
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    if (count <= step->set_capacity) return NULL;
    if (count > LAUNCHES_MAX)
        return kas_fail(KAS_UNSUPPORTED, ENGINE, "a list of %zu launches, more than %d", count, LAUNCHES_MAX);
    device->vk->vkDestroyDescriptorPool(device->device, step->sets, NULL);
    step->sets = VK_NULL_HANDLE;
    step->set_capacity = 0;
    const VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                       .descriptorCount = (uint32_t)count * KAS_KERNEL_MAX_BUFFERS};
    const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = (uint32_t)count,
                                             .poolSizeCount = 1,
                                             .pPoolSizes = &size};
    KAS_VULKAN_TRY(device->vk, vkCreateDescriptorPool, device->device, &info, NULL, &step->sets);
    step->set_capacity = (uint32_t)count;
    return NULL;
}

static void write_set(kas_vulkan_queue *queue, VkDescriptorSet set, const kas_launch *launch,
                      const kas_submission *submission)
{
    const kas_kernel_info *info = kas_kernel_get_info(launch->kernel);
    VkDescriptorBufferInfo buffers[KAS_KERNEL_MAX_BUFFERS];
    for (uint32_t i = 0; i < info->buffers; ++i) {
        const kas_binding *binding = &launch->bindings[i];
        const bool fixed = binding->slot == KAS_SLOT_FIXED;
        const kas_buffer *buffer = fixed ? binding->buffer : submission->slots[binding->slot].buffer;
        buffers[i] = (VkDescriptorBufferInfo){
            .buffer = ((const kas_vulkan_buffer *)buffer)->memory.buffer,
            .offset = binding->offset_bytes + (fixed ? 0 : submission->slots[binding->slot].offset_bytes),
            .range = VK_WHOLE_SIZE};
    }
    const VkWriteDescriptorSet write = {.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                        .dstSet = set,
                                        .descriptorCount = info->buffers,
                                        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                        .pBufferInfo = buffers}; /* runs on over the bindings that follow */
    const kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    device->vk->vkUpdateDescriptorSets(device->device, 1, &write, 0, NULL);
}

static kas_status record_launch(kas_vulkan_queue *queue, const kas_list *list, size_t index,
                                const kas_submission *submission, uint32_t rows)
{
    const kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    const kas_vulkan_step *step = &queue->steps[queue->step_count];
    const kas_launch *launch = &list->launches[index];
    const kas_vulkan_program *program = (const kas_vulkan_program *)list->programs[index];
    const VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = step->sets,
                                              .descriptorSetCount = 1,
                                              .pSetLayouts = &program->set_layout};
    VkDescriptorSet set;
    KAS_VULKAN_TRY(device->vk, vkAllocateDescriptorSets, device->device, &info, &set);
    write_set(queue, set, launch, submission);
    device->vk->vkCmdBindPipeline(step->commands, VK_PIPELINE_BIND_POINT_COMPUTE, program->pipeline);
    device->vk->vkCmdBindDescriptorSets(step->commands, VK_PIPELINE_BIND_POINT_COMPUTE, program->layout, 0, 1,
                                        &set, 0, NULL);
    device->vk->vkCmdPushConstants(step->commands, program->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                                   kas_kernel_get_info(launch->kernel)->args_bytes, launch->args);
    device->vk->vkCmdDispatch(step->commands, kas_grid_groups(&launch->grid_x, rows),
                              kas_grid_groups(&launch->grid_y, rows), 1);
    kas_vulkan_barrier(queue); /* wait */
    return NULL;
}

static void stamp(kas_vulkan_queue *queue, VkPipelineStageFlagBits stage, uint32_t which)
{
    const kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    VkCommandBuffer commands = queue->steps[queue->step_count].commands;
    const uint32_t query = 2 * queue->submission_count + which;
    if (!queue->stamps) return;
    device->vk->vkCmdResetQueryPool(commands, queue->stamps, query, 1);
    device->vk->vkCmdWriteTimestamp(commands, stage, queue->stamps, query);
}

kas_status kas_vulkan_record(kas_vulkan_queue *queue, const kas_submission *submission, uint32_t rows)
{
    const kas_list *list = submission->list;
    KAS_TRY(kas_vulkan_begin(queue));
    KAS_TRY(make_sets(queue, &queue->steps[queue->step_count], list->count));
    stamp(queue, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, 0);
    for (size_t i = 0; i < list->count; ++i)
        KAS_TRY(record_launch(queue, list, i, submission, rows));
    stamp(queue, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, 1);
    return NULL;
}
