#include "tests/cuda/state.h"

#include <string.h>

double_state double_world = {.lock = PTHREAD_MUTEX_INITIALIZER, .memory_limit = (size_t)1 << 30};

static _Thread_local unsigned depth; /* of this thread's stack of contexts */

static cuda_code check(const char *symbol, bool needs_context)
{
    ++double_world.counts.calls;
    if (double_world.sticky != CUDA_SUCCESS) return double_world.sticky;
    bool meant = !double_world.fault_symbol || strcmp(double_world.fault_symbol, symbol) == 0;
    if (meant && double_world.fault_in > 0 && --double_world.fault_in == 0) {
        double_world.fired = true;
        if (double_world.fault_sticky) double_world.sticky = double_world.fault_code;
        return double_world.fault_code;
    }
    if (!double_world.initialised && strcmp(symbol, "cuInit") != 0) return CUDA_ERROR_NOT_INITIALIZED;
    return needs_context && depth == 0 ? CUDA_ERROR_INVALID_CONTEXT : CUDA_SUCCESS;
}

cuda_code double_enter(const char *symbol, bool needs_context)
{
    pthread_mutex_lock(&double_world.lock);
    return check(symbol, needs_context);
}

cuda_code double_leave(cuda_code code)
{
    pthread_mutex_unlock(&double_world.lock);
    return code;
}

bool double_hangs_now(void)
{
    return double_world.hang_in > 0 && --double_world.hang_in == 0;
}

cuda_code double_stick(cuda_code code)
{
    double_world.sticky = code;
    return code;
}

/* ---- the tests' interface ---- */

#define LOCKED(...)                                                                                          \
    pthread_mutex_lock(&double_world.lock);                                                                  \
    __VA_ARGS__;                                                                                             \
    pthread_mutex_unlock(&double_world.lock)

EXPORT void double_fail(const char *symbol, unsigned nth, cuda_code code, bool sticky)
{
    LOCKED(double_world.fault_symbol = symbol; double_world.fault_in = nth; double_world.fault_code = code;
           double_world.fault_sticky = sticky; double_world.fired = false);
}

EXPORT bool double_may_go_on(const char *symbol, cuda_code *code)
{
    LOCKED(*code = check(symbol, true));
    return *code == CUDA_SUCCESS;
}

EXPORT bool double_fired(void)
{
    LOCKED(bool fired = double_world.fired);
    return fired;
}

EXPORT void double_hang(unsigned nth)
{
    LOCKED(double_world.hang_in = nth; double_world.released = false);
}

EXPORT void double_release(void)
{
    LOCKED(double_world.released = true);
}

EXPORT void double_without_pools(bool without)
{
    LOCKED(double_world.no_pools = without);
}

EXPORT void double_refuse_modules(unsigned count)
{
    LOCKED(double_world.refused_modules = count);
}

EXPORT void double_limit_memory(size_t bytes)
{
    LOCKED(double_world.memory_limit = bytes ? bytes : (size_t)1 << 30);
}

EXPORT void double_reset(void)
{
    LOCKED(double_world.fault_in = double_world.hang_in = double_world.refused_modules = 0;
           double_world.sticky = CUDA_SUCCESS; double_world.fired = false);
}

EXPORT void double_count(double_counts *out)
{
    LOCKED(*out = double_world.counts);
}

/* ---- the driver, devices, contexts ---- */

static struct cuda_context_object {
    int unused;
} primary;

EXPORT cuda_code cuInit(unsigned flags)
{
    ENTER(false);
    if (flags) LEAVE(CUDA_ERROR_INVALID_VALUE);
    double_world.initialised = true;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuDriverGetVersion(int *version)
{
    ENTER(false);
    *version = 11040;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuGetErrorName(cuda_code code, const char **name) /* works whatever has happened */
{
    *name = code == CUDA_ERROR_OUT_OF_MEMORY     ? "CUDA_ERROR_OUT_OF_MEMORY"
            : code == CUDA_ERROR_ILLEGAL_ADDRESS ? "CUDA_ERROR_ILLEGAL_ADDRESS"
            : code == CUDA_ERROR_LAUNCH_FAILED   ? "CUDA_ERROR_LAUNCH_FAILED"
                                                 : NULL;
    return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT cuda_code cuGetErrorString(cuda_code code, const char **text)
{
    *text = code == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory" : NULL;
    return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORT cuda_code cuDeviceGetCount(int *count)
{
    ENTER(false);
    *count = 1;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuDeviceGet(cuda_device_id *device, int index)
{
    ENTER(false);
    if (index != 0) LEAVE(CUDA_ERROR_INVALID_VALUE);
    *device = 0;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuDeviceGetName(char *name, int size, cuda_device_id device)
{
    ENTER(false);
    if (device != 0 || size < 1) LEAVE(CUDA_ERROR_INVALID_VALUE);
    strncpy(name, "Test double", (size_t)size - 1);
    name[size - 1] = '\0';
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuDeviceGetUuid(uint8_t *uuid, cuda_device_id device)
{
    ENTER(false);
    if (device != 0) LEAVE(CUDA_ERROR_INVALID_VALUE);
    for (uint8_t i = 0; i < 16; ++i)
        uuid[i] = (uint8_t)(i + 1);
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuDeviceTotalMem_v2(size_t *bytes, cuda_device_id device)
{
    ENTER(false);
    (void)device;
    *bytes = double_world.memory_limit;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuDeviceGetAttribute(int *value, int attribute, cuda_device_id device)
{
    ENTER(false);
    (void)device;
    switch (attribute) {
    case CUDA_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        *value = 1024;
        break;
    case CUDA_ATTRIBUTE_MAX_GRID_DIM_X:
        *value = INT32_MAX;
        break;
    case CUDA_ATTRIBUTE_MAX_GRID_DIM_Y:
        *value = 65535;
        break;
    case CUDA_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK:
        *value = 48 << 10;
        break;
    case CUDA_ATTRIBUTE_MULTIPROCESSOR_COUNT:
        *value = 1;
        break;
    case CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = 9;
        break;
    case CUDA_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *value = 0;
        break;
    case CUDA_ATTRIBUTE_MEMORY_POOLS_SUPPORTED:
        *value = !double_world.no_pools;
        break;
    default:
        LEAVE(CUDA_ERROR_INVALID_VALUE);
    }
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuDevicePrimaryCtxRetain(cuda_context *context, cuda_device_id device)
{
    ENTER(false);
    (void)device;
    ++double_world.counts.contexts;
    *context = &primary;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuDevicePrimaryCtxRelease_v2(cuda_device_id device)
{
    ENTER(false);
    (void)device;
    if (double_world.counts.contexts == 0) LEAVE(CUDA_ERROR_INVALID_CONTEXT);
    --double_world.counts.contexts;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuCtxPushCurrent_v2(cuda_context context)
{
    ENTER(false);
    if (context != &primary) LEAVE(CUDA_ERROR_INVALID_CONTEXT);
    ++depth;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuCtxPopCurrent_v2(cuda_context *context)
{
    pthread_mutex_lock(&double_world.lock); /* also after an error: a push must have its pop */
    if (depth == 0) LEAVE(CUDA_ERROR_INVALID_CONTEXT);
    --depth;
    *context = &primary;
    LEAVE(CUDA_SUCCESS);
}
