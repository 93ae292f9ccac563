/* Device memory, from the device's pool where it has one. */
#include <sched.h>

#include "backends/cuda/cuda.h"
#include "base/clock.h"
#include "base/log.h"

enum { POOL_WAIT_NS = 1000000000 };

/* An allocation from a pool is ordered in its stream, which holds nothing that runs for long: once the stream
 * is idle the memory may be used on any other. Polled, so that a driver that hangs is noticed. */
static cuda_code settle(const kas_cuda_device *device)
{
    const int64_t deadline_ns = kas_monotonic_ns() + POOL_WAIT_NS;
    for (;;) {
        cuda_code code = device->cuda->stream_query(device->memory);
        if (code != CUDA_ERROR_NOT_READY || kas_monotonic_ns() > deadline_ns) return code;
        sched_yield();
    }
}

/* What the pool keeps may be in pieces that are too small: it is given back before memory counts as out. */
static cuda_code take_from_pool(const kas_cuda_device *device, size_t bytes, cuda_address *out)
{
    cuda_code code = device->cuda->pool_alloc(out, bytes, device->pool, device->memory);
    if (code != CUDA_ERROR_OUT_OF_MEMORY) return code;
    code = settle(device); /* frees that are still on their way */
    if (code != CUDA_SUCCESS) return code;
    kas_cuda_trim(device);
    return device->cuda->pool_alloc(out, bytes, device->pool, device->memory);
}

static cuda_code allocate(const kas_cuda_device *device, size_t bytes, cuda_address *out)
{
    if (!device->pool) return device->cuda->memory_alloc(out, bytes);
    cuda_code code = take_from_pool(device, bytes, out);
    if (code != CUDA_SUCCESS) return code;
    code = settle(device); /* wait */
    if (code != CUDA_SUCCESS) (void)device->cuda->pool_free(*out, device->memory);
    return code;
}

static kas_status init(kas_buffer *base)
{
    kas_cuda_buffer *buffer = (kas_cuda_buffer *)base;
    const kas_cuda_device *device = kas_cuda_device_of(base->device);
    if (!kas_cuda_enter(device))
        return kas_cuda_fail(device->cuda, CUDA_ERROR_INVALID_CONTEXT, "cuCtxPushCurrent");
    cuda_code code = allocate(device, base->size_bytes, &buffer->address);
    kas_cuda_leave(device);
    return code == CUDA_SUCCESS ? NULL : kas_cuda_fail(device->cuda, code, "allocating device memory");
}

static void finish(kas_buffer *base)
{
    const kas_cuda_buffer *buffer = (const kas_cuda_buffer *)base;
    const kas_cuda_device *device = kas_cuda_device_of(base->device);
    if (atomic_load(&base->device->lost) || !kas_cuda_enter(device)) return; /* its memory went with it */
    cuda_code code = device->pool ? device->cuda->pool_free(buffer->address, device->memory)
                                  : device->cuda->memory_free(buffer->address);
    if (code != CUDA_SUCCESS) kas_debug("cuda", "freeing \"%s\": CUDA error %d", base->label, (int)code);
    kas_cuda_leave(device);
}

const kas_buffer_ops kas_cuda_buffer_ops = {
    .size_bytes = sizeof(kas_cuda_buffer),
    .init = init,
    .finish = finish,
};
