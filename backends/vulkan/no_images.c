/* A build without glslc: there is nothing that a Vulkan device could run. */
#include "backends/vulkan/images.h"

bool kas_vulkan_image_of(kas_kernel kernel, kas_vulkan_image *out)
{
    (void)kernel;
    (void)out;
    return false;
}

bool kas_vulkan_subgroup_image_of(kas_kernel kernel, kas_vulkan_image *out)
{
    return kas_vulkan_image_of(kernel, out);
}
