#include "backends/cuda/cuda.h"

static kas_code code_of(cuda_code code)
{
    switch (code) {
    case CUDA_ERROR_OUT_OF_MEMORY:
    case CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES:
        return KAS_OUT_OF_MEMORY;
    case CUDA_ERROR_DEINITIALIZED:
    case CUDA_ERROR_DEVICE_UNAVAILABLE:
    case CUDA_ERROR_NO_DEVICE:
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_NVLINK_UNCORRECTABLE:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_CONTEXT_IS_DESTROYED:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_SYSTEM_NOT_READY:
    case CUDA_ERROR_UNKNOWN:
        return KAS_DEVICE_LOST;
    default:
        return KAS_INTERNAL;
    }
}

kas_status kas_cuda_fail_at(const kas_cuda_symbols *cuda, cuda_code code, const char *file, int line,
                            const char *what)
{
    const char *name = NULL, *text = NULL;
    if (cuda->error_name(code, &name) != CUDA_SUCCESS || !name) name = "unknown CUDA error";
    if (cuda->error_string(code, &text) != CUDA_SUCCESS || !text) text = "no description";
    kas_status status = kas_status_make(code_of(code), KAS_BLAME_DEVICE, file, line, "%s: %s (%d): %s", what,
                                        name, (int)code, text);
    return kas_with_native(status, code);
}
