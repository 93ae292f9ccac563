/* Host memory. Every allocation of the engine goes through here, so that sizes are checked, tests can count
 * allocations and make any one of them fail, and memory is returned by the one call kas_free.
 *
 * All calls are thread-safe and return NULL when memory is out or a size does not fit size_t. */
#ifndef KAS_BASE_ALLOC_H
#define KAS_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KAS_CACHE_LINE 64 /* bytes; what two threads must not share when both write */

void *kas_alloc(size_t size_bytes) __attribute__((malloc, alloc_size(1)));
void *kas_calloc(size_t count, size_t size_bytes) __attribute__((malloc, alloc_size(1, 2)));
void *kas_alloc_array(size_t count, size_t size_bytes) __attribute__((malloc, alloc_size(1, 2)));
/* As realloc, with count * size_bytes checked; on failure the old block is unchanged. */
void *kas_realloc_array(void *block, size_t count, size_t size_bytes) __attribute__((alloc_size(2, 3)));
/* alignment: a power of two of at least sizeof(void *). */
void *kas_alloc_aligned(size_t alignment, size_t size_bytes) __attribute__((malloc, alloc_size(2)));
void kas_free(void *block); /* accepts NULL */

/* A copy of a string or of a block; NULL when memory is out. */
char *kas_strdup(const char *text) __attribute__((malloc));
void *kas_memdup(const void *block, size_t size_bytes) __attribute__((malloc));

/* Checked size arithmetic: false, and *out unchanged, when the result does not fit. */
static inline bool kas_mul(size_t a, size_t b, size_t *out)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) return false;
    *out = product;
    return true;
}

static inline bool kas_add(size_t a, size_t b, size_t *out)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return false;
    *out = sum;
    return true;
}

static inline size_t kas_align_up(size_t value, size_t alignment) /* alignment: a power of two */
{
    return (value + alignment - 1) & ~(alignment - 1);
}

/* Makes room for `needed` elements in a growing array: doubles its capacity, from 8. `*array` and `*capacity`
 * are unchanged on failure. `max` bounds the capacity (every growing thing declares its maximum). */
bool kas_grow(void **array, size_t *capacity, size_t needed, size_t max, size_t element_bytes);

/* For tests. kas_alloc_fail_at(n): the n-th allocation of this thread from now on fails (0: none does).
 * kas_alloc_count: how many allocations this thread has asked for. */
void kas_alloc_fail_at(uint64_t nth);
uint64_t kas_alloc_count(void);

#endif
