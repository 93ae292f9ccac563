#include "engine/cache/disk_index.h"

#include "base/alloc.h"
#include "engine/cache/catalog.h"

enum { FILES_MAX = 2 * KAS_CATALOG_MAX }; /* those that no record tells of, too */

void kas_disk_index_init(kas_disk_index *index)
{
    *index = (kas_disk_index){0};
    pthread_mutex_init(&index->lock, NULL);
}

void kas_disk_index_finish(kas_disk_index *index)
{
    pthread_mutex_destroy(&index->lock);
    kas_free(index->blobs);
    kas_free(index->damaged_records);
}

static kas_disk_blob *find(kas_disk_index *index, const kas_sha256 *checksum) /* lock held */
{
    for (size_t i = 0; i < index->count; ++i)
        if (kas_sha256_equal(&index->blobs[i].checksum, checksum)) return &index->blobs[i];
    return NULL;
}

/* The blob, a new one where it is not there yet; NULL: memory is out. Lock held. */
static kas_disk_blob *find_or_add(kas_disk_index *index, const kas_sha256 *checksum, bool *added)
{
    kas_disk_blob *known = find(index, checksum);
    *added = !known;
    if (known) return known;
    void *grown = index->blobs;
    if (!kas_grow(&grown, &index->capacity, index->count + 1, FILES_MAX, sizeof *index->blobs)) return NULL;
    index->blobs = grown;
    known = &index->blobs[index->count++];
    *known = (kas_disk_blob){.checksum = *checksum};
    return known;
}

/* ---- while the tier is loaded ---- */

kas_status kas_disk_index_list(kas_disk_index *index, const kas_sha256 *checksum)
{
    bool added;
    pthread_mutex_lock(&index->lock);
    bool found = find_or_add(index, checksum, &added) != NULL;
    pthread_mutex_unlock(&index->lock);
    return found ? NULL : kas_out_of_memory();
}

kas_status kas_disk_index_claim(kas_disk_index *index, const kas_sha256 *checksum, uint64_t size_bytes,
                                bool *listed)
{
    bool added;
    pthread_mutex_lock(&index->lock);
    kas_disk_blob *blob = find_or_add(index, checksum, &added);
    if (blob) {
        blob->recorded = true;
        blob->damaged |= added;
        blob->size_bytes = size_bytes;
        *listed = !blob->damaged;
    }
    pthread_mutex_unlock(&index->lock);
    return blob ? NULL : kas_out_of_memory();
}

bool kas_disk_index_take_unrecorded(kas_disk_index *index, kas_sha256 *checksum)
{
    bool found = false;
    pthread_mutex_lock(&index->lock);
    for (size_t i = 0; i < index->count && !found; ++i) {
        if (index->blobs[i].recorded) continue;
        found = true;
        *checksum = index->blobs[i].checksum;
        index->blobs[i] = index->blobs[--index->count];
    }
    pthread_mutex_unlock(&index->lock);
    return found;
}

kas_status kas_disk_index_note_damaged_record(kas_disk_index *index, const kas_sha256 *name)
{
    kas_status status = NULL;
    pthread_mutex_lock(&index->lock);
    void *grown = index->damaged_records;
    if (kas_grow(&grown, &index->damaged_capacity, index->damaged_count + 1, FILES_MAX, sizeof *name)) {
        index->damaged_records = grown;
        index->damaged_records[index->damaged_count++] = *name;
    } else {
        status = kas_out_of_memory();
    }
    pthread_mutex_unlock(&index->lock);
    return status;
}

bool kas_disk_index_has_damaged_records(kas_disk_index *index)
{
    pthread_mutex_lock(&index->lock);
    bool has = index->damaged_count > 0;
    pthread_mutex_unlock(&index->lock);
    return has;
}

/* ---- later ---- */

kas_status kas_disk_index_note(kas_disk_index *index, const kas_sha256 *checksum, uint64_t size_bytes)
{
    bool added;
    pthread_mutex_lock(&index->lock);
    kas_disk_blob *blob = find_or_add(index, checksum, &added);
    if (blob) *blob = (kas_disk_blob){.checksum = *checksum, .size_bytes = size_bytes, .recorded = true};
    pthread_mutex_unlock(&index->lock);
    return blob ? NULL : kas_out_of_memory();
}

void kas_disk_index_note_record(kas_disk_index *index, const kas_sha256 *name)
{
    pthread_mutex_lock(&index->lock);
    size_t i = 0;
    while (i < index->damaged_count && !kas_sha256_equal(&index->damaged_records[i], name))
        ++i;
    if (i < index->damaged_count) index->damaged_records[i] = index->damaged_records[--index->damaged_count];
    pthread_mutex_unlock(&index->lock);
}

void kas_disk_index_note_damage(kas_disk_index *index, const kas_sha256 *checksum)
{
    pthread_mutex_lock(&index->lock);
    kas_disk_blob *known = find(index, checksum);
    if (known) known->damaged = true;
    pthread_mutex_unlock(&index->lock);
}

void kas_disk_index_forget(kas_disk_index *index, const kas_sha256 *checksum)
{
    pthread_mutex_lock(&index->lock);
    kas_disk_blob *known = find(index, checksum);
    if (known) *known = index->blobs[--index->count];
    pthread_mutex_unlock(&index->lock);
}

bool kas_disk_index_has(kas_disk_index *index, const kas_sha256 *checksum)
{
    pthread_mutex_lock(&index->lock);
    bool found = find(index, checksum) != NULL;
    pthread_mutex_unlock(&index->lock);
    return found;
}

bool kas_disk_index_look_up(kas_disk_index *index, const kas_sha256 *checksum)
{
    pthread_mutex_lock(&index->lock);
    bool found = find(index, checksum) != NULL;
    ++*(found ? &index->hits : &index->misses);
    pthread_mutex_unlock(&index->lock);
    return found;
}

void kas_disk_index_stats(kas_disk_index *index, kas_tier_stats *out)
{
    *out = (kas_tier_stats){0};
    pthread_mutex_lock(&index->lock);
    out->entries = (uint32_t)index->count;
    out->hits = index->hits;
    out->misses = index->misses;
    for (size_t i = 0; i < index->count; ++i)
        out->total_bytes += index->blobs[i].size_bytes;
    pthread_mutex_unlock(&index->lock);
}

uint32_t kas_disk_index_damaged(kas_disk_index *index)
{
    pthread_mutex_lock(&index->lock);
    uint32_t damaged = (uint32_t)index->damaged_count;
    for (size_t i = 0; i < index->count; ++i)
        damaged += index->blobs[i].damaged;
    pthread_mutex_unlock(&index->lock);
    return damaged;
}
