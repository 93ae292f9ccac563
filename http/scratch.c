#include "http/scratch.h"

#include "base/alloc.h"

typedef struct kas_scratch_large { /* what was asked for lies a cache line further on */
    struct kas_scratch_large *next;
} kas_scratch_large;

void kas_http_scratch_init(kas_http_scratch *scratch, void *block)
{
    *scratch = (kas_http_scratch){.block = block};
}

static void *take_large(kas_http_scratch *scratch, size_t bytes)
{
    if (!kas_add(bytes, KAS_CACHE_LINE, &bytes)) return NULL;
    kas_scratch_large *large = kas_alloc_aligned(KAS_CACHE_LINE, bytes);
    if (!large) return NULL;
    large->next = scratch->large;
    scratch->large = large;
    return (unsigned char *)large + KAS_CACHE_LINE;
}

void *kas_http_scratch_take(kas_http_scratch *scratch, size_t bytes)
{
    if (bytes > KAS_SCRATCH_BYTES - scratch->used) return take_large(scratch, bytes);
    void *taken = scratch->block + scratch->used;
    scratch->used += kas_align_up(bytes, KAS_CACHE_LINE);
    return taken;
}

void kas_http_scratch_reset(kas_http_scratch *scratch)
{
    while (scratch->large) {
        kas_scratch_large *large = scratch->large;
        scratch->large = large->next;
        kas_free(large);
    }
    scratch->used = 0;
}
