#include "engine/artifact/arena.h"

#include <stdalign.h>

#include "base/alloc.h"
#include "engine/artifact/refuse.h"

enum { BLOCK_BYTES = 16 * 1024 };

struct kas_arena_block {
    struct kas_arena_block *next;
    size_t size_bytes;
    alignas(max_align_t) unsigned char bytes[];
};

void kas_arena_init(kas_arena *arena, size_t budget_bytes)
{
    *arena = (kas_arena){.budget_bytes = budget_bytes};
}

void kas_arena_init_for_file(kas_arena *arena, size_t file_bytes, size_t memory_bytes)
{
    size_t budget;
    if (!kas_mul(file_bytes, 2, &budget) || !kas_add(budget, memory_bytes, &budget)) budget = SIZE_MAX;
    kas_arena_init(arena, budget);
}

void kas_arena_finish(kas_arena *arena)
{
    while (arena->blocks) {
        struct kas_arena_block *next = arena->blocks->next;
        kas_free(arena->blocks);
        arena->blocks = next;
    }
    *arena = (kas_arena){0};
}

kas_status kas_arena_charge(kas_arena *arena, size_t bytes)
{
    if (bytes > arena->budget_bytes)
        return kas_refuse(KAS_REASON_LIMIT,
                          "decoding needs %zu bytes of memory more, %zu are left of its limit", bytes,
                          arena->budget_bytes);
    arena->budget_bytes -= bytes;
    return NULL;
}

/* Blocks are zeroed when they are made and no byte is given out twice. */
static kas_status add_block(kas_arena *arena, size_t needed_bytes)
{
    size_t size = needed_bytes > BLOCK_BYTES ? needed_bytes : BLOCK_BYTES, total;
    if (!kas_add(size, sizeof(struct kas_arena_block), &total)) return kas_out_of_memory();
    KAS_TRY(kas_arena_charge(arena, total));
    struct kas_arena_block *block = kas_calloc(1, total);
    if (!block) return kas_out_of_memory();
    block->next = arena->blocks;
    block->size_bytes = size;
    arena->blocks = block;
    arena->left_bytes = size;
    return NULL;
}

kas_status kas_arena_take(kas_arena *arena, size_t count, size_t element_bytes, void **out)
{
    size_t bytes, aligned;
    *out = NULL;
    if (!kas_mul(count ? count : 1, element_bytes, &bytes) || !kas_add(bytes, alignof(max_align_t), &aligned))
        return kas_refuse(KAS_REASON_LIMIT, "%zu elements of %zu bytes are beyond any memory", count,
                          element_bytes);
    bytes = kas_align_up(bytes, alignof(max_align_t));
    if (bytes > arena->left_bytes) KAS_TRY(add_block(arena, bytes));
    struct kas_arena_block *block = arena->blocks;
    *out = block->bytes + (block->size_bytes - arena->left_bytes);
    arena->left_bytes -= bytes;
    return NULL;
}
