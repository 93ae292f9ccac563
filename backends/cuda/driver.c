/* Which CUDA devices there are. */
#include <stdio.h>

#include "backends/core/probe.h"
#include "backends/cuda/cuda.h"

/* One that the device does not tell is not guessed. */
static kas_status ask_limits(const kas_cuda_symbols *cuda, cuda_device_id id, kas_device_limits *limits)
{
    enum { SHARED, GROUP, X, Y, UNITS, COUNT };
    static const int attributes[COUNT] = {CUDA_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK,
                                          CUDA_ATTRIBUTE_MAX_THREADS_PER_BLOCK, CUDA_ATTRIBUTE_MAX_GRID_DIM_X,
                                          CUDA_ATTRIBUTE_MAX_GRID_DIM_Y, CUDA_ATTRIBUTE_MULTIPROCESSOR_COUNT};
    int told[COUNT] = {0};
    for (size_t i = 0; i < COUNT; ++i) {
        cuda_code code = cuda->device_attribute(&told[i], attributes[i], id);
        if (code != CUDA_SUCCESS) return kas_cuda_fail(cuda, code, "asking a device for its limits");
    }
    limits->max_shared_bytes = (size_t)told[SHARED];
    limits->max_group_items = (uint32_t)told[GROUP];
    limits->max_groups_x = (uint32_t)told[X];
    limits->max_groups_y = (uint32_t)told[Y];
    limits->compute_units = (uint32_t)told[UNITS];
    return NULL;
}

kas_status kas_cuda_describe(const kas_cuda_symbols *cuda, cuda_device_id id, uint32_t index,
                             kas_device_info *info, kas_device_limits *limits)
{
    uint8_t uuid[16];
    *info = (kas_device_info){.kind = "cuda", .api = "cuda", .state = KAS_DEVICE_READY};
    snprintf(info->id, sizeof info->id, "cuda:%u", index);
    cuda_code code = cuda->device_name(info->name, (int)sizeof info->name, id);
    if (code == CUDA_SUCCESS) code = cuda->device_memory(&info->memory_total_bytes, id);
    if (code == CUDA_SUCCESS) code = cuda->device_uuid(uuid, id);
    if (code != CUDA_SUCCESS)
        return kas_cuda_fail(cuda, code, "asking a device for its name, memory and UUID");
    kas_device_uuid_text(uuid, info->uuid);
    *limits = (kas_device_limits){
        .max_buffer_bytes = info->memory_total_bytes,
        .buffer_alignment = 256, /* what cuMemAlloc guarantees, and a whole memory transaction */
        .fp16 = true,
        .bf16 = true,
        .subgroups = true,
    };
    return ask_limits(cuda, id, limits);
}

static kas_status list_here(kas_device_info *infos, size_t capacity, size_t *count)
{
    const kas_cuda_symbols *cuda = kas_cuda_load();
    int found = 0;
    *count = 0;
    if (!cuda) return NULL;
    cuda_code code = cuda->device_count(&found);
    if (code != CUDA_SUCCESS) return kas_cuda_fail(cuda, code, "cuDeviceGetCount");
    *count = (size_t)found;
    for (uint32_t i = 0; i < *count && i < capacity; ++i) {
        cuda_device_id id;
        kas_device_limits limits;
        code = cuda->device_get(&id, (int)i);
        if (code != CUDA_SUCCESS) return kas_cuda_fail(cuda, code, "cuDeviceGet");
        KAS_TRY(kas_cuda_describe(cuda, id, i, &infos[i], &limits));
    }
    return NULL;
}

static kas_probe probe = KAS_PROBE("CUDA", list_here);

static kas_status list(kas_device_info *infos, size_t capacity, size_t *count)
{
    if (kas_cuda_is_loaded()) return list_here(infos, capacity, count);
    return kas_probe_list(&probe, infos, capacity, count);
}

const kas_driver kas_cuda_driver = {.name = "cuda", .list = list, .device = &kas_cuda_device_ops};
