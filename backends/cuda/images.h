/* The kernels as nvcc compiled them with this build: machine code for the architectures that
 * backends/cuda/CMakeLists.txt names, and PTX that a driver of any later one compiles. */
#ifndef KAS_CUDA_IMAGES_H
#define KAS_CUDA_IMAGES_H

#include "kernels/cuda/mma_kernels.h"
#include "kernels/kernels.h"

typedef struct kas_cuda_image {
    const void *fatbin; /* for cuModuleLoadData, which takes what suits its device; says its own size */
    const char *ptx;    /* NUL-terminated text */
} kas_cuda_image;

/* NULL: this build was made without nvcc. */
const kas_cuda_image *kas_cuda_image_of(kas_kernel kernel);
const kas_cuda_image *kas_cuda_mma_image_of(kas_mma_kernel kernel);

#endif
