/* What a device has beyond Vulkan 1.1. */
#include <stdlib.h>
#include <string.h>

#include "backends/vulkan/vulkan.h"
#include "base/alloc.h"

bool kas_vulkan_has_extension(const kas_vulkan_symbols *vk, VkPhysicalDevice physical, const char *name)
{
    enum { EXTENSIONS_MAX = 512 };
    uint32_t count = EXTENSIONS_MAX;
    bool found = false;
    VkExtensionProperties *has = kas_alloc_array(EXTENSIONS_MAX, sizeof *has);
    VkResult result = has ? vk->vkEnumerateDeviceExtensionProperties(physical, NULL, &count, has)
                          : VK_ERROR_OUT_OF_HOST_MEMORY;
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) count = 0;
    for (uint32_t i = 0; i < count && !found; ++i)
        found = !strcmp(has[i].extensionName, name);
    kas_free(has);
    return found;
}

static bool has_full_subgroups(const kas_vulkan_symbols *vk, VkPhysicalDevice physical)
{
    VkPhysicalDeviceSubgroupSizeControlFeaturesEXT control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES_EXT};
    VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                          .pNext = &control};
    if (!kas_vulkan_has_extension(vk, physical, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME)) return false;
    vk->vkGetPhysicalDeviceFeatures2(physical, &features);
    return control.computeFullSubgroups;
}

uint32_t kas_vulkan_subgroup_size(const kas_vulkan_symbols *vk, VkPhysicalDevice physical)
{
    const VkSubgroupFeatureFlags needed =
        VK_SUBGROUP_FEATURE_BASIC_BIT | VK_SUBGROUP_FEATURE_SHUFFLE_RELATIVE_BIT;
    const char *wanted = getenv("KASMINA_VULKAN_SUBGROUPS");
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType =
                                                       VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &subgroup};
    if ((wanted && !strcmp(wanted, "0")) || !has_full_subgroups(vk, physical)) return 0;
    vk->vkGetPhysicalDeviceProperties2(physical, &properties);
    const bool usable = subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT &&
                        (subgroup.supportedOperations & needed) == needed;
    return usable ? subgroup.subgroupSize : 0;
}
