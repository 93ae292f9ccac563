/* A device: its primary context, and the pool that its memory comes from. */
#include "backends/cuda/cublaslt.h"
#include "backends/cuda/tensor.h"
#include "base/log.h"

bool kas_cuda_enter(const kas_cuda_device *device)
{
    return device->cuda->context_push(device->context) == CUDA_SUCCESS;
}

void kas_cuda_leave(const kas_cuda_device *device)
{
    cuda_context popped;
    (void)device->cuda->context_pop(
        &popped); /* fails only where the driver has gone, which the next call tells */
}

static kas_status find(kas_cuda_device *device, uint32_t index)
{
    int count = 0;
    device->cuda = kas_cuda_load();
    if (!device->cuda)
        return kas_fail(KAS_NOT_FOUND, CALLER, "no device cuda:%u: there is no CUDA driver", index);
    cuda_code code = device->cuda->device_count(&count);
    if (code != CUDA_SUCCESS) return kas_cuda_fail(device->cuda, code, "cuDeviceGetCount");
    if (index >= (uint32_t)count)
        return kas_fail(KAS_NOT_FOUND, CALLER, "no device cuda:%u: the driver has %d", index, count);
    code = device->cuda->device_get(&device->id, (int)index);
    return code == CUDA_SUCCESS ? NULL : kas_cuda_fail(device->cuda, code, "cuDeviceGet");
}

/* A pool keeps what is freed, so that a kernel that comes into the cache after another left it costs no call
 * into the operating system; it is ours alone, so that nothing that a host program allocates is kept with it,
 * and closing the device gives all of it back. A device without pools is no failure. */
static cuda_code open_pool(kas_cuda_device *device)
{
    int supported = 0;
    uint64_t keep_all = UINT64_MAX;
    cuda_code code =
        device->cuda->device_attribute(&supported, CUDA_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, device->id);
    if (code != CUDA_SUCCESS || !supported) return CUDA_SUCCESS;
    const cuda_pool_properties properties = {.allocation_type = CUDA_MEMORY_PINNED,
                                             .location_type = CUDA_LOCATION_DEVICE,
                                             .location_id = device->id};
    code = device->cuda->pool_create(&device->pool, &properties);
    if (code != CUDA_SUCCESS) return code;
    code = device->cuda->pool_set(device->pool, CUDA_POOL_RELEASE_THRESHOLD, &keep_all);
    if (code == CUDA_SUCCESS) code = device->cuda->stream_create(&device->memory, CUDA_STREAM_NON_BLOCKING);
    if (code != CUDA_SUCCESS) (void)device->cuda->pool_destroy(device->pool);
    return code;
}

void kas_cuda_trim(const kas_cuda_device *device)
{
    if (!device->pool) return;
    cuda_code code = device->cuda->pool_trim(device->pool, 0);
    if (code != CUDA_SUCCESS) kas_debug("cuda", "cuMemPoolTrimTo: CUDA error %d", (int)code);
}

static kas_status open_context(kas_cuda_device *device)
{
    cuda_code code = device->cuda->context_retain(&device->context, device->id);
    if (code != CUDA_SUCCESS) return kas_cuda_fail(device->cuda, code, "cuDevicePrimaryCtxRetain");
    if (!kas_cuda_enter(device)) {
        (void)device->cuda->context_release(device->id);
        return kas_fail(KAS_DEVICE_LOST, DEVICE, "cuda:%u: its context cannot be made current",
                        device->base.index);
    }
    code = open_pool(device);
    kas_cuda_leave(device);
    if (code == CUDA_SUCCESS) return NULL;
    (void)device->cuda->context_release(device->id);
    return kas_cuda_fail(device->cuda, code, "opening the device's memory pool");
}

static kas_status init(kas_device *base, uint32_t index)
{
    kas_cuda_device *device = kas_cuda_device_of(base);
    KAS_TRY(find(device, index));
    KAS_TRY(kas_cuda_describe(device->cuda, device->id, index, &base->info, &base->limits));
    cuda_code code =
        device->cuda->device_attribute(&device->major, CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device->id);
    if (code == CUDA_SUCCESS)
        code = device->cuda->device_attribute(&device->minor, CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
                                              device->id);
    if (code != CUDA_SUCCESS) return kas_cuda_fail(device->cuda, code, "asking for the compute capability");
    base->limits.fast_acts[KAS_WEIGHT_F32] = kas_cublaslt_acts;
    kas_cuda_tensor_tell(device);
    return open_context(device);
}

static uint32_t start_fast_product(kas_device *base, char name[KAS_DEVICE_FAST_SIZE])
{
    uint32_t types = kas_cublaslt_start(base, name);
    return types | kas_cuda_tensor_start(kas_cuda_device_of(base), name);
}

static void finish(kas_device *base)
{
    kas_cuda_device *device = kas_cuda_device_of(base);
    if (atomic_load(&base->lost)) return; /* releasing may wait for work that never ends */
    if (kas_cuda_enter(device)) {
        const kas_cublaslt_symbols *blas = device->blas;
        kas_cuda_tensor_finish(device);
        if (blas) (void)blas->destroy(device->blas_handle);
        if (device->memory) (void)device->cuda->stream_destroy(device->memory); /* first: it may still free */
        if (device->pool) (void)device->cuda->pool_destroy(device->pool);
        kas_cuda_leave(device);
    }
    cuda_code code = device->cuda->context_release(device->id);
    if (code != CUDA_SUCCESS) kas_debug("cuda", "cuDevicePrimaryCtxRelease: CUDA error %d", (int)code);
}

/* What the pool has taken from the device and nobody uses. */
static size_t kept_by_pool(const kas_cuda_device *device)
{
    uint64_t reserved = 0, used = 0;
    if (!device->pool ||
        device->cuda->pool_get(device->pool, CUDA_POOL_RESERVED, &reserved) != CUDA_SUCCESS ||
        device->cuda->pool_get(device->pool, CUDA_POOL_USED, &used) != CUDA_SUCCESS)
        return 0;
    return reserved > used ? (size_t)(reserved - used) : 0;
}

static size_t memory_free(kas_device *base)
{
    kas_cuda_device *device = kas_cuda_device_of(base);
    size_t free_bytes = 0, total_bytes;
    if (atomic_load(&base->lost) || !kas_cuda_enter(device)) return 0;
    if (device->cuda->memory_info(&free_bytes, &total_bytes) != CUDA_SUCCESS) free_bytes = 0;
    free_bytes += kept_by_pool(device);
    kas_cuda_leave(device);
    return free_bytes;
}

const kas_device_ops kas_cuda_device_ops = {
    .size_bytes = sizeof(kas_cuda_device),
    .init = init,
    .finish = finish,
    .memory_free = memory_free,
    .start_fast_product = start_fast_product,
    .buffer = &kas_cuda_buffer_ops,
    .program = &kas_cuda_program_ops,
    .list = &kas_cuda_list_ops,
    .queue = &kas_cuda_queue_ops,
};
