#include "backends/cuda/module.h"

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

static kas_status load_compiled(const kas_cuda_device *device, const kas_cuda_kernel *kernel,
                                cuda_module *module)
{
    char *ptx = NULL;
    KAS_TRY(kas_cuda_nvrtc_compile(device, kernel->name, kernel->source, &ptx));
    cuda_code code = load_module(device, module, ptx);
    kas_free(ptx);
    return code == CUDA_SUCCESS ? NULL : kas_cuda_fail(device->cuda, code, "loading what NVRTC compiled");
}

static kas_status load(const kas_cuda_device *device, const kas_cuda_kernel *kernel, cuda_module *module)
{
    if (!kernel->image) return load_compiled(device, kernel, module);
    cuda_code code = load_module(device, module, kernel->image->fatbin);
    if (does_not_suit(code)) code = load_module(device, module, kernel->image->ptx);
    if (does_not_suit(code)) return load_compiled(device, kernel, module);
    return code == CUDA_SUCCESS ? NULL : kas_cuda_fail(device->cuda, code, "cuModuleLoadData");
}

kas_status kas_cuda_load_kernel(const kas_cuda_device *device, const kas_cuda_kernel *kernel,
                                cuda_module *module, cuda_function *function)
{
    cuda_module loaded;
    KAS_TRY(kas_annotate(load(device, kernel, &loaded), "kernel %s", kernel->name));
    cuda_code code = device->cuda->module_function(function, loaded, kernel->name);
    if (code != CUDA_SUCCESS) {
        (void)device->cuda->module_unload(loaded);
        return kas_annotate(kas_cuda_fail(device->cuda, code, "cuModuleGetFunction"), "kernel %s",
                            kernel->name);
    }
    *module = loaded;
    return NULL;
}
