/* The end of an archive: where its central directory lies and how many entries it has, with or without zip64.
 */
#include "engine/artifact/zip_directory.h"

#include "engine/artifact/refuse.h"

enum {
    END_BYTES = 22,
    END_COMMENT_MAX = 0xffff,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    END64_COUNTED = 12, /* its own size counts neither signature nor itself */
};
#define END_SIGNATURE     0x06054b50u
#define LOCATOR_SIGNATURE 0x07064b50u
#define END64_SIGNATURE   0x06064b50u

/* The record whose comment ends where the archive does. */
static kas_status find_end(kas_span bytes, size_t *out)
{
    for (size_t comment = 0; comment <= END_COMMENT_MAX && END_BYTES + comment <= bytes.size; ++comment) {
        const size_t at = bytes.size - END_BYTES - comment;
        if (kas_zip_u32(bytes.data + at) != END_SIGNATURE || kas_zip_u16(bytes.data + at + 20) != comment)
            continue;
        *out = at;
        return NULL;
    }
    return kas_refuse(KAS_REASON_MALFORMED,
                      "not a zip, or truncated: no end of central directory record, with a "
                      "comment that ends where the %zu bytes do, is found",
                      bytes.size);
}

static kas_status read_end(const uint8_t *at, kas_zip_directory *out)
{
    const uint32_t disk = kas_zip_u16(at + 4), first_disk = kas_zip_u16(at + 6);
    if (disk != 0 || first_disk != 0)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "disk %u of a split (multi-disk) archive", disk);
    out->count = kas_zip_u16(at + 10);
    out->size_bytes = kas_zip_u32(at + 12);
    out->offset = kas_zip_u32(at + 16);
    if (kas_zip_u16(at + 8) == out->count) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED,
                      "the end of central directory record counts %u entries on this disk and "
                      "%llu in all",
                      (unsigned)kas_zip_u16(at + 8), (unsigned long long)out->count);
}

/* A field of the short record is the long one's, or says that it does not fit. */
static bool agrees(uint64_t narrow, uint64_t narrow_max, uint64_t wide)
{
    return narrow == wide || (narrow == narrow_max);
}

static kas_status read_end64(kas_span bytes, size_t locator, kas_zip_directory *out)
{
    const kas_zip_directory narrow = *out;
    const uint64_t at = kas_zip_u64(bytes.data + locator + 8);
    if (locator < END64_BYTES || at > locator - END64_BYTES)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "zip64: the locator's offset %llu is beyond the end of what lies before it",
                          (unsigned long long)at);
    const uint8_t *end64 = bytes.data + at;
    if (kas_zip_u32(end64) != END64_SIGNATURE)
        return kas_refuse(KAS_REASON_MALFORMED, "zip64: no end record at the locator's offset %llu",
                          (unsigned long long)at);
    if (kas_zip_u64(end64 + 4) != locator - at - END64_COUNTED)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "zip64: the end record does not end where its locator begins");
    if (kas_zip_u32(end64 + 16) != 0 || kas_zip_u32(end64 + 20) != 0)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "zip64: a disk of a split (multi-disk) archive");
    out->count = kas_zip_u64(end64 + 32);
    out->size_bytes = kas_zip_u64(end64 + 40);
    out->offset = kas_zip_u64(end64 + 48);
    out->end = (size_t)at;
    if (agrees(narrow.count, UINT16_MAX, out->count) &&
        agrees(narrow.size_bytes, UINT32_MAX, out->size_bytes) &&
        agrees(narrow.offset, UINT32_MAX, out->offset) && kas_zip_u64(end64 + 24) == out->count)
        return NULL;
    return kas_refuse(KAS_REASON_MALFORMED,
                      "zip64: the end records differ about the directory's entries (%llu and "
                      "%llu), size or offset",
                      (unsigned long long)narrow.count, (unsigned long long)out->count);
}

static kas_status check_directory(const kas_zip_directory *directory)
{
    if (directory->count > KAS_ZIP_MAX_ENTRIES)
        return kas_refuse(KAS_REASON_LIMIT,
                          "the zip64 or end record counts %llu entries in the directory, the limit is %d",
                          (unsigned long long)directory->count, (int)KAS_ZIP_MAX_ENTRIES);
    if (directory->offset > directory->end || directory->size_bytes != directory->end - directory->offset)
        return kas_refuse(
            KAS_REASON_MALFORMED,
            "the zip's central directory (offset %llu, size %llu; zip64 records included) does not "
            "end where its end record begins, at %zu: truncated, or beyond the end",
            (unsigned long long)directory->offset, (unsigned long long)directory->size_bytes, directory->end);
    if (directory->count <= directory->size_bytes / KAS_ZIP_DIRECTORY_ENTRY_BYTES) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED,
                      "the central directory's %llu bytes cannot hold %llu entries: truncated",
                      (unsigned long long)directory->size_bytes, (unsigned long long)directory->count);
}

kas_status kas_zip_find_directory(kas_span bytes, kas_zip_directory *out)
{
    size_t end;
    KAS_TRY(find_end(bytes, &end));
    out->end = end;
    KAS_TRY(read_end(bytes.data + end, out));
    if (end >= LOCATOR_BYTES && kas_zip_u32(bytes.data + end - LOCATOR_BYTES) == LOCATOR_SIGNATURE)
        KAS_TRY(read_end64(bytes, end - LOCATOR_BYTES, out));
    return check_directory(out);
}
