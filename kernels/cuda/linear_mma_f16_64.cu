#define STORED_F16
#define MMA_ROWS 64
#define MMA_NAME linear_mma_f16_64
#include "kernels/cuda/linear_mma.k"
