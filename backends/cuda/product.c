#include "kernels/dialect.h"

#include "kernels/scalar.h"

#include "kernels/act.h"

#include <string.h>

#include "backends/cuda/product.h"
#include "base/log.h"

/* What NVIDIA advises for Hopper and later, and for what came before. */
static size_t product_workspace_bytes(const kas_cuda_device *device)
{
    return (size_t)(device->major >= 9 ? 32 : 4) << 20;
}

bool kas_cuda_is_fast(const kas_list *list, size_t index)
{
    const kas_launch *launch = &list->launches[index];
    struct linear_args args;
    if (launch->precision == KAS_PRECISION_F32 || launch->kernel != KAS_KERNEL_linear) return false;
    memcpy(&args, launch->args, sizeof args);
    return args.act >= 0 && args.act < ACT_COUNT &&
           list->device->limits.fast_acts[KAS_WEIGHT_F32] >> args.act & 1;
}

/* ---- choosing ---- */

static void drop(const kas_cuda_device *device, cuda_product *product)
{
    const kas_cublaslt_symbols *blas = device->blas;
    if (product->desc) (void)blas->desc_destroy(product->desc);
    if (product->weights) (void)blas->layout_destroy(product->weights);
    if (product->x) (void)blas->layout_destroy(product->x);
    if (product->y) (void)blas->layout_destroy(product->y);
    *product = (cuda_product){0};
}

void kas_cuda_products_finish(const kas_cuda_device *device, cuda_products *products)
{
    for (size_t i = 0; i < CUDA_PRODUCTS_MAX; ++i)
        drop(device, &products->places[i]);
    kas_buffer_release(products->workspace);
}

/* cuBLASLt's matrices are column by column, so ours are their transposes: Yᵀ [n, rows] = Wᵀ [n, k] Xᵀ [k,
 * rows], each as it lies in memory. */
static cublaslt_code describe(const kas_cublaslt_symbols *blas, cuda_product *product)
{
    const uint64_t k = (uint64_t)product->inputs, n = (uint64_t)product->outputs, rows = product->bucket;
    cublaslt_code code = blas->desc_create(&product->desc, product->compute, CUBLASLT_R_32F);
    if (code == CUBLASLT_SUCCESS)
        code = blas->desc_set(product->desc, CUBLASLT_DESC_EPILOGUE, &product->epilogue,
                              sizeof product->epilogue);
    if (code == CUBLASLT_SUCCESS)
        code = blas->layout_create(&product->weights, CUBLASLT_R_32F, n, k, product->outputs);
    if (code == CUBLASLT_SUCCESS)
        code = blas->layout_create(&product->x, CUBLASLT_R_32F, k, rows, product->inputs);
    if (code == CUBLASLT_SUCCESS)
        code = blas->layout_create(&product->y, CUBLASLT_R_32F, n, rows, product->outputs);
    return code;
}

static cublaslt_code ask(const kas_cuda_device *device, cublaslt_preference preference, cuda_product *product)
{
    const kas_cublaslt_symbols *blas = device->blas;
    const uint64_t workspace = product_workspace_bytes(device);
    int count = 0;
    cublaslt_code code =
        blas->preference_set(preference, CUBLASLT_PREFER_WORKSPACE, &workspace, sizeof workspace);
    if (code == CUBLASLT_SUCCESS)
        code = blas->choose(device->blas_handle, product->desc, product->weights, product->x, product->y,
                            product->y, preference, 1, &product->choice, &count);
    product->refused = code == CUBLASLT_NOT_SUPPORTED || code == CUBLASLT_ARCH_MISMATCH ||
                       (code == CUBLASLT_SUCCESS && count < 1);
    return product->refused ? CUBLASLT_SUCCESS : code;
}

static kas_status choose(const kas_cuda_device *device, cuda_product *product)
{
    const kas_cublaslt_symbols *blas = device->blas;
    cublaslt_preference preference = NULL;
    cublaslt_code code = describe(blas, product);
    if (code == CUBLASLT_SUCCESS) code = blas->preference_create(&preference);
    if (code == CUBLASLT_SUCCESS) code = ask(device, preference, product);
    if (preference) (void)blas->preference_destroy(preference);
    if (code != CUBLASLT_SUCCESS) return kas_cublaslt_fail(device, code, "choosing a product of cuBLASLt");
    if (product->refused)
        kas_debug("cuda", "%s: cuBLASLt has no product of %u rows, %d inputs and %d outputs",
                  device->base.info.id, product->bucket, product->inputs, product->outputs);
    return NULL;
}

/* ---- what was chosen ---- */

static uint32_t bucket_of(uint32_t rows)
{
    return rows <= 1 ? 1 : 1u << (32 - __builtin_clz(rows - 1));
}

static cuda_product key_of(const kas_launch *launch, const struct linear_args *args, uint32_t rows)
{
    uint32_t epilogue = 0;
    if (args->has_bias) epilogue |= CUBLASLT_EPILOGUE_BIAS_BIT;
    if (args->act == ACT_GELU_TANH) epilogue |= CUBLASLT_EPILOGUE_GELU_BIT;
    return (cuda_product){
        .inputs = args->k,
        .outputs = args->n,
        .compute = launch->precision == KAS_PRECISION_BF16 ? CUBLASLT_32F_BF16 : CUBLASLT_32F_TF32,
        .epilogue = epilogue ? epilogue : CUBLASLT_EPILOGUE_NONE,
        .bucket = bucket_of(rows),
    };
}

static bool same(const cuda_product *a, const cuda_product *b)
{
    return a->inputs == b->inputs && a->outputs == b->outputs && a->compute == b->compute &&
           a->epilogue == b->epilogue && a->bucket == b->bucket;
}

/* The product of that key, made where it is not there, in the place that was used longest ago. */
static kas_status find(const kas_cuda_device *device, cuda_products *products, const cuda_product *key,
                       cuda_product **out)
{
    cuda_product *oldest = &products->places[0];
    for (size_t i = 0; i < CUDA_PRODUCTS_MAX; ++i) {
        cuda_product *place = &products->places[i];
        *out = place;
        if (same(place, key)) return NULL;
        if (place->last_use < oldest->last_use) oldest = place;
    }
    drop(device, oldest);
    *oldest = *key;
    *out = oldest;
    kas_status status = choose(device, oldest);
    if (status) drop(device, oldest);
    return status;
}

/* ---- multiplying ---- */

static kas_status prepare_workspace(kas_cuda_device *device, cuda_products *products,
                                    const cuda_product *product)
{
    if (product->choice.workspace_bytes == 0 || products->workspace) return NULL;
    return kas_buffer_create(&device->base, product_workspace_bytes(device), "workspace of cuBLASLt",
                             &products->workspace);
}

static cublaslt_code tell(const kas_cublaslt_symbols *blas, const cuda_product *product, cuda_address bias,
                          uint64_t rows)
{
    cublaslt_code code = CUBLASLT_SUCCESS;
    if (product->epilogue & CUBLASLT_EPILOGUE_BIAS_BIT)
        code = blas->desc_set(product->desc, CUBLASLT_DESC_BIAS_POINTER, &bias, sizeof bias);
    if (code == CUBLASLT_SUCCESS)
        code = blas->layout_set(product->x, CUBLASLT_LAYOUT_COLUMNS, &rows, sizeof rows);
    if (code == CUBLASLT_SUCCESS)
        code = blas->layout_set(product->y, CUBLASLT_LAYOUT_COLUMNS, &rows, sizeof rows);
    return code;
}

kas_status kas_cuda_multiply(kas_cuda_device *device, cuda_products *products, const kas_launch *launch,
                             const cuda_bound_launch *bound, uint32_t rows, cuda_stream stream, bool *done)
{
    static const float one = 1.0f, zero = 0.0f;
    enum { X = 1, WEIGHTS, BIAS, Y }; /* buffers of kernels/linear.k */
    const kas_cublaslt_symbols *blas = device->blas;
    struct linear_args args;
    memcpy(&args, launch->args, sizeof args);
    const uint32_t product_rows = rows * (uint32_t)args.m; /* below 2³⁰, as indices are ints */
    const cuda_product key = key_of(launch, &args, product_rows);
    cuda_product *product;
    *done = false;
    if (!blas) return NULL;
    KAS_TRY(find(device, products, &key, &product));
    product->last_use = ++products->uses;
    if (product->refused) return NULL;
    KAS_TRY(prepare_workspace(device, products, product));
    cublaslt_code code = tell(blas, product, bound->addresses[BIAS], product_rows);
    if (code == CUBLASLT_SUCCESS)
        code = blas->multiply(device->blas_handle, product->desc, &one, bound->addresses[WEIGHTS],
                              product->weights, bound->addresses[X], product->x, &zero, bound->addresses[Y],
                              product->y, bound->addresses[Y], product->y, &product->choice.algorithm,
                              products->workspace ? kas_cuda_address_of(products->workspace) : 0,
                              products->workspace ? product_workspace_bytes(device) : 0, stream);
    if (code != CUBLASLT_SUCCESS) return kas_cublaslt_fail(device, code, "cublasLtMatmul");
    *done = true;
    return NULL;
}
