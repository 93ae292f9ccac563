/* Kernels into the driver: the build's machine code, else its PTX, else NVRTC on the source. */
#ifndef KAS_CUDA_MODULE_H
#define KAS_CUDA_MODULE_H

#include "backends/cuda/cuda.h"
#include "backends/cuda/images.h"

typedef struct kas_cuda_kernel {
    const char *name;            /* the kernel's entry, the module's only one */
    const char *source;          /* for NVRTC */
    const kas_cuda_image *image; /* NULL: this build has none */
} kas_cuda_kernel;

/* The device's context is current. *module is for cuModuleUnload, and left alone after a failure. Any thread.
 */
kas_status kas_cuda_load_kernel(const kas_cuda_device *device, const kas_cuda_kernel *kernel,
                                cuda_module *module, cuda_function *function) KAS_MUST_USE;

#endif
