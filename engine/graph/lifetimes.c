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

static kas_status value_bytes(const kas_value *value, size_t rows, size_t alignment, size_t *bytes)
{
    size_t size;
    if (!kas_mul(value->elements, rows, &size) || !kas_mul(size, sizeof(float), &size) ||
        !kas_add(size, alignment - 1, bytes))
        return kas_fail(KAS_TOO_LARGE, KERNEL, "a value of %zu floats a row for %zu rows is beyond the address space",
                        value->elements, rows);
    *bytes &= ~(alignment - 1);
    return NULL;
}

kas_status kas_lifetimes_place(kas_value *values, size_t count, size_t rows, size_t alignment, size_t *bytes)
{
    *bytes = 0;
    if (count == 0) return NULL;
    block *alive = kas_alloc_array(count, sizeof *alive);
    if (!alive) return kas_out_of_memory();
    kas_status status = NULL;
    size_t living = 0;
    for (size_t i = 0; i < count && !status; ++i) {
        size_t size, place, end;
        status = value_bytes(&values[i], rows, alignment, &size);
        if (status) break;
        living = expire(alive, living, values[i].first);
        values[i].offset = first_gap(alive, living, size, &place);
        if (!kas_add(values[i].offset, size, &end)) {
            status = kas_fail(KAS_TOO_LARGE, KERNEL, "a workspace for %zu rows is beyond the address space", rows);
            break;
        }
        for (size_t j = living++; j > place; --j)
            alive[j] = alive[j - 1];
        alive[place] = (block){values[i].offset, end, values[i].last};
        if (end > *bytes) *bytes = end;
    }
    kas_free(alive);
    return status;
}
