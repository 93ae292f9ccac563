/* What a list becomes once for a queue and a binding of its slots: a command buffer, its descriptor sets, and
 * the grids of its launches, which the device reads when it comes to them. */
#include "backends/vulkan/queue.h"

enum { DESCRIPTORS_OF_A_LAUNCH = KAS_KERNEL_MAX_BUFFERS };

static kas_status make_objects(kas_vulkan_queue *queue, kas_vulkan_replay *replay, const kas_list *list)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    const uint32_t count = (uint32_t)list->count; /* core bounds it */
    const VkDescriptorPoolSize size = {.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                       .descriptorCount = count * DESCRIPTORS_OF_A_LAUNCH};
    const VkDescriptorPoolCreateInfo sets = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = count,
                                             .poolSizeCount = 1,
                                             .pPoolSizes = &size};
    const VkCommandBufferAllocateInfo commands = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                                                  .commandPool = queue->replays.pool,
                                                  .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
                                                  .commandBufferCount = 1};
    KAS_TRY(
        kas_vulkan_memory_make(&device->staging, count * sizeof(VkDispatchIndirectCommand), &replay->grids));
    KAS_VULKAN_TRY(device->vk, vkCreateDescriptorPool, device->device, &sets, NULL, &replay->sets);
    KAS_VULKAN_TRY(device->vk, vkAllocateCommandBuffers, device->device, &commands, &replay->commands);
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

static kas_status record_launch(kas_vulkan_queue *queue, const kas_vulkan_replay *replay,
                                const kas_submission *submission, size_t index)
{
    const kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    const kas_vulkan_symbols *vk = device->vk;
    const kas_launch *launch = &submission->list->launches[index];
    const kas_vulkan_program *program = (const kas_vulkan_program *)submission->list->programs[index];
    const VkDescriptorSetAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                              .descriptorPool = replay->sets,
                                              .descriptorSetCount = 1,
                                              .pSetLayouts = &program->set_layout};
    VkDescriptorSet set;
    KAS_VULKAN_TRY(vk, vkAllocateDescriptorSets, device->device, &info, &set);
    write_set(queue, set, launch, submission);
    vk->vkCmdBindPipeline(replay->commands, VK_PIPELINE_BIND_POINT_COMPUTE, program->pipeline);
    vk->vkCmdBindDescriptorSets(replay->commands, VK_PIPELINE_BIND_POINT_COMPUTE, program->layout, 0, 1, &set,
                                0, NULL);
    vk->vkCmdPushConstants(replay->commands, program->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                           kas_kernel_get_info(launch->kernel)->args_bytes, launch->args);
    vk->vkCmdDispatchIndirect(replay->commands, replay->grids.buffer,
                              index * sizeof(VkDispatchIndirectCommand));
    kas_vulkan_barrier(vk, replay->commands); /* wait */
    return NULL;
}

static void stamp(const kas_vulkan_queue *queue, const kas_vulkan_replay *replay,
                  VkPipelineStageFlagBits stage, uint32_t query)
{
    const kas_vulkan_symbols *vk = kas_vulkan_queue_device(queue)->vk;
    if (!queue->replays.stamps) return;
    vk->vkCmdResetQueryPool(replay->commands, queue->replays.stamps, query, 1);
    vk->vkCmdWriteTimestamp(replay->commands, stage, queue->replays.stamps, query);
}

static kas_status record_commands(kas_vulkan_queue *queue, const kas_vulkan_replay *replay,
                                  const kas_submission *submission)
{
    static const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
    const kas_vulkan_symbols *vk = kas_vulkan_queue_device(queue)->vk;
    KAS_VULKAN_TRY(vk, vkBeginCommandBuffer, replay->commands, &info);
    stamp(queue, replay, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, replay->query);
    for (size_t i = 0; i < submission->list->count; ++i)
        KAS_TRY(record_launch(queue, replay, submission, i));
    stamp(queue, replay, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, replay->query + 1);
    KAS_VULKAN_TRY(vk, vkEndCommandBuffer, replay->commands);
    return NULL;
}

kas_status kas_vulkan_record(kas_vulkan_queue *queue, const kas_submission *submission,
                             kas_vulkan_replay *replay)
{
    kas_status status = make_objects(queue, replay, submission->list);
    if (!status) status = record_commands(queue, replay, submission);
    if (status) kas_vulkan_unrecord(queue, replay);
    return status;
}

void kas_vulkan_unrecord(kas_vulkan_queue *queue, kas_vulkan_replay *replay)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    if (replay->commands)
        device->vk->vkFreeCommandBuffers(device->device, queue->replays.pool, 1, &replay->commands);
    device->vk->vkDestroyDescriptorPool(device->device, replay->sets, NULL);
    kas_vulkan_memory_free(&device->staging, &replay->grids);
    replay->commands = VK_NULL_HANDLE;
    replay->sets = VK_NULL_HANDLE;
}

void kas_vulkan_set_rows(kas_vulkan_replay *replay, const kas_list *list, uint32_t rows)
{
    VkDispatchIndirectCommand *grids = (VkDispatchIndirectCommand *)(void *)replay->grids.part.host;
    if (replay->rows == rows) return;
    for (size_t i = 0; i < list->count; ++i)
        grids[i] = (VkDispatchIndirectCommand){.x = kas_grid_groups(&list->launches[i].grid_x, rows),
                                               .y = kas_grid_groups(&list->launches[i].grid_y, rows),
                                               .z = 1};
    replay->rows = rows;
}
