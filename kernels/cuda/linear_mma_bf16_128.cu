#define STORED_BF16
#define MMA_ROWS 128
#define MMA_NAME linear_mma_bf16_128
#include "kernels/cuda/linear_mma.k"
