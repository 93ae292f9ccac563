/* The host tier: artifacts, decoded and checked, kept in host memory, so that a kernel that left its device
 * comes back without a fetch, a hash or a decode. Keyed by checksum. The least recently used goes first;
 * whoever works with one holds a reference, so that what is evicted lives until then. What has no other copy
 * (an upload where there is no disk tier) is kept until it is removed, and counts against the limits. Any
 * thread. */
#ifndef KAS_CACHE_HOST_TIER_H
#define KAS_CACHE_HOST_TIER_H

#include <kasmina/kasmina.h>

#include "engine/artifact/artifact.h"

typedef struct kas_decoded kas_decoded; /* an artifact, reference-counted and immutable */

/* Takes over the artifact when it succeeds; the new one has one reference. */
kas_status kas_decoded_create(kas_artifact *artifact, kas_decoded **out) KAS_MUST_USE;
kas_decoded *kas_decoded_retain(kas_decoded *decoded);
void kas_decoded_release(kas_decoded *decoded); /* accepts NULL */
const kas_artifact *kas_decoded_artifact(const kas_decoded *decoded);

typedef struct kas_host_tier kas_host_tier;

typedef struct kas_host_tier_limits { /* zero: the default */
    uint64_t max_bytes;               /* of constants; 256 MiB */
    uint32_t max_entries;             /* 1,024 */
} kas_host_tier_limits;

kas_status kas_host_tier_create(const kas_host_tier_limits *limits, kas_host_tier **out) KAS_MUST_USE;
void kas_host_tier_destroy(kas_host_tier *tier); /* accepts NULL */

/* Retained; NULL: not here. Counts a hit or a miss. */
kas_decoded *kas_host_tier_find(kas_host_tier *tier, const kas_sha256 *checksum);
bool kas_host_tier_has(kas_host_tier *tier, const kas_sha256 *checksum); /* counts nothing */
/* Keeps it, retained, evicting others as needed. One that does not fit is not kept, which is a failure
 * (KAS_NO_ROOM) only when `only_copy`. */
kas_status kas_host_tier_put(kas_host_tier *tier, kas_decoded *decoded, bool only_copy) KAS_MUST_USE;
void kas_host_tier_remove(kas_host_tier *tier, const kas_sha256 *checksum);
void kas_host_tier_stats(kas_host_tier *tier, kas_tier_stats *out);

#endif
