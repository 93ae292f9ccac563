#include "engine/artifact/torch_archive.h"

#include <string.h>

#include "engine/artifact/refuse.h"

static kas_span text_span(const char *text)
{
    return (kas_span){(const uint8_t *)text, strlen(text)};
}

/* ---- records ---- */

static kas_zip_entry *find(const kas_torch_archive *archive, kas_span name)
{
    uint8_t whole[KAS_ZIP_MAX_NAME_BYTES];
    if (name.size > sizeof whole - archive->root.size) return NULL; /* no entry has a longer name */
    memcpy(whole, archive->root.data, archive->root.size);
    if (name.size) memcpy(whole + archive->root.size, name.data, name.size);
    return kas_zip_find(&archive->zip, (kas_span){whole, archive->root.size + name.size});
}

bool kas_torch_archive_has(const kas_torch_archive *archive, kas_span name)
{
    return find(archive, name) != NULL;
}

bool kas_torch_archive_has_folder(const kas_torch_archive *archive, const char *folder)
{
    for (size_t i = 0; i < archive->zip.count; ++i) {
        kas_span name = archive->zip.entries[i].name;
        if (name.size < archive->root.size || memcmp(name.data, archive->root.data, archive->root.size) != 0)
            continue;
        name = (kas_span){name.data + archive->root.size, name.size - archive->root.size};
        if (kas_span_begins(name, folder)) return true;
    }
    return false;
}

kas_status kas_torch_archive_read(kas_torch_archive *archive, kas_span name, kas_span *out)
{
    kas_zip_entry *entry = find(archive, name);
    if (!entry) return kas_refuse(KAS_REASON_MALFORMED, "the record %.*s is missing", KAS_SPAN_ARGS(name));
    return kas_zip_read(&archive->zip, entry, out);
}

kas_status kas_torch_archive_unpickle(kas_torch_archive *archive, const char *name, kas_pickle_policy policy,
                                      const kas_pickle_value **out)
{
    kas_span bytes;
    KAS_TRY(kas_torch_archive_read(archive, text_span(name), &bytes));
    return kas_annotate(kas_pickle_read(bytes, policy, archive->zip.arena, out), "%s", name);
}

/* ---- opening ---- */

/* "archive/data.pkl": a data.pkl in a folder of the first level. */
static bool is_root_of(kas_span name, kas_span *root)
{
    static const char tail[] = "/data.pkl";
    const size_t length = sizeof tail - 1;
    if (name.size <= length || memcmp(name.data + name.size - length, tail, length) != 0) return false;
    if (memchr(name.data, '/', name.size - length)) return false;
    *root = (kas_span){name.data, name.size - length + 1};
    return true;
}

static kas_status find_root(const kas_zip *zip, kas_span *out)
{
    size_t roots = 0;
    for (size_t i = 0; i < zip->count; ++i)
        if (is_root_of(zip->entries[i].name, out)) ++roots;
    if (roots == 1) return NULL;
    if (roots) return kas_refuse(KAS_REASON_MALFORMED, "%zu folders have a data.pkl; one is needed", roots);
    return kas_refuse(KAS_REASON_MALFORMED,
                      "no archive of PyTorch: data.pkl is missing among the zip's %zu entries", zip->count);
}

/* A record of newer releases; what has none is little-endian. */
static kas_status read_byte_order(kas_torch_archive *archive)
{
    const kas_span name = text_span("byteorder");
    kas_span order;
    if (!kas_torch_archive_has(archive, name)) return NULL;
    KAS_TRY(kas_torch_archive_read(archive, name, &order));
    archive->big_endian = kas_span_is(order, "big");
    if (archive->big_endian || kas_span_is(order, "little")) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "byteorder is \"%.*s\"; little and big (endian) are known",
                      KAS_SPAN_ARGS(order));
}

kas_status kas_torch_archive_open(const void *bytes, size_t size_bytes, kas_arena *arena,
                                  kas_torch_archive *out)
{
    *out = (kas_torch_archive){0};
    KAS_TRY(kas_zip_open(bytes, size_bytes, arena, &out->zip));
    KAS_TRY(find_root(&out->zip, &out->root));
    return read_byte_order(out);
}
