/* Finding an artifact: in the host tier, the disk tier, the registry, in this order; verified, decoded, its
 * metadata complete. On tasks' threads. */
#ifndef KAS_CONTROL_FIND_H
#define KAS_CONTROL_FIND_H

#include "engine/control/engine.h"

typedef struct kas_finding { /* how it goes on; all may be called often */
    void (*progress)(void *user, kas_stage stage, kas_tier tier, uint64_t bytes_done, uint64_t bytes_total);
    bool (*cancelled)(void *user);
    void *user;
} kas_finding;

typedef struct kas_found {
    kas_decoded *decoded;
    const kas_record *record;
    kas_tier tier;
} kas_found;

void kas_found_finish(kas_found *found); /* accepts empty */

/* checksum: what the id is bound to (other bytes are KAS_CONFLICT, reason "checksum"); NULL: not yet.
 * finding: NULL: nobody cares. The artifact is then in the host tier; the record is not in the catalog. */
kas_status kas_find(kas_engine *engine, const char *artifact_id, const kas_sha256 *checksum,
                    const kas_finding *finding, kas_found *out) KAS_MUST_USE;

/* A record of decoded bytes without a registry's word on them: all metadata derived. */
kas_status kas_find_derive(kas_engine *engine, const char *artifact_id, const kas_artifact *artifact,
                           bool uploaded, const kas_record **out) KAS_MUST_USE;

/* What the control plane must know; without `affine`, which takes a computation. */
void kas_find_facts(const kas_metadata *metadata, kas_kernel_facts *out);

#endif
