/* The catalog: an array sorted by id. */
#include "engine/cache/catalog.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"

struct kas_catalog {
    pthread_mutex_t lock; /* guards all below */
    const kas_record **records;
    size_t count, capacity;
    size_t held; /* records that room is held for */
};

kas_status kas_catalog_create(kas_catalog **out)
{
    kas_catalog *catalog = kas_calloc(1, sizeof *catalog);
    if (!catalog) return kas_out_of_memory();
    pthread_mutex_init(&catalog->lock, NULL);
    *out = catalog;
    return NULL;
}

void kas_catalog_destroy(kas_catalog *catalog)
{
    if (!catalog) return;
    for (size_t i = 0; i < catalog->count; ++i)
        kas_record_release(catalog->records[i]);
    kas_free(catalog->records);
    pthread_mutex_destroy(&catalog->lock);
    kas_free(catalog);
}

/* The first record whose id is not before `id`; lock held. */
static size_t lower_bound(const kas_catalog *catalog, const char *id)
{
    size_t low = 0, high = catalog->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(catalog->records[middle]->artifact_id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const kas_catalog *catalog, size_t at, const char *id)
{
    return at < catalog->count && !strcmp(catalog->records[at]->artifact_id, id);
}

/* For one more record than there are and than room is held for; lock held. */
static kas_status make_room(kas_catalog *catalog)
{
    const size_t needed = catalog->count + catalog->held + 1;
    void *grown = catalog->records;
    if (needed > KAS_CATALOG_MAX)
        return kas_fail(KAS_NO_ROOM, CALLER, "%d artifacts are known, which is the limit; evict some",
                        KAS_CATALOG_MAX);
    if (!kas_grow(&grown, &catalog->capacity, needed, KAS_CATALOG_MAX, sizeof *catalog->records))
        return kas_out_of_memory();
    catalog->records = grown;
    return NULL;
}

/* There is room for it; lock held. */
static void insert_at(kas_catalog *catalog, size_t at, const kas_record *record)
{
    memmove(catalog->records + at + 1, catalog->records + at,
            (catalog->count - at) * sizeof *catalog->records);
    catalog->records[at] = kas_record_retain(record);
    ++catalog->count;
}

/* Returns the one whose place it took, to be released without the lock; lock held. */
static const kas_record *replace_at(kas_catalog *catalog, size_t at, const kas_record *record)
{
    const kas_record *old = catalog->records[at];
    if (!record->uploaded && old->uploaded) return NULL;
    catalog->records[at] = kas_record_retain(record);
    return old;
}

kas_status kas_catalog_put(kas_catalog *catalog, const kas_record *record)
{
    kas_status status = NULL;
    const kas_record *old = NULL;
    pthread_mutex_lock(&catalog->lock);
    size_t at = lower_bound(catalog, record->artifact_id);
    if (is_at(catalog, at, record->artifact_id))
        old = replace_at(catalog, at, record);
    else if (!(status = make_room(catalog)))
        insert_at(catalog, at, record);
    pthread_mutex_unlock(&catalog->lock);
    kas_record_release(old);
    return status;
}

kas_status kas_catalog_hold_room(kas_catalog *catalog, const char *artifact_id)
{
    pthread_mutex_lock(&catalog->lock);
    bool known = is_at(catalog, lower_bound(catalog, artifact_id), artifact_id);
    kas_status status = known ? NULL : make_room(catalog);
    if (!status) ++catalog->held;
    pthread_mutex_unlock(&catalog->lock);
    return status;
}

void kas_catalog_put_held(kas_catalog *catalog, const kas_record *record)
{
    const kas_record *old = NULL;
    pthread_mutex_lock(&catalog->lock);
    size_t at = lower_bound(catalog, record->artifact_id);
    --catalog->held;
    if (is_at(catalog, at, record->artifact_id))
        old = replace_at(catalog, at, record);
    else
        insert_at(catalog, at, record);
    pthread_mutex_unlock(&catalog->lock);
    kas_record_release(old);
}

void kas_catalog_give_room(kas_catalog *catalog)
{
    pthread_mutex_lock(&catalog->lock);
    --catalog->held;
    pthread_mutex_unlock(&catalog->lock);
}

const kas_record *kas_catalog_find(kas_catalog *catalog, const char *artifact_id)
{
    pthread_mutex_lock(&catalog->lock);
    size_t at = lower_bound(catalog, artifact_id);
    const kas_record *record =
        is_at(catalog, at, artifact_id) ? kas_record_retain(catalog->records[at]) : NULL;
    pthread_mutex_unlock(&catalog->lock);
    return record;
}

void kas_catalog_remove(kas_catalog *catalog, const char *artifact_id)
{
    const kas_record *record = NULL;
    pthread_mutex_lock(&catalog->lock);
    size_t at = lower_bound(catalog, artifact_id);
    if (is_at(catalog, at, artifact_id)) {
        record = catalog->records[at];
        --catalog->count;
        memmove(catalog->records + at, catalog->records + at + 1,
                (catalog->count - at) * sizeof *catalog->records);
    }
    pthread_mutex_unlock(&catalog->lock);
    kas_record_release(record);
}

bool kas_catalog_has_other(kas_catalog *catalog, const kas_record *record)
{
    bool found = false;
    pthread_mutex_lock(&catalog->lock);
    for (size_t i = 0; i < catalog->count && !found; ++i) {
        const kas_record *other = catalog->records[i];
        found = kas_sha256_equal(&other->checksum, &record->checksum) &&
                strcmp(other->artifact_id, record->artifact_id) != 0;
    }
    pthread_mutex_unlock(&catalog->lock);
    return found;
}

size_t kas_catalog_count(kas_catalog *catalog)
{
    pthread_mutex_lock(&catalog->lock);
    size_t count = catalog->count;
    pthread_mutex_unlock(&catalog->lock);
    return count;
}

size_t kas_catalog_list(kas_catalog *catalog, const char *after, const kas_record **out, size_t capacity)
{
    pthread_mutex_lock(&catalog->lock);
    size_t at = lower_bound(catalog, after);
    if (is_at(catalog, at, after)) ++at;
    size_t count = catalog->count - at < capacity ? catalog->count - at : capacity;
    for (size_t i = 0; i < count; ++i)
        out[i] = kas_record_retain(catalog->records[at + i]);
    pthread_mutex_unlock(&catalog->lock);
    return count;
}
