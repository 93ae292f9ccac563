/* The run-time compiler, opened when a kernel has no image that its device takes. */
#ifndef KAS_CUDA_NVRTC_H
#define KAS_CUDA_NVRTC_H

#include "backends/cuda/cuda.h"

/* KASMINA_NVRTC names another file than the toolkit's libraries. Compiles a kernel from its source to PTX
 * for the device; *ptx is freed with kas_free. KAS_UNSUPPORTED where NVRTC is not installed or refuses
 * the source. Any thread. */
kas_status kas_cuda_nvrtc_compile(const kas_cuda_device *device, const char *name, const char *source,
                                  char **ptx) KAS_MUST_USE;

#endif
