/* Pinned host memory of a queue: what the device copies from and to without the driver's own staging, which
 * may wait for the device. Taken piece by piece between two waits, given back all at once. One thread at a
 * time. */
#ifndef KAS_CUDA_STAGING_H
#define KAS_CUDA_STAGING_H

#include "backends/cuda/cuda.h"

enum { CUDA_STAGING_BLOCKS = 16 };

typedef struct cuda_staging_block {
    char *bytes;
    size_t size, used;
} cuda_staging_block;

typedef struct cuda_staging {
    cuda_staging_block blocks[CUDA_STAGING_BLOCKS];
    size_t count;
} cuda_staging;

/* `bytes` of pinned memory until the next reset. KAS_OUT_OF_MEMORY when the driver has no more. */
kas_status kas_cuda_staging_take(const kas_cuda_device *device, cuda_staging *staging, size_t bytes,
                                 void **out) KAS_MUST_USE;
void kas_cuda_staging_reset(cuda_staging *staging);
void kas_cuda_staging_finish(const kas_cuda_device *device, cuda_staging *staging);

#endif
