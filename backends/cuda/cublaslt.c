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

/* Not ReLU: cuBLASLt defines it as max(x, 0), in which a NaN may get lost, and judging a contribution needs
 * to see it. Not GELU: cuBLASLt's is the one by tanh. */
const uint64_t kas_cublaslt_acts = 1ull << ACT_NONE | 1ull << ACT_GELU_TANH;

static cublaslt_code create(const kas_cuda_device *device, const kas_cublaslt_symbols *blas, void **handle)
{
    if (!kas_cuda_enter(device)) return CUBLASLT_NOT_INITIALIZED;
    cublaslt_code code = blas->create(handle);
    kas_cuda_leave(device);
    return code;
}

uint32_t kas_cublaslt_start(kas_device *base, char name[KAS_DEVICE_FAST_SIZE])
{
    kas_cuda_device *device = kas_cuda_device_of(base);
    const kas_cublaslt_symbols *blas = kas_cublaslt_load();
    if (!blas) return 0;
    cublaslt_code code = create(device, blas, &device->blas_handle);
    if (code != CUBLASLT_SUCCESS) {
        kas_warning(
            "cuda",
            "%s: cuBLASLt does not start (error %d): layers with \"math\":\"fast\" get the portable product",
            base->info.id, code);
        return 0;
    }
    size_t version = blas->version();
    snprintf(name, KAS_DEVICE_FAST_SIZE, "cuBLASLt %zu.%zu.%zu", version / 10000, version / 100 % 100,
             version % 100);
    atomic_store_explicit(&device->blas, blas, memory_order_release);
    return 1u << KAS_WEIGHT_F32; /* it has no product of types that differ */
}

static const char *name_of(cublaslt_code code)
{
    switch (code) {
    case CUBLASLT_NOT_INITIALIZED:
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
