/* Kernels from the build's SPIR-V: one descriptor set of storage buffers, arguments as push constants. */
#include "backends/vulkan/images.h"
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

static kas_status make_pipeline(kas_vulkan_program *program, const kas_kernel_info *kernel)
{
    kas_vulkan_device *device = kas_vulkan_device_of(program->base.device);
    kas_vulkan_image image;
    VkShaderModule module;
    if (!kas_vulkan_image_of(program->base.kernel, &image))
        return kas_fail(KAS_UNSUPPORTED, DEVICE, "kernel %s: this build was made without glslc",
                        kernel->name);
    const VkShaderModuleCreateInfo code = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                           .codeSize = image.size_bytes,
                                           .pCode = image.words};
    KAS_VULKAN_TRY(device->vk, vkCreateShaderModule, device->device, &code, NULL, &module);
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main"},
        .layout = program->layout};
    VkResult result = device->vk->vkCreateComputePipelines(device->device, VK_NULL_HANDLE, 1, &info, NULL,
                                                           &program->pipeline);
    device->vk->vkDestroyShaderModule(device->device, module, NULL);
    return result == VK_SUCCESS ? NULL : kas_vulkan_fail(result, "vkCreateComputePipelines");
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
    if (!status) status = make_pipeline(program, kernel);
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
