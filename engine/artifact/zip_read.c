/* The content of entries: inflated where it has to be, and always compared with its CRC-32. */
#define ZLIB_CONST
#include <zlib.h>

#include "base/alloc.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/zip.h"

enum { RAW_DEFLATE = -MAX_WBITS };

static void *take(void *arena, unsigned count, unsigned size)
{
    (void)arena;
    return kas_calloc(count, size);
}

static void give_back(void *arena, void *block)
{
    (void)arena;
    kas_free(block);
}

static kas_status judge(int result, const z_stream *stream, uint64_t declared)
{
    const unsigned long long size = declared;
    if (result == Z_MEM_ERROR) return kas_out_of_memory();
    if (result == Z_STREAM_END && stream->total_out == declared && stream->avail_in == 0) return NULL;
    if (result == Z_STREAM_END && stream->total_out == declared)
        return kas_refuse(KAS_REASON_MALFORMED, "%u bytes lie behind the end of its deflated data",
                          stream->avail_in);
    if (result == Z_STREAM_END)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "it inflates to %lu bytes, short of its declared size of %llu", stream->total_out,
                          size);
    if (result == Z_BUF_ERROR && stream->avail_out == 0)
        return kas_refuse(KAS_REASON_MALFORMED, "it inflates to more than its declared size of %llu bytes",
                          size);
    if (result == Z_BUF_ERROR)
        return kas_refuse(KAS_REASON_MALFORMED, "its deflated data is truncated: %lu of %llu bytes inflated",
                          stream->total_out, size);
    return kas_refuse(KAS_REASON_MALFORMED, "its deflated data is corrupt: %s",
                      stream->msg ? stream->msg : "invalid");
}

/* Both sizes are within 32 bits: kas_zip_open has seen to that, for entries of this kind. */
static kas_status inflate_to(kas_span from, uint8_t *to, uint64_t size)
{
    z_stream stream = {.zalloc = take,
                       .zfree = give_back,
                       .next_in = from.data,
                       .avail_in = (uInt)from.size,
                       .next_out = to,
                       .avail_out = (uInt)size};
    const int started = inflateInit2(&stream, RAW_DEFLATE);
    if (started != Z_OK) return kas_out_of_memory();
    const kas_status status = judge(inflate(&stream, Z_FINISH), &stream, size);
    inflateEnd(&stream);
    return status;
}

static kas_status content_of(const kas_zip *zip, const kas_zip_entry *entry, kas_span *out)
{
    void *bytes;
    *out = entry->stored;
    if (entry->deflated) {
        KAS_TRY(kas_arena_take(zip->arena, (size_t)entry->size_bytes, 1, &bytes));
        KAS_TRY(inflate_to(entry->stored, bytes, entry->size_bytes));
        *out = (kas_span){bytes, (size_t)entry->size_bytes};
    }
    const uint32_t crc = (uint32_t)crc32_z(0, out->data, out->size);
    if (crc == entry->crc32) return NULL;
    return kas_refuse(KAS_REASON_CHECKSUM, "checksum mismatch: its CRC-32 is %08x, the zip says %08x", crc,
                      entry->crc32);
}

kas_status kas_zip_read(const kas_zip *zip, kas_zip_entry *entry, kas_span *out)
{
    kas_span content;
    if (!entry->content.data) {
        KAS_TRY(kas_annotate(content_of(zip, entry, &content), "entry \"%.*s\"", KAS_SPAN_ARGS(entry->name)));
        entry->content = content;
    }
    *out = entry->content;
    return NULL;
}
