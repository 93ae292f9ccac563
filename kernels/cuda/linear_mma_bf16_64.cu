#define STORED_BF16
#define MMA_ROWS 64
#define MMA_NAME linear_mma_bf16_64
#include "kernels/cuda/linear_mma.k"
