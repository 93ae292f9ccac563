/* The CUDA driver, opened at run time at the first call that needs it: a machine without it, or a process
 * that uses no CUDA device, pays nothing. */
#ifndef KAS_CUDA_SYMBOLS_H
#define KAS_CUDA_SYMBOLS_H

#include <stdbool.h>

#include "backends/cuda/api.h"
#include "base/status.h"

typedef struct kas_cuda_symbols {
#define KAS_CUDA_MEMBER(member, symbol, parameters) cuda_code(*member) parameters;
    KAS_CUDA_SYMBOLS(KAS_CUDA_MEMBER)
#undef KAS_CUDA_MEMBER
} kas_cuda_symbols;

/* Opens libcuda.so.1 (KASMINA_CUDA_DRIVER names another file) and initialises it, once. NULL where there is
 * none, it is too old, or it has no device; kas_debug area "cuda" says why. Any thread. */
const kas_cuda_symbols *kas_cuda_load(void);
/* Whether it is open already. Any thread. */
bool kas_cuda_is_loaded(void);

#endif
