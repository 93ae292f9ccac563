/* Device memory on the heap, in exact sizes, under tagged addresses. */
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/state.h"

typedef struct allocation {
    char *bytes;
    size_t size;
    bool pooled;
    bool usable; /* its stream has come to the allocation */
    struct allocation *next;
} allocation;

static allocation *allocations;

struct cuda_pool_object {
    int unused;
};

static cuda_address tagged(const allocation *of)
{
    return (cuda_address)(uintptr_t)of->bytes | ADDRESS_TAG;
}

void *double_host(cuda_address address, size_t bytes)
{
    if (!(address & ADDRESS_TAG)) return NULL;
    char *at = (char *)(uintptr_t)(address & ~ADDRESS_TAG); /* NOLINT(performance-no-int-to-ptr) */
    for (const allocation *a = allocations; a; a = a->next)
        if (a->usable && at >= a->bytes && at < a->bytes + a->size &&
            bytes <= (size_t)(a->bytes + a->size - at))
            return at;
    return NULL;
}

/* A pool reuses what it keeps only for an allocation that is no larger than that. */
static cuda_code allocate(cuda_address *address, size_t bytes, bool pooled)
{
    double_counts *counts = &double_world.counts;
    const size_t reused = pooled && bytes <= counts->kept ? bytes : 0;
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (bytes - reused > double_world.memory_limit - counts->bytes - counts->kept)
        return CUDA_ERROR_OUT_OF_MEMORY;
    allocation *new = malloc(sizeof *new);
    void *memory = NULL;
    if (!new || posix_memalign(&memory, 256, bytes)) {
        free(new);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    memset(memory, 0xa5, bytes); /* never zero by chance */
    *new = (allocation){memory, bytes, pooled, true, allocations};
    allocations = new;
    ++counts->allocations;
    counts->bytes += bytes;
    counts->kept -= reused;
    *address = tagged(new);
    return CUDA_SUCCESS;
}

cuda_code double_use_memory(cuda_address address)
{
    for (allocation *a = allocations; a; a = a->next)
        if (tagged(a) == address) a->usable = true;
    return CUDA_SUCCESS;
}

cuda_code double_release_memory(cuda_address address)
{
    for (allocation **link = &allocations; *link; link = &(*link)->next) {
        allocation *found = *link;
        if (tagged(found) != address) continue;
        *link = found->next;
        --double_world.counts.allocations;
        double_world.counts.bytes -= found->size;
        if (found->pooled) double_world.counts.kept += found->size;
        free(found->bytes);
        free(found);
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_INVALID_VALUE;
}

EXPORT cuda_code cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes)
{
    ENTER(true);
    *total_bytes = double_world.memory_limit;
    *free_bytes = double_world.memory_limit - double_world.counts.bytes - double_world.counts.kept;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuMemAlloc_v2(cuda_address *address, size_t bytes)
{
    ENTER(true);
    LEAVE(allocate(address, bytes, false));
}

EXPORT cuda_code cuMemFree_v2(cuda_address address)
{
    ENTER(true);
    LEAVE(double_release_memory(address));
}

EXPORT cuda_code cuMemAllocFromPoolAsync(cuda_address *address, size_t bytes, cuda_pool pool,
                                         cuda_stream stream)
{
    ENTER(true);
    cuda_code code = pool && stream ? allocate(address, bytes, true) : CUDA_ERROR_INVALID_VALUE;
    if (code != CUDA_SUCCESS) LEAVE(code);
    allocations->usable = false;
    LEAVE(double_enqueue(stream, &(operation){.kind = ALLOCATE, .address = *address}));
}

EXPORT cuda_code cuMemPoolCreate(cuda_pool *pool, const cuda_pool_properties *properties)
{
    ENTER(true);
    const cuda_pool_properties wanted = {.allocation_type = CUDA_MEMORY_PINNED,
                                         .location_type = CUDA_LOCATION_DEVICE};
    if (memcmp(properties, &wanted, sizeof wanted) != 0) LEAVE(CUDA_ERROR_INVALID_VALUE);
    *pool = calloc(1, sizeof **pool);
    if (*pool) ++double_world.counts.pools;
    LEAVE(*pool ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

EXPORT cuda_code cuMemPoolDestroy(cuda_pool pool)
{
    ENTER(true);
    free(pool);
    --double_world.counts.pools;
    double_world.counts.kept = 0;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuMemPoolSetAttribute(cuda_pool pool, int attribute, void *value)
{
    ENTER(true);
    LEAVE(pool && attribute == CUDA_POOL_RELEASE_THRESHOLD && value ? CUDA_SUCCESS
                                                                    : CUDA_ERROR_INVALID_VALUE);
}

EXPORT cuda_code cuMemPoolGetAttribute(cuda_pool pool, int attribute, void *value)
{
    ENTER(true);
    uint64_t used = 0, number;
    for (const allocation *a = allocations; a; a = a->next)
        if (a->pooled) used += a->size;
    if (!pool || (attribute != CUDA_POOL_USED && attribute != CUDA_POOL_RESERVED))
        LEAVE(CUDA_ERROR_INVALID_VALUE);
    number = attribute == CUDA_POOL_USED ? used : used + double_world.counts.kept;
    memcpy(value, &number, sizeof number);
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuMemPoolTrimTo(cuda_pool pool, size_t bytes_kept)
{
    ENTER(true);
    if (!pool) LEAVE(CUDA_ERROR_INVALID_VALUE);
    if (double_world.counts.kept > bytes_kept) double_world.counts.kept = bytes_kept;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuMemFreeAsync(cuda_address address, cuda_stream stream)
{
    ENTER(true);
    if (!(address & ADDRESS_TAG)) LEAVE(CUDA_ERROR_INVALID_VALUE);
    LEAVE(double_enqueue(stream, &(operation){.kind = FREE, .address = address}));
}

EXPORT cuda_code cuMemHostAlloc(void **host, size_t bytes, unsigned flags)
{
    ENTER(true);
    (void)flags;
    *host = malloc(bytes);
    if (*host) ++double_world.counts.pinned;
    LEAVE(*host ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

EXPORT cuda_code cuMemFreeHost(void *host)
{
    ENTER(true);
    --double_world.counts.pinned;
    free(host);
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuMemcpyHtoDAsync_v2(cuda_address to, const void *from, size_t bytes, cuda_stream stream)
{
    ENTER(true);
    LEAVE(double_enqueue(stream, &(operation){.kind = COPY_IN, .address = to, .from = from, .bytes = bytes}));
}

EXPORT cuda_code cuMemcpyDtoHAsync_v2(void *to, cuda_address from, size_t bytes, cuda_stream stream)
{
    ENTER(true);
    LEAVE(double_enqueue(stream, &(operation){.kind = COPY_OUT, .address = from, .to = to, .bytes = bytes}));
}

EXPORT cuda_code cuMemsetD32Async(cuda_address to, unsigned word, size_t words, cuda_stream stream)
{
    ENTER(true);
    LEAVE(double_enqueue(
        stream, &(operation){.kind = FILL, .address = to, .word = word, .bytes = words * sizeof word}));
}
