/* Seeded pseudo-random numbers (PCG-XSH-RR 64/32, O'Neill 2014) for initial weights, jitter and simulations:
 * the same seed gives the same numbers on every machine. Not for secrets; kas_random_bytes is. */
#ifndef KAS_BASE_RANDOM_H
#define KAS_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct kas_rng {
    uint64_t state;
    uint64_t stream;
} kas_rng;

kas_rng kas_rng_make(uint64_t seed, uint64_t stream);
uint32_t kas_rng_u32(kas_rng *rng);
uint32_t kas_rng_below(kas_rng *rng, uint32_t bound); /* uniform in [0, bound); bound > 0 */
float kas_rng_unit(kas_rng *rng);                     /* uniform in [0, 1), 24 bits */

/* From the operating system. */
kas_status kas_random_bytes(void *out, size_t size_bytes) KAS_MUST_USE;

#endif
