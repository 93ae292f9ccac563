/* Which OpenCL devices there are, over all platforms (one a vendor's driver), and in which order. */
#include <stdlib.h>
#include <string.h>

#include "backends/core/probe.h"
#include "backends/opencl/opencl.h"
#include "base/log.h"

enum { PLATFORMS_MAX = 16 };

typedef struct candidate {
    kas_opencl_found found;
    char platform_name[128];
    size_t order; /* in which the loader told of it */
} candidate;

/* GPUs and accelerators before processors, then by the platform's name: the order in which loaders tell of
 * platforms is that of files in a folder, which differs from machine to machine. */
static int compare(const void *a, const void *b)
{
    const candidate *one = a, *other = b;
    if (one->found.processor != other->found.processor) return one->found.processor ? 1 : -1;
    int names = strcmp(one->platform_name, other->platform_name);
    if (names != 0) return names;
    return one->order < other->order ? -1 : one->order > other->order;
}

static size_t append_devices(const kas_opencl_symbols *cl, cl_platform_id platform, candidate *all,
                             size_t count)
{
    cl_device_id devices[KAS_OPENCL_DEVICES_MAX];
    cl_uint found = 0;
    char name[sizeof all->platform_name] = "";
    cl_int code = cl->clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, KAS_OPENCL_DEVICES_MAX, devices, &found);
    if (code != CL_SUCCESS) {
        kas_debug("opencl", "a platform lists no devices: %d", code);
        return count;
    }
    if (cl->clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name - 1, name, NULL) != CL_SUCCESS)
        name[0] = 0;
    for (cl_uint i = 0; i < found && i < KAS_OPENCL_DEVICES_MAX && count < KAS_OPENCL_DEVICES_MAX; ++i) {
        candidate *next = &all[count];
        cl_device_type type = 0;
        if (cl->clGetDeviceInfo(devices[i], CL_DEVICE_TYPE, sizeof type, &type, NULL) != CL_SUCCESS)
            continue; /* it has gone */
        next->found = (kas_opencl_found){
            .platform = platform,
            .id = devices[i],
            .processor =
                (type & CL_DEVICE_TYPE_CPU) && !(type & (CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_ACCELERATOR)),
        };
        memcpy(next->platform_name, name, sizeof name);
        next->order = count++;
    }
    return count;
}

size_t kas_opencl_find_devices(const kas_opencl_symbols *cl, kas_opencl_found out[KAS_OPENCL_DEVICES_MAX])
{
    cl_platform_id platforms[PLATFORMS_MAX];
    candidate all[KAS_OPENCL_DEVICES_MAX];
    cl_uint platform_count = 0;
    size_t count = 0;
    cl_int code = cl->clGetPlatformIDs(PLATFORMS_MAX, platforms, &platform_count);
    if (code != CL_SUCCESS) { /* −1001: the loader has no driver */
        kas_debug("opencl", "no platforms: %d", code);
        return 0;
    }
    for (cl_uint p = 0; p < platform_count && p < PLATFORMS_MAX; ++p)
        count = append_devices(cl, platforms[p], all, count);
    qsort(all, count, sizeof *all, compare);
    for (size_t i = 0; i < count; ++i)
        out[i] = all[i].found;
    return count;
}

static kas_status list_here(kas_device_info *infos, size_t capacity, size_t *count)
{
    *count = 0;
    const kas_opencl_symbols *cl = kas_opencl_load();
    if (!cl) return NULL;
    kas_opencl_found found[KAS_OPENCL_DEVICES_MAX];
    *count = kas_opencl_find_devices(cl, found);
    for (uint32_t i = 0; i < *count && i < capacity; ++i)
        kas_opencl_describe(cl, &found[i], i, &infos[i]);
    return NULL;
}

static kas_probe probe = KAS_PROBE("OpenCL", list_here);

static kas_status list(kas_device_info *infos, size_t capacity, size_t *count)
{
    if (kas_opencl_is_loaded()) return list_here(infos, capacity, count);
    return kas_probe_list(&probe, infos, capacity, count);
}

const kas_driver kas_opencl_driver = {.name = "opencl", .list = list, .device = &kas_opencl_device_ops};
