/* Kernels from their portable source, compiled by the driver at first use. What it made is stored, and
 * given back to it as a binary the next time; one that it refuses is compiled and stored anew. Where the
 * device has sub-groups, a kernel with a reading for them is built that way, if the driver makes one of it
 * whose sub-groups are full. */
#include <stdio.h>
#include <string.h>

#include "backends/core/stored.h"
#include "backends/opencl/opencl.h"
#include "base/alloc.h"
#include "base/log.h"

static const char plain_options[] = "-cl-std=CL1.2";
static const char kind[] = "opencl"; /* of what is stored */

/* ---- what a binary depends on ---- */

typedef struct identity {
    char platform[256], platform_version[256], vendor[256], name[256], version[256], driver[256];
} identity;

static bool ask_platform(const kas_opencl_device *device, cl_platform_info what, char out[256])
{
    return device->cl->clGetPlatformInfo(device->platform, what, 255, out, NULL) == CL_SUCCESS;
}

static bool ask_device(const kas_opencl_device *device, cl_device_info what, char out[256])
{
    return device->cl->clGetDeviceInfo(device->id, what, 255, out, NULL) == CL_SUCCESS;
}

/* False when the driver does not say all of it: then nothing may be stored, as it could be taken for
 * something else. */
static bool make_key(const kas_opencl_device *device, const char *source, size_t length, const char *options,
                     kas_sha256 *out)
{
    identity who;
    memset(&who, 0, sizeof who); /* it is hashed to its last byte */
    if (!ask_platform(device, CL_PLATFORM_NAME, who.platform) ||
        !ask_platform(device, CL_PLATFORM_VERSION, who.platform_version) ||
        !ask_device(device, CL_DEVICE_VENDOR, who.vendor) || !ask_device(device, CL_DEVICE_NAME, who.name) ||
        !ask_device(device, CL_DEVICE_VERSION, who.version) ||
        !ask_device(device, CL_DRIVER_VERSION, who.driver))
        return false;
    const kas_stored_part parts[] = {{&who, sizeof who}, {options, strlen(options) + 1}, {source, length}};
    *out = kas_stored_key(parts, sizeof parts / sizeof *parts);
    return true;
}

/* ---- from a binary ---- */

static cl_int build(kas_opencl_device *device, cl_program program, const char *options)
{
    return device->cl->clBuildProgram(program, 1, &device->id, options, NULL, NULL);
}

/* NULL when there is none, or none that the driver takes. */
static cl_program from_stored(kas_opencl_device *device, const kas_sha256 *key, const char *options)
{
    kas_bytes binary;
    if (!kas_stored_read(kind, key, &binary)) return NULL;
    const unsigned char *data = binary.data;
    cl_int taken = CL_SUCCESS, code;
    cl_program program = device->cl->clCreateProgramWithBinary(device->context, 1, &device->id, &binary.size,
                                                               &data, &taken, &code);
    kas_bytes_free(&binary);
    if (code != CL_SUCCESS) return NULL;
    if (taken == CL_SUCCESS && build(device, program, options) == CL_SUCCESS) return program;
    device->cl->clReleaseProgram(program);
    return NULL;
}

/* Does without where the driver gives no binary or memory is short. */
static void store(kas_opencl_device *device, cl_program program, const kas_sha256 *key)
{
    size_t size = 0;
    if (device->cl->clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof size, &size, NULL) !=
            CL_SUCCESS ||
        size == 0)
        return;
    unsigned char *binary = kas_alloc(size);
    if (!binary) return;
    if (device->cl->clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof binary, &binary, NULL) ==
        CL_SUCCESS)
        kas_stored_write(kind, key, binary, size);
    kas_free(binary);
}

/* ---- from source ---- */

static kas_status build_failure(kas_opencl_device *device, cl_program program, const char *name, cl_int code)
{
    char log[768] = "";
    device->cl->clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
    return kas_with_native(kas_fail(KAS_UNSUPPORTED, DEVICE, "%s does not compile kernel %s: %s",
                                    device->base.info.id, name, log),
                           code);
}

static kas_status compile(kas_opencl_device *device, const char *name, const char *source, size_t length,
                          const char *options, cl_program *out)
{
    cl_int code;
    *out = device->cl->clCreateProgramWithSource(device->context, 1, &source, &length, &code);
    if (code != CL_SUCCESS) return kas_opencl_fail(code, "clCreateProgramWithSource");
    code = build(device, *out, options);
    if (code == CL_SUCCESS) return NULL;
    kas_status status = build_failure(device, *out, name, code);
    device->cl->clReleaseProgram(*out);
    *out = NULL;
    return status;
}

/* ---- programs ---- */

static kas_status check_group(const kas_device *device, const kas_kernel_info *kernel)
{
    if (kernel->group_items <= device->limits.max_group_items) return NULL;
    return kas_fail(KAS_UNSUPPORTED, DEVICE, "kernel %s has groups of %u work items, %s takes at most %u",
                    kernel->name, kernel->group_items, device->info.id, device->limits.max_group_items);
}

static kas_status make(kas_opencl_device *device, kas_kernel kernel, const char *options, cl_program *out)
{
    size_t length;
    kas_sha256 key;
    const char *source = kas_kernel_source(kernel, &length);
    const bool may_store = kas_stored_is_kept() && make_key(device, source, length, options, &key);
    *out = may_store ? from_stored(device, &key, options) : NULL;
    if (*out) return NULL;
    KAS_TRY(compile(device, kas_kernel_get_info(kernel)->name, source, length, options, out));
    if (may_store) store(device, *out, &key);
    return NULL;
}

/* NULL where the kernel without sub-groups has to serve. One that turns out not to be usable stays stored
 * all the same: it need not be compiled to find out again. */
static cl_program make_with_subgroups(kas_opencl_device *device, kas_kernel kernel)
{
    const kas_kernel_info *info = kas_kernel_get_info(kernel);
    cl_program program = NULL;
    if (!device->subgroup_info || !kas_kernel_has_subgroups(kernel)) return NULL;
    kas_status status = make(device, kernel, kas_opencl_subgroup_options(device), &program);
    if (!status) status = kas_opencl_check_subgroups(device, program, info);
    if (!status) return program;
    kas_debug("opencl", "%s: %s without sub-groups: %s", device->base.info.id, info->name,
              kas_status_message(status));
    kas_status_free(status);
    if (program) device->cl->clReleaseProgram(program);
    return NULL;
}

static kas_status init(kas_program *base)
{
    kas_opencl_program *program = (kas_opencl_program *)base;
    kas_opencl_device *device = kas_opencl_device_of(base->device);
    KAS_TRY(check_group(base->device, kas_kernel_get_info(base->kernel)));
    program->program = make_with_subgroups(device, base->kernel);
    return program->program ? NULL : make(device, base->kernel, plain_options, &program->program);
}

static void finish(kas_program *base)
{
    if (!atomic_load(&base->device->lost))
        kas_opencl_device_of(base->device)->cl->clReleaseProgram(((kas_opencl_program *)base)->program);
}

const kas_program_ops kas_opencl_program_ops = {
    .size_bytes = sizeof(kas_opencl_program),
    .init = init,
    .finish = finish,
};
