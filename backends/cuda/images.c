/* Puts the images that nvcc made (images_table.h and mma_images_table.h, by the build) into the program's
 * read-only data. */
#include "backends/cuda/images.h"

/* `file` as the symbol `name`, aligned for the driver and followed by a NUL. */
#define EMBED(name, file)                                                                                    \
    __asm__(".pushsection .rodata\n.balign 64\n" #name ":\n.incbin \"" file "\"\n.byte 0\n.popsection\n");   \
    extern const char name[] __attribute__((visibility("hidden")))

#define IMAGE(kernel, fatbin, ptx)                                                                           \
    EMBED(kas_cuda_fatbin_##kernel, fatbin);                                                                 \
    EMBED(kas_cuda_ptx_##kernel, ptx);
#include "images_table.h"
#include "mma_images_table.h"
#undef IMAGE

static const kas_cuda_image images[KAS_KERNEL_COUNT] = {
#define IMAGE(kernel, fatbin, ptx) [KAS_KERNEL_##kernel] = {kas_cuda_fatbin_##kernel, kas_cuda_ptx_##kernel},
#include "images_table.h"
#undef IMAGE
};

static const kas_cuda_image mma_images[KAS_MMA_KERNEL_COUNT] = {
#define IMAGE(kernel, fatbin, ptx)                                                                           \
    [KAS_MMA_KERNEL_##kernel] = {kas_cuda_fatbin_##kernel, kas_cuda_ptx_##kernel},
#include "mma_images_table.h"
#undef IMAGE
};

const kas_cuda_image *kas_cuda_image_of(kas_kernel kernel)
{
    return &images[kernel];
}

const kas_cuda_image *kas_cuda_mma_image_of(kas_mma_kernel kernel)
{
    return &mma_images[kernel];
}
