/* A zip archive in memory, read as PyTorch writes them and no other way: stored and deflated entries, zip64
 * records, data descriptors. The central directory is the truth; what a local header or a descriptor says
 * besides must agree with it. Opening checks the whole structure: no two entries overlap or share a name,
 * every name is a plain relative path, every size is within the limits. Reading checks the content: CRC-32,
 * and the exact inflated size.
 *
 * Refusals: KAS_INVALID_ARTIFACT, "malformed", "unsupported" (encryption, other methods, split archives),
 * "limit" or "checksum", naming the entry. One thread at a time for each arena. */
#ifndef KAS_ARTIFACT_ZIP_H
#define KAS_ARTIFACT_ZIP_H

#include <stdbool.h>

#include "engine/artifact/arena.h"
#include "engine/artifact/span.h"

enum {
    KAS_ZIP_MAX_ENTRIES = 16384,
    KAS_ZIP_MAX_NAME_BYTES = 1024,
    KAS_ZIP_MAX_INFLATED_BYTES = 16 << 20, /* of one deflated entry: code, not tensors */
    KAS_ZIP_MAX_RATIO = 256,               /* inflated to deflated, of entries above 64 KiB */
};

typedef struct kas_zip_entry {
    kas_span name;       /* as in the directory: valid UTF-8 without control characters */
    kas_span stored;     /* the entry's bytes as they lie in the archive */
    kas_span content;    /* once read; data NULL before */
    uint64_t size_bytes; /* inflated */
    uint64_t begin, end; /* of local header, bytes and descriptor, in the archive */
    uint32_t crc32;
    bool deflated; /* else stored */
} kas_zip_entry;

typedef struct kas_zip {
    kas_span bytes;
    kas_arena *arena;
    kas_zip_entry *entries; /* sorted by name; the arena's */
    size_t count;
} kas_zip;

/* The archive's bytes and the arena must outlive `out`. */
kas_status kas_zip_open(const void *bytes, size_t size_bytes, kas_arena *arena, kas_zip *out) KAS_MUST_USE;

/* NULL: no entry has exactly this name. */
kas_zip_entry *kas_zip_find(const kas_zip *zip, kas_span name);

/* The entry's content, checked: a part of the archive where it is stored, inflated into the arena where it is
 * not. The work is done once for each entry. */
kas_status kas_zip_read(const kas_zip *zip, kas_zip_entry *entry, kas_span *out) KAS_MUST_USE;

#endif
