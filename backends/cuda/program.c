/* The portable kernels. */
#include "backends/cuda/module.h"

static kas_status load(kas_cuda_program *program)
{
    const kas_kernel kernel = program->base.kernel;
    const kas_cuda_kernel what = {.name = kas_kernel_get_info(kernel)->name,
                                  .source = kas_kernel_source(kernel, NULL),
                                  .image = kas_cuda_image_of(kernel)};
    return kas_cuda_load_kernel(kas_cuda_device_of(program->base.device), &what, &program->module,
                                &program->function);
}

static kas_status init(kas_program *base)
{
    const kas_cuda_device *device = kas_cuda_device_of(base->device);
    const kas_kernel_info *kernel = kas_kernel_get_info(base->kernel);
    if (kernel->group_items > base->device->limits.max_group_items)
        return kas_fail(KAS_UNSUPPORTED, DEVICE, "kernel %s has groups of %u work items, %s takes at most %u",
                        kernel->name, kernel->group_items, base->device->info.id,
                        base->device->limits.max_group_items);
    if (!kas_cuda_enter(device))
        return kas_cuda_fail(device->cuda, CUDA_ERROR_INVALID_CONTEXT, "cuCtxPushCurrent");
    kas_status status = load((kas_cuda_program *)base);
    kas_cuda_leave(device);
    return status;
}

static void finish(kas_program *base)
{
    const kas_cuda_device *device = kas_cuda_device_of(base->device);
    if (atomic_load(&base->device->lost) || !kas_cuda_enter(device)) return; /* it went with the context */
    (void)device->cuda->module_unload(((kas_cuda_program *)base)->module);
    kas_cuda_leave(device);
}

const kas_program_ops kas_cuda_program_ops = {
    .size_bytes = sizeof(kas_cuda_program),
    .init = init,
    .finish = finish,
};
