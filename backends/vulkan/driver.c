/* Which Vulkan devices there are. */
#include "backends/core/probe.h"
#include "backends/vulkan/vulkan.h"

kas_status kas_vulkan_list_here(kas_device_info *infos, size_t capacity, size_t *count)
{
    VkPhysicalDevice found[KAS_VULKAN_DEVICES_MAX];
    *count = 0;
    KAS_TRY(kas_vulkan_find_devices(found, count));
    for (uint32_t i = 0; i < *count && i < capacity; ++i) {
        kas_device_limits limits;
        kas_vulkan_describe(kas_vulkan_load(), found[i], i, &infos[i], &limits);
    }
    return NULL;
}

static kas_probe probe = KAS_PROBE("Vulkan", kas_vulkan_list_here);

static kas_status list(kas_device_info *infos, size_t capacity, size_t *count)
{
    if (kas_vulkan_is_loaded()) return kas_vulkan_list_here(infos, capacity, count);
    return kas_probe_list(&probe, infos, capacity, count);
}

const kas_driver kas_vulkan_driver = {.name = "vulkan", .list = list, .device = &kas_vulkan_device_ops};
