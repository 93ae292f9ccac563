/* Modules from real PTX, and launches of the same kernels compiled for the host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/mma_kernels.h"
#include "tests/cuda/state.h"

#define KERNEL_PROTOTYPE(name, ...)                                                                          \
    void kas_double_kernel_##name(int group_x, int group_y, void *const *buffers_, const void *args_);
KAS_KERNELS(KERNEL_PROTOTYPE)
KAS_MMA_KERNELS(KERNEL_PROTOTYPE)
#undef KERNEL_PROTOTYPE

static const struct {
    const char *name;
    host_kernel run;
} host_kernels[] = {
#define KERNEL_ENTRY(name, ...) {#name, kas_double_kernel_##name},
    KAS_KERNELS(KERNEL_ENTRY) KAS_MMA_KERNELS(KERNEL_ENTRY)
#undef KERNEL_ENTRY
};

struct cuda_module_object {
    struct cuda_function_object function; /* one kernel a file */
};

/* ".param .u64 name" is 8 bytes, ".param .align 4 .b8 name[48]" 48. */
static size_t parameter_size(const char *at, const char *end)
{
    const char *line = memchr(at, '\n', (size_t)(end - at)), *bracket = memchr(at, '[', (size_t)(end - at));
    if (!line) line = end;
    if (bracket && bracket < line) return (size_t)atoi(bracket + 1);
    const char *word = strstr(at, ".u64");
    return word && word < line ? 8 : 4;
}

static bool read_entry(const char *ptx, struct cuda_function_object *out)
{
    const char *entry = strstr(ptx, ".entry "), *end = entry ? strchr(entry, ')') : NULL;
    const char *body = end ? strchr(end, '{') : NULL;
    if (!body || sscanf(entry, ".entry %63[^( \n]", out->name) != 1) return false;
    for (const char *at = entry; (at = strstr(at, ".param ")) && at < end; ++at) {
        if (out->parameter_count == MAX_PARAMETERS) return false;
        out->parameter_bytes[out->parameter_count++] = parameter_size(at, end);
    }
    const char *block = strstr(end, ".maxntid ");
    if (block && block < body) out->block_x = (unsigned)atoi(block + strlen(".maxntid "));
    for (size_t i = 0; i < sizeof host_kernels / sizeof *host_kernels; ++i)
        if (strcmp(host_kernels[i].name, out->name) == 0) out->run = host_kernels[i].run;
    return out->run && out->parameter_count > 1;
}

EXPORT cuda_code cuModuleLoadData(cuda_module *module, const void *image)
{
    ENTER(true);
    const char *text = image;
    struct cuda_function_object function = {0};
    if (double_world.refused_modules > 0) {
        --double_world.refused_modules;
        LEAVE(CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
    }
    if (text[0] != '/' && text[0] != '.')
        LEAVE(CUDA_ERROR_NO_BINARY_FOR_GPU); /* machine code of no use here */
    if (!strstr(text, ".version ") || !read_entry(text, &function)) LEAVE(CUDA_ERROR_INVALID_PTX);
    *module = calloc(1, sizeof **module);
    if (!*module) LEAVE(CUDA_ERROR_OUT_OF_MEMORY);
    (*module)->function = function;
    ++double_world.counts.modules;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuModuleUnload(cuda_module module)
{
    ENTER(true);
    free(module);
    --double_world.counts.modules;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuModuleGetFunction(cuda_function *function, cuda_module module, const char *name)
{
    ENTER(true);
    if (strcmp(module->function.name, name) != 0) LEAVE(CUDA_ERROR_NOT_FOUND);
    *function = &module->function;
    LEAVE(CUDA_SUCCESS);
}

cuda_code double_read_call(cuda_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                           unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                           void **parameters, void **extra, kernel_call *out)
{
    if (grid_x == 0 || grid_x > INT32_MAX || grid_y == 0 || grid_y > 65535 || grid_z != 1 || block_y != 1 ||
        block_z != 1 || shared_bytes > 48 << 10 || extra || block_x != function->block_x)
        return CUDA_ERROR_INVALID_VALUE;
    *out = (kernel_call){.function = function, .grid_x = grid_x, .grid_y = grid_y};
    for (unsigned i = 0; i < function->parameter_count; ++i)
        memcpy(out->parameters[i], parameters[i], function->parameter_bytes[i]);
    return CUDA_SUCCESS;
}

cuda_code double_run_call(const kernel_call *call)
{
    void *buffers[MAX_PARAMETERS];
    const unsigned count = call->function->parameter_count - 1;
    for (unsigned i = 0; i < count; ++i) {
        cuda_address address;
        memcpy(&address, call->parameters[i], sizeof address);
        buffers[i] = double_host(address, 1);
        if (!buffers[i]) return double_stick(CUDA_ERROR_ILLEGAL_ADDRESS);
    }
    for (unsigned y = 0; y < call->grid_y; ++y)
        for (unsigned x = 0; x < call->grid_x; ++x)
            call->function->run((int)x, (int)y, buffers, call->parameters[count]);
    return CUDA_SUCCESS;
}

EXPORT cuda_code cuLaunchKernel(cuda_function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                                unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                                cuda_stream stream, void **parameters, void **extra)
{
    ENTER(true);
    operation what = {.kind = KERNEL, .hangs = double_hangs_now()};
    cuda_code code = double_read_call(function, grid_x, grid_y, grid_z, block_x, block_y, block_z,
                                      shared_bytes, parameters, extra, &what.call);
    if (code != CUDA_SUCCESS) LEAVE(code);
    ++double_world.counts.launches;
    LEAVE(double_enqueue(stream, &what));
}
