#include <stdio.h>
#include <string.h>

#include "backends/opencl/opencl.h"
#include "base/log.h"

/* A number or flag of the device; 0 where it does not know it. */
#define QUERY(cl, id, what, T)                                                                               \
    ({                                                                                                       \
        T value_ = 0;                                                                                        \
        if ((cl)->clGetDeviceInfo((id), (what), sizeof value_, &value_, NULL) != CL_SUCCESS) value_ = 0;     \
        value_;                                                                                              \
    })

static bool has_extension(const kas_opencl_symbols *cl, cl_device_id id, const char *name)
{
    char extensions[8192] = "";
    if (cl->clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, sizeof extensions - 1, extensions, NULL) != CL_SUCCESS)
        return false;
    size_t length = strlen(name);
    for (const char *at = extensions; (at = strstr(at, name)) != NULL; at += length)
        if ((at == extensions || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0)) return true;
    return false;
}

void kas_opencl_describe(const kas_opencl_symbols *cl, cl_device_id id, uint32_t index, kas_device_info *info,
                         kas_device_limits *limits)
{
    *info = (kas_device_info){.state = KAS_DEVICE_READY};
    snprintf(info->id, sizeof info->id, "opencl:%u", index);
    snprintf(info->kind, sizeof info->kind, "opencl");
    snprintf(info->api, sizeof info->api, "opencl");
    if (cl->clGetDeviceInfo(id, CL_DEVICE_NAME, sizeof info->name - 1, info->name, NULL) != CL_SUCCESS)
        snprintf(info->name, sizeof info->name, "OpenCL device %u", index);
    cl_device_type type = QUERY(cl, id, CL_DEVICE_TYPE, cl_device_type);
    info->software =
        (type & CL_DEVICE_TYPE_CPU) && !(type & (CL_DEVICE_TYPE_GPU | CL_DEVICE_TYPE_ACCELERATOR));
    info->memory_total_bytes = (size_t)QUERY(cl, id, CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong);
    size_t alignment = QUERY(cl, id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, cl_uint) / 8;
    *limits = (kas_device_limits){
        .max_buffer_bytes = (size_t)QUERY(cl, id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, cl_ulong),
        .buffer_alignment = alignment < 64 ? 64 : alignment,
        .max_shared_bytes = (size_t)QUERY(cl, id, CL_DEVICE_LOCAL_MEM_SIZE, cl_ulong),
        .max_group_items = (uint32_t)QUERY(cl, id, CL_DEVICE_MAX_WORK_GROUP_SIZE, size_t),
        .compute_units = QUERY(cl, id, CL_DEVICE_MAX_COMPUTE_UNITS, cl_uint),
        .fp16 = has_extension(cl, id, "cl_khr_fp16"),
        .bf16 = true, /* two in a word, by shifts */
        .subgroups = has_extension(cl, id, "cl_khr_subgroups"),
    };
}

static kas_status init(kas_device *base, uint32_t index)
{
    kas_opencl_device *device = kas_opencl_device_of(base);
    device->cl = kas_opencl_load();
    size_t count = 0;
    if (device->cl) KAS_TRY(kas_opencl_find_device(device->cl, index, &device->id, &count));
    if (index >= count)
        return kas_fail(KAS_NOT_FOUND, CALLER, "no device opencl:%u: %s has %zu", index,
                        device->cl ? "the OpenCL loader" : "this machine (without an OpenCL loader)", count);
    kas_opencl_describe(device->cl, device->id, index, &base->info, &base->limits);
    if (!QUERY(device->cl, device->id, CL_DEVICE_COMPILER_AVAILABLE, cl_bool))
        return kas_fail(KAS_UNSUPPORTED, DEVICE, "opencl:%u (%s) has no compiler", index, base->info.name);
    cl_int code;
    device->context = device->cl->clCreateContext(NULL, 1, &device->id, NULL, NULL, &code);
    return code == CL_SUCCESS ? NULL : kas_opencl_fail(code, "clCreateContext");
}

static void finish(kas_device *base)
{
    kas_opencl_device *device = kas_opencl_device_of(base);
    if (!atomic_load(&base->lost)) device->cl->clReleaseContext(device->context);
}

const kas_device_ops kas_opencl_device_ops = {
    .size_bytes = sizeof(kas_opencl_device),
    .init = init,
    .finish = finish,
    .buffer = &kas_opencl_buffer_ops,
    .program = &kas_opencl_program_ops,
    .queue = &kas_opencl_queue_ops,
};
