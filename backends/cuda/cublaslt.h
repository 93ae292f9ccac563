/* cuBLASLt, opened at run time: the fast product of CUDA devices. Its absence is no failure: layers that may
 * give up precision then get the portable product, and a device says so (kas_device_fast_product). Loading it
 * takes a second: nothing does but that question.
 *
 * Its binary interface is declared here, so that no header is needed to build. Names, numbers and signatures:
 * cuBLAS documentation, 12.0 and later. */
#ifndef KAS_CUDA_CUBLASLT_H
#define KAS_CUDA_CUBLASLT_H

#include "backends/cuda/cuda.h"

typedef int cublaslt_code;                              /* cublasStatus_t */
typedef struct cublaslt_desc_object *cublaslt_desc;     /* cublasLtMatmulDesc_t */
typedef struct cublaslt_layout_object *cublaslt_layout; /* cublasLtMatrixLayout_t */
typedef struct cublaslt_preference_object *cublaslt_preference;

enum { /* cublasStatus_t */
       CUBLASLT_SUCCESS = 0,
       CUBLASLT_NOT_INITIALIZED = 1,
       CUBLASLT_ALLOC_FAILED = 3,
       CUBLASLT_INVALID_VALUE = 7,
       CUBLASLT_ARCH_MISMATCH = 8,
       CUBLASLT_NOT_SUPPORTED = 15,
};

enum {
    CUBLASLT_R_32F = 0,             /* CUDA_R_32F */
    CUBLASLT_32F = 68,              /* CUBLAS_COMPUTE_32F */
    CUBLASLT_32F_BF16 = 75,         /* CUBLAS_COMPUTE_32F_FAST_16BF */
    CUBLASLT_32F_TF32 = 77,         /* CUBLAS_COMPUTE_32F_FAST_TF32 */
    CUBLASLT_DESC_EPILOGUE = 7,     /* uint32_t */
    CUBLASLT_DESC_BIAS_POINTER = 8, /* device address; one float a row of D */
    CUBLASLT_LAYOUT_COLUMNS = 3,    /* uint64_t */
    CUBLASLT_PREFER_WORKSPACE = 1,  /* uint64_t: bytes at most */
    CUBLASLT_EPILOGUE_NONE = 1,
    CUBLASLT_EPILOGUE_BIAS_BIT = 4,
    CUBLASLT_EPILOGUE_GELU_BIT = 32, /* by tanh */
};

typedef struct cublaslt_algorithm { /* cublasLtMatmulAlgo_t */
    uint64_t words[8];
} cublaslt_algorithm;

typedef struct cublaslt_choice { /* cublasLtMatmulHeuristicResult_t */
    cublaslt_algorithm algorithm;
    size_t workspace_bytes;
    cublaslt_code code;
    float waves;
    int reserved[4];
} cublaslt_choice;

/* X(member, symbol of the library, parameters); all but the version return a cublasStatus_t. */
#define KAS_CUBLASLT_SYMBOLS(X)                                                                              \
    X(create, cublasLtCreate, (void **handle))                                                               \
    X(destroy, cublasLtDestroy, (void *handle))                                                              \
    X(desc_create, cublasLtMatmulDescCreate, (cublaslt_desc * desc, int compute, int scale))                 \
    X(desc_destroy, cublasLtMatmulDescDestroy, (cublaslt_desc desc))                                         \
    X(desc_set, cublasLtMatmulDescSetAttribute,                                                              \
      (cublaslt_desc desc, int attribute, const void *value, size_t bytes))                                  \
    X(layout_create, cublasLtMatrixLayoutCreate,                                                             \
      (cublaslt_layout * layout, int type, uint64_t rows, uint64_t columns, int64_t stride))                 \
    X(layout_destroy, cublasLtMatrixLayoutDestroy, (cublaslt_layout layout))                                 \
    X(layout_set, cublasLtMatrixLayoutSetAttribute,                                                          \
      (cublaslt_layout layout, int attribute, const void *value, size_t bytes))                              \
    X(preference_create, cublasLtMatmulPreferenceCreate, (cublaslt_preference * preference))                 \
    X(preference_destroy, cublasLtMatmulPreferenceDestroy, (cublaslt_preference preference))                 \
    X(preference_set, cublasLtMatmulPreferenceSetAttribute,                                                  \
      (cublaslt_preference preference, int attribute, const void *value, size_t bytes))                      \
    X(choose, cublasLtMatmulAlgoGetHeuristic,                                                                \
      (void *handle, cublaslt_desc desc, cublaslt_layout a, cublaslt_layout b, cublaslt_layout c,            \
       cublaslt_layout d, cublaslt_preference preference, int wanted, cublaslt_choice *choices, int *count)) \
    X(multiply, cublasLtMatmul,                                                                              \
      (void *handle, cublaslt_desc desc, const void *alpha, cuda_address a, cublaslt_layout a_layout,        \
       cuda_address b, cublaslt_layout b_layout, const void *beta, cuda_address c, cublaslt_layout c_layout, \
       cuda_address d, cublaslt_layout d_layout, const cublaslt_algorithm *algorithm,                        \
       cuda_address workspace, size_t workspace_bytes, cuda_stream stream))

typedef struct kas_cublaslt_symbols {
#define KAS_CUBLASLT_MEMBER(member, symbol, parameters) cublaslt_code(*member) parameters;
    KAS_CUBLASLT_SYMBOLS(KAS_CUBLASLT_MEMBER)
#undef KAS_CUBLASLT_MEMBER
    size_t (*version)(void); /* cublasLtGetVersion: 130100 is 13.1.0 */
} kas_cublaslt_symbols;

/* Opens libcublasLt.so.13 or .12 (KASMINA_CUBLASLT names another file) once. NULL where there is none;
 * kas_debug area "cuda" says why. Any thread. */
const kas_cublaslt_symbols *kas_cublaslt_load(void);

extern const uint64_t kas_cublaslt_acts; /* limits.fast_acts of float32 */

/* Of start_fast_product of CUDA devices: loads and starts cuBLASLt, sets device->blas, names the version and
 * returns the types; or leaves both as they are, with a line in the log, and returns 0. */
uint32_t kas_cublaslt_start(kas_device *device, char name[KAS_DEVICE_FAST_SIZE]);

/* A failed call as a status: KAS_OUT_OF_MEMORY or KAS_INTERNAL, blame device. native: cuBLAS's code. */
kas_status kas_cublaslt_fail_at(const kas_cuda_device *device, cublaslt_code code, const char *file, int line,
                                const char *what) KAS_MUST_USE;
#define kas_cublaslt_fail(device, code, what)                                                                \
    kas_cublaslt_fail_at((device), (code), __FILE__, __LINE__, (what))

#endif
