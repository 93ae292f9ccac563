/* Puts the SPIR-V that glslc made (vulkan_images_table.h, by the build) into the program's read-only data. */
#include "backends/vulkan/images.h"

/* `file` between the symbols `name` and `name`_end, aligned for its words. */
#define EMBED(name, file)                                                                                    \
    __asm__(".pushsection .rodata\n.balign 16\n" #name ":\n.incbin \"" file "\"\n" #name                     \
            "_end:\n.byte 0\n.popsection\n");                                                                \
    extern const uint32_t name[] __attribute__((visibility("hidden")));                                      \
    extern const char name##_end[] __attribute__((visibility("hidden")))

#define IMAGE(kernel, file) EMBED(kas_vulkan_spirv_##kernel, file);
#include "vulkan_images_table.h"
#undef IMAGE

bool kas_vulkan_image_of(kas_kernel kernel, kas_vulkan_image *out)
{
    switch (kernel) {
#define IMAGE(kernel, file)                                                                                  \
    case KAS_KERNEL_##kernel:                                                                                \
        out->words = kas_vulkan_spirv_##kernel;                                                              \
        out->size_bytes =                                                                                    \
            (size_t)((uintptr_t)kas_vulkan_spirv_##kernel##_end - (uintptr_t)kas_vulkan_spirv_##kernel);     \
        return true;
#include "vulkan_images_table.h"
#undef IMAGE
    case KAS_KERNEL_COUNT:
        break;
    }
    return false;
}
