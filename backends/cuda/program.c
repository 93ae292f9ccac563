/* Kernels: the build's machine code, else its PTX, else NVRTC on the portable source. */
#include "backends/cuda/cuda.h"
#include "backends/cuda/images.h"
#include "backends/cuda/nvrtc.h"
#include "base/alloc.h"

/* Whether another form of the kernel may do where this one did not. */
static bool does_not_suit(cuda_code code)
{
    return code == CUDA_ERROR_NO_BINARY_FOR_GPU || code == CUDA_ERROR_INVALID_IMAGE ||
           code == CUDA_ERROR_INVALID_PTX || code == CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
}

/* Code lies outside of the pool, in memory that the pool may be keeping. */
static cuda_code load_module(const kas_cuda_device *device, cuda_module *module, const void *image)
{
    cuda_code code = device->cuda->module_load(module, image);
    if (code != CUDA_ERROR_OUT_OF_MEMORY) return code;
    kas_cuda_trim(device);
    return device->cuda->module_load(module, image);
}

static kas_status load_compiled(const kas_cuda_device *device, kas_kernel kernel, cuda_module *module)
{
    char *ptx = NULL;
    KAS_TRY(kas_cuda_nvrtc_compile(device, kernel, &ptx));
    cuda_code code = load_module(device, module, ptx);
    kas_free(ptx);
    return code == CUDA_SUCCESS ? NULL : kas_cuda_fail(device->cuda, code, "loading what NVRTC compiled");
}

static kas_status load(const kas_cuda_device *device, kas_kernel kernel, cuda_module *module)
{
    const kas_cuda_image *image = kas_cuda_image_of(kernel);
    if (!image) return load_compiled(device, kernel, module);
    cuda_code code = load_module(device, module, image->fatbin);
    if (does_not_suit(code)) code = load_module(device, module, image->ptx);
    if (does_not_suit(code)) return load_compiled(device, kernel, module);
    return code == CUDA_SUCCESS ? NULL : kas_cuda_fail(device->cuda, code, "cuModuleLoadData");
}

static kas_status make(kas_cuda_program *program)
{
    const kas_cuda_device *device = kas_cuda_device_of(program->base.device);
    const char *name = kas_kernel_get_info(program->base.kernel)->name;
    KAS_TRY(kas_annotate(load(device, program->base.kernel, &program->module), "kernel %s", name));
    cuda_code code = device->cuda->module_function(&program->function, program->module, name);
    if (code == CUDA_SUCCESS) return NULL;
    (void)device->cuda->module_unload(program->module);
    return kas_annotate(kas_cuda_fail(device->cuda, code, "cuModuleGetFunction"), "kernel %s", name);
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
    kas_status status = make((kas_cuda_program *)base);
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
