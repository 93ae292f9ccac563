/* Reference-counted artifacts. */
#include <stdatomic.h>

#include "base/alloc.h"
#include "engine/cache/host_tier.h"

struct kas_decoded {
    kas_artifact artifact;
    atomic_uint references;
};

kas_status kas_decoded_create(kas_artifact *artifact, kas_decoded **out)
{
    kas_decoded *decoded = kas_calloc(1, sizeof *decoded);
    if (!decoded) return kas_out_of_memory();
    decoded->artifact = *artifact;
    *artifact = (kas_artifact){0};
    atomic_init(&decoded->references, 1);
    *out = decoded;
    return NULL;
}

kas_decoded *kas_decoded_retain(kas_decoded *decoded)
{
    atomic_fetch_add_explicit(&decoded->references, 1, memory_order_relaxed);
    return decoded;
}

void kas_decoded_release(kas_decoded *decoded)
{
    if (!decoded || atomic_fetch_sub_explicit(&decoded->references, 1, memory_order_acq_rel) != 1) return;
    kas_artifact_finish(&decoded->artifact);
    kas_free(decoded);
}

const kas_artifact *kas_decoded_artifact(const kas_decoded *decoded)
{
    return &decoded->artifact;
}
