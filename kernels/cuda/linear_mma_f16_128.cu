#define STORED_F16
#define MMA_ROWS 128
#define MMA_NAME linear_mma_f16_128
#include "kernels/cuda/linear_mma.k"
