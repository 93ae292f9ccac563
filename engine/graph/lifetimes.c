/* Values are placed in the order in which launches write them: each takes over the memory of one of its size
 * that nobody reads any more, or else begins a place of its own at the end. */
#include "engine/graph/lifetimes.h"

#include "base/alloc.h"

/* Memory that values of one size use one after another. */
typedef struct place {
    size_t elements; /* of a row */
    size_t offset;   /* bytes */
    size_t last;     /* launch after which it is free */
} place;

static place *find_free(place *places, size_t count, const kas_value *value)
{
    for (size_t i = 0; i < count; ++i)
        if (places[i].elements == value->elements && places[i].last < value->first) return &places[i];
    return NULL;
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

/* Begins a place at the end of what is used, *bytes; false when it does not fit size_t. */
static bool begin_place(const kas_value *value, size_t rows, size_t alignment, place *out, size_t *bytes)
{
    size_t size = 0;
    *out = (place){.elements = value->elements, .offset = *bytes};
    return value_bytes(value, rows, alignment, &size) && kas_add(*bytes, size, bytes);
}

kas_status kas_lifetimes_place(kas_value *values, size_t count, size_t rows, size_t alignment, size_t *bytes)
{
    *bytes = 0;
    if (count == 0) return NULL;
    place *places = kas_alloc_array(count, sizeof *places);
    if (!places) return kas_out_of_memory();
    size_t used = 0, i;
    for (i = 0; i < count; ++i) {
        place *at = find_free(places, used, &values[i]);
        if (!at) {
            at = &places[used];
            if (!begin_place(&values[i], rows, alignment, at, bytes)) break;
            ++used;
        }
        values[i].offset = at->offset;
        at->last = values[i].last;
    }
    kas_free(places);
    if (i == count) return NULL;
    return kas_fail(KAS_TOO_LARGE, KERNEL, "a workspace for %zu rows is beyond the address space", rows);
}
