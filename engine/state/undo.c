#include "engine/state/undo.h"

#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

enum {
    UNDO_MAX_BYTES = 1 << 30,
    UNDO_KEPT_BYTES =
        1 << 20, /* beyond this the log is given back after a change: an epoch over all layers is rare */
};

typedef enum record_kind { RECORD_IMAGE, RECORD_MADE, RECORD_DROPPED } record_kind;

typedef struct record {
    void *at;
    size_t size_bytes; /* of the image that follows */
    size_t previous;   /* offset of the record before */
    record_kind kind;
} record;

static kas_status push(kas_undo *undo, record_kind kind, void *at, size_t size_bytes)
{
    size_t offset = undo->used;
    size_t needed = offset + sizeof(record) + kas_align_up(size_bytes, _Alignof(record));
    if (!kas_grow((void **)&undo->bytes, &undo->capacity, needed, UNDO_MAX_BYTES, 1))
        return kas_out_of_memory();
    record *pushed = (record *)(void *)(undo->bytes + offset);
    *pushed = (record){.at = at, .size_bytes = size_bytes, .previous = undo->last, .kind = kind};
    if (kind == RECORD_IMAGE) memcpy(pushed + 1, at, size_bytes);
    undo->last = offset;
    undo->used = needed;
    return NULL;
}

kas_status kas_undo_save(kas_undo *undo, void *at, size_t size_bytes)
{
    return push(undo, RECORD_IMAGE, at, size_bytes);
}

kas_status kas_undo_alloc(kas_undo *undo, size_t size_bytes, void **out)
{
    void *block = kas_calloc(1, size_bytes);
    if (!block) return kas_out_of_memory();
    kas_status status = push(undo, RECORD_MADE, block, 0);
    if (status) {
        kas_free(block);
        return status;
    }
    *out = block;
    return NULL;
}

kas_status kas_undo_drop(kas_undo *undo, void *block)
{
    return push(undo, RECORD_DROPPED, block, 0);
}

static record *pop(kas_undo *undo)
{
    if (!undo->used) return NULL;
    record *popped = (record *)(void *)(undo->bytes + undo->last);
    undo->used = undo->last;
    undo->last = popped->previous;
    return popped;
}

static void give_back(kas_undo *undo)
{
    if (undo->capacity > UNDO_KEPT_BYTES) kas_undo_finish(undo);
}

void kas_undo_keep(kas_undo *undo)
{
    for (record *popped = pop(undo); popped; popped = pop(undo))
        if (popped->kind == RECORD_DROPPED) kas_free(popped->at);
    give_back(undo);
}

void kas_undo_revert(kas_undo *undo)
{
    for (record *popped = pop(undo); popped; popped = pop(undo)) {
        if (popped->kind == RECORD_IMAGE) memcpy(popped->at, popped + 1, popped->size_bytes);
        if (popped->kind == RECORD_MADE) kas_free(popped->at);
    }
    give_back(undo);
}

void kas_undo_finish(kas_undo *undo)
{
    kas_free(undo->bytes);
    *undo = (kas_undo){0};
}
