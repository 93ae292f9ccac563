/* What the measurements beside CUDA's own libraries share: the driver, the first device's primary context, a
 * stream. A failure ends the program. */
#ifndef BENCH_VENDOR_CUDA_H
#define BENCH_VENDOR_CUDA_H

#include "backends/cuda/symbols.h"
#include "bench/devices/vendor.h"

typedef struct vendor_cuda {
    const kas_cuda_symbols *driver;
    cuda_stream stream;
} vendor_cuda;

const vendor_cuda *vendor_cuda_open(void);
void vendor_cuda_wait(void); /* for the stream */
void vendor_cuda_must(cuda_code code, const char *what);

#endif
