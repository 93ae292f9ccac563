/* The central directory, checked against the local headers and against itself. */
#include "engine/artifact/zip.h"

#include <stdlib.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/zip_directory.h"

enum {
    LOCAL_BYTES = 30,
    METHOD_STORED = 0,
    METHOD_DEFLATED = 8,
    FLAG_ENCRYPTED = 1 << 0,
    FLAG_DESCRIPTOR = 1 << 3, /* CRC and sizes follow the data */
    FLAG_PATCHED = 1 << 5,
    FLAG_STRONG_ENCRYPTION = 1 << 6,
    FLAG_MASKED_HEADERS = 1 << 13,
    EXTRA_ZIP64 = 0x0001,
    RATIO_MATTERS_BYTES = 64 << 10,
};
#define DIRECTORY_SIGNATURE  0x02014b50u
#define LOCAL_SIGNATURE      0x04034b50u
#define DESCRIPTOR_SIGNATURE 0x08074b50u

/* What directory and local header both say. */
typedef struct zip_header {
    uint16_t flags, method;
    uint32_t crc32;
    uint64_t stored_bytes, size_bytes, offset; /* offset: the directory's only */
    kas_span name, extra;
} zip_header;

/* ---- fields ---- */

/* One value of the zip64 extra field, which holds those that are saturated in the header, in this order. */
static kas_status widen(kas_span *extra, uint64_t *value)
{
    if (*value != UINT32_MAX) return NULL;
    if (extra->size < 8)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "zip64: a size or offset of its header is missing in its extra field");
    *value = kas_zip_u64(extra->data);
    extra->data += 8;
    extra->size -= 8;
    return NULL;
}

static kas_status find_extra(kas_span extra, uint16_t id, kas_span *out)
{
    *out = (kas_span){0};
    while (extra.size >= 4) {
        const size_t size = kas_zip_u16(extra.data + 2);
        if (size > extra.size - 4)
            return kas_refuse(KAS_REASON_MALFORMED,
                              "an extra field's length of %zu goes beyond the end of its header", size);
        if (kas_zip_u16(extra.data) == id && !out->data) *out = (kas_span){extra.data + 4, size};
        extra.data += 4 + size;
        extra.size -= 4 + size;
    }
    return NULL;
}

static kas_status widen_all(zip_header *header)
{
    kas_span extra;
    KAS_TRY(find_extra(header->extra, EXTRA_ZIP64, &extra));
    KAS_TRY(widen(&extra, &header->size_bytes));
    KAS_TRY(widen(&extra, &header->stored_bytes));
    return widen(&extra, &header->offset);
}

/* Reads the directory's record at *at and moves on behind it. */
static kas_status read_directory_entry(kas_span bytes, size_t end, size_t *at, zip_header *out)
{
    const uint8_t *from = bytes.data + *at;
    if (end - *at < KAS_ZIP_DIRECTORY_ENTRY_BYTES || kas_zip_u32(from) != DIRECTORY_SIGNATURE)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "no entry of the zip's central directory at offset %zu: truncated", *at);
    const size_t name = kas_zip_u16(from + 28), extra = kas_zip_u16(from + 30),
                 comment = kas_zip_u16(from + 32);
    if (name + extra + comment > end - *at - KAS_ZIP_DIRECTORY_ENTRY_BYTES)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "an entry at offset %zu goes beyond the end of the zip's central directory", *at);
    *out = (zip_header){.flags = kas_zip_u16(from + 8),
                        .method = kas_zip_u16(from + 10),
                        .crc32 = kas_zip_u32(from + 16),
                        .stored_bytes = kas_zip_u32(from + 20),
                        .size_bytes = kas_zip_u32(from + 24),
                        .offset = kas_zip_u32(from + 42),
                        .name = {from + KAS_ZIP_DIRECTORY_ENTRY_BYTES, name},
                        .extra = {from + KAS_ZIP_DIRECTORY_ENTRY_BYTES + name, extra}};
    *at += KAS_ZIP_DIRECTORY_ENTRY_BYTES + name + extra + comment;
    return NULL;
}

/* Reads the local header at `at`; *data_at is where the entry's bytes begin. */
static kas_status read_local(kas_span bytes, uint64_t at, uint64_t end, zip_header *out, uint64_t *data_at)
{
    if (at > end || end - at < LOCAL_BYTES)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "its local header's offset %llu is beyond the end of the entries, %llu",
                          (unsigned long long)at, (unsigned long long)end);
    const uint8_t *from = bytes.data + at;
    if (kas_zip_u32(from) != LOCAL_SIGNATURE)
        return kas_refuse(KAS_REASON_MALFORMED, "no signature of a local header at its offset %llu",
                          (unsigned long long)at);
    const size_t name = kas_zip_u16(from + 26), extra = kas_zip_u16(from + 28);
    if (name + extra > end - at - LOCAL_BYTES)
        return kas_refuse(KAS_REASON_MALFORMED, "its local header goes beyond the end of the entries");
    *out = (zip_header){.flags = kas_zip_u16(from + 6),
                        .method = kas_zip_u16(from + 8),
                        .crc32 = kas_zip_u32(from + 14),
                        .stored_bytes = kas_zip_u32(from + 18),
                        .size_bytes = kas_zip_u32(from + 22),
                        .name = {from + LOCAL_BYTES, name},
                        .extra = {from + LOCAL_BYTES + name, extra}};
    *data_at = at + LOCAL_BYTES + name + extra;
    return NULL;
}

/* ---- names ---- */

/* A plain relative path: what unpacks to a folder without leaving it, on any system. */
static kas_status check_name(kas_span name)
{
    const char *wrong = NULL;
    size_t part = 0; /* where the component begins */
    if (name.size == 0 || name.size > KAS_ZIP_MAX_NAME_BYTES)
        return kas_refuse(KAS_REASON_LIMIT, "an entry's name has %zu bytes; 1 to %d are possible", name.size,
                          (int)KAS_ZIP_MAX_NAME_BYTES);
    if (!kas_span_is_utf8(name)) wrong = "it is not UTF-8";
    for (size_t i = 0; i <= name.size && !wrong; ++i) {
        const uint8_t c = i < name.size ? name.data[i] : '/';
        if (c < 0x20 || c == 0x7f) wrong = "it holds a control character";
        if (c == '\\' || c == ':') wrong = "it holds a backslash or a colon";
        if (c != '/') continue;
        if (i == 0) wrong = "it is an absolute path";
        if (i - part == 2 && name.data[part] == '.' && name.data[part + 1] == '.')
            wrong = "it has a .. in its path";
        part = i + 1;
    }
    if (!wrong) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "the entry \"%.*s\" has an unsafe name: %s", KAS_SPAN_ARGS(name),
                      wrong);
}

static int compare_names(const void *a, const void *b)
{
    const kas_zip_entry *x = a, *y = b;
    return kas_span_compare(x->name, y->name);
}

static kas_status sort_by_name(kas_zip *zip)
{
    qsort(zip->entries, zip->count, sizeof *zip->entries, compare_names);
    for (size_t i = 1; i < zip->count; ++i)
        if (kas_span_equal(zip->entries[i - 1].name, zip->entries[i].name))
            return kas_refuse(KAS_REASON_MALFORMED, "duplicate: two entries have the name \"%.*s\"",
                              KAS_SPAN_ARGS(zip->entries[i].name));
    return NULL;
}

/* ---- one entry ---- */

static kas_status check_method(const zip_header *header)
{
    const uint16_t encrypted = FLAG_ENCRYPTED | FLAG_STRONG_ENCRYPTION | FLAG_MASKED_HEADERS;
    if (header->flags & encrypted) return kas_refuse(KAS_REASON_UNSUPPORTED, "it is encrypted");
    if (header->flags & FLAG_PATCHED)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "it is compressed as a patch");
    if (header->method == METHOD_STORED || header->method == METHOD_DEFLATED) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "compression method %u; stored (0) and deflated (8) are known",
                      (unsigned)header->method);
}

static kas_status check_sizes(const zip_header *header)
{
    const unsigned long long stored = header->stored_bytes, size = header->size_bytes;
    if (header->method == METHOD_STORED) {
        if (stored == size) return NULL;
        return kas_refuse(KAS_REASON_MALFORMED, "it is stored, but its sizes differ: %llu and %llu bytes",
                          stored, size);
    }
    if (size > KAS_ZIP_MAX_INFLATED_BYTES || stored > KAS_ZIP_MAX_INFLATED_BYTES)
        return kas_refuse(KAS_REASON_LIMIT,
                          "its declared size of %llu bytes, inflated, is over the limit of %d", size,
                          (int)KAS_ZIP_MAX_INFLATED_BYTES);
    if (size <= RATIO_MATTERS_BYTES || size / KAS_ZIP_MAX_RATIO <= stored) return NULL;
    return kas_refuse(KAS_REASON_LIMIT,
                      "%llu bytes in %llu: a ratio over the limit of %d, as of a decompression bomb", size,
                      stored, (int)KAS_ZIP_MAX_RATIO);
}

/* Left to the descriptor: all three are zero. */
static bool is_deferred(const zip_header *local)
{
    return (local->flags & FLAG_DESCRIPTOR) && !local->crc32 && !local->stored_bytes && !local->size_bytes;
}

static kas_status compare_local(const zip_header *directory, zip_header *local)
{
    if (!kas_span_equal(directory->name, local->name))
        return kas_refuse(KAS_REASON_MALFORMED, "its local header gives a name that differs: \"%.*s\"",
                          KAS_SPAN_ARGS(local->name));
    if (directory->method != local->method || directory->flags != local->flags)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "its local header differs in its flags or its compression method");
    if (is_deferred(local)) return NULL;
    KAS_TRY(widen_all(local));
    if (directory->crc32 == local->crc32 && directory->stored_bytes == local->stored_bytes &&
        directory->size_bytes == local->size_bytes)
        return NULL;
    return kas_refuse(KAS_REASON_MALFORMED,
                      "its local header differs in its size or CRC: %llu bytes, the directory says %llu",
                      (unsigned long long)local->size_bytes, (unsigned long long)directory->size_bytes);
}

/* Signature (optional), CRC, and both sizes in 4 or in 8 bytes. 0: nothing of the kind stands at `at`. */
static size_t descriptor_bytes(kas_span bytes, uint64_t at, uint64_t end, const zip_header *directory)
{
    const size_t room = (size_t)(end - at);
    size_t lead = 0;
    if (room >= 4 && kas_zip_u32(bytes.data + at) == DESCRIPTOR_SIGNATURE) lead = 4;
    const uint8_t *from = bytes.data + at + lead;
    if (room < lead + 12 || kas_zip_u32(from) != directory->crc32) return 0;
    if (room >= lead + 20 && kas_zip_u64(from + 4) == directory->stored_bytes &&
        kas_zip_u64(from + 12) == directory->size_bytes)
        return lead + 20;
    if (kas_zip_u32(from + 4) == directory->stored_bytes && kas_zip_u32(from + 8) == directory->size_bytes)
        return lead + 12;
    return 0;
}

static kas_status place(kas_span bytes, uint64_t end, const zip_header *directory, kas_zip_entry *out)
{
    zip_header local;
    uint64_t data_at;
    KAS_TRY(read_local(bytes, directory->offset, end, &local, &data_at));
    KAS_TRY(compare_local(directory, &local));
    if (directory->stored_bytes > end - data_at)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "its size of %llu bytes goes beyond the end of the zip's entries",
                          (unsigned long long)directory->stored_bytes);
    out->begin = directory->offset;
    out->end = data_at + directory->stored_bytes;
    out->stored = (kas_span){bytes.data + data_at, (size_t)directory->stored_bytes};
    if (!(directory->flags & FLAG_DESCRIPTOR)) return NULL;
    const size_t descriptor = descriptor_bytes(bytes, out->end, end, directory);
    if (!descriptor)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "its data descriptor is missing, or differs in its size or CRC");
    out->end += descriptor;
    return NULL;
}

static kas_status read_entry(kas_span bytes, const kas_zip_directory *where, zip_header *directory,
                             kas_zip_entry *out)
{
    KAS_TRY(widen_all(directory));
    KAS_TRY(check_method(directory));
    KAS_TRY(check_sizes(directory));
    *out = (kas_zip_entry){.name = directory->name,
                           .size_bytes = directory->size_bytes,
                           .crc32 = directory->crc32,
                           .deflated = directory->method == METHOD_DEFLATED};
    return place(bytes, where->offset, directory, out);
}

/* ---- all entries ---- */

static int compare_places(const void *a, const void *b)
{
    const kas_zip_entry *x = a, *y = b;
    return (x->begin > y->begin) - (x->begin < y->begin);
}

/* Sorted by place: bytes before the first entry would make the file something else as well. */
static kas_status check_places(kas_zip *zip)
{
    qsort(zip->entries, zip->count, sizeof *zip->entries, compare_places);
    if (zip->count && zip->entries[0].begin != 0)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "the zip's first local header lies at offset %llu: something else stands before it",
                          (unsigned long long)zip->entries[0].begin);
    for (size_t i = 1; i < zip->count; ++i)
        if (zip->entries[i].begin < zip->entries[i - 1].end)
            return kas_refuse(KAS_REASON_MALFORMED, "the entries \"%.*s\" and \"%.*s\" overlap",
                              KAS_SPAN_ARGS(zip->entries[i - 1].name), KAS_SPAN_ARGS(zip->entries[i].name));
    return NULL;
}

kas_status kas_zip_open(const void *bytes, size_t size_bytes, kas_arena *arena, kas_zip *out)
{
    kas_zip_directory where;
    void *entries;
    *out = (kas_zip){.bytes = {bytes, size_bytes}, .arena = arena};
    KAS_TRY(kas_zip_find_directory(out->bytes, &where));
    KAS_TRY(kas_arena_take(arena, (size_t)where.count, sizeof *out->entries, &entries));
    out->entries = entries;
    size_t at = (size_t)where.offset;
    for (; out->count < where.count; ++out->count) {
        zip_header directory;
        KAS_TRY(read_directory_entry(out->bytes, where.end, &at, &directory));
        KAS_TRY(check_name(directory.name));
        KAS_TRY(kas_annotate(read_entry(out->bytes, &where, &directory, &out->entries[out->count]),
                             "entry \"%.*s\"", KAS_SPAN_ARGS(directory.name)));
    }
    if (at != where.end)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "the zip's central directory holds %zu bytes more than its %zu entries",
                          where.end - at, out->count);
    KAS_TRY(check_places(out));
    return sort_by_name(out);
}

kas_zip_entry *kas_zip_find(const kas_zip *zip, kas_span name)
{
    const kas_zip_entry key = {.name = name};
    return bsearch(&key, zip->entries, zip->count, sizeof *zip->entries, compare_names);
}
