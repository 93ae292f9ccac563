#include "base/finite.h"

#include <stdint.h>
#include <string.h>

enum { FINITE_BLOCK = 1024 };

static uint32_t is_not_finite(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (bits & 0x7f800000u) == 0x7f800000u;
}

size_t kas_first_not_finite(const float *values, size_t count)
{
    size_t at = 0;
    for (; count - at >= FINITE_BLOCK;
         at += FINITE_BLOCK) { /* a block at a time, without branches: it vectorises */
        uint32_t found = 0;
        for (size_t i = 0; i < FINITE_BLOCK; ++i)
            found |= is_not_finite(values[at + i]);
        if (found) break;
    }
    while (at < count && !is_not_finite(values[at]))
        ++at;
    return at;
}
