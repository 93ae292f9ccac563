/* The disk tier: files by checksum; which there are stands in its index. */
#include "engine/cache/disk_tier.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/cache/disk_index.h"
#include "engine/cache/disk_record.h"

enum { RECORD_FILE_MAX = 1 << 21, TEMPORARY_SUFFIX = 7 };

struct kas_disk_tier {
    const kas_files *files;
    char *folder;
    kas_disk_index index;
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

static kas_sha256 record_name(const char *artifact_id)
{
    return kas_sha256_of(artifact_id, strlen(artifact_id));
}

static kas_status record_path(const kas_disk_tier *tier, const char *artifact_id, char out[PATH_MAX])
{
    char name[KAS_SHA256_HEX_SIZE];
    kas_sha256 digest = record_name(artifact_id);
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
    kas_disk_index_init(&tier->index);
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
    kas_disk_index_finish(&tier->index);
    kas_free(tier->folder);
    kas_free(tier);
}

/* ---- loading: first which blobs there are, then the records, then what neither needs goes ---- */

typedef struct loading {
    kas_disk_tier *tier;
    kas_record_visit visit;
    void *user;
} loading;

/* A leftover that cannot be removed is no reason not to start. */
static void remove_leftover(kas_disk_tier *tier, const char *path)
{
    kas_status status = tier->files->remove(tier->files->self, path);
    if (status) kas_warning("cache", "a leftover stays: %s", kas_status_message(status));
    kas_status_free(status);
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
    remove_leftover(tier, path);
    return NULL;
}

static kas_status visit_blob(void *user, const char *name)
{
    kas_disk_tier *tier = user;
    kas_sha256 checksum;
    if (!kas_sha256_parse(name, &checksum)) return remove_if_temporary(tier, "blobs", name);
    return kas_disk_index_list(&tier->index, &checksum);
}

static kas_status claim_blob(kas_disk_tier *tier, const kas_record *record)
{
    bool listed;
    char path[PATH_MAX];
    KAS_TRY(kas_disk_index_claim(&tier->index, &record->checksum, record->size_bytes, &listed));
    if (listed) return NULL;
    KAS_TRY(blob_path(tier, &record->checksum, path));
    kas_error("cache", "artifact %s: %s is gone; upload the artifact again", record->artifact_id, path);
    return NULL;
}

static kas_status load_record(loading *load, const char *path)
{
    kas_disk_tier *tier = load->tier;
    kas_bytes bytes;
    KAS_TRY(tier->files->read(tier->files->self, path, RECORD_FILE_MAX, &bytes));
    const kas_record *record;
    kas_status status = kas_disk_record_parse(bytes.data, bytes.size, &record);
    kas_bytes_free(&bytes);
    KAS_TRY(status);
    status = claim_blob(tier, record);
    if (status) {
        kas_record_release(record);
        return status;
    }
    return load->visit(load->user, record);
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
    return kas_disk_index_note_damaged_record(&load->tier->index, &digest);
}

/* What a process left behind that ended between an artifact's bytes and its record, or between the two
 * removals. Where a record is damaged they may be its bytes: then they stay. */
static kas_status remove_unrecorded(kas_disk_tier *tier)
{
    kas_sha256 checksum;
    const bool keep = kas_disk_index_has_damaged_records(&tier->index);
    while (kas_disk_index_take_unrecorded(&tier->index, &checksum)) {
        char path[PATH_MAX];
        if (keep) continue;
        KAS_TRY(blob_path(tier, &checksum, path));
        kas_info("cache", "%s belongs to no artifact and is removed", path);
        remove_leftover(tier, path);
    }
    return NULL;
}

kas_status kas_disk_tier_load(kas_disk_tier *tier, kas_record_visit visit, void *user)
{
    char path[PATH_MAX];
    KAS_TRY(path_of(tier, "blobs", ".", path));
    KAS_TRY(tier->files->list(tier->files->self, path, visit_blob, tier));
    KAS_TRY(path_of(tier, "records", ".", path));
    loading load = {.tier = tier, .visit = visit, .user = user};
    KAS_TRY(tier->files->list(tier->files->self, path, visit_record, &load));
    return remove_unrecorded(tier);
}

/* ---- writing and reading ---- */

kas_status kas_disk_tier_write(kas_disk_tier *tier, const kas_sha256 *checksum, const void *bytes,
                               size_t size_bytes)
{
    char path[PATH_MAX];
    KAS_TRY(blob_path(tier, checksum, path));
    KAS_TRY(tier->files->replace(tier->files->self, path, bytes, size_bytes));
    return kas_disk_index_note(&tier->index, checksum, size_bytes);
}

kas_status kas_disk_tier_write_record(kas_disk_tier *tier, const kas_record *record)
{
    char path[PATH_MAX], *text;
    size_t size_bytes;
    KAS_TRY(record_path(tier, record->artifact_id, path));
    KAS_TRY(kas_disk_record_text(record, &text, &size_bytes));
    kas_status status = tier->files->replace(tier->files->self, path, text, size_bytes);
    kas_free(text);
    const kas_sha256 name = record_name(record->artifact_id);
    if (!status) kas_disk_index_note_record(&tier->index, &name);
    return status;
}

/* A blob that its record tells of and that is not what it was. */
static kas_status damaged(kas_disk_tier *tier, const kas_sha256 *checksum, kas_status status)
{
    kas_disk_index_note_damage(&tier->index, checksum);
    kas_error("cache", "%s", kas_status_message(status));
    return status;
}

static kas_status read_verified(kas_disk_tier *tier, const kas_sha256 *checksum, size_t max_bytes,
                                kas_bytes *out)
{
    char path[PATH_MAX], hex[KAS_SHA256_HEX_SIZE];
    KAS_TRY(blob_path(tier, checksum, path));
    kas_bytes bytes;
    kas_status status = tier->files->read(tier->files->self, path, max_bytes, &bytes);
    if (kas_status_code(status) == KAS_NOT_FOUND) {
        kas_status_free(status);
        status = kas_fail(KAS_NOT_FOUND, ENGINE, "%s is gone; upload the artifact again", path);
        return damaged(tier, checksum, status);
    }
    KAS_TRY(status);
    kas_sha256 found = kas_sha256_of(bytes.data, bytes.size);
    if (kas_sha256_equal(&found, checksum)) {
        *out = bytes;
        return NULL;
    }
    kas_bytes_free(&bytes);
    kas_sha256_hex(&found, hex);
    status = kas_fail(KAS_INVALID_ARTIFACT, ENGINE,
                      "%s is damaged: its SHA-256 is %s; upload the artifact again", path, hex);
    return damaged(tier, checksum, kas_with_reason(status, "checksum"));
}

kas_status kas_disk_tier_read(kas_disk_tier *tier, const kas_sha256 *checksum, size_t max_bytes,
                              kas_bytes *out)
{
    if (!kas_disk_index_look_up(&tier->index, checksum))
        return kas_fail(KAS_NOT_FOUND, CALLER, "the disk tier has no such artifact");
    return read_verified(tier, checksum, max_bytes, out);
}

bool kas_disk_tier_has(kas_disk_tier *tier, const kas_sha256 *checksum)
{
    return kas_disk_index_has(&tier->index, checksum);
}

kas_status kas_disk_tier_remove(kas_disk_tier *tier, const kas_record *record, bool last)
{
    char path[PATH_MAX];
    KAS_TRY(record_path(tier, record->artifact_id, path));
    KAS_TRY(tier->files->remove(tier->files->self, path));
    if (!last) return NULL;
    kas_disk_index_forget(&tier->index, &record->checksum);
    KAS_TRY(blob_path(tier, &record->checksum, path));
    return tier->files->remove(tier->files->self, path);
}

void kas_disk_tier_stats(kas_disk_tier *tier, kas_tier_stats *out)
{
    kas_disk_index_stats(&tier->index, out);
}

uint32_t kas_disk_tier_damaged(kas_disk_tier *tier)
{
    return kas_disk_index_damaged(&tier->index);
}
