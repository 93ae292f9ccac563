/* The disk tier: files by checksum, and an index in memory of which there are. */
#include "engine/cache/disk_tier.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/cache/catalog.h"
#include "engine/cache/disk_record.h"

enum { RECORD_FILE_MAX = 1 << 21, TEMPORARY_SUFFIX = 7 };

typedef struct blob {
    kas_sha256 checksum;
    uint64_t size_bytes;
    bool damaged;
} blob;

struct kas_disk_tier {
    const kas_files *files;
    char *folder;
    pthread_mutex_t lock; /* guards all below */
    blob *blobs;
    size_t count, capacity;
    uint64_t hits, misses;
    uint32_t damaged_records;
};

static kas_status path_of(const kas_disk_tier *tier, const char *kind, const char *name, char out[PATH_MAX])
{
    int length = snprintf(out, PATH_MAX, "%s/%s/%s", tier->folder, kind, name);
    if (length < 0 || length >= PATH_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s: the path is too long", tier->folder);
    return NULL;
}

static kas_status blob_path(const kas_disk_tier *tier, const kas_sha256 *checksum, char out[PATH_MAX])
{
    char name[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(checksum, name);
    return path_of(tier, "blobs", name, out);
}

static kas_status record_path(const kas_disk_tier *tier, const char *artifact_id, char out[PATH_MAX])
{
    char name[KAS_SHA256_HEX_SIZE];
    kas_sha256 digest = kas_sha256_of(artifact_id, strlen(artifact_id));
    kas_sha256_hex(&digest, name);
    return path_of(tier, "records", name, out);
}

static kas_status make_folder(const kas_disk_tier *tier, const char *kind)
{
    char path[PATH_MAX];
    KAS_TRY(path_of(tier, kind, "", path));
    path[strlen(path) - 1] = 0; /* the slash */
    return tier->files->make_folders(tier->files->self, path);
}

kas_status kas_disk_tier_create(const kas_files *files, const char *folder, kas_disk_tier **out)
{
    kas_disk_tier *tier = kas_calloc(1, sizeof *tier);
    char *copy = kas_strdup(folder);
    if (!tier || !copy) {
        kas_free(tier);
        kas_free(copy);
        return kas_out_of_memory();
    }
    tier->files = files;
    tier->folder = copy;
    pthread_mutex_init(&tier->lock, NULL);
    kas_status status = make_folder(tier, "blobs");
    if (!status) status = make_folder(tier, "records");
    if (status) {
        kas_disk_tier_destroy(tier);
        return status;
    }
    *out = tier;
    return NULL;
}

void kas_disk_tier_destroy(kas_disk_tier *tier)
{
    if (!tier) return;
    pthread_mutex_destroy(&tier->lock);
    kas_free(tier->blobs);
    kas_free(tier->folder);
    kas_free(tier);
}

static blob *find(kas_disk_tier *tier, const kas_sha256 *checksum) /* lock held */
{
    for (size_t i = 0; i < tier->count; ++i)
        if (kas_sha256_equal(&tier->blobs[i].checksum, checksum)) return &tier->blobs[i];
    return NULL;
}

/* Notes that the blob's file is there and whole. */
static kas_status note_blob(kas_disk_tier *tier, const kas_sha256 *checksum, uint64_t size_bytes)
{
    kas_status status = NULL;
    pthread_mutex_lock(&tier->lock);
    blob *known = find(tier, checksum);
    void *grown = tier->blobs;
    if (known) {
        known->damaged = false;
    } else if (kas_grow(&grown, &tier->capacity, tier->count + 1, KAS_CATALOG_MAX, sizeof *tier->blobs)) {
        tier->blobs = grown;
        tier->blobs[tier->count++] = (blob){.checksum = *checksum, .size_bytes = size_bytes};
    } else {
        status = kas_out_of_memory();
    }
    pthread_mutex_unlock(&tier->lock);
    return status;
}

static void note_damage(kas_disk_tier *tier, const kas_sha256 *checksum)
{
    pthread_mutex_lock(&tier->lock);
    blob *known = find(tier, checksum);
    if (known) known->damaged = true;
    pthread_mutex_unlock(&tier->lock);
}

static void forget_blob(kas_disk_tier *tier, const kas_sha256 *checksum)
{
    pthread_mutex_lock(&tier->lock);
    blob *known = find(tier, checksum);
    if (known) *known = tier->blobs[--tier->count];
    pthread_mutex_unlock(&tier->lock);
}

typedef struct loading {
    kas_disk_tier *tier;
    kas_record_visit visit;
    void *user;
} loading;

static kas_status load_record(loading *load, const char *path)
{
    kas_disk_tier *tier = load->tier;
    kas_bytes bytes;
    KAS_TRY(tier->files->read(tier->files->self, path, RECORD_FILE_MAX, &bytes));
    const kas_record *record;
    kas_status status = kas_disk_record_parse(bytes.data, bytes.size, &record);
    kas_bytes_free(&bytes);
    KAS_TRY(status);
    status = note_blob(tier, &record->checksum, record->size_bytes);
    if (status) {
        kas_record_release(record);
        return status;
    }
    return load->visit(load->user, record);
}

/* What a process that ended in the middle of kas_file_replace left behind: a name of ours, a dot, six
 * letters. */
static kas_status remove_if_temporary(kas_disk_tier *tier, const char *kind, const char *name)
{
    char stem[KAS_SHA256_HEX_SIZE], path[PATH_MAX];
    kas_sha256 digest;
    if (strlen(name) != KAS_SHA256_HEX_SIZE - 1 + TEMPORARY_SUFFIX || name[KAS_SHA256_HEX_SIZE - 1] != '.')
        return NULL;
    memcpy(stem, name, sizeof stem - 1);
    stem[sizeof stem - 1] = 0;
    if (!kas_sha256_parse(stem, &digest)) return NULL;
    KAS_TRY(path_of(tier, kind, name, path));
    return tier->files->remove(tier->files->self, path);
}

static kas_status visit_blob(void *user, const char *name)
{
    return remove_if_temporary(user, "blobs", name);
}

static kas_status visit_record(void *user, const char *name)
{
    loading *load = user;
    kas_sha256 digest;
    if (!kas_sha256_parse(name, &digest)) return remove_if_temporary(load->tier, "records", name);
    char path[PATH_MAX];
    KAS_TRY(path_of(load->tier, "records", name, path));
    kas_status status = load_record(load, path);
    if (!status || kas_status_code(status) == KAS_OUT_OF_MEMORY) return status;
    kas_error("cache", "%s: %s; the artifact is not served until it is uploaded again", path,
              kas_status_message(status));
    kas_status_free(status);
    pthread_mutex_lock(&load->tier->lock);
    ++load->tier->damaged_records;
    pthread_mutex_unlock(&load->tier->lock);
    return NULL;
}

kas_status kas_disk_tier_load(kas_disk_tier *tier, kas_record_visit visit, void *user)
{
    char path[PATH_MAX];
    KAS_TRY(path_of(tier, "blobs", ".", path));
    KAS_TRY(tier->files->list(tier->files->self, path, visit_blob, tier));
    KAS_TRY(path_of(tier, "records", ".", path));
    loading load = {.tier = tier, .visit = visit, .user = user};
    return tier->files->list(tier->files->self, path, visit_record, &load);
}

kas_status kas_disk_tier_write(kas_disk_tier *tier, const kas_sha256 *checksum, const void *bytes,
                               size_t size_bytes)
{
    char path[PATH_MAX];
    KAS_TRY(blob_path(tier, checksum, path));
    KAS_TRY(tier->files->replace(tier->files->self, path, bytes, size_bytes));
    return note_blob(tier, checksum, size_bytes);
}

kas_status kas_disk_tier_write_record(kas_disk_tier *tier, const kas_record *record)
{
    char path[PATH_MAX], *text;
    size_t size_bytes;
    KAS_TRY(record_path(tier, record->artifact_id, path));
    KAS_TRY(kas_disk_record_text(record, &text, &size_bytes));
    kas_status status = tier->files->replace(tier->files->self, path, text, size_bytes);
    kas_free(text);
    return status;
}

static kas_status read_verified(kas_disk_tier *tier, const kas_sha256 *checksum, size_t max_bytes,
                                kas_bytes *out)
{
    char path[PATH_MAX];
    KAS_TRY(blob_path(tier, checksum, path));
    kas_bytes bytes;
    KAS_TRY(tier->files->read(tier->files->self, path, max_bytes, &bytes));
    kas_sha256 found = kas_sha256_of(bytes.data, bytes.size);
    if (kas_sha256_equal(&found, checksum)) {
        *out = bytes;
        return NULL;
    }
    kas_bytes_free(&bytes);
    note_damage(tier, checksum);
    char hex[KAS_SHA256_HEX_SIZE];
    kas_sha256_hex(&found, hex);
    kas_error("cache", "%s is damaged: its SHA-256 is %s; upload the artifact again", path, hex);
    return kas_with_reason(kas_fail(KAS_INVALID_ARTIFACT, ENGINE,
                                    "%s is damaged: its SHA-256 is %s; upload the artifact again", path, hex),
                           "checksum");
}

kas_status kas_disk_tier_read(kas_disk_tier *tier, const kas_sha256 *checksum, size_t max_bytes,
                              kas_bytes *out)
{
    bool known = kas_disk_tier_has(tier, checksum);
    pthread_mutex_lock(&tier->lock);
    if (known)
        ++tier->hits;
    else
        ++tier->misses;
    pthread_mutex_unlock(&tier->lock);
    if (!known) return kas_fail(KAS_NOT_FOUND, CALLER, "the disk tier has no such artifact");
    return read_verified(tier, checksum, max_bytes, out);
}

bool kas_disk_tier_has(kas_disk_tier *tier, const kas_sha256 *checksum)
{
    pthread_mutex_lock(&tier->lock);
    bool found = find(tier, checksum);
    pthread_mutex_unlock(&tier->lock);
    return found;
}

kas_status kas_disk_tier_remove(kas_disk_tier *tier, const kas_record *record, bool last)
{
    char path[PATH_MAX];
    KAS_TRY(record_path(tier, record->artifact_id, path));
    KAS_TRY(tier->files->remove(tier->files->self, path));
    if (!last) return NULL;
    forget_blob(tier, &record->checksum);
    KAS_TRY(blob_path(tier, &record->checksum, path));
    return tier->files->remove(tier->files->self, path);
}

void kas_disk_tier_stats(kas_disk_tier *tier, kas_tier_stats *out)
{
    *out = (kas_tier_stats){0};
    pthread_mutex_lock(&tier->lock);
    out->entries = (uint32_t)tier->count;
    out->hits = tier->hits;
    out->misses = tier->misses;
    for (size_t i = 0; i < tier->count; ++i)
        out->total_bytes += tier->blobs[i].size_bytes;
    pthread_mutex_unlock(&tier->lock);
}

uint32_t kas_disk_tier_damaged(kas_disk_tier *tier)
{
    pthread_mutex_lock(&tier->lock);
    uint32_t damaged = tier->damaged_records;
    for (size_t i = 0; i < tier->count; ++i)
        damaged += tier->blobs[i].damaged;
    pthread_mutex_unlock(&tier->lock);
    return damaged;
}
