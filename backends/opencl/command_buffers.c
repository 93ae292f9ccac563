#include "backends/opencl/command_buffers.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

typedef struct extension_version { /* cl_name_version */
    uint32_t version;
    char name[64];
} extension_version;

enum { EXTENSIONS_MAX = 1024 };
#define VERSION(major, minor, patch) ((uint32_t)(major) << 22 | (uint32_t)(minor) << 12 | (uint32_t)(patch))

static bool refuse(const char *why)
{
    kas_debug("opencl", "lists are not recorded: %s", why);
    return false;
}

/* An extension's version; 0 where the device has it not, or does not tell versions. */
static uint32_t version_of(const extension_version *all, size_t count, const char *name)
{
    for (size_t i = 0; i < count; ++i)
        if (strncmp(all[i].name, name, sizeof all[i].name) == 0) return all[i].version;
    return 0;
}

/* Which the device tells from OpenCL 3.0 on, or by cl_khr_extended_versioning. */
static bool versions_are_known(const kas_opencl_symbols *cl, cl_device_id id)
{
    size_t size = 0;
    if (cl->clGetDeviceInfo(id, KAS_CL_DEVICE_EXTENSIONS_WITH_VERSION, 0, NULL, &size) != CL_SUCCESS ||
        size > EXTENSIONS_MAX * sizeof(extension_version))
        return refuse("the device tells no versions of extensions");
    extension_version *all = kas_calloc(1, size + 1);
    if (!all) return refuse("memory is out");
    cl_int code = cl->clGetDeviceInfo(id, KAS_CL_DEVICE_EXTENSIONS_WITH_VERSION, size, all, NULL);
    const size_t count = code == CL_SUCCESS ? size / sizeof *all : 0;
    const uint32_t base = version_of(all, count, "cl_khr_command_buffer");
    const uint32_t updates = version_of(all, count, "cl_khr_command_buffer_mutable_dispatch");
    kas_free(all);
    if (base == 0) return refuse("there is no cl_khr_command_buffer");
    if (updates == 0) return refuse("there is no cl_khr_command_buffer_mutable_dispatch");
    if (base >= VERSION(1, 0, 0) || updates < VERSION(0, 9, 2) || updates >= VERSION(1, 0, 0))
        return refuse("cl_khr_command_buffer is of a version that is not known here");
    return true;
}

/* Zero where the device does not know it. */
static cl_bitfield flags_of(const kas_opencl_symbols *cl, cl_device_id id, cl_device_info what)
{
    cl_bitfield flags = 0;
    return cl->clGetDeviceInfo(id, what, sizeof flags, &flags, NULL) == CL_SUCCESS ? flags : 0;
}

static bool suits(const kas_opencl_symbols *cl, cl_device_id id)
{
    const cl_bitfield fields = KAS_CL_UPDATABLE_ARGUMENTS | KAS_CL_UPDATABLE_GLOBAL_SIZE;
    if ((flags_of(cl, id, KAS_CL_DEVICE_MUTABLE_CAPABILITIES) & fields) != fields)
        return refuse("arguments or global sizes cannot be changed");
    if (flags_of(cl, id, KAS_CL_DEVICE_QUEUE_PROPERTIES_REQUIRED) & ~(cl_bitfield)CL_QUEUE_PROFILING_ENABLE)
        return refuse("they need queues that work out of order");
    const cl_bitfield supported = flags_of(cl, id, KAS_CL_DEVICE_QUEUE_PROPERTIES_SUPPORTED);
    if (supported != 0 && !(supported & CL_QUEUE_PROFILING_ENABLE))
        return refuse("they do not go with queues that profile");
    return true;
}

static bool find(const kas_opencl_symbols *cl, cl_platform_id platform, const char *name, void *slot)
{
    void *address = cl->clGetExtensionFunctionAddressForPlatform(platform, name);
    memcpy(slot, &address, sizeof address);
    return address != NULL;
}

bool kas_opencl_find_command_buffers(const kas_opencl_symbols *cl, cl_platform_id platform, cl_device_id id,
                                     kas_opencl_command_buffers *out)
{
    const char *wanted = getenv("KASMINA_OPENCL_COMMAND_BUFFERS");
    if (wanted && strcmp(wanted, "0") == 0) return refuse("KASMINA_OPENCL_COMMAND_BUFFERS is 0");
    if (!versions_are_known(cl, id) || !suits(cl, id)) return false;
#define FIND(type, member, name)                                                                             \
    if (!find(cl, platform, name, &out->member)) return refuse("the platform lacks " name);
    KAS_OPENCL_COMMAND_BUFFERS(FIND)
#undef FIND
    return true;
}
