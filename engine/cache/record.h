/* What the engine knows of an artifact by its id: an immutable record, shared by whoever works with it. The
 * bytes are elsewhere (tiers, by checksum); two ids may have the same bytes and different metadata. */
#ifndef KAS_CACHE_RECORD_H
#define KAS_CACHE_RECORD_H

#include <kasmina/types.h>

#include "engine/artifact/artifact.h"

typedef struct kas_record {
    char artifact_id[KAS_NAME_SIZE];
    kas_sha256 checksum;
    char format[16];
    uint64_t size_bytes;   /* of the artifact */
    kas_metadata metadata; /* complete; owned */
    bool uploaded;         /* put by a client; else found in the registry */
    int64_t seen_ns;       /* wall time of the load or upload that made this record */
} kas_record;

/* Takes over what `fields` owns when it succeeds. The new record has one reference. */
kas_status kas_record_create(const kas_record *fields, const kas_record **out) KAS_MUST_USE;
const kas_record *kas_record_retain(const kas_record *record); /* any thread */
void kas_record_release(const kas_record *record);             /* any thread; accepts NULL */

/* The metadata object of docs/semantics.md as JSON; freed with kas_free. */
kas_status kas_metadata_text(const kas_metadata *metadata, char **json) KAS_MUST_USE;

#endif
