#include "http/gzip.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/alloc.h"

enum { GZIP_ONLY = 15 + 16, MEMORY_LEVEL = 8, FIRST_UNPACKED = 1 << 16, LEVEL = 1 };

static void *zlib_alloc(void *context, unsigned count, unsigned size)
{
    (void)context;
    return kas_alloc_array(count, size);
}

static void zlib_free(void *context, void *block)
{
    (void)context;
    kas_free(block);
}

static bool grow(unsigned char **bytes, size_t *capacity, size_t used, size_t limit)
{
    size_t wanted = *capacity ? 2 * *capacity : FIRST_UNPACKED;
    if (wanted > limit + 1) wanted = limit + 1; /* one more, to see that there is too much */
    unsigned char *larger = kas_alloc_aligned(KAS_CACHE_LINE, kas_align_up(wanted, KAS_CACHE_LINE));
    if (!larger) return false;
    if (used) memcpy(larger, *bytes, used);
    kas_free(*bytes);
    *bytes = larger;
    *capacity = wanted;
    return true;
}

static kas_status inflate_all(z_stream *stream, size_t limit, unsigned char **out, size_t *out_size)
{
    size_t capacity = 0;
    int result = Z_OK;
    while (result != Z_STREAM_END) {
        if (*out_size > limit)
            return kas_fail(KAS_TOO_LARGE, CALLER,
                            "the body unpacks to more than the %zu bytes that are the limit here", limit);
        if (*out_size == capacity && !grow(out, &capacity, *out_size, limit)) return kas_out_of_memory();
        size_t room = capacity - *out_size;
        stream->next_out = *out + *out_size;
        stream->avail_out = room > UINT_MAX ? UINT_MAX : (unsigned)room;
        const unsigned before = stream->avail_out;
        result = inflate(stream, Z_NO_FLUSH);
        *out_size += before - stream->avail_out;
        if (result == Z_MEM_ERROR) return kas_out_of_memory();
        bool starved =
            result == Z_BUF_ERROR || (result == Z_OK && stream->avail_in == 0 && stream->avail_out > 0);
        if (starved || (result != Z_OK && result != Z_STREAM_END))
            return kas_fail(KAS_MALFORMED, CALLER, "the body is not gzip: %s",
                            starved       ? "it is cut short"
                            : stream->msg ? stream->msg
                                          : "it is damaged");
    }
    if (*out_size > limit)
        return kas_fail(KAS_TOO_LARGE, CALLER,
                        "the body unpacks to more than the %zu bytes that are the limit here", limit);
    return stream->avail_in ? kas_fail(KAS_MALFORMED, CALLER, "the body has %u bytes after its gzip stream",
                                       stream->avail_in)
                            : NULL;
}

kas_status kas_gunzip(const void *bytes, size_t size, size_t limit, unsigned char **out, size_t *out_size)
{
    z_stream stream = {.zalloc = zlib_alloc, .zfree = zlib_free};
    *out = NULL;
    *out_size = 0;
    if (size > UINT_MAX)
        return kas_fail(KAS_TOO_LARGE, CALLER, "a packed body of %zu bytes is more than can be unpacked",
                        size);
    stream.next_in = (unsigned char *)(uintptr_t)bytes;
    stream.avail_in = (unsigned)size;
    if (inflateInit2(&stream, GZIP_ONLY) != Z_OK) return kas_out_of_memory();
    kas_status status = inflate_all(&stream, limit, out, out_size);
    inflateEnd(&stream);
    if (!status) return NULL;
    kas_free(*out);
    *out = NULL;
    return status;
}

void *kas_gzip(const void *bytes, size_t size, size_t *out_size)
{
    z_stream stream = {.zalloc = zlib_alloc, .zfree = zlib_free};
    if (size > UINT_MAX) return NULL;
    unsigned char *packed = kas_alloc(size); /* what needs as much is not worth it */
    if (!packed) return NULL;
    stream.next_in = (unsigned char *)(uintptr_t)bytes;
    stream.avail_in = (unsigned)size;
    stream.next_out = packed;
    stream.avail_out = (unsigned)size;
    int result = deflateInit2(&stream, LEVEL, Z_DEFLATED, GZIP_ONLY, MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
    if (result == Z_OK) {
        result = deflate(&stream, Z_FINISH);
        deflateEnd(&stream);
    }
    *out_size = size - stream.avail_out;
    if (result == Z_STREAM_END) return packed;
    kas_free(packed);
    return NULL;
}

bool kas_gzip_is_accepted(const char *header)
{
    bool by_name = false, by_any = false, named = false;
    while (header && *header) {
        header += strspn(header, ", \t");
        size_t item = strcspn(header, ","), name = strcspn(header, ",; \t");
        const char *q = memmem(header, item, "q=", 2);
        bool wanted = !q || strtod(q + 2, NULL) > 0;
        if ((name == 4 && strncasecmp(header, "gzip", 4) == 0) ||
            (name == 6 && strncasecmp(header, "x-gzip", 6) == 0)) {
            named = true;
            by_name |= wanted;
        }
        if (name == 1 && *header == '*') by_any |= wanted;
        header += item;
    }
    return named ? by_name : by_any;
}
