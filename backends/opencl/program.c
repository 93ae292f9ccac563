/* Kernels from their portable source, compiled by the driver at first use. */
#include <stdio.h>
#include <string.h>

#include "backends/opencl/opencl.h"

static kas_status build_failure(kas_opencl_device *device, cl_program program, const char *name, cl_int code)
{
    char log[768] = "";
    device->cl->clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
    return kas_with_native(kas_fail(KAS_UNSUPPORTED, DEVICE, "%s does not compile kernel %s: %s",
                                    device->base.info.id, name, log),
                           code);
}

static kas_status init(kas_program *base)
{
    kas_opencl_program *program = (kas_opencl_program *)base;
    kas_opencl_device *device = kas_opencl_device_of(base->device);
    const kas_kernel_info *kernel = kas_kernel_get_info(base->kernel);
    if (kernel->group_items > base->device->limits.max_group_items)
        return kas_fail(KAS_UNSUPPORTED, DEVICE, "kernel %s has groups of %u work items, %s takes at most %u",
                        kernel->name, kernel->group_items, device->base.info.id,
                        base->device->limits.max_group_items);
    size_t length;
    const char *source = kas_kernel_source(base->kernel, &length);
    cl_int code;
    program->program = device->cl->clCreateProgramWithSource(device->context, 1, &source, &length, &code);
    if (code != CL_SUCCESS) return kas_opencl_fail(code, "clCreateProgramWithSource");
    code = device->cl->clBuildProgram(program->program, 1, &device->id, "-cl-std=CL1.2", NULL, NULL);
    if (code == CL_SUCCESS) return NULL;
    kas_status status = build_failure(device, program->program, kernel->name, code);
    device->cl->clReleaseProgram(program->program);
    return status;
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
