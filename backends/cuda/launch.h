/* One launch of a list, bound to memory: what cuLaunchKernel and a graph's node both take. */
#ifndef KAS_CUDA_LAUNCH_H
#define KAS_CUDA_LAUNCH_H

#include "backends/cuda/cuda.h"

typedef struct cuda_bound_launch {
    cuda_function function;
    unsigned grid_x, grid_y, block_x;
    cuda_address addresses[KAS_KERNEL_MAX_BUFFERS];
    void *parameters[KAS_KERNEL_MAX_BUFFERS + 1]; /* to the addresses, then the argument struct */
} cuda_bound_launch;

/* Binds the index-th launch of the submission's list for `rows` rows. *out points into itself and into the
 * list: it must not be copied. */
void kas_cuda_bind(const kas_submission *submission, size_t index, uint32_t rows, cuda_bound_launch *out);

static inline cuda_kernel_node kas_cuda_node_of(cuda_bound_launch *launch)
{
    return (cuda_kernel_node){.function = launch->function,
                              .grid_x = launch->grid_x,
                              .grid_y = launch->grid_y,
                              .grid_z = 1,
                              .block_x = launch->block_x,
                              .block_y = 1,
                              .block_z = 1,
                              .parameters = launch->parameters};
}

#endif
