/* The kernels as glslc compiled them with this build: SPIR-V for Vulkan 1.1. */
#ifndef KAS_VULKAN_IMAGES_H
#define KAS_VULKAN_IMAGES_H

#include <stdbool.h>

#include "kernels/kernels.h"

typedef struct kas_vulkan_image {
    const uint32_t *words;
    size_t size_bytes;
} kas_vulkan_image;

/* False: this build was made without glslc. */
bool kas_vulkan_image_of(kas_kernel kernel, kas_vulkan_image *out);
/* The one for devices with full subgroups of a size that divides the group's; false where there is none
 * apart.
 */
bool kas_vulkan_subgroup_image_of(kas_kernel kernel, kas_vulkan_image *out);

#endif
