#include "tests/artifact/zip_build.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "base/alloc.h"

enum { METHOD_DEFLATED = 8, FLAG_DESCRIPTOR = 8, FLAG_UTF8 = 0x800, IMAGE_MAX = 16 << 20 };

typedef struct written {
    uint32_t crc, stored, size;
    uint16_t flags, method;
} written;

/* ---- bytes ---- */

static uint8_t *extend(zip_image *image, size_t count)
{
    void *bytes = image->bytes;
    if (image->failed || !kas_grow(&bytes, &image->capacity, image->size + count, IMAGE_MAX, 1)) {
        image->failed = true;
        return NULL;
    }
    image->bytes = bytes;
    image->size += count;
    return image->bytes + image->size - count;
}

static void append(zip_image *image, const void *bytes, size_t count)
{
    uint8_t *to = extend(image, count);
    if (to && count) memcpy(to, bytes, count);
}

static void append_number(zip_image *image, uint64_t value, unsigned count)
{
    uint8_t *to = extend(image, count);
    for (unsigned i = 0; to && i < count; ++i, value >>= 8)
        to[i] = (uint8_t)value;
}

static void put(zip_image *image, size_t at, uint64_t value, unsigned count)
{
    for (unsigned i = 0; at + i < image->size && i < count; ++i)
        image->bytes[at + i] = (uint8_t)(value >> (8 * i));
}

void zip_put16(zip_image *image, size_t at, uint16_t value)
{
    put(image, at, value, 2);
}

void zip_put32(zip_image *image, size_t at, uint32_t value)
{
    put(image, at, value, 4);
}

void zip_put64(zip_image *image, size_t at, uint64_t value)
{
    put(image, at, value, 8);
}

void zip_image_free(zip_image *image)
{
    kas_free(image->bytes);
    *image = (zip_image){0};
}

/* ---- records ---- */

/* Deflated data goes to the end of the image; its size comes back. */
static uint32_t append_deflated(zip_image *image, const zip_part *part)
{
    z_stream stream = {.next_in = part->bytes, .avail_in = (uInt)part->size};
    if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        image->failed = true;
        return 0;
    }
    const size_t room = deflateBound(&stream, part->size);
    stream.next_out = extend(image, room);
    stream.avail_out = (uInt)room;
    if (stream.next_out) {
        deflate(&stream, Z_FINISH);
        image->size -= stream.avail_out;
    }
    const uint32_t size = (uint32_t)stream.total_out;
    deflateEnd(&stream);
    return size;
}

/* Version, flags, method, time, date, CRC and sizes: the same in the local header and in the directory. */
static void append_common(zip_image *image, const written *what, bool deferred)
{
    append_number(image, 45, 2);
    append_number(image, what->flags, 2);
    append_number(image, what->method, 2);
    append_number(image, 0, 4);
    append_number(image, deferred ? 0 : what->crc, 4);
    append_number(image, deferred ? 0 : what->stored, 4);
    append_number(image, deferred ? 0 : what->size, 4);
}

static void append_descriptor(zip_image *image, const written *what, unsigned style)
{
    const unsigned width = style & ZIP_64 ? 8 : 4;
    append(image, "PK\7\10", 4);
    append_number(image, what->crc, 4);
    append_number(image, what->stored, width);
    append_number(image, what->size, width);
}

/* The sizes are put in afterwards: of deflated data they are not known before. */
static written append_part(zip_image *image, const zip_part *part, size_t index, unsigned style)
{
    const bool deferred = style & ZIP_DESCRIPTORS;
    written what = {.crc = (uint32_t)crc32_z(0, part->bytes, part->size),
                    .stored = (uint32_t)part->size,
                    .size = (uint32_t)part->size,
                    .flags = FLAG_UTF8 | (deferred ? FLAG_DESCRIPTOR : 0),
                    .method = part->deflated ? METHOD_DEFLATED : 0};
    image->local[index] = image->size;
    append(image, "PK\3\4", 4);
    append_common(image, &what, deferred);
    append_number(image, strlen(part->name), 2);
    append_number(image, 0, 2);
    append(image, part->name, strlen(part->name));
    image->data[index] = image->size;
    if (part->deflated)
        what.stored = append_deflated(image, part);
    else
        append(image, part->bytes, part->size);
    if (deferred)
        append_descriptor(image, &what, style);
    else
        zip_put32(image, image->local[index] + 18, what.stored);
    return what;
}

static void append_central(zip_image *image, const zip_part *part, size_t index, const written *what)
{
    image->central[index] = image->size;
    append(image, "PK\1\2", 4);
    append_number(image, 45, 2);
    append_common(image, what, false);
    append_number(image, strlen(part->name), 2);
    append_number(image, 0, 12); /* extra, comment, disk, attributes */
    append_number(image, image->local[index], 4);
    append(image, part->name, strlen(part->name));
}

static void append_end64(zip_image *image, size_t directory, size_t count)
{
    const size_t size = image->size - directory;
    image->end64 = image->size;
    append(image, "PK\6\6", 4);
    append_number(image, 44, 8);
    append_number(image, 45, 2);
    append_number(image, 45, 2);
    append_number(image, 0, 8); /* disks */
    append_number(image, count, 8);
    append_number(image, count, 8);
    append_number(image, size, 8);
    append_number(image, directory, 8);
    image->locator = image->size;
    append(image, "PK\6\7", 4);
    append_number(image, 0, 4);
    append_number(image, image->end64, 8);
    append_number(image, 1, 4);
}

zip_image zip_build(const zip_part *parts, size_t count, unsigned style)
{
    zip_image image = {0};
    written records[ZIP_MAX_PARTS];
    for (size_t i = 0; i < count; ++i)
        records[i] = append_part(&image, &parts[i], i, style);
    const size_t directory = image.size;
    for (size_t i = 0; i < count; ++i)
        append_central(&image, &parts[i], i, &records[i]);
    const size_t size = image.size - directory;
    if (style & ZIP_64) append_end64(&image, directory, count);
    image.end = image.size;
    append(&image, "PK\5\6", 4);
    append_number(&image, 0, 4); /* disks */
    append_number(&image, count, 2);
    append_number(&image, count, 2);
    append_number(&image, size, 4);
    append_number(&image, directory, 4);
    append_number(&image, 0, 2);
    if (image.failed) zip_image_free(&image);
    return image;
}
