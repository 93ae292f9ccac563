#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

kas_rng kas_rng_make(uint64_t seed, uint64_t stream)
{
    kas_rng rng = {.state = 0, .stream = (stream << 1) | 1};
    (void)kas_rng_u32(&rng);
    rng.state += seed;
    (void)kas_rng_u32(&rng);
    return rng;
}

uint32_t kas_rng_u32(kas_rng *rng)
{
    uint64_t old = rng->state;
    rng->state = old * 6364136223846793005ull + rng->stream;
    uint32_t shifted = (uint32_t)(((old >> 18) ^ old) >> 27);
    uint32_t turn = (uint32_t)(old >> 59);
    return (shifted >> turn) | (shifted << ((32 - turn) & 31));
}

uint32_t kas_rng_below(kas_rng *rng, uint32_t bound)
{
    uint32_t reject = (0u - bound) % bound; /* values below it would make the low residues likelier */
    for (;;) {
        uint32_t value = kas_rng_u32(rng);
        if (value >= reject) return value % bound;
    }
}

float kas_rng_unit(kas_rng *rng)
{
    return (float)(kas_rng_u32(rng) >> 8) * 0x1p-24f;
}

kas_status kas_random_bytes(void *out, size_t size_bytes)
{
    unsigned char *at = out;
    while (size_bytes) {
        ssize_t got = getrandom(at, size_bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return kas_fail_os(errno, "getrandom");
        at += got;
        size_bytes -= (size_t)got;
    }
    return NULL;
}
