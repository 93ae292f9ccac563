/* What host code knows of the tensor-core kernels; as kernels/kernels.h of the portable ones. */
#ifndef KAS_KERNELS_CUDA_MMA_KERNELS_H
#define KAS_KERNELS_CUDA_MMA_KERNELS_H

#include "kernels/cuda/mma_tile.h"
#include "kernels/kernels.h"

typedef enum kas_mma_kernel {
#define KAS_MMA_ENUM(name, weights, rows, items) KAS_MMA_KERNEL_##name,
    KAS_MMA_KERNELS(KAS_MMA_ENUM)
#undef KAS_MMA_ENUM
        KAS_MMA_KERNEL_COUNT
} kas_mma_kernel;

/* The kernel's source with all that it includes pasted in; NUL-terminated, static. */
const char *kas_mma_kernel_source(kas_mma_kernel kernel, size_t *length);

#endif
