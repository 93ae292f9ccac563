/* The CUDA backend's objects. Private to backends/cuda. */
#ifndef KAS_CUDA_H
#define KAS_CUDA_H

#include "backends/core/backend.h"
#include "backends/cuda/driver.h"
#include "backends/cuda/symbols.h"
#include "kernels/cuda/mma_kernels.h"

extern const kas_device_ops kas_cuda_device_ops;
extern const kas_buffer_ops kas_cuda_buffer_ops;
extern const kas_program_ops kas_cuda_program_ops;
extern const kas_list_ops kas_cuda_list_ops;
extern const kas_queue_ops kas_cuda_queue_ops;

typedef struct kas_cuda_tensor_kernel {
    cuda_module module; /* NULL: not loaded yet */
    cuda_function function;
} kas_cuda_tensor_kernel;

typedef struct kas_cuda_device {
    kas_device base;
    const kas_cuda_symbols *cuda;
    cuda_device_id id;
    cuda_context context; /* the device's primary context, shared with whatever else in the process uses it */
    cuda_pool pool;       /* NULL: the device has no pools, memory comes from cuMemAlloc */
    cuda_stream memory;   /* orders allocations and frees of the pool; nothing else runs on it */
    int major, minor;     /* compute capability */
    /* Set once, after blas_handle; NULL: not started, or not there: products are the portable ones. */
    _Atomic(const struct kas_cublaslt_symbols *) blas;
    void *blas_handle;                                   /* any thread */
    kas_cuda_tensor_kernel tensor[KAS_MMA_KERNEL_COUNT]; /* written once each, guarded by base.lock; read
                                                            without by those who had them loaded */
} kas_cuda_device;

typedef struct kas_cuda_buffer {
    kas_buffer base;
    cuda_address address;
} kas_cuda_buffer;

typedef struct kas_cuda_program {
    kas_program base;
    cuda_module module;
    cuda_function function;
} kas_cuda_program;

static inline kas_cuda_device *kas_cuda_device_of(kas_device *device)
{
    return (kas_cuda_device *)device;
}

static inline cuda_address kas_cuda_address_of(const kas_buffer *buffer)
{
    return ((const kas_cuda_buffer *)buffer)->address;
}

/* Every call into the driver stands between these two, so that a host program's own current context is left
 * as it was. enter: false when the context cannot be made current; leave must then not be called. */
bool kas_cuda_enter(const kas_cuda_device *device);
void kas_cuda_leave(const kas_cuda_device *device);

/* Gives the memory that the pool keeps for later back to the device, so that another kind of allocation may
 * have it. The context is current. */
void kas_cuda_trim(const kas_cuda_device *device);

/* What a device says of itself. */
kas_status kas_cuda_describe(const kas_cuda_symbols *cuda, cuda_device_id id, uint32_t index,
                             kas_device_info *info, kas_device_limits *limits) KAS_MUST_USE;

/* A failed call as a status: memory → KAS_OUT_OF_MEMORY (blame device); an error after which CUDA refuses
 * every further call → KAS_DEVICE_LOST; anything else KAS_INTERNAL. native: CUDA's code. `what` names the
 * call. */
kas_status kas_cuda_fail_at(const kas_cuda_symbols *cuda, cuda_code code, const char *file, int line,
                            const char *what) KAS_MUST_USE;
#define kas_cuda_fail(cuda, code, what) kas_cuda_fail_at((cuda), (code), __FILE__, __LINE__, (what))

#endif
