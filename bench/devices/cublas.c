/* cuBLASLt's product: the best of its heuristics' first choices, with a workspace of 32 MiB. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/devices/contest.h"
#include "bench/devices/vendor_cuda.h"

enum { /* names and numbers of cublasLt.h, 11.0 and later */
       CUDA_R_32F = 0,
       CUBLAS_OP_T = 1,
       CUBLAS_COMPUTE_32F = 68,
       CUBLAS_COMPUTE_32F_FAST_16BF = 75,
       CUBLAS_COMPUTE_32F_FAST_TF32 = 77,
       CUBLASLT_MATMUL_DESC_TRANSA = 3,
       CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
};
enum { WORKSPACE_BYTES = 32 << 20, HALF = 0x3f000000 /* 0.5f */ };

typedef struct lt_object *lt; /* any handle of cuBLASLt */

typedef struct lt_choice { /* cublasLtMatmulHeuristicResult_t */
    uint64_t algorithm[8];
    size_t workspace_bytes;
    int state;
    float waves;
    int reserved[4];
} lt_choice;

/* X(member, symbol, parameters); every function returns cublasStatus_t, 0 for success. */
#define LT_SYMBOLS(X)                                                                                        \
    X(create, cublasLtCreate, (lt * handle))                                                                 \
    X(destroy, cublasLtDestroy, (lt handle))                                                                 \
    X(desc_create, cublasLtMatmulDescCreate, (lt * desc, int compute, int scale))                            \
    X(desc_destroy, cublasLtMatmulDescDestroy, (lt desc))                                                    \
    X(desc_set, cublasLtMatmulDescSetAttribute, (lt desc, int attribute, const void *value, size_t bytes))   \
    X(layout_create, cublasLtMatrixLayoutCreate,                                                             \
      (lt * layout, int type, uint64_t rows, uint64_t columns, int64_t stride))                              \
    X(layout_destroy, cublasLtMatrixLayoutDestroy, (lt layout))                                              \
    X(preference_create, cublasLtMatmulPreferenceCreate, (lt * preference))                                  \
    X(preference_destroy, cublasLtMatmulPreferenceDestroy, (lt preference))                                  \
    X(preference_set, cublasLtMatmulPreferenceSetAttribute,                                                  \
      (lt preference, int attribute, const void *value, size_t bytes))                                       \
    X(choose, cublasLtMatmulAlgoGetHeuristic,                                                                \
      (lt handle, lt desc, lt a, lt b, lt c, lt d, lt preference, int wanted, lt_choice *choices,            \
       int *count))                                                                                          \
    X(matmul, cublasLtMatmul,                                                                                \
      (lt handle, lt desc, const void *alpha, cuda_address a, lt a_layout, cuda_address b, lt b_layout,      \
       const void *beta, cuda_address c, lt c_layout, cuda_address d, lt d_layout, const void *algorithm,    \
       cuda_address workspace, size_t workspace_bytes, cuda_stream stream))

static struct {
#define LT_MEMBER(member, symbol, parameters) int(*member) parameters;
    LT_SYMBOLS(LT_MEMBER)
#undef LT_MEMBER
} library;
static lt handle;

typedef struct lt_product {
    cuda_address x, w, y, workspace;
    lt desc, x_layout, w_layout, y_layout;
    lt_choice choice;
} lt_product;

static void lt_must(int code, const char *what)
{
    if (!code) return;
    fprintf(stderr, "kas_device_bench: %s: cuBLASLt error %d\n", what, code);
    exit(1);
}

static bool resolve(void *from, const char *symbol, void *slot)
{
    void *address = dlsym(from, symbol);
    memcpy(slot, &address, sizeof address);
    return address != NULL;
}

static bool open_library(void)
{
    static const char *const files[] = {"libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so.11"};
    if (handle) return true;
    void *from = NULL;
    for (size_t i = 0; i < sizeof files / sizeof *files && !from; ++i)
        from = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
    bool complete = from != NULL;
#define LT_RESOLVE(member, symbol, parameters) complete = complete && resolve(from, #symbol, &library.member);
    LT_SYMBOLS(LT_RESOLVE)
#undef LT_RESOLVE
    if (!complete) {
        fprintf(stderr, "kas_device_bench: not beside cuBLASLt: %s\n", dlerror());
        return false;
    }
    const int code = library.create(&handle);
    if (code) fprintf(stderr, "kas_device_bench: not beside cuBLASLt: cublasLtCreate failed with %d\n", code);
    return code == 0;
}

static void run(void *user)
{
    const lt_product *self = user;
    const float one = 1, zero = 0;
    lt_must(library.matmul(handle, self->desc, &one, self->w, self->w_layout, self->x, self->x_layout, &zero,
                           self->y, self->y_layout, self->y, self->y_layout, self->choice.algorithm,
                           self->workspace, WORKSPACE_BYTES, vendor_cuda_open()->stream),
            "cublasLtMatmul");
    vendor_cuda_wait();
}

static void finish(void *user)
{
    lt_product *self = user;
    const cuda_address memory[] = {self->x, self->w, self->y, self->workspace};
    for (size_t i = 0; i < sizeof memory / sizeof *memory; ++i)
        vendor_cuda_must(vendor_cuda_open()->driver->memory_free(memory[i]), "cuMemFree");
    lt_must(library.desc_destroy(self->desc), "cublasLtMatmulDescDestroy");
    const lt layouts[] = {self->x_layout, self->w_layout, self->y_layout};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; ++i)
        lt_must(library.layout_destroy(layouts[i]), "cublasLtMatrixLayoutDestroy");
    free(self);
}

static cuda_address make_memory(size_t bytes)
{
    const vendor_cuda *cuda = vendor_cuda_open();
    cuda_address memory;
    vendor_cuda_must(cuda->driver->memory_alloc(&memory, bytes), "cuMemAlloc");
    vendor_cuda_must(cuda->driver->fill(memory, HALF, bytes / 4, cuda->stream), "cuMemsetD32Async");
    return memory;
}

/* cuBLASLt's matrices go by columns: ours are its transposes, and yᵀ = w · xᵀ. */
static void describe(lt_product *self, const product_case *of, int compute)
{
    const int transposed = CUBLAS_OP_T;
    lt_must(library.desc_create(&self->desc, compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
    lt_must(library.desc_set(self->desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed),
            "cublasLtMatmulDescSetAttribute");
    lt_must(library.layout_create(&self->w_layout, CUDA_R_32F, of->inputs, of->outputs, of->inputs),
            "cublasLtMatrixLayoutCreate");
    lt_must(library.layout_create(&self->x_layout, CUDA_R_32F, of->inputs, of->rows, of->inputs),
            "cublasLtMatrixLayoutCreate");
    lt_must(library.layout_create(&self->y_layout, CUDA_R_32F, of->outputs, of->rows, of->outputs),
            "cublasLtMatrixLayoutCreate");
}

static void choose(lt_product *self)
{
    const size_t workspace_bytes = WORKSPACE_BYTES;
    lt preference;
    int count = 0;
    lt_must(library.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
    lt_must(library.preference_set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes,
                                   sizeof workspace_bytes),
            "cublasLtMatmulPreferenceSetAttribute");
    lt_must(library.choose(handle, self->desc, self->w_layout, self->x_layout, self->y_layout, self->y_layout,
                           preference, 1, &self->choice, &count),
            "cublasLtMatmulAlgoGetHeuristic");
    lt_must(count == 1 ? self->choice.state : -1, "cublasLtMatmulAlgoGetHeuristic");
    lt_must(library.preference_destroy(preference), "cublasLtMatmulPreferenceDestroy");
}

static lt_product *make_product(const product_case *of, int compute)
{
    lt_product *self = must_alloc(sizeof *self);
    const size_t inputs = of->inputs, outputs = of->outputs, rows = of->rows;
    self->x = make_memory(rows * inputs * sizeof(float));
    self->w = make_memory(outputs * inputs * sizeof(float));
    self->y = make_memory(rows * outputs * sizeof(float));
    self->workspace = make_memory(WORKSPACE_BYTES);
    describe(self, of, compute);
    choose(self);
    return self;
}

size_t vendor_cuda_products(const product_case *of, kas_precision precision,
                            vendor_run out[VENDOR_PRODUCTS_MAX])
{
    static const struct {
        const char *name;
        int compute;
    } kinds[] = {{"cuBLASLt", CUBLAS_COMPUTE_32F},
                 {"cuBLASLt with TF32", CUBLAS_COMPUTE_32F_FAST_TF32},
                 {"cuBLASLt with bfloat16", CUBLAS_COMPUTE_32F_FAST_16BF}};
    const size_t first = precision == KAS_PRECISION_BF16 ? 2 : 0, count = first ? 1 : 2;
    (void)vendor_cuda_open();
    if (!open_library()) return 0;
    for (size_t i = 0; i < count; ++i)
        out[i] = (vendor_run){kinds[first + i].name, run, finish, make_product(of, kinds[first + i].compute)};
    return count;
}
