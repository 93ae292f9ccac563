#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local uint64_t allocations; /* asked for by this thread */
static _Thread_local uint64_t fail_at;     /* value of `allocations` that fails; 0: none */

static bool refuse(void)
{
    ++allocations;
    return fail_at != 0 && allocations == fail_at;
}

void kas_alloc_fail_at(uint64_t nth)
{
    fail_at = nth ? allocations + nth : 0;
}

uint64_t kas_alloc_count(void)
{
    return allocations;
}

void *kas_alloc(size_t size_bytes)
{
    if (refuse()) return NULL;
    return malloc(size_bytes ? size_bytes : 1);
}

void *kas_calloc(size_t count, size_t size_bytes)
{
    if (refuse()) return NULL;
    return calloc(count ? count : 1, size_bytes ? size_bytes : 1);
}

void *kas_alloc_array(size_t count, size_t size_bytes)
{
    size_t bytes;
    return kas_mul(count, size_bytes, &bytes) ? kas_alloc(bytes) : NULL;
}

void *kas_realloc_array(void *block, size_t count, size_t size_bytes)
{
    size_t bytes;
    if (!kas_mul(count, size_bytes, &bytes) || refuse()) return NULL;
    return realloc(block, bytes ? bytes : 1);
}

void *kas_alloc_aligned(size_t alignment, size_t size_bytes)
{
    void *block;
    if (refuse() || posix_memalign(&block, alignment, size_bytes ? size_bytes : 1)) return NULL;
    return block;
}

void kas_free(void *block)
{
    free(block);
}

void *kas_memdup(const void *block, size_t size_bytes)
{
    void *copy = kas_alloc(size_bytes);
    if (copy && size_bytes) memcpy(copy, block, size_bytes);
    return copy;
}

char *kas_strdup(const char *text)
{
    return kas_memdup(text, strlen(text) + 1);
}

bool kas_grow(void **array, size_t *capacity, size_t needed, size_t max, size_t element_bytes)
{
    if (needed <= *capacity) return true;
    if (needed > max) return false;
    size_t wanted = *capacity ? *capacity : 8;
    while (wanted < needed)
        wanted = wanted > max / 2 ? max : wanted * 2;
    if (wanted > max) wanted = max;
    void *grown = kas_realloc_array(*array, wanted, element_bytes);
    if (!grown) return false;
    *array = grown;
    *capacity = wanted;
    return true;
}
