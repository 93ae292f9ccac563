/* Puts the SPIR-V that glslc made (vulkan_images_table.h, by the build) into the program's read-only data. */
#include "backends/vulkan/images.h"

/* `file` between the symbols `name` and `name`_end, aligned for its words. */
#define EMBED(name, file)                                                                                    \
    __asm__(".pushsection .rodata\n.balign 16\n" #name ":\n.incbin \"" file "\"\n" #name                     \
            "_end:\n.byte 0\n.popsection\n");                                                                \
    extern const uint32_t name[] __attribute__((visibility("hidden")));                                      \
    extern const char name##_end[] __attribute__((visibility("hidden")))

#define IMAGE(kernel, file)          EMBED(kas_vulkan_spirv_##kernel, file);
#define SUBGROUP_IMAGE(kernel, file) EMBED(kas_vulkan_subgroup_spirv_##kernel, file);
#include "vulkan_images_table.h"
#undef IMAGE
#undef SUBGROUP_IMAGE

static bool found(const uint32_t *words, const char *end, kas_vulkan_image *out)
{
    *out = (kas_vulkan_image){.words = words, .size_bytes = (size_t)((uintptr_t)end - (uintptr_t)words)};
    return true;
}

bool kas_vulkan_image_of(kas_kernel kernel, kas_vulkan_image *out)
{
    switch (kernel) {
#define IMAGE(kernel, file)                                                                                  \
    case KAS_KERNEL_##kernel:                                                                                \
        return found(kas_vulkan_spirv_##kernel, kas_vulkan_spirv_##kernel##_end, out);
#define SUBGROUP_IMAGE(kernel, file)
#include "vulkan_images_table.h"
#undef IMAGE
#undef SUBGROUP_IMAGE
    case KAS_KERNEL_COUNT:
        break;
    }
    return false;
}

bool kas_vulkan_subgroup_image_of(kas_kernel kernel, kas_vulkan_image *out)
{
    switch ((int)kernel) {
#define IMAGE(kernel, file)
#define SUBGROUP_IMAGE(kernel, file)                                                                         \
    case KAS_KERNEL_##kernel:                                                                                \
        return found(kas_vulkan_subgroup_spirv_##kernel, kas_vulkan_subgroup_spirv_##kernel##_end, out);
#include "vulkan_images_table.h"
#undef IMAGE
#undef SUBGROUP_IMAGE
    default:
        return false;
    }
}
