/* Reference-counted records of artifacts. */
#include "engine/cache/record.h"

#include <stdatomic.h>

#include "base/alloc.h"

typedef struct counted_record {
    kas_record record; /* first: a record's address is its block's */
    atomic_uint references;
} counted_record;

kas_status kas_record_create(const kas_record *fields, const kas_record **out)
{
    counted_record *block = kas_calloc(1, sizeof *block);
    if (!block) return kas_out_of_memory();
    block->record = *fields;
    atomic_init(&block->references, 1);
    *out = &block->record;
    return NULL;
}

const kas_record *kas_record_retain(const kas_record *record)
{
    counted_record *block = (counted_record *)(uintptr_t)record;
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
    return record;
}

void kas_record_release(const kas_record *record)
{
    counted_record *block = (counted_record *)(uintptr_t)record;
    if (!block || atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) != 1) return;
    kas_metadata_finish(&block->record.metadata);
    kas_free(block);
}
