/* Device memory on the heap, in exact sizes, under tagged addresses. */
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/state.h"

typedef struct allocation {
    char *bytes;
    size_t size;
    bool usable; /* its stream has come to the allocation */
    struct allocation *next;
} allocation;

static allocation *allocations;

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

static cuda_code allocate(cuda_address *address, size_t bytes)
{
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (bytes > double_world.memory_limit - double_world.counts.bytes) return CUDA_ERROR_OUT_OF_MEMORY;
    allocation *new = malloc(sizeof *new);
    void *memory = NULL;
    if (!new || posix_memalign(&memory, 256, bytes)) {
        free(new);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    memset(memory, 0xa5, bytes); /* never zero by chance */
    *new = (allocation){memory, bytes, true, allocations};
    allocations = new;
    ++double_world.counts.allocations;
    double_world.counts.bytes += bytes;
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
    *free_bytes = double_world.memory_limit - double_world.counts.bytes;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuMemAlloc_v2(cuda_address *address, size_t bytes)
{
    ENTER(true);
    LEAVE(allocate(address, bytes));
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
    cuda_code code = pool && stream ? allocate(address, bytes) : CUDA_ERROR_INVALID_VALUE;
    if (code != CUDA_SUCCESS) LEAVE(code);
    allocations->usable = false;
    LEAVE(double_enqueue(stream, &(operation){.kind = ALLOCATE, .address = *address}));
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
