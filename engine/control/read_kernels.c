/* Reading kernels: what the catalog, the state's cache and the tiers know of an artifact, put together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/control/engine.h"
#include "engine/control/find.h"

enum { ENTRIES_MAX = 1 << 20, BINDINGS_PAGE = 64, KERNELS_PAGE = 64 };

/* ---- the device tier, at one moment ---- */

typedef struct device_tier {
    kas_cache_entry_info *entries;
    size_t count;
    kas_quarantine_info *quarantine;
    size_t quarantine_count;
} device_tier;

static void finish_tier(device_tier *tier)
{
    kas_free(tier->entries);
    kas_free(tier->quarantine);
}

/* State lock held. Grows the arrays until all fit. */
static kas_status read_entries(const kas_state *state, device_tier *out)
{
    size_t capacity = 0;
    do {
        void *grown = out->entries;
        if (!kas_grow(&grown, &capacity, out->count + 1, ENTRIES_MAX, sizeof *out->entries))
            return kas_out_of_memory();
        out->entries = grown;
        out->count +=
            kas_state_list_cache(state, out->count, out->entries + out->count, capacity - out->count);
    } while (out->count == capacity);
    return NULL;
}

static kas_status read_quarantine(const kas_state *state, device_tier *out)
{
    size_t capacity = 0, *count = &out->quarantine_count;
    do {
        void *grown = out->quarantine;
        if (!kas_grow(&grown, &capacity, *count + 1, ENTRIES_MAX, sizeof *out->quarantine))
            return kas_out_of_memory();
        out->quarantine = grown;
        *count += kas_state_list_quarantine(state, *count, out->quarantine + *count, capacity - *count);
    } while (*count == capacity);
    return NULL;
}

static kas_status read_tier(kas_engine *engine, device_tier *out)
{
    *out = (device_tier){0};
    pthread_rwlock_rdlock(&engine->state_lock);
    kas_status status = read_entries(engine->state, out);
    if (!status) status = read_quarantine(engine->state, out);
    pthread_rwlock_unlock(&engine->state_lock);
    if (status) finish_tier(out);
    return status;
}

/* ---- one kernel ---- */

static void add_entry(const kas_cache_entry_info *entry, kas_cached_kernel *out)
{
    if (entry->ready) {
        out->on_device = true;
        if (out->device_count < KAS_DEVICES_MAX)
            memcpy(out->devices[out->device_count++], entry->device, sizeof entry->device);
    }
    out->pinned |= entry->pinned;
    out->device_bytes += entry->device_bytes;
    out->hits += entry->hits;
    if (entry->last_accessed_ns > out->last_accessed_ns) out->last_accessed_ns = entry->last_accessed_ns;
    for (uint32_t i = 0; i < entry->use_count && out->use_count + i < KAS_KERNEL_USES_MAX; ++i) {
        kas_kernel_use *use = &out->uses[out->use_count + i];
        memcpy(use->layer, entry->used_by[i].layer, sizeof use->layer);
        use->seed = entry->used_by[i].seed;
    }
    out->use_count += entry->uses;
}

static bool is_quarantined(const device_tier *tier, const kas_sha256 *checksum)
{
    for (size_t i = 0; i < tier->quarantine_count; ++i)
        if (kas_sha256_equal(&tier->quarantine[i].checksum, checksum)) return true;
    return false;
}

static bool is_pinned(kas_engine *engine, const char *artifact_id) /* also where it is not on a device */
{
    pthread_rwlock_rdlock(&engine->state_lock);
    bool pinned = kas_state_pinned(engine->state, artifact_id);
    pthread_rwlock_unlock(&engine->state_lock);
    return pinned;
}

static kas_status describe(kas_engine *engine, const device_tier *tier, const kas_record *record,
                           kas_cached_kernel *out)
{
    *out = (kas_cached_kernel){
        .size = sizeof *out,
        .kernel_id = kas_kernel_id(record->artifact_id),
        .size_bytes = record->size_bytes,
        .parameter_count = record->metadata.parameter_count,
        .score = record->metadata.score,
        .last_accessed_ns = record->seen_ns,
        .on_host = kas_host_tier_has(engine->host, &record->checksum),
        .on_disk = engine->disk && kas_disk_tier_has(engine->disk, &record->checksum),
        .quarantined = is_quarantined(tier, &record->checksum),
        .pinned = is_pinned(engine, record->artifact_id),
    };
    memcpy(out->artifact_id, record->artifact_id, sizeof out->artifact_id);
    memcpy(out->format, record->format, sizeof out->format);
    kas_sha256_hex(&record->checksum, out->checksum);
    for (size_t i = 0; i < tier->count; ++i)
        if (kas_sha256_equal(&tier->entries[i].checksum, &record->checksum))
            add_entry(&tier->entries[i], out);
    return kas_metadata_text(&record->metadata, &out->metadata_json);
}

void kas_cached_kernel_finish(kas_cached_kernel *kernel)
{
    kas_free(kernel->metadata_json);
    *kernel = (kas_cached_kernel){.size = kernel->size};
}

kas_status kas_engine_kernel(kas_engine *engine, const char *artifact_id, kas_cached_kernel *out)
{
    const kas_record *record = kas_catalog_find(engine->catalog, artifact_id);
    if (!record) return kas_fail(KAS_NOT_FOUND, CALLER, "there is no artifact %.128s here", artifact_id);
    device_tier tier;
    kas_status status = read_tier(engine, &tier);
    if (!status) {
        status = describe(engine, &tier, record, out);
        finish_tier(&tier);
    }
    kas_record_release(record);
    return status;
}

/* ---- pages ---- */

static kas_status describe_page(kas_engine *engine, const char *after, kas_cached_kernel *out,
                                const kas_record **records, size_t capacity, size_t *count)
{
    device_tier tier;
    KAS_TRY(read_tier(engine, &tier));
    kas_status status = NULL;
    size_t found = kas_catalog_list(engine->catalog, after, records, capacity);
    for (size_t i = 0; i < found; ++i) {
        if (!status) status = describe(engine, &tier, records[i], &out[i]);
        if (!status) *count = i + 1;
        kas_record_release(records[i]);
    }
    finish_tier(&tier);
    return status;
}

kas_status kas_engine_list_kernels(kas_engine *engine, const char *after, kas_cached_kernel *out,
                                   size_t capacity, size_t *count)
{
    *count = 0;
    if (!capacity) return NULL;
    const kas_record **records = kas_alloc_array(capacity, sizeof *records);
    if (!records) return kas_out_of_memory();
    kas_status status = describe_page(engine, after, out, records, capacity, count);
    kas_free(records);
    for (; status && *count; --*count)
        kas_cached_kernel_finish(&out[*count - 1]);
    return status;
}

/* ---- those that fit a layer ---- */

typedef struct fitting { /* the best so far, in order */
    kas_cached_kernel *kernels;
    size_t count, capacity;
} fitting;

static bool comes_before(const kas_cached_kernel *a, const kas_cached_kernel *b)
{
    if (a->score < b->score || a->score > b->score) return a->score > b->score;
    return a->last_accessed_ns > b->last_accessed_ns;
}

/* Takes the kernel over: into its place, or away when it is worse than all that fit. */
static void insert(fitting *best, kas_cached_kernel *kernel)
{
    if (best->count == best->capacity) {
        kas_cached_kernel *last = &best->kernels[best->count - 1];
        if (!comes_before(kernel, last)) {
            kas_cached_kernel_finish(kernel);
            return;
        }
        kas_cached_kernel_finish(last);
        --best->count;
    }
    size_t at = best->count++;
    for (; at > 0 && comes_before(kernel, &best->kernels[at - 1]); --at)
        best->kernels[at] = best->kernels[at - 1];
    best->kernels[at] = *kernel;
}

static bool fits(kas_engine *engine, const char *layer, const kas_record *record, double max_memory_mb)
{
    kas_kernel_facts facts;
    kas_find_facts(&record->metadata, &facts);
    pthread_rwlock_rdlock(&engine->state_lock);
    kas_status refusal = kas_state_compatible(engine->state, layer, &facts, max_memory_mb);
    pthread_rwlock_unlock(&engine->state_lock);
    kas_status_free(refusal);
    return !refusal;
}

static kas_status consider(kas_engine *engine, const device_tier *tier, const kas_record *record,
                           fitting *best)
{
    kas_cached_kernel kernel;
    KAS_TRY(describe(engine, tier, record, &kernel));
    if (kernel.quarantined || !(kernel.on_device || kernel.on_host || kernel.on_disk))
        kas_cached_kernel_finish(&kernel);
    else
        insert(best, &kernel);
    return NULL;
}

static kas_status consider_all(kas_engine *engine, const device_tier *tier, const char *layer,
                               double max_memory_mb, fitting *best)
{
    char after[KAS_NAME_SIZE] = "";
    const kas_record *records[KERNELS_PAGE];
    kas_status status = NULL;
    size_t count;
    do {
        count = kas_catalog_list(engine->catalog, after, records, KERNELS_PAGE);
        if (count) memcpy(after, records[count - 1]->artifact_id, sizeof after);
        for (size_t i = 0; i < count; ++i) {
            if (!status && fits(engine, layer, records[i], max_memory_mb))
                status = consider(engine, tier, records[i], best);
            kas_record_release(records[i]);
        }
    } while (!status && count == KERNELS_PAGE);
    return status;
}

kas_status kas_engine_compatible_kernels(kas_engine *engine, const char *layer, double max_memory_mb,
                                         kas_cached_kernel *out, size_t capacity, size_t *count)
{
    *count = 0;
    kas_layer_info info;
    KAS_TRY(kas_engine_layer(engine, layer, &info));
    if (!capacity) return NULL;
    device_tier tier;
    KAS_TRY(read_tier(engine, &tier));
    fitting best = {.kernels = out, .capacity = capacity};
    kas_status status = consider_all(engine, &tier, layer, max_memory_mb, &best);
    finish_tier(&tier);
    for (; status && best.count; --best.count)
        kas_cached_kernel_finish(&out[best.count - 1]);
    *count = best.count;
    return status;
}

/* ---- quarantine ---- */

/* The first ids that are bound to the checksum; state lock held. */
static void find_ids(const kas_state *state, const kas_sha256 *checksum, kas_quarantined *out)
{
    char ids[BINDINGS_PAGE][KAS_NAME_SIZE], after[KAS_NAME_SIZE] = "";
    kas_sha256 checksums[BINDINGS_PAGE];
    size_t count, wanted = sizeof out->artifact_ids / sizeof *out->artifact_ids;
    do {
        count = kas_state_list_bindings(state, after, ids, checksums, BINDINGS_PAGE);
        for (size_t i = 0; i < count && out->artifact_count < wanted; ++i)
            if (kas_sha256_equal(&checksums[i], checksum))
                memcpy(out->artifact_ids[out->artifact_count++], ids[i], sizeof ids[i]);
        if (count) memcpy(after, ids[count - 1], sizeof after);
    } while (count == BINDINGS_PAGE && out->artifact_count < wanted);
}

size_t kas_engine_list_quarantine(kas_engine *engine, size_t from, kas_quarantined *out, size_t capacity)
{
    size_t count = 0;
    kas_quarantine_info info;
    pthread_rwlock_rdlock(&engine->state_lock);
    while (count < capacity && kas_state_list_quarantine(engine->state, from + count, &info, 1)) {
        kas_quarantined *one = &out[count++];
        *one = (kas_quarantined){.size = sizeof *one, .since_ns = info.since_ns};
        kas_sha256_hex(&info.checksum, one->checksum);
        memcpy(one->reason, info.reason, sizeof one->reason);
        find_ids(engine->state, &info.checksum, one);
    }
    pthread_rwlock_unlock(&engine->state_lock);
    return count;
}
