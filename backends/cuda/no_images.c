/* A build without nvcc: kernels are compiled by NVRTC where that is installed. */
#include "backends/cuda/images.h"

const kas_cuda_image *kas_cuda_image_of(kas_kernel kernel)
{
    (void)kernel;
    return NULL;
}

const kas_cuda_image *kas_cuda_mma_image_of(kas_mma_kernel kernel)
{
    (void)kernel;
    return NULL;
}
