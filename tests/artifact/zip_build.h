/* Writes zip archives as PyTorch does, for tests: honest ones, whose bytes at known places are then broken.
 */
#ifndef KAS_TESTS_ZIP_BUILD_H
#define KAS_TESTS_ZIP_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ZIP_MAX_PARTS = 16 };

typedef struct zip_part {
    const char *name;
    const void *bytes;
    size_t size;
    bool deflated;
} zip_part;

typedef enum zip_style {
    ZIP_PLAIN = 0,
    ZIP_DESCRIPTORS = 1, /* CRC and sizes behind the data, zeros before it */
    ZIP_64 = 2,          /* zip64 end records and, in descriptors, wide sizes */
} zip_style;

typedef struct zip_image {
    uint8_t *bytes; /* zip_image_free */
    size_t size, capacity;
    size_t local[ZIP_MAX_PARTS], data[ZIP_MAX_PARTS], central[ZIP_MAX_PARTS]; /* offsets */
    size_t end64, locator, end;
    bool failed; /* memory ran out: the image is empty */
} zip_image;

/* At most ZIP_MAX_PARTS parts; style: flags of zip_style. */
zip_image zip_build(const zip_part *parts, size_t count, unsigned style);
void zip_image_free(zip_image *image);

void zip_put16(zip_image *image, size_t at, uint16_t value);
void zip_put32(zip_image *image, size_t at, uint32_t value);
void zip_put64(zip_image *image, size_t at, uint64_t value);

#endif
