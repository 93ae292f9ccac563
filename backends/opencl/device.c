#include <stdio.h>
#include <string.h>

#include "backends/opencl/opencl.h"

#include <CL/cl_ext.h> /* behind symbols.h, which says which version */

enum { VERSION_LEAST = 12 };

/* A number or flag of the device; 0 where it does not know it. */
#define QUERY(cl, id, what, T)                                                                               \
    ({                                                                                                       \
        T value_ = 0;                                                                                        \
        if ((cl)->clGetDeviceInfo((id), (what), sizeof value_, &value_, NULL) != CL_SUCCESS) value_ = 0;     \
        value_;                                                                                              \
    })

bool kas_opencl_has_extension(const kas_opencl_symbols *cl, cl_device_id id, const char *name)
{
    char extensions[8192] = "";
    if (cl->clGetDeviceInfo(id, CL_DEVICE_EXTENSIONS, sizeof extensions - 1, extensions, NULL) != CL_SUCCESS)
        return false;
    size_t length = strlen(name);
    for (const char *at = extensions; (at = strstr(at, name)) != NULL; at += length)
        if ((at == extensions || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0)) return true;
    return false;
}

static void tell_uuid(const kas_opencl_symbols *cl, cl_device_id id, char out[KAS_DEVICE_UUID_SIZE])
{
    uint8_t uuid[16] = {0};
    if (kas_opencl_has_extension(cl, id, "cl_khr_device_uuid") &&
        cl->clGetDeviceInfo(id, CL_DEVICE_UUID_KHR, sizeof uuid, uuid, NULL) == CL_SUCCESS)
        kas_device_uuid_text(uuid, out);
}

unsigned kas_opencl_version(const kas_opencl_symbols *cl, cl_device_id id)
{
    char text[256] = "";
    unsigned major, minor;
    if (cl->clGetDeviceInfo(id, CL_DEVICE_VERSION, sizeof text - 1, text, NULL) != CL_SUCCESS) return 0;
    return sscanf(text, "OpenCL %u.%u", &major, &minor) == 2 && minor < 10 ? 10 * major + minor : 0;
}

static void name(const kas_opencl_symbols *cl, const kas_opencl_found *found, char out[KAS_DEVICE_NAME_SIZE])
{
    char device[256] = "", platform[256] = "";
    if (cl->clGetDeviceInfo(found->id, CL_DEVICE_NAME, sizeof device - 1, device, NULL) != CL_SUCCESS)
        snprintf(device, sizeof device, "a device without a name");
    if (cl->clGetPlatformInfo(found->platform, CL_PLATFORM_NAME, sizeof platform - 1, platform, NULL) !=
        CL_SUCCESS)
        snprintf(platform, sizeof platform, "a platform without a name");
    snprintf(out, KAS_DEVICE_NAME_SIZE, "%.80s (%.40s)", device, platform);
}

void kas_opencl_describe(const kas_opencl_symbols *cl, const kas_opencl_found *found, uint32_t index,
                         kas_device_info *info)
{
    const cl_device_id id = found->id;
    *info = (kas_device_info){.state = KAS_DEVICE_READY, .software = found->processor};
    snprintf(info->id, sizeof info->id, "opencl:%u", index);
    snprintf(info->kind, sizeof info->kind, "opencl");
    snprintf(info->api, sizeof info->api, "opencl");
    name(cl, found, info->name);
    tell_uuid(cl, id, info->uuid);
    info->memory_total_bytes = (size_t)QUERY(cl, id, CL_DEVICE_GLOBAL_MEM_SIZE, cl_ulong);
}

/* ---- limits ---- */

static kas_status ask(const kas_opencl_device *device, cl_device_info what, const char *what_name,
                      size_t size_bytes, void *out)
{
    const kas_device_info *info = &device->base.info;
    cl_int code = device->cl->clGetDeviceInfo(device->id, what, size_bytes, out, NULL);
    if (code == CL_SUCCESS) return NULL;
    return kas_with_native(kas_fail(KAS_UNSUPPORTED, DEVICE, "%s (%s) does not tell its %s: OpenCL error %d",
                                    info->id, info->name, what_name, code),
                           code);
}
#define ASK(device, what, out) ask((device), (what), #what, sizeof *(out), (out))

/* One that the device does not tell is not guessed: OpenCL says what each of them is at least, and the
 * alignment of a part of a buffer would have to be known at most. */
static kas_status ask_limits(kas_opencl_device *device)
{
    cl_ulong total, buffer, shared;
    cl_uint alignment_bits, units;
    size_t group;
    KAS_TRY(ASK(device, CL_DEVICE_GLOBAL_MEM_SIZE, &total));
    KAS_TRY(ASK(device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, &buffer));
    KAS_TRY(ASK(device, CL_DEVICE_MEM_BASE_ADDR_ALIGN, &alignment_bits));
    KAS_TRY(ASK(device, CL_DEVICE_LOCAL_MEM_SIZE, &shared));
    KAS_TRY(ASK(device, CL_DEVICE_MAX_WORK_GROUP_SIZE, &group));
    KAS_TRY(ASK(device, CL_DEVICE_MAX_COMPUTE_UNITS, &units));
    device->base.info.memory_total_bytes = (size_t)total;
    device->base.limits = (kas_device_limits){
        .max_buffer_bytes = (size_t)buffer,
        .buffer_alignment = alignment_bits / 8 < 64 ? 64 : alignment_bits / 8,
        .max_shared_bytes = (size_t)shared,
        .max_group_items = (uint32_t)group,
        .compute_units = units,
        .fp16 = true, /* stored, and read by vload_half: no extension is needed */
        .bf16 = true, /* widened by bits */
        .subgroups = device->subgroup_info != NULL,
    };
    return NULL;
}

static kas_status check_usable(const kas_opencl_device *device)
{
    const kas_device_info *info = &device->base.info;
    const unsigned version = kas_opencl_version(device->cl, device->id);
    if (version < VERSION_LEAST)
        return kas_fail(KAS_UNSUPPORTED, DEVICE, "%s (%s) offers OpenCL %u.%u; 1.2 is the least", info->id,
                        info->name, version / 10, version % 10);
    if (!QUERY(device->cl, device->id, CL_DEVICE_COMPILER_AVAILABLE, cl_bool))
        return kas_fail(KAS_UNSUPPORTED, DEVICE, "%s (%s) has no compiler", info->id, info->name);
    return NULL;
}

static kas_status init(kas_device *base, uint32_t index)
{
    kas_opencl_device *device = kas_opencl_device_of(base);
    kas_opencl_found found[KAS_OPENCL_DEVICES_MAX];
    device->cl = kas_opencl_load();
    const size_t count = device->cl ? kas_opencl_find_devices(device->cl, found) : 0;
    if (index >= count)
        return kas_fail(KAS_NOT_FOUND, CALLER, "no device opencl:%u: %s has %zu", index,
                        device->cl ? "the OpenCL loader" : "this machine (without an OpenCL loader)", count);
    device->platform = found[index].platform;
    device->id = found[index].id;
    device->subgroup_info = kas_opencl_find_subgroup_info(device->cl, &found[index]);
    kas_opencl_describe(device->cl, &found[index], index, &base->info);
    KAS_TRY(check_usable(device));
    KAS_TRY(ask_limits(device));
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->platform,
                                                0};
    cl_int code;
    device->context = device->cl->clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
    if (code != CL_SUCCESS) return kas_opencl_fail(code, "clCreateContext");
    atomic_init(
        &device->replays_lists,
        kas_opencl_find_command_buffers(device->cl, device->platform, device->id, &device->command_buffers));
    pthread_mutex_init(&device->queues_lock, NULL);
    return NULL;
}

static void finish(kas_device *base)
{
    kas_opencl_device *device = kas_opencl_device_of(base);
    if (!atomic_load(&base->lost)) device->cl->clReleaseContext(device->context);
    pthread_mutex_destroy(&device->queues_lock);
}

const kas_device_ops kas_opencl_device_ops = {
    .size_bytes = sizeof(kas_opencl_device),
    .init = init,
    .finish = finish,
    .buffer = &kas_opencl_buffer_ops,
    .program = &kas_opencl_program_ops,
    .queue = &kas_opencl_queue_ops,
    .list = &kas_opencl_list_ops,
};
