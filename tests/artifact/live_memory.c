#include "tests/artifact/live_memory.h"

#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>

void *__real_malloc(size_t size_bytes);
void *__real_calloc(size_t count, size_t size_bytes);
void *__real_realloc(void *block, size_t size_bytes);
int __real_posix_memalign(void **block, size_t alignment, size_t size_bytes);
void __real_free(void *block);

void *__wrap_malloc(size_t size_bytes);
void *__wrap_calloc(size_t count, size_t size_bytes);
void *__wrap_realloc(void *block, size_t size_bytes);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size_bytes);
void __wrap_free(void *block);

static size_t live, peak;

static void *add(void *block)
{
    live += malloc_usable_size(block); /* 0 for NULL */
    if (live > peak) peak = live;
    return block;
}

void *__wrap_malloc(size_t size_bytes)
{
    return add(__real_malloc(size_bytes));
}

void *__wrap_calloc(size_t count, size_t size_bytes)
{
    return add(__real_calloc(count, size_bytes));
}

void *__wrap_realloc(void *block, size_t size_bytes)
{
    const size_t before = malloc_usable_size(block);
    void *grown = __real_realloc(block, size_bytes);
    if (!grown) return NULL;
    live -= before;
    return add(grown);
}

int __wrap_posix_memalign(void **block, size_t alignment, size_t size_bytes)
{
    const int error = __real_posix_memalign(block, alignment, size_bytes);
    if (!error) add(*block);
    return error;
}

void __wrap_free(void *block)
{
    live -= malloc_usable_size(block);
    __real_free(block);
}

void live_memory_watch_jansson(void)
{
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
}

size_t live_memory_bytes(void)
{
    return live;
}

size_t live_memory_peak_bytes(void)
{
    return peak;
}

void live_memory_restart_peak(void)
{
    peak = live;
}
