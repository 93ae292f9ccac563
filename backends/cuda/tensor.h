/* Products on tensor cores: launches of `linear_f16` and `linear_bf16` whose precision may be less than
 * float32, on devices of compute capability 8.0 and later. They are launches like any other, of another
 * kernel (kernels/cuda/linear_mma.k) with the same buffers and arguments, in graphs too. They need no
 * library. */
#ifndef KAS_CUDA_TENSOR_H
#define KAS_CUDA_TENSOR_H

#include "backends/cuda/launch.h"

/* Tells in limits.fast_acts that a device has these products, where its compute capability, which is known by
 * then, says so. */
void kas_cuda_tensor_tell(kas_cuda_device *device);

/* Adds them to the name of the device's fast product; returns the types of weights that they are for. */
uint32_t kas_cuda_tensor_start(const kas_cuda_device *device, char name[KAS_DEVICE_FAST_SIZE]);

/* Whether the index-th launch of a list is one. */
bool kas_cuda_is_tensor(const kas_list *list, size_t index);

/* Loads the kernels that such a launch may take, once for a device. No context need be current. Any thread.
 */
kas_status kas_cuda_tensor_load(kas_cuda_device *device, kas_kernel kernel) KAS_MUST_USE;

/* Turns a bound launch of the portable product over `rows` rows into one of the kernel for as many: tiles of
 * 16 rows up to 16 product rows, where every weight is read once; of 64 up to 512, so that a launch has
 * groups for more multiprocessors; else of 128. */
void kas_cuda_tensor_aim(const kas_cuda_device *device, const kas_launch *launch, uint32_t rows,
                         cuda_bound_launch *bound);

/* The context is current. */
void kas_cuda_tensor_finish(kas_cuda_device *device);

#endif
