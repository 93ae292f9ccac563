/* First fit: values are placed in the order in which launches write them, each into the lowest gap between those that
 * are alive then. A list of these, by offset, is all the state there is. */
#include "engine/graph/lifetimes.h"

#include "base/alloc.h"

typedef struct block {
    size_t begin, end; /* bytes */
    size_t last;       /* launch after which it is free */
} block;

/* Drops what nobody reads from launch `now` on. */
static size_t expire(block *alive, size_t count, size_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; ++i)
        if (alive[i].last >= now) alive[kept++] = alive[i];
    return kept;
}

/* The lowest gap of `size` bytes: its start, and its place in the list. */
static size_t first_gap(const block *alive, size_t count, size_t size, size_t *place)
{
    size_t begin = 0;
    for (*place = 0; *place < count; ++*place) {
        if (alive[*place].begin - begin >= size) break;
        begin = alive[*place].end;
    }
    return begin;
}

/* Bytes of a value, rounded up; false when they do not fit size_t. */
static bool value_bytes(const kas_value *value, size_t rows, size_t alignment, size_t *bytes)
{
    size_t size = 0;
    if (!kas_mul(value->elements, rows, &size) || !kas_mul(size, sizeof(float), &size) ||
        !kas_add(size, alignment - 1, &size))
        return false;
    *bytes = size & ~(alignment - 1);
    return true;
}

/* Places one value among those that are alive, of which there are then one more; false when its end does not fit. */
static bool place_value(kas_value *value, size_t size, block *alive, size_t living, size_t *end)
{
    size_t place;
    value->offset = first_gap(alive, living, size, &place);
    if (!kas_add(value->offset, size, end)) return false;
    for (size_t i = living; i > place; --i)
        alive[i] = alive[i - 1];
    alive[place] = (block){value->offset, *end, value->last};
    return true;
}

kas_status kas_lifetimes_place(kas_value *values, size_t count, size_t rows, size_t alignment, size_t *bytes)
{
    *bytes = 0;
    if (count == 0) return NULL;
    block *alive = kas_alloc_array(count, sizeof *alive);
    if (!alive) return kas_out_of_memory();
    size_t living = 0, i;
    for (i = 0; i < count; ++i) {
        size_t size = 0, end = 0;
        if (!value_bytes(&values[i], rows, alignment, &size)) break;
        living = expire(alive, living, values[i].first);
        if (!place_value(&values[i], size, alive, living, &end)) break;
        ++living;
        if (end > *bytes) *bytes = end;
    }
    kas_free(alive);
    if (i == count) return NULL;
    return kas_fail(KAS_TOO_LARGE, KERNEL, "a workspace for %zu rows is beyond the address space", rows);
}
