/* Memory of one decoding: given out piece by piece within a budget, returned all at once. What a reader keeps
 * about an artifact (names, attributes, shapes) lives here; the graph that it makes does not, but is charged
 * to the same budget, so that one limit holds for all that decoding allocates. */
#ifndef KAS_ARTIFACT_ARENA_H
#define KAS_ARTIFACT_ARENA_H

#include <stddef.h>

#include "base/status.h"

typedef struct kas_arena {
    struct kas_arena_block *blocks; /* newest first */
    size_t left_bytes;              /* of the newest block */
    size_t budget_bytes;            /* what may still be taken */
} kas_arena;

void kas_arena_init(kas_arena *arena, size_t budget_bytes);
/* For decoding a file: twice its size, for values that become wider, and memory_bytes. */
void kas_arena_init_for_file(kas_arena *arena, size_t file_bytes, size_t memory_bytes);
void kas_arena_finish(kas_arena *arena);

/* `count` zeroed elements, aligned for any type. KAS_INVALID_ARTIFACT "limit" when the budget is spent. */
kas_status kas_arena_take(kas_arena *arena, size_t count, size_t element_bytes, void **out) KAS_MUST_USE;

/* Charges memory that lives elsewhere to the budget. */
kas_status kas_arena_charge(kas_arena *arena, size_t bytes) KAS_MUST_USE;

#endif
