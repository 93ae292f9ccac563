#define CL_TARGET_OPENCL_VERSION 210
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_icd.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/opencl/vendor_commands.h"
#include "tests/opencl/vendor_enqueues.h"
#include "tests/opencl/vendor_handles.h"
#include "tests/opencl/vendor_subgroups.h"

enum { DEVICES_MAX = 4 };

static object platform = {.dispatch = &own, .kind = PLATFORM};
static object devices[DEVICES_MAX];

/* ---- platform and devices ---- */

static cl_int answer(const char *text, size_t size, void *out, size_t *needed)
{
    const size_t length = strlen(text) + 1;
    if (needed) *needed = length;
    if (!out) return CL_SUCCESS;
    if (size < length) return CL_INVALID_VALUE;
    memcpy(out, text, length);
    return CL_SUCCESS;
}

EXPORT cl_int clGetPlatformInfo(cl_platform_id of, cl_platform_info what, size_t size, void *out,
                                size_t *needed)
{
    MAY_FAIL("clGetPlatformInfo");
    if (what == CL_PLATFORM_NAME)
        return answer(vendor.platform_name ? vendor.platform_name : "Another vendor", size, out, needed);
    if (what == CL_PLATFORM_VERSION && vendor.version) return answer(vendor.version, size, out, needed);
    return first->clGetPlatformInfo(inner(of, PLATFORM), what, size, out, needed);
}

static cl_int get_device_ids(cl_platform_id of, cl_device_type type, cl_uint capacity, cl_device_id *out,
                             cl_uint *count)
{
    MAY_FAIL("clGetDeviceIDs");
    cl_device_id found[DEVICES_MAX];
    cl_uint total = 0;
    if (vendor.type && type != CL_DEVICE_TYPE_ALL && !(type & vendor.type)) return CL_DEVICE_NOT_FOUND;
    cl_int code = first->clGetDeviceIDs(inner(of, PLATFORM), vendor.type ? CL_DEVICE_TYPE_ALL : type,
                                        DEVICES_MAX, found, &total);
    if (code != CL_SUCCESS) return code;
    for (cl_uint i = 0; i < total && i < DEVICES_MAX; ++i) {
        devices[i] = (object){.dispatch = &own, .kind = DEVICE, .inner = found[i]};
        if (out && i < capacity) out[i] = (cl_device_id)&devices[i];
    }
    if (count) *count = total < DEVICES_MAX ? total : DEVICES_MAX;
    return CL_SUCCESS;
}

static cl_int answer_extensions(cl_device_id of, size_t size, void *out, size_t *needed)
{
    char theirs[4096] = "", all[sizeof theirs + 128];
    cl_int code =
        first->clGetDeviceInfo(inner(of, DEVICE), CL_DEVICE_EXTENSIONS, sizeof theirs, theirs, NULL);
    if (code != CL_SUCCESS) return code;
    snprintf(all, sizeof all, "%s%s", theirs, vendor_subgroup_extensions(&vendor));
    return answer(all, size, out, needed);
}

static cl_int get_device_info(cl_device_id of, cl_device_info what, size_t size, void *out, size_t *needed)
{
    MAY_FAIL("clGetDeviceInfo");
    if (what == CL_DEVICE_VERSION && vendor.version) return answer(vendor.version, size, out, needed);
    if (what == CL_DRIVER_VERSION && vendor.driver_version)
        return answer(vendor.driver_version, size, out, needed);
    if (what == CL_DEVICE_EXTENSIONS && vendor.subgroup_size > 0)
        return answer_extensions(of, size, out, needed);
    cl_int code;
    if (vendor_commands_info(&vendor, what, size, out, needed, &code)) return code;
    code = first->clGetDeviceInfo(inner(of, DEVICE), what, size, out, needed);
    if (what == CL_DEVICE_MAX_NUM_SUB_GROUPS && out) *(cl_uint *)out = vendor.subgroup_size > 0 ? 64 : 0;
    if (what == CL_DEVICE_TYPE && vendor.type && out) *(cl_device_type *)out = vendor.type;
    return code;
}

/* ---- contexts, queues, memory ---- */

static cl_context create_context(const cl_context_properties *properties, cl_uint count,
                                 const cl_device_id *ids,
                                 void (*notify)(const char *, const void *, size_t, void *), void *user,
                                 cl_int *code)
{
    MAY_NOT_MAKE("clCreateContext", code);
    cl_device_id id = count == 1 ? inner(ids[0], DEVICE) : NULL;
    const bool ours = properties && properties[0] == CL_CONTEXT_PLATFORM &&
                      properties[1] == (cl_context_properties)&platform && properties[2] == 0;
    if (!id || !ours) {
        *code = CL_INVALID_PLATFORM;
        return NULL;
    }
    const cl_context_properties theirs[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)platform.inner, 0};
    return wrap(first->clCreateContext(theirs, 1, &id, notify, user, code), CONTEXT);
}

static cl_int release_context(cl_context context)
{
    cl_int code = first->clReleaseContext(inner(context, CONTEXT));
    drop(context);
    return code;
}

static cl_command_queue create_queue(cl_context context, cl_device_id id, cl_command_queue_properties what,
                                     cl_int *code)
{
    MAY_NOT_MAKE("clCreateCommandQueue", code);
    return wrap(first->clCreateCommandQueue(inner(context, CONTEXT), inner(id, DEVICE), what, code), QUEUE);
}

static cl_int release_queue(cl_command_queue queue)
{
    cl_int code = first->clReleaseCommandQueue(inner(queue, QUEUE));
    drop(queue);
    return code;
}

static cl_mem create_buffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *code)
{
    MAY_NOT_MAKE("clCreateBuffer", code);
    return wrap_memory(first->clCreateBuffer(inner(context, CONTEXT), flags, size, host, code));
}

static cl_mem create_sub_buffer(cl_mem memory, cl_mem_flags flags, cl_buffer_create_type type,
                                const void *region, cl_int *code)
{
    MAY_NOT_MAKE("clCreateSubBuffer", code);
    return wrap_memory(first->clCreateSubBuffer(inner(memory, MEMORY), flags, type, region, code));
}

static cl_int release_memory(cl_mem memory)
{
    forget_memory(memory);
    vendor_commands_forget(&vendor, inner(memory, MEMORY));
    cl_int code = first->clReleaseMemObject(inner(memory, MEMORY));
    drop(memory);
    return code;
}

/* ---- programs and kernels ---- */

static cl_program program_with_source(cl_context context, cl_uint count, const char **texts,
                                      const size_t *lengths, cl_int *code)
{
    MAY_NOT_MAKE("clCreateProgramWithSource", code);
    if (vendor.subgroup_size == 0)
        return wrap(first->clCreateProgramWithSource(inner(context, CONTEXT), count, texts, lengths, code),
                    PROGRAM);
    char *text = vendor_give_subgroups(texts[0], lengths[0], vendor.subgroup_barrier);
    void *made =
        wrap(first->clCreateProgramWithSource(inner(context, CONTEXT), 1, (const char **)&text, NULL, code),
             PROGRAM);
    free(text);
    return made;
}

static cl_program program_with_binary(cl_context context, cl_uint count, const cl_device_id *ids,
                                      const size_t *lengths, const unsigned char **binaries, cl_int *status,
                                      cl_int *code)
{
    MAY_NOT_MAKE("clCreateProgramWithBinary", code);
    cl_device_id id = count == 1 ? inner(ids[0], DEVICE) : NULL;
    if (vendor.refusal == VENDOR_REFUSES_BINARIES) {
        *status = *code = CL_INVALID_BINARY;
        return NULL;
    }
    object *made = wrap(
        first->clCreateProgramWithBinary(inner(context, CONTEXT), 1, &id, lengths, binaries, status, code),
        PROGRAM);
    if (made) made->from_binary = true;
    if (vendor.refusal == VENDOR_REFUSES_THEIR_CONTENT) *status = CL_INVALID_BINARY;
    return (cl_program)made;
}

static cl_int build_program(cl_program program, cl_uint count, const cl_device_id *ids, const char *options,
                            void (*notify)(cl_program, void *), void *user)
{
    MAY_FAIL("clBuildProgram");
    cl_device_id id = count == 1 ? inner(ids[0], DEVICE) : NULL;
    char all_options[256];
    object *built = (object *)program;
    const bool from_binary = built->from_binary;
    built->subgroups = strstr(options, "-DSUBGROUPS") != NULL;
    if (built->subgroups && vendor.subgroup_fault == VENDOR_SUBGROUPS_DO_NOT_BUILD)
        return CL_BUILD_PROGRAM_FAILURE;
    if (from_binary && vendor.refusal == VENDOR_DOES_NOT_BUILD_THEM) return CL_BUILD_PROGRAM_FAILURE;
    vendor_subgroup_options(options, vendor.subgroup_size, all_options, sizeof all_options);
    cl_int code = first->clBuildProgram(inner(program, PROGRAM), 1, &id, all_options, notify, user);
    if (code == CL_SUCCESS) atomic_fetch_add(from_binary ? &vendor.binaries : &vendor.sources, 1);
    return code;
}

static cl_int get_program_info(cl_program program, cl_program_info what, size_t size, void *out,
                               size_t *needed)
{
    MAY_FAIL("clGetProgramInfo");
    cl_int code = first->clGetProgramInfo(inner(program, PROGRAM), what, size, out, needed);
    if (what == CL_PROGRAM_BINARIES) atomic_fetch_add(&vendor.fetched, 1);
    if (what == CL_PROGRAM_BINARY_SIZES && vendor.refusal == VENDOR_HAS_NO_BINARIES) *(size_t *)out = 0;
    return code;
}

static cl_int get_build_info(cl_program program, cl_device_id id, cl_program_build_info what, size_t size,
                             void *out, size_t *needed)
{
    MAY_FAIL("clGetProgramBuildInfo");
    return first->clGetProgramBuildInfo(inner(program, PROGRAM), inner(id, DEVICE), what, size, out, needed);
}

static cl_int release_program(cl_program program)
{
    cl_int code = first->clReleaseProgram(inner(program, PROGRAM));
    drop(program);
    return code;
}

static cl_kernel create_kernel(cl_program program, const char *name, cl_int *code)
{
    MAY_NOT_MAKE("clCreateKernel", code);
    object *made = wrap(first->clCreateKernel(inner(program, PROGRAM), name, code), KERNEL);
    if (!made) return NULL;
    made->subgroups = ((const object *)program)->subgroups;
    made->arguments = calloc(1, sizeof *made->arguments);
    if (!made->arguments) abort();
    return (cl_kernel)made;
}

static cl_int get_subgroup_info(cl_kernel kernel, cl_device_id id, cl_kernel_sub_group_info what,
                                size_t input_size, const void *input, size_t size, void *out, size_t *needed)
{
    MAY_FAIL("clGetKernelSubGroupInfo");
    if (!inner(kernel, KERNEL) || !inner(id, DEVICE)) return CL_INVALID_KERNEL;
    if (needed) *needed = sizeof(size_t);
    return vendor_subgroup_info(&vendor, what, input_size, input, size, out);
}

static cl_int set_kernel_arg(cl_kernel kernel, cl_uint index, size_t size, const void *value)
{
    MAY_FAIL("clSetKernelArg");
    cl_mem memory;
    value = translated(size, value, &memory);
    if (!vendor_note_argument(((object *)kernel)->arguments, index, size, value)) abort();
    return first->clSetKernelArg(inner(kernel, KERNEL), index, size, value);
}

static cl_int release_kernel(cl_kernel kernel)
{
    cl_int code = first->clReleaseKernel(inner(kernel, KERNEL));
    free(((object *)kernel)->arguments);
    drop(kernel);
    return code;
}

/* ---- extensions ---- */

/* The loader knows the entry point for sub-groups and does not ask. */
static void *get_extension_function(cl_platform_id of, const char *name)
{
    void *address = NULL;
    const cl_api_clGetKernelSubGroupInfoKHR info = get_subgroup_info;
    if (!inner(of, PLATFORM)) return NULL;
    if (strcmp(name, "clGetKernelSubGroupInfoKHR") == 0) memcpy(&address, &info, sizeof address);
    return address ? address : vendor_command_call(name);
}

const cl_icd_dispatch own = {
    .clGetPlatformInfo = clGetPlatformInfo,
    .clGetDeviceIDs = get_device_ids,
    .clGetDeviceInfo = get_device_info,
    .clCreateContext = create_context,
    .clReleaseContext = release_context,
    .clCreateCommandQueue = create_queue,
    .clReleaseCommandQueue = release_queue,
    .clCreateBuffer = create_buffer,
    .clCreateSubBuffer = create_sub_buffer,
    .clReleaseMemObject = release_memory,
    .clCreateProgramWithSource = program_with_source,
    .clCreateProgramWithBinary = program_with_binary,
    .clBuildProgram = build_program,
    .clGetProgramInfo = get_program_info,
    .clGetProgramBuildInfo = get_build_info,
    .clReleaseProgram = release_program,
    .clCreateKernel = create_kernel,
    .clGetExtensionFunctionAddressForPlatform = get_extension_function,
    .clGetKernelSubGroupInfo = get_subgroup_info,
    .clGetKernelSubGroupInfoKHR = get_subgroup_info,
    .clSetKernelArg = set_kernel_arg,
    .clReleaseKernel = release_kernel,
    .clEnqueueNDRangeKernel = vendor_enqueue_kernel,
    .clEnqueueWriteBuffer = vendor_enqueue_write,
    .clEnqueueReadBuffer = vendor_enqueue_read,
    .clEnqueueFillBuffer = vendor_enqueue_fill,
    .clEnqueueMarkerWithWaitList = vendor_enqueue_marker,
    .clFlush = vendor_flush,
    .clGetEventInfo = vendor_event_info,
    .clGetEventProfilingInfo = vendor_event_profile,
    .clReleaseEvent = vendor_release_event,
};

/* Where no test can look: what must not be ends the program. */
__attribute__((destructor)) static void complain(void)
{
    if (getenv("KASMINA_SECOND_VENDOR_COMMANDS") && atomic_load(&vendor.misuses) > 0) abort();
}

/* ---- what the loader asks for ---- */

/* The first driver's platform; NULL where the machine has none. */
static cl_platform_id find_first(void)
{
    const char *path = getenv("KASMINA_FIRST_VENDOR");
    void *library = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
    void *(*find)(const char *) = NULL;
    cl_int (*list)(cl_uint, cl_platform_id *, cl_uint *) = NULL;
    cl_platform_id found = NULL;
    void *address = library ? dlsym(library, "clGetExtensionFunctionAddress") : NULL;
    memcpy(&find, &address, sizeof address);
    address = find ? find("clIcdGetPlatformIDsKHR") : NULL;
    memcpy(&list, &address, sizeof address);
    return list && list(1, &found, NULL) == CL_SUCCESS ? found : NULL;
}

static cl_int list_platforms(cl_uint capacity, cl_platform_id *out, cl_uint *count)
{
    if (!platform.inner) {
        platform.inner = find_first();
        if (getenv("KASMINA_SECOND_VENDOR_COMMANDS")) vendor.commands = VENDOR_HAS_COMMANDS;
        if (!platform.inner) return CL_PLATFORM_NOT_FOUND_KHR;
        first = ((const object *)platform.inner)->dispatch;
    }
    if (out && capacity > 0) out[0] = (cl_platform_id)&platform;
    if (count) *count = 1;
    return CL_SUCCESS;
}

EXPORT void *clGetExtensionFunctionAddress(const char *name)
{
    void *address = NULL;
    cl_int (*list)(cl_uint, cl_platform_id *, cl_uint *) = list_platforms;
    if (strcmp(name, "clIcdGetPlatformIDsKHR") == 0) memcpy(&address, &list, sizeof address);
    return address;
}
