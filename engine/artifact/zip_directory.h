/* What zip.c and zip_directory.c share: the fields of a zip, little-endian and unaligned, and the directory's
 * place. */
#ifndef KAS_ARTIFACT_ZIP_DIRECTORY_H
#define KAS_ARTIFACT_ZIP_DIRECTORY_H

#include "engine/artifact/zip.h"

enum { KAS_ZIP_DIRECTORY_ENTRY_BYTES = 46 }; /* without its texts */

typedef struct kas_zip_directory {
    uint64_t count, size_bytes, offset;
    size_t end; /* where the directory must end */
} kas_zip_directory;

/* Finds the directory and checks that it lies where it should and may hold as many entries as are announced.
 */
kas_status kas_zip_find_directory(kas_span bytes, kas_zip_directory *out) KAS_MUST_USE;

static inline uint16_t kas_zip_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static inline uint32_t kas_zip_u32(const uint8_t *at)
{
    return (uint32_t)kas_zip_u16(at) | (uint32_t)kas_zip_u16(at + 2) << 16;
}

static inline uint64_t kas_zip_u64(const uint8_t *at)
{
    return (uint64_t)kas_zip_u32(at) | (uint64_t)kas_zip_u32(at + 4) << 32;
}

#endif
