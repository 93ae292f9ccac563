/* Which OpenCL devices there are. */
#include <string.h>

#include "backends/core/probe.h"
#include "backends/opencl/opencl.h"
#include "base/log.h"

enum { PLATFORMS_MAX = 16, DEVICES_MAX = 64 };

static size_t devices_of(const kas_opencl_symbols *cl, cl_platform_id platform, cl_device_id *out)
{
    cl_uint count = 0;
    cl_int code = cl->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, DEVICES_MAX, out, &count);
    if (code != CL_SUCCESS) {
        kas_debug("opencl", "a platform lists no devices: %d", code);
        return 0;
    }
    return count < DEVICES_MAX ? count : DEVICES_MAX;
}

kas_status kas_opencl_find_device(const kas_opencl_symbols *cl, uint32_t index, cl_device_id *out,
                                  size_t *count)
{
    cl_platform_id platforms[PLATFORMS_MAX];
    cl_uint platform_count = 0;
    *count = 0;
    cl_int code = cl->clGetPlatformIDs(PLATFORMS_MAX, platforms, &platform_count);
    if (code != CL_SUCCESS) { /* −1001: the loader has no driver */
        kas_debug("opencl", "no platforms: %d", code);
        return NULL;
    }
    if (platform_count > PLATFORMS_MAX) platform_count = PLATFORMS_MAX;
    for (cl_uint p = 0; p < platform_count; ++p) {
        cl_device_id devices[DEVICES_MAX];
        size_t found = devices_of(cl, platforms[p], devices);
        if (out && index >= *count && index < *count + found) *out = devices[index - *count];
        *count += found;
    }
    return NULL;
}

kas_status kas_opencl_list_here(kas_device_info *infos, size_t capacity, size_t *count)
{
    *count = 0;
    const kas_opencl_symbols *cl = kas_opencl_load();
    if (!cl) return NULL;
    KAS_TRY(kas_opencl_find_device(cl, 0, NULL, count));
    for (uint32_t i = 0; i < *count && i < capacity; ++i) {
        cl_device_id id = NULL;
        size_t now = 0;
        KAS_TRY(kas_opencl_find_device(cl, i, &id, &now));
        if (i >= now) { /* one has gone since */
            *count = now;
            return NULL;
        }
        kas_device_limits limits;
        kas_opencl_describe(cl, id, i, &infos[i], &limits);
    }
    return NULL;
}

static kas_probe probe = KAS_PROBE("OpenCL", kas_opencl_list_here);

static kas_status list(kas_device_info *infos, size_t capacity, size_t *count)
{
    if (kas_opencl_is_loaded()) return kas_opencl_list_here(infos, capacity, count);
    return kas_probe_list(&probe, infos, capacity, count);
}

const kas_driver kas_opencl_driver = {.name = "opencl", .list = list, .device = &kas_opencl_device_ops};
