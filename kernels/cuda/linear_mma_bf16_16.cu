#define STORED_BF16
#define MMA_ROWS 16
#define MMA_NAME linear_mma_bf16_16
#include "kernels/cuda/linear_mma.k"
