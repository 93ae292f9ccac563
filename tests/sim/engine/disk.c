/* Files in memory. A read may fail, find nothing, or bring bytes that are cut or damaged; a write may fail.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/sim/engine/world.h"

static es_file *find(es *w, const char *path)
{
    for (int i = 0; i < ES_FILES; ++i)
        if (w->files[i].path[0] && !strcmp(w->files[i].path, path)) return &w->files[i];
    return NULL;
}

static bool has_fault(es *w)
{
    return !w->calm && es_chance(w, w->fault_percent);
}

void es_disk_put(es *w, const char *path, const void *bytes, size_t size_bytes)
{
    es_file *file = find(w, path);
    for (int i = 0; !file && i < ES_FILES; ++i)
        if (!w->files[i].path[0]) file = &w->files[i];
    ES_REQUIRE(w, file && strlen(path) < sizeof file->path, "the simulated disk is full");
    kas_bytes_free(&file->bytes);
    snprintf(file->path, sizeof file->path, "%s", path);
    es_memory_is_fine();
    file->bytes = (kas_bytes){.data = kas_memdup(bytes, size_bytes ? size_bytes : 1), .size = size_bytes};
    ES_REQUIRE(w, file->bytes.data, "the simulation is out of memory");
}

void es_disk_finish(es *w)
{
    for (int i = 0; i < ES_FILES; ++i)
        kas_bytes_free(&w->files[i].bytes);
}

/* What is cut or damaged keeps to one byte, so that the reader has to look closely. */
static void damage(es *w, kas_bytes *bytes)
{
    if (!bytes->size) return;
    if (es_chance(w, 50))
        bytes->size = es_below(w, (uint32_t)bytes->size);
    else
        bytes->data[es_below(w, (uint32_t)bytes->size)] ^= (unsigned char)(1 + es_below(w, 255));
}

static kas_status disk_read(void *self, const char *path, size_t max_bytes, kas_bytes *out)
{
    es *w = self;
    const es_file *file = find(w, path);
    bool fault = has_fault(w);
    if (fault && es_chance(w, 50)) return kas_fail(KAS_IO, ENGINE, "reading %s: simulated", path);
    if (!file) return kas_fail(KAS_NOT_FOUND, CALLER, "%s: no such file", path);
    if (file->bytes.size > max_bytes) return kas_fail(KAS_TOO_LARGE, CALLER, "%s is too large", path);
    out->data = kas_memdup(file->bytes.data, file->bytes.size ? file->bytes.size : 1);
    if (!out->data) return kas_out_of_memory();
    out->size = file->bytes.size;
    if (fault) damage(w, out);
    return NULL;
}

static kas_status disk_replace(void *self, const char *path, const void *data, size_t size_bytes)
{
    es *w = self;
    if (has_fault(w)) return kas_fail(KAS_IO, ENGINE, "writing %s: simulated", path);
    es_disk_put(w, path, data, size_bytes);
    return NULL;
}

static kas_status disk_make_folders(void *self, const char *path)
{
    (void)self;
    (void)path;
    return NULL;
}

static kas_status disk_remove(void *self, const char *path)
{
    es *w = self;
    es_file *file = find(w, path);
    if (has_fault(w)) return kas_fail(KAS_IO, ENGINE, "removing %s: simulated", path);
    if (!file) return NULL;
    kas_bytes_free(&file->bytes);
    file->path[0] = 0;
    return NULL;
}

static kas_status disk_list(void *self, const char *folder, kas_file_visit visit, void *user)
{
    es *w = self;
    size_t length = strlen(folder);
    if (length > 2 && !strcmp(folder + length - 2, "/.")) length -= 2;
    for (int i = 0; i < ES_FILES; ++i) {
        const char *path = w->files[i].path;
        if (!strncmp(path, folder, length) && path[length] == '/' && !strchr(path + length + 1, '/'))
            KAS_TRY(visit(user, path + length + 1));
    }
    return NULL;
}

kas_files es_disk(es *w)
{
    return (kas_files){.read = disk_read,
                       .replace = disk_replace,
                       .make_folders = disk_make_folders,
                       .remove = disk_remove,
                       .list = disk_list,
                       .self = w};
}
