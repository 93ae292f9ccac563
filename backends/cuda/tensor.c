#include "kernels/dialect.h"

#include "kernels/scalar.h"

#include "kernels/act.h"

#include "backends/cuda/tensor.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backends/cuda/module.h"

static const struct {
    const char *name;
    kas_weight_type weights;
    uint32_t tile_rows, group_items;
} kernels[KAS_MMA_KERNEL_COUNT] = {
#define KERNEL_ENTRY(name, weights, rows, items)                                                             \
    [KAS_MMA_KERNEL_##name] = {#name, KAS_WEIGHT_##weights, rows, items},
    KAS_MMA_KERNELS(KERNEL_ENTRY)
#undef KERNEL_ENTRY
};

static bool has_tensor_cores(const kas_cuda_device *device)
{
    return device->major >= 8; /* before, no mma of bfloat16 or TF32, and no asynchronous copies */
}

void kas_cuda_tensor_tell(kas_cuda_device *device)
{
    if (!has_tensor_cores(device)) return;
    device->base.limits.fast_acts[KAS_WEIGHT_F16] = (1ull << ACT_COUNT) - 1;
    device->base.limits.fast_acts[KAS_WEIGHT_BF16] = (1ull << ACT_COUNT) - 1;
}

uint32_t kas_cuda_tensor_start(const kas_cuda_device *device, char name[KAS_DEVICE_FAST_SIZE])
{
    const size_t length = strlen(name);
    if (!has_tensor_cores(device)) return 0;
    snprintf(name + length, KAS_DEVICE_FAST_SIZE - length, "%smma for f16 and bf16 weights",
             length ? "; " : "");
    return 1u << KAS_WEIGHT_F16 | 1u << KAS_WEIGHT_BF16;
}

bool kas_cuda_is_tensor(const kas_list *list, size_t index)
{
    const kas_launch *launch = &list->launches[index];
    if (!list->device->limits.fast_acts[kas_kernel_weight_type(launch->kernel)]) return false;
    return (launch->kernel == KAS_KERNEL_linear_f16 && launch->precision == KAS_PRECISION_TF32) ||
           (launch->kernel == KAS_KERNEL_linear_bf16 && launch->precision == KAS_PRECISION_BF16);
}

/* ---- loading ---- */

static kas_status load_missing(kas_cuda_device *device, kas_weight_type weights)
{
    for (int i = 0; i < KAS_MMA_KERNEL_COUNT; ++i) {
        kas_cuda_tensor_kernel *place = &device->tensor[i];
        if (kernels[i].weights != weights || place->module) continue;
        const kas_cuda_kernel kernel = {
            .name = kernels[i].name,
            .source = kas_mma_kernel_source((kas_mma_kernel)i, NULL),
            .image = kas_cuda_mma_image_of((kas_mma_kernel)i),
        };
        KAS_TRY(kas_cuda_load_kernel(device, &kernel, &place->module, &place->function));
    }
    return NULL;
}

kas_status kas_cuda_tensor_load(kas_cuda_device *device, kas_kernel kernel)
{
    if (!kas_cuda_enter(device))
        return kas_cuda_fail(device->cuda, CUDA_ERROR_INVALID_CONTEXT, "cuCtxPushCurrent");
    pthread_mutex_lock(&device->base.lock);
    kas_status status = load_missing(device, kas_kernel_weight_type(kernel));
    pthread_mutex_unlock(&device->base.lock);
    kas_cuda_leave(device);
    return status;
}

void kas_cuda_tensor_finish(kas_cuda_device *device)
{
    for (int i = 0; i < KAS_MMA_KERNEL_COUNT; ++i)
        if (device->tensor[i].module) (void)device->cuda->module_unload(device->tensor[i].module);
}

/* ---- launching ---- */

static uint32_t tile_rows_for(uint32_t product_rows)
{
    return product_rows <= 16 ? 16 : product_rows <= 512 ? 64 : 128;
}

static uint32_t groups(uint32_t size, uint32_t tile)
{
    return (size + tile - 1) / tile;
}

void kas_cuda_tensor_aim(const kas_cuda_device *device, const kas_launch *launch, uint32_t rows,
                         cuda_bound_launch *bound)
{
    struct linear_args args;
    memcpy(&args, launch->args, sizeof args);
    const uint32_t product_rows = rows * (uint32_t)args.m; /* below 2³⁰, as indices are ints */
    const uint32_t tile_rows = tile_rows_for(product_rows);
    int i = 0;
    while (kernels[i].weights != kas_kernel_weight_type(launch->kernel) || kernels[i].tile_rows != tile_rows)
        ++i;
    bound->function = device->tensor[i].function;
    bound->grid_x = groups((uint32_t)args.n, MMA_COLUMNS);
    bound->grid_y = groups(product_rows, tile_rows);
    bound->block_x = kernels[i].group_items;
}
