/* The entry points of command buffers, in front of what plays them (vendor_commands.h). */
#define CL_TARGET_OPENCL_VERSION 210
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <string.h>

#include "tests/opencl/vendor_handles.h"

static cl_command_buffer_khr create_command_buffer(cl_uint count, const cl_command_queue *queues,
                                                   const cl_command_buffer_properties_khr *properties,
                                                   cl_int *code)
{
    if (count != 1 || !inner(queues[0], QUEUE)) {
        *code = CL_INVALID_VALUE;
        return NULL;
    }
    object *made = wrap(vendor_commands_create(&vendor, properties, code), COMMANDS);
    if (made) made->queue = (object *)queues[0];
    return (cl_command_buffer_khr)made;
}

static cl_int finalize_command_buffer(cl_command_buffer_khr commands)
{
    return vendor_commands_finalize(inner(commands, COMMANDS));
}

static cl_int release_command_buffer(cl_command_buffer_khr commands)
{
    cl_int code = vendor_commands_release(inner(commands, COMMANDS));
    drop(commands);
    return code;
}

static cl_int command_kernel(cl_command_buffer_khr commands, cl_command_queue queue,
                             const cl_ndrange_kernel_command_properties_khr *properties, cl_kernel kernel,
                             cl_uint dimensions, const size_t *offset, const size_t *global,
                             const size_t *local, cl_uint waits, const cl_sync_point_khr *wait_for,
                             cl_sync_point_khr *sync_point, cl_mutable_command_khr *command)
{
    if ((object *)queue != ((const object *)commands)->queue || offset || waits > 0 || wait_for || sync_point)
        return CL_INVALID_VALUE;
    return vendor_commands_kernel(inner(commands, COMMANDS), properties, inner(kernel, KERNEL),
                                  ((const object *)kernel)->arguments, dimensions, global, local,
                                  (vendor_command **)command);
}

static cl_int update_commands(cl_command_buffer_khr commands, cl_uint count, const cl_uint *types,
                              const void **changes)
{
    for (cl_uint i = 0; i < count; ++i) {
        vendor_change change = *(const vendor_change *)changes[i];
        vendor_change_argument arguments[VENDOR_ARGUMENTS];
        cl_mem memory[VENDOR_ARGUMENTS];
        if (types[i] != 0 || change.num_args > VENDOR_ARGUMENTS) return CL_INVALID_VALUE;
        for (cl_uint a = 0; a < change.num_args; ++a) {
            arguments[a] = change.arg_list[a];
            arguments[a].arg_value = translated(arguments[a].arg_size, arguments[a].arg_value, &memory[a]);
        }
        if (change.arg_list) change.arg_list = arguments;
        cl_int code = vendor_commands_change(inner(commands, COMMANDS), &change);
        if (code != CL_SUCCESS) return code;
    }
    return CL_SUCCESS;
}

static cl_int enqueue_command_buffer(cl_uint count, cl_command_queue *queues, cl_command_buffer_khr commands,
                                     cl_uint waits, const cl_event *wait_for, cl_event *event)
{
    if (count != 0 || queues || waits > 0 || wait_for || !event) return CL_INVALID_VALUE;
    cl_int code = vendor_commands_enqueue(inner(commands, COMMANDS), first,
                                          inner(((const object *)commands)->queue, QUEUE), event);
    code = enqueued(code, event);
    if (code == CL_SUCCESS)
        vendor_commands_numbered(inner(commands, COMMANDS), ((const object *)*event)->number);
    return code;
}

typedef cl_int update_fn(cl_command_buffer_khr, cl_uint, const cl_uint *, const void **);

void *vendor_command_call(const char *name)
{
    static const clCreateCommandBufferKHR_fn create = create_command_buffer;
    static const clFinalizeCommandBufferKHR_fn finalize = finalize_command_buffer;
    static const clReleaseCommandBufferKHR_fn release = release_command_buffer;
    static const clCommandNDRangeKernelKHR_fn kernel = command_kernel;
    static const clEnqueueCommandBufferKHR_fn enqueue = enqueue_command_buffer;
    static update_fn *const update = update_commands;
    static const struct {
        const char *name;
        const void *address;
    } all[] = {
        {"clCreateCommandBufferKHR", &create},   {"clFinalizeCommandBufferKHR", &finalize},
        {"clReleaseCommandBufferKHR", &release}, {"clCommandNDRangeKernelKHR", &kernel},
        {"clEnqueueCommandBufferKHR", &enqueue}, {"clUpdateMutableCommandsKHR", &update},
    };
    void *address = NULL;
    const size_t count = sizeof all / sizeof *all - (vendor.commands == VENDOR_COMMANDS_LACK_A_CALL);
    for (size_t i = 0; i < count; ++i)
        if (strcmp(all[i].name, name) == 0) memcpy(&address, all[i].address, sizeof address);
    return address;
}
