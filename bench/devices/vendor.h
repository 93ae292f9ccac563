/* What a device's own vendor offers for the same work, opened at run time where it is installed, to be
 * measured beside ours. For a program of one thread. */
#ifndef BENCH_VENDOR_H
#define BENCH_VENDOR_H

#include <stddef.h>
#include <stdint.h>

#include "backends/core/device.h"

enum { VENDOR_PRODUCTS_MAX = 2 };

/* y[rows, outputs] = x[rows, inputs] · wᵀ, w[outputs, inputs]: all float32, row-major, on the host. */
typedef struct product_case {
    uint32_t rows, inputs, outputs;
    const float *x, *w;
    float *y;
} product_case;

typedef struct vendor_run {
    const char *name;
    void (*run)(void *user); /* once, and done when it returns */
    void (*finish)(void *user);
    void *user;
} vendor_run;

/* Both say on stderr which library they did not find, and give how many they did. */

/* OpenBLAS and oneDNN; both write the case's y, whose memory outlives the runs. They use so many threads as
 * the first call says. */
size_t vendor_host_products(const product_case *of, uint32_t threads, vendor_run out[VENDOR_PRODUCTS_MAX]);
/* cuBLASLt in float32 and with TF32, or for KAS_PRECISION_BF16 with that alone, on the memory of the first
 * CUDA device, whose y is its own. */
size_t vendor_cuda_products(const product_case *of, kas_precision precision,
                            vendor_run out[VENDOR_PRODUCTS_MAX]);

/* Copies of pinned memory of this size to the first CUDA device, and back, by the driver alone. */
void vendor_cuda_copies(size_t size_bytes, vendor_run *upload, vendor_run *download);
/* A graph of that many kernels that do nothing, one after the other, launched and waited for. */
void vendor_cuda_graph(unsigned kernels, vendor_run *out);

#endif
