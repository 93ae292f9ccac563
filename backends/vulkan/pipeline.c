/* A kernel's pipeline, from the build's SPIR-V, and what the driver made of that, kept on disk: one
 * VkPipelineCache a kernel, so that nothing grows and a new kernel rewrites nothing. */
#include <string.h>

#include "backends/core/stored.h"
#include "backends/vulkan/images.h"
#include "backends/vulkan/vulkan.h"
#include "base/alloc.h"
#include "base/log.h"

/* Everything that the driver's data depends on; a new build has the same SPIR-V or another name. */
static kas_sha256 name_of(const kas_vulkan_device *device, const kas_vulkan_image *image)
{
    const kas_vulkan_identity *identity = &device->identity;
    const kas_stored_part parts[] = {{&identity->vendor, sizeof identity->vendor},
                                     {&identity->device, sizeof identity->device},
                                     {&identity->driver_version, sizeof identity->driver_version},
                                     {identity->cache_uuid, sizeof identity->cache_uuid},
                                     {image->words, image->size_bytes}};
    return kas_stored_key(parts, sizeof parts / sizeof *parts);
}

bool kas_vulkan_cache_is_ours(const kas_vulkan_identity *identity, const void *data, size_t size_bytes)
{
    VkPipelineCacheHeaderVersionOne header;
    if (size_bytes < sizeof header) return false;
    memcpy(&header, data, sizeof header);
    return header.headerSize >= sizeof header && header.headerSize <= size_bytes &&
           header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE &&
           header.vendorID == identity->vendor && header.deviceID == identity->device &&
           !memcmp(header.pipelineCacheUUID, identity->cache_uuid, sizeof identity->cache_uuid);
}

/* Without a cache the pipeline is made all the same: null then. */
static VkPipelineCache open_cache(const kas_vulkan_device *device, const kas_bytes *stored)
{
    const VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                            .initialDataSize = stored->size,
                                            .pInitialData = stored->data};
    VkPipelineCache cache = VK_NULL_HANDLE;
    VkResult result = device->vk->vkCreatePipelineCache(device->device, &info, NULL, &cache);
    if (result == VK_SUCCESS) return cache;
    kas_debug("vulkan", "%s: no pipeline cache (Vulkan error %d)", device->base.info.id, (int)result);
    return VK_NULL_HANDLE;
}

static void read_stored(const kas_vulkan_device *device, const kas_sha256 *name, kas_bytes *out)
{
    *out = (kas_bytes){0};
    if (!kas_stored_read("vulkan", name, out)) return;
    if (kas_vulkan_cache_is_ours(&device->identity, out->data, out->size)) return;
    kas_debug("vulkan", "%s: a pipeline on disk is not this device's and is not used", device->base.info.id);
    kas_bytes_free(out);
    *out = (kas_bytes){0};
}

/* Data of the size that was read is what was read. */
static void write_stored(const kas_vulkan_device *device, const kas_sha256 *name, VkPipelineCache cache,
                         size_t read_bytes)
{
    size_t size_bytes = 0;
    if (device->vk->vkGetPipelineCacheData(device->device, cache, &size_bytes, NULL) != VK_SUCCESS ||
        size_bytes == 0 || size_bytes == read_bytes)
        return;
    void *data = kas_alloc(size_bytes);
    if (data && device->vk->vkGetPipelineCacheData(device->device, cache, &size_bytes, data) == VK_SUCCESS)
        kas_stored_write("vulkan", name, data, size_bytes);
    kas_free(data);
}

/* What kas_vulkan_make_pipeline compiles. */
static bool choose_image(const kas_vulkan_device *device, kas_kernel kernel, kas_vulkan_image *out,
                         VkPipelineShaderStageCreateFlags *flags)
{
    const uint32_t size = device->subgroup_size, items = kas_kernel_get_info(kernel)->group_items;
    const bool full = size > 0 && items % size == 0 && kas_vulkan_subgroup_image_of(kernel, out);
    *flags = full ? VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT_EXT : 0;
    return full || kas_vulkan_image_of(kernel, out);
}

static kas_status make_pipeline(kas_vulkan_program *program, const kas_vulkan_image *image,
                                VkPipelineShaderStageCreateFlags flags, VkPipelineCache cache)
{
    const kas_vulkan_device *device = kas_vulkan_device_of(program->base.device);
    VkShaderModule module;
    const VkShaderModuleCreateInfo code = {.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                           .codeSize = image->size_bytes,
                                           .pCode = image->words};
    KAS_VULKAN_TRY(device->vk, vkCreateShaderModule, device->device, &code, NULL, &module);
    const VkComputePipelineCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .flags = flags,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main"},
        .layout = program->layout};
    VkResult result =
        device->vk->vkCreateComputePipelines(device->device, cache, 1, &info, NULL, &program->pipeline);
    device->vk->vkDestroyShaderModule(device->device, module, NULL);
    return result == VK_SUCCESS ? NULL : kas_vulkan_fail(result, "vkCreateComputePipelines");
}

kas_status kas_vulkan_make_pipeline(kas_vulkan_program *program)
{
    const kas_vulkan_device *device = kas_vulkan_device_of(program->base.device);
    kas_vulkan_image image;
    kas_bytes stored;
    VkPipelineShaderStageCreateFlags flags;
    if (!choose_image(device, program->base.kernel, &image, &flags))
        return kas_fail(KAS_UNSUPPORTED, DEVICE, "kernel %s: this build was made without glslc",
                        kas_kernel_get_info(program->base.kernel)->name);
    const kas_sha256 name = name_of(device, &image);
    read_stored(device, &name, &stored);
    VkPipelineCache cache = kas_stored_is_kept() ? open_cache(device, &stored) : VK_NULL_HANDLE;
    kas_status status = make_pipeline(program, &image, flags, cache);
    if (!status && cache) write_stored(device, &name, cache, stored.size);
    device->vk->vkDestroyPipelineCache(device->device, cache, NULL);
    kas_bytes_free(&stored);
    return status;
}
