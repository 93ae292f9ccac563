/* A launch bound to memory and rows, as it is enqueued or recorded. Private to backends/opencl. */
#ifndef KAS_OPENCL_LAUNCH_H
#define KAS_OPENCL_LAUNCH_H

#include "backends/opencl/opencl.h"

typedef struct kas_opencl_bound {
    const kas_buffer *buffers[KAS_KERNEL_MAX_BUFFERS]; /* which the memory is a part of */
    cl_mem memory[KAS_KERNEL_MAX_BUFFERS];
    size_t global[2], local[2];
} kas_opencl_bound;

/* A queue's own, made when they are first needed: arguments are state of a kernel object. */
typedef struct kas_opencl_kernels {
    cl_kernel of[KAS_KERNEL_COUNT];
} kas_opencl_kernels;

kas_status kas_opencl_kernel_of(const kas_opencl_symbols *cl, kas_opencl_kernels *kernels,
                                const kas_program *program, cl_kernel *out) KAS_MUST_USE;
void kas_opencl_kernels_release(const kas_opencl_symbols *cl, kas_opencl_kernels *kernels);

/* Launch `index` of a submission's list. */
kas_status kas_opencl_bind(const kas_submission *submission, size_t index, uint32_t rows,
                           kas_opencl_bound *out) KAS_MUST_USE;
kas_status kas_opencl_set_arguments(const kas_opencl_symbols *cl, cl_kernel kernel, const kas_launch *launch,
                                    const kas_opencl_bound *bound) KAS_MUST_USE;

#endif
