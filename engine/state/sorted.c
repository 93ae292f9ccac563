#include "engine/state/sorted.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

enum { SORTED_MAX = 1 << 26 };

kas_status kas_sorted_reserve(kas_sorted *sorted)
{
    bool room = kas_grow((void **)&sorted->items, &sorted->capacity, sorted->count + 1, SORTED_MAX,
                         sizeof *sorted->items);
    return room ? NULL : kas_out_of_memory();
}

void kas_sorted_finish(kas_sorted *sorted)
{
    kas_free(sorted->items);
    *sorted = (kas_sorted){0};
}

size_t kas_sorted_after(const kas_sorted *sorted, const char *name)
{
    size_t low = 0, high = sorted->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(sorted->items[middle].name, name) > 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

kas_status kas_sorted_insert(kas_sorted *sorted, kas_undo *undo, const char *name, void *object)
{
    assert(sorted->count < sorted->capacity);
    size_t at = kas_sorted_after(sorted, name);
    size_t moved_bytes = (sorted->count - at) * sizeof *sorted->items;
    KAS_TRY(kas_undo_save(undo, &sorted->count, sizeof sorted->count));
    KAS_TRY(kas_undo_save(undo, &sorted->items[at], moved_bytes));
    memmove(&sorted->items[at + 1], &sorted->items[at], moved_bytes);
    sorted->items[at] = (kas_sorted_item){.name = name, .object = object};
    ++sorted->count;
    return NULL;
}

kas_status kas_sorted_remove(kas_sorted *sorted, kas_undo *undo, const char *name)
{
    size_t after = kas_sorted_after(sorted, name);
    assert(after > 0 && strcmp(sorted->items[after - 1].name, name) == 0);
    size_t moved_bytes = (sorted->count - after) * sizeof *sorted->items;
    KAS_TRY(kas_undo_save(undo, &sorted->count, sizeof sorted->count));
    KAS_TRY(kas_undo_save(undo, &sorted->items[after - 1], moved_bytes + sizeof *sorted->items));
    memmove(&sorted->items[after - 1], &sorted->items[after], moved_bytes);
    --sorted->count;
    return NULL;
}
