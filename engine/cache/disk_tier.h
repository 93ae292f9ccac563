/* The disk tier: uploaded artifacts as files that outlive the process.
 *
 *     FOLDER/blobs/HEX       an artifact's bytes, named by their SHA-256; verified whenever they are read
 *     FOLDER/records/HEX     what is known of an artifact id (named by the id's SHA-256): a kas_record as
 * text, with a CRC-32C at its end
 *
 * Both are written beside and renamed, so that a crash leaves the old content or the new. A damaged file is
 * reported and never served; writing the artifact again mends it. Any thread. */
#ifndef KAS_CACHE_DISK_TIER_H
#define KAS_CACHE_DISK_TIER_H

#include <kasmina/kasmina.h>

#include "engine/cache/files.h"
#include "engine/cache/record.h"

typedef struct kas_disk_tier kas_disk_tier;

/* Makes the folders. `files` is borrowed. */
kas_status kas_disk_tier_create(const kas_files *files, const char *folder, kas_disk_tier **out) KAS_MUST_USE;
void kas_disk_tier_destroy(kas_disk_tier *tier); /* accepts NULL */

/* Reads all records; `visit` takes over each one. Damaged ones, and those whose bytes are gone, are logged
 * and counted (kas_disk_tier_damaged). Bytes without a record are removed, unless a record is damaged. Before
 * any other call. */
typedef kas_status (*kas_record_visit)(void *user, const kas_record *record);
kas_status kas_disk_tier_load(kas_disk_tier *tier, kas_record_visit visit, void *user) KAS_MUST_USE;

kas_status kas_disk_tier_write(kas_disk_tier *tier, const kas_sha256 *checksum, const void *bytes,
                               size_t size_bytes) KAS_MUST_USE;
kas_status kas_disk_tier_write_record(kas_disk_tier *tier, const kas_record *record) KAS_MUST_USE;
/* KAS_NOT_FOUND, also when the file is gone; KAS_INVALID_ARTIFACT, reason "checksum", when it is damaged.
 * Counts a hit or a miss. */
kas_status kas_disk_tier_read(kas_disk_tier *tier, const kas_sha256 *checksum, size_t max_bytes,
                              kas_bytes *out) KAS_MUST_USE;
bool kas_disk_tier_has(kas_disk_tier *tier, const kas_sha256 *checksum);
/* The record, and the bytes too when no other id has them (`last`). */
kas_status kas_disk_tier_remove(kas_disk_tier *tier, const kas_record *record, bool last) KAS_MUST_USE;

void kas_disk_tier_stats(kas_disk_tier *tier, kas_tier_stats *out);
uint32_t kas_disk_tier_damaged(kas_disk_tier *tier); /* files found damaged since the start and not mended */

#endif
