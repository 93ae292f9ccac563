/* The kernels of linear_mma.k and their tiles, for device code and the host code that launches them.
 *
 * X(name, weights, rows of a tile, work items of a group): buffers and arguments are those of linear. The
 * grid: columns in x, over MMA_COLUMNS; product rows in y, over the tile's. */
#ifndef KAS_KERNELS_CUDA_MMA_TILE_H
#define KAS_KERNELS_CUDA_MMA_TILE_H

#define MMA_COLUMNS 64
#define MMA_STEP    16

#define KAS_MMA_KERNELS(X)                                                                                   \
    X(linear_mma_f16_16, F16, 16, 128)                                                                       \
    X(linear_mma_f16_64, F16, 64, 128)                                                                       \
    X(linear_mma_f16_128, F16, 128, 256)                                                                     \
    X(linear_mma_bf16_16, BF16, 16, 128)                                                                     \
    X(linear_mma_bf16_64, BF16, 64, 128)                                                                     \
    X(linear_mma_bf16_128, BF16, 128, 256)

#endif
