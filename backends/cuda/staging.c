#include "backends/cuda/staging.h"

#include "base/alloc.h"

static const size_t block_bytes = (size_t)1 << 20, piece_alignment = 64;

static kas_status add_block(const kas_cuda_device *device, cuda_staging *staging, size_t bytes)
{
    if (staging->count == CUDA_STAGING_BLOCKS)
        return kas_fail(KAS_OUT_OF_MEMORY, DEVICE, "%s: all %d blocks of staging memory are in use",
                        device->base.info.id, (int)CUDA_STAGING_BLOCKS);
    size_t size = bytes > block_bytes ? bytes : block_bytes;
    void *memory = NULL;
    cuda_code code = device->cuda->pinned_alloc(&memory, size, CUDA_HOST_ALLOC_PORTABLE);
    if (code != CUDA_SUCCESS) return kas_cuda_fail(device->cuda, code, "allocating pinned host memory");
    staging->blocks[staging->count++] = (cuda_staging_block){.bytes = memory, .size = size};
    return NULL;
}

kas_status kas_cuda_staging_take(const kas_cuda_device *device, cuda_staging *staging, size_t bytes,
                                 void **out)
{
    for (size_t i = 0;; ++i) {
        if (i == staging->count) KAS_TRY(add_block(device, staging, bytes));
        cuda_staging_block *block = &staging->blocks[i];
        if (bytes > block->size - block->used) continue;
        *out = block->bytes + block->used;
        size_t end = kas_align_up(block->used + bytes, piece_alignment);
        block->used = end < block->size ? end : block->size;
        return NULL;
    }
}

void kas_cuda_staging_reset(cuda_staging *staging)
{
    for (size_t i = 0; i < staging->count; ++i)
        staging->blocks[i].used = 0;
}

void kas_cuda_staging_finish(const kas_cuda_device *device, cuda_staging *staging)
{
    for (size_t i = 0; i < staging->count; ++i)
        (void)device->cuda->pinned_free(staging->blocks[i].bytes);
    staging->count = 0;
}
