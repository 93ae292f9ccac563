/* A test double of cuBLASLt: descriptors on the heap, products in plain C on the driver double's memory, as
 * lazy as its streams. Factors are rounded as the compute type says, so that a wrong one shows; a matrix that
 * is not within one allocation, or a bias that is none, is an illegal address. What no product of ours has is
 * refused. */
#include "backends/cuda/cublaslt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/double.h"

#define EXPORT                                __attribute__((visibility("default")))
#define PROTOTYPE(member, symbol, parameters) EXPORT cublaslt_code symbol parameters;
KAS_CUBLASLT_SYMBOLS(PROTOTYPE)
#undef PROTOTYPE
EXPORT size_t cublasLtGetVersion(void);

enum { INTERNAL_ERROR = 14 };

struct cublaslt_desc_object {
    int compute;
    uint32_t epilogue;
    cuda_address bias;
};
struct cublaslt_layout_object {
    uint64_t rows, columns;
    int64_t stride;
};
struct cublaslt_preference_object {
    uint64_t workspace;
};

/* Out of memory is cuBLAS's own; NOT_FOUND stands for "no algorithm"; anything else is an internal error. */
static cublaslt_code translated(cuda_code code)
{
    return code == CUDA_ERROR_OUT_OF_MEMORY ? CUBLASLT_ALLOC_FAILED
           : code == CUDA_ERROR_NOT_FOUND   ? CUBLASLT_NOT_SUPPORTED
                                            : INTERNAL_ERROR;
}

#define ENTER                                                                                                \
    do {                                                                                                     \
        cuda_code fault_;                                                                                    \
        if (!double_may_go_on(__func__, &fault_)) return translated(fault_);                                 \
    } while (0)

#define MAKE(out, ...)                                                                                       \
    do {                                                                                                     \
        ENTER;                                                                                               \
        *(out) = malloc(sizeof **(out));                                                                     \
        if (!*(out)) return CUBLASLT_ALLOC_FAILED;                                                           \
        **(out) = (__typeof__(**(out)))__VA_ARGS__;                                                          \
        return CUBLASLT_SUCCESS;                                                                             \
    } while (0)

size_t cublasLtGetVersion(void)
{
    return 120304;
}

cublaslt_code cublasLtCreate(void **handle)
{
    ENTER;
    *handle = malloc(1);
    return *handle ? CUBLASLT_SUCCESS : CUBLASLT_ALLOC_FAILED;
}

cublaslt_code cublasLtDestroy(void *handle)
{
    free(handle);
    return CUBLASLT_SUCCESS;
}

cublaslt_code cublasLtMatmulDescCreate(cublaslt_desc *desc, int compute, int scale)
{
    if (scale != CUBLASLT_R_32F) return CUBLASLT_INVALID_VALUE;
    MAKE(desc, {.compute = compute, .epilogue = CUBLASLT_EPILOGUE_NONE});
}

cublaslt_code cublasLtMatmulDescDestroy(cublaslt_desc desc)
{
    free(desc);
    return CUBLASLT_SUCCESS;
}

cublaslt_code cublasLtMatmulDescSetAttribute(cublaslt_desc desc, int attribute, const void *value,
                                             size_t bytes)
{
    ENTER;
    if (attribute == CUBLASLT_DESC_EPILOGUE && bytes == sizeof desc->epilogue)
        memcpy(&desc->epilogue, value, bytes);
    else if (attribute == CUBLASLT_DESC_BIAS_POINTER && bytes == sizeof desc->bias)
        memcpy(&desc->bias, value, bytes);
    else
        return CUBLASLT_INVALID_VALUE;
    return CUBLASLT_SUCCESS;
}

cublaslt_code cublasLtMatrixLayoutCreate(cublaslt_layout *layout, int type, uint64_t rows, uint64_t columns,
                                         int64_t stride)
{
    if (type != CUBLASLT_R_32F || stride < (int64_t)rows) return CUBLASLT_INVALID_VALUE;
    MAKE(layout, {.rows = rows, .columns = columns, .stride = stride});
}

cublaslt_code cublasLtMatrixLayoutDestroy(cublaslt_layout layout)
{
    free(layout);
    return CUBLASLT_SUCCESS;
}

cublaslt_code cublasLtMatrixLayoutSetAttribute(cublaslt_layout layout, int attribute, const void *value,
                                               size_t bytes)
{
    ENTER;
    if (attribute != CUBLASLT_LAYOUT_COLUMNS || bytes != sizeof layout->columns)
        return CUBLASLT_INVALID_VALUE;
    memcpy(&layout->columns, value, bytes);
    return CUBLASLT_SUCCESS;
}

cublaslt_code cublasLtMatmulPreferenceCreate(cublaslt_preference *preference)
{
    MAKE(preference, {0});
}

cublaslt_code cublasLtMatmulPreferenceDestroy(cublaslt_preference preference)
{
    free(preference);
    return CUBLASLT_SUCCESS;
}

cublaslt_code cublasLtMatmulPreferenceSetAttribute(cublaslt_preference preference, int attribute,
                                                   const void *value, size_t bytes)
{
    ENTER;
    if (attribute != CUBLASLT_PREFER_WORKSPACE || bytes != sizeof preference->workspace)
        return CUBLASLT_INVALID_VALUE;
    memcpy(&preference->workspace, value, bytes);
    return CUBLASLT_SUCCESS;
}

static bool fits(const struct cublaslt_layout_object *a, const struct cublaslt_layout_object *b,
                 const struct cublaslt_layout_object *d)
{
    return a->rows == d->rows && a->columns == b->rows && b->columns == d->columns;
}

cublaslt_code cublasLtMatmulAlgoGetHeuristic(void *handle, cublaslt_desc desc, cublaslt_layout a,
                                             cublaslt_layout b, cublaslt_layout c, cublaslt_layout d,
                                             cublaslt_preference preference, int wanted,
                                             cublaslt_choice *choices, int *count)
{
    ENTER;
    if (!handle || !desc || c != d || wanted < 1 || !fits(a, b, d)) return CUBLASLT_INVALID_VALUE;
    *choices = (cublaslt_choice){.algorithm = {{d->columns}},
                                 .workspace_bytes = preference->workspace >= 4096 ? 4096 : 0};
    *count = 1;
    return CUBLASLT_SUCCESS;
}

/* ---- multiplying ---- */

typedef struct product {
    int compute;
    uint32_t epilogue;
    size_t n, k, rows, a_stride, b_stride, d_stride, workspace_bytes;
    cuda_address a, b, d, bias, workspace;
} product;

static float rounded(float x, int compute)
{
    uint32_t bits, drop = compute == CUBLASLT_32F_BF16 ? 16 : compute == CUBLASLT_32F_TF32 ? 13 : 0;
    memcpy(&bits, &x, sizeof bits);
    if (drop > 0 && (bits & 0x7f800000u) != 0x7f800000u) {
        bits += 1u << (drop - 1);
        bits &= ~0u << drop;
    }
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float finished(const product *p, const float *bias, size_t column, float sum)
{
    if (bias) sum += bias[column];
    if (!(p->epilogue & CUBLASLT_EPILOGUE_GELU_BIT)) return sum;
    return 0.5f * sum * (1.0f + tanhf(0.7978845608f * (sum + 0.044715f * sum * sum * sum)));
}

static cuda_code multiply(void *data)
{
    const product *p = data;
    const float *a = double_address(p->a, ((p->k - 1) * p->a_stride + p->n) * sizeof *a);
    const float *b = double_address(p->b, ((p->rows - 1) * p->b_stride + p->k) * sizeof *b);
    float *d = double_address(p->d, ((p->rows - 1) * p->d_stride + p->n) * sizeof *d);
    const bool has_bias = p->epilogue & CUBLASLT_EPILOGUE_BIAS_BIT;
    const float *bias = has_bias ? double_address(p->bias, p->n * sizeof *bias) : NULL;
    char *workspace = double_address(p->workspace, p->workspace_bytes);
    if (!a || !b || !d || (has_bias && !bias) || !workspace) return CUDA_ERROR_ILLEGAL_ADDRESS;
    memset(workspace, 0xff, p->workspace_bytes);
    for (size_t row = 0; row < p->rows; ++row)
        for (size_t column = 0; column < p->n; ++column) {
            float sum = 0;
            for (size_t k = 0; k < p->k; ++k)
                sum += rounded(a[k * p->a_stride + column], p->compute) *
                       rounded(b[row * p->b_stride + k], p->compute);
            d[row * p->d_stride + column] = finished(p, bias, column, sum);
        }
    return CUDA_SUCCESS;
}

cublaslt_code cublasLtMatmul(void *handle, cublaslt_desc desc, const void *alpha, cuda_address a,
                             cublaslt_layout a_layout, cuda_address b, cublaslt_layout b_layout,
                             const void *beta, cuda_address c, cublaslt_layout c_layout, cuda_address d,
                             cublaslt_layout d_layout, const cublaslt_algorithm *algorithm,
                             cuda_address workspace, size_t workspace_bytes, cuda_stream stream)
{
    ENTER;
    float scales[2];
    memcpy(&scales[0], alpha, sizeof scales[0]);
    memcpy(&scales[1], beta, sizeof scales[1]);
    if (!handle || c != d || c_layout != d_layout || scales[0] != 1.0f || scales[1] != 0.0f ||
        !fits(a_layout, b_layout, d_layout) || d_layout->columns > algorithm->words[0] ||
        workspace_bytes < 4096)
        return CUBLASLT_INVALID_VALUE;
    product *p = malloc(sizeof *p);
    if (!p) return CUBLASLT_ALLOC_FAILED;
    *p = (product){.compute = desc->compute,
                   .epilogue = desc->epilogue,
                   .bias = desc->bias,
                   .n = d_layout->rows,
                   .k = b_layout->rows,
                   .rows = d_layout->columns,
                   .a_stride = (size_t)a_layout->stride,
                   .b_stride = (size_t)b_layout->stride,
                   .d_stride = (size_t)d_layout->stride,
                   .a = a,
                   .b = b,
                   .d = d,
                   .workspace = workspace,
                   .workspace_bytes = workspace_bytes};
    cuda_code code = double_call(stream, multiply, p);
    if (code == CUDA_SUCCESS) return CUBLASLT_SUCCESS;
    free(p);
    return translated(code);
}
