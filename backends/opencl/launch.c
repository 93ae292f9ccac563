#include "backends/opencl/launch.h"

kas_status kas_opencl_kernel_of(const kas_opencl_symbols *cl, kas_opencl_kernels *kernels,
                                const kas_program *program, cl_kernel *out)
{
    cl_kernel *slot = &kernels->of[program->kernel];
    if (!*slot) {
        cl_int code;
        *slot = cl->clCreateKernel(((const kas_opencl_program *)program)->program,
                                   kas_kernel_get_info(program->kernel)->name, &code);
        if (code != CL_SUCCESS) {
            *slot = NULL;
            return kas_opencl_fail(code, "clCreateKernel");
        }
    }
    *out = *slot;
    return NULL;
}

void kas_opencl_kernels_release(const kas_opencl_symbols *cl, kas_opencl_kernels *kernels)
{
    for (size_t i = 0; i < KAS_KERNEL_COUNT; ++i)
        if (kernels->of[i]) cl->clReleaseKernel(kernels->of[i]);
}

kas_status kas_opencl_bind(const kas_submission *submission, size_t index, uint32_t rows,
                           kas_opencl_bound *out)
{
    const kas_launch *launch = &submission->list->launches[index];
    const kas_kernel_info *info = kas_kernel_get_info(launch->kernel);
    *out = (kas_opencl_bound){.local = {info->group_items, 1}};
    for (cl_uint i = 0; i < info->buffers; ++i) {
        const kas_binding *binding = &launch->bindings[i];
        const bool fixed = binding->slot == KAS_SLOT_FIXED;
        kas_buffer *buffer = fixed ? binding->buffer : submission->slots[binding->slot].buffer;
        size_t offset = binding->offset_bytes + (fixed ? 0 : submission->slots[binding->slot].offset_bytes);
        KAS_TRY(kas_opencl_buffer_view(buffer, offset, &out->memory[i]));
        out->buffers[i] = buffer;
    }
    out->global[0] = kas_grid_groups(&launch->grid_x, rows) * out->local[0];
    out->global[1] = kas_grid_groups(&launch->grid_y, rows);
    return NULL;
}

kas_status kas_opencl_set_arguments(const kas_opencl_symbols *cl, cl_kernel kernel, const kas_launch *launch,
                                    const kas_opencl_bound *bound)
{
    const kas_kernel_info *info = kas_kernel_get_info(launch->kernel);
    for (cl_uint i = 0; i < info->buffers; ++i) {
        cl_int code = cl->clSetKernelArg(kernel, i, sizeof bound->memory[i], &bound->memory[i]);
        if (code != CL_SUCCESS) return kas_opencl_fail(code, "clSetKernelArg (buffer)");
    }
    cl_int code = cl->clSetKernelArg(kernel, info->buffers, info->args_bytes, launch->args);
    return code == CL_SUCCESS ? NULL : kas_opencl_fail(code, "clSetKernelArg (arguments)");
}
