#include "kernels/dialect.h"

#include "kernels/scalar.h"

#include "kernels/act.h"

#include "backends/cuda/cublaslt.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/core/library.h"
#include "base/log.h"

static pthread_once_t once = PTHREAD_ONCE_INIT; /* guards the writing of symbols and loaded */
static kas_cublaslt_symbols symbols;
static bool loaded;

#define NAME(member, symbol, parameters) {.name = #symbol, .slot = &symbols.member},

static void load(void)
{
    static const kas_symbol all[] = {
        KAS_CUBLASLT_SYMBOLS(NAME){.name = "cublasLtGetVersion", .slot = &symbols.version}};
    const char *other = getenv("KASMINA_CUBLASLT");
    const char *const names[] = {other ? other : "libcublasLt.so.13", other ? NULL : "libcublasLt.so.12",
                                 NULL};
    loaded = kas_library_load("cuda", names, all, sizeof all / sizeof *all);
}

const kas_cublaslt_symbols *kas_cublaslt_load(void)
{
    pthread_once(&once, load);
    return loaded ? &symbols : NULL;
}

void kas_cublaslt_start(kas_cuda_device *device)
{
    const kas_cublaslt_symbols *blas = kas_cublaslt_load();
    void *handle = NULL;
    if (!blas) return;
    cublaslt_code code = blas->create(&handle);
    if (code != CUBLASLT_SUCCESS) {
        kas_warning(
            "cuda",
            "%s: cuBLASLt does not start (error %d): layers with \"math\":\"fast\" get the portable product",
            device->base.info.id, code);
        return;
    }
    device->blas = blas;
    device->blas_handle = handle;
    size_t version = blas->version();
    snprintf(device->base.info.fast_product, sizeof device->base.info.fast_product, "cuBLASLt %zu.%zu.%zu",
             version / 10000, version / 100 % 100, version % 100);
    /* Not ReLU: cuBLASLt defines it as max(x, 0), in which a NaN may get lost, and judging a contribution
     * needs to see it. Not GELU: cuBLASLt's is the one by tanh. */
    device->base.limits.fast_acts[KAS_WEIGHT_F32] = 1ull << ACT_NONE | 1ull << ACT_GELU_TANH;
}

static const char *name_of(cublaslt_code code)
{
    switch (code) {
    case 1:
        return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLASLT_ALLOC_FAILED:
        return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLASLT_INVALID_VALUE:
        return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLASLT_ARCH_MISMATCH:
        return "CUBLAS_STATUS_ARCH_MISMATCH";
    case 13:
        return "CUBLAS_STATUS_EXECUTION_FAILED";
    case 14:
        return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLASLT_NOT_SUPPORTED:
        return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
        return "unknown cuBLAS error";
    }
}

kas_status kas_cublaslt_fail_at(const kas_cuda_device *device, cublaslt_code code, const char *file, int line,
                                const char *what)
{
    kas_code meaning = code == CUBLASLT_ALLOC_FAILED ? KAS_OUT_OF_MEMORY : KAS_INTERNAL;
    kas_status status = kas_status_make(meaning, KAS_BLAME_DEVICE, file, line, "%s: %s: %s (%d)",
                                        device->base.info.id, what, name_of(code), code);
    return kas_with_native(status, code);
}
