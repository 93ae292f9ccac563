/* Kernels: one descriptor set of storage buffers, arguments as push constants. */
#include "backends/vulkan/vulkan.h"

static kas_status make_layouts(kas_vulkan_program *program, const kas_kernel_info *kernel)
{
    kas_vulkan_device *device = kas_vulkan_device_of(program->base.device);
    VkDescriptorSetLayoutBinding bindings[KAS_KERNEL_MAX_BUFFERS];
    for (uint32_t i = 0; i < kernel->buffers; ++i)
        bindings[i] = (VkDescriptorSetLayoutBinding){.binding = i,
                                                     .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                                     .descriptorCount = 1,
                                                     .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    const VkDescriptorSetLayoutCreateInfo set = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
                                                 .bindingCount = kernel->buffers,
                                                 .pBindings = bindings};
    KAS_VULKAN_TRY(device->vk, vkCreateDescriptorSetLayout, device->device, &set, NULL, &program->set_layout);
    const VkPushConstantRange arguments = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                                           .size = kernel->args_bytes};
    const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                               .setLayoutCount = 1,
                                               .pSetLayouts = &program->set_layout,
                                               .pushConstantRangeCount = 1,
                                               .pPushConstantRanges = &arguments};
    KAS_VULKAN_TRY(device->vk, vkCreatePipelineLayout, device->device, &layout, NULL, &program->layout);
    return NULL;
}

static void destroy(kas_vulkan_program *program)
{
    kas_vulkan_device *device = kas_vulkan_device_of(program->base.device);
    device->vk->vkDestroyPipeline(device->device, program->pipeline, NULL);
    device->vk->vkDestroyPipelineLayout(device->device, program->layout, NULL);
    device->vk->vkDestroyDescriptorSetLayout(device->device, program->set_layout, NULL);
}

static kas_status init(kas_program *base)
{
    kas_vulkan_program *program = (kas_vulkan_program *)base;
    const kas_kernel_info *kernel = kas_kernel_get_info(base->kernel);
    if (kernel->group_items > base->device->limits.max_group_items)
        return kas_fail(KAS_UNSUPPORTED, DEVICE, "kernel %s has groups of %u work items, %s takes at most %u",
                        kernel->name, kernel->group_items, base->device->info.id,
                        base->device->limits.max_group_items);
    kas_status status = make_layouts(program, kernel);
    if (!status) status = kas_vulkan_make_pipeline(program);
    if (status) destroy(program);
    return status ? kas_annotate(status, "kernel %s", kernel->name) : NULL;
}

static void finish(kas_program *base)
{
    if (!atomic_load(&base->device->lost)) destroy((kas_vulkan_program *)base);
}

const kas_program_ops kas_vulkan_program_ops = {
    .size_bytes = sizeof(kas_vulkan_program),
    .init = init,
    .finish = finish,
};
