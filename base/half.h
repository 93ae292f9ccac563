/* IEEE 754 half precision and bfloat16, to and from float, round to nearest even; NaN stays NaN. */
#ifndef KAS_BASE_HALF_H
#define KAS_BASE_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

uint16_t kas_half_from_float(float value);
uint16_t kas_bfloat_from_float(float value);

/* Whether each value comes back from 16 bits as it was, bit by bit. */
bool kas_all_half(const float *values, size_t count);
bool kas_all_bfloat(const float *values, size_t count);

/* Here and without branches, so that loops over arrays vectorise. */
static inline float kas_half_to_float(uint16_t half)
{
    const uint32_t rest = (uint32_t)(half & 0x7fffu) << 13, sign = (uint32_t)(half & 0x8000u) << 16;
    float magnitude, value;
    uint32_t bits;
    memcpy(&magnitude, &rest, sizeof magnitude);
    magnitude *= 0x1p112f; /* the difference of the exponents' biases; makes subnormals normal */
    memcpy(&bits, &magnitude, sizeof bits);
    bits = rest >= 0x7c00u << 13 ? rest | 0x7f800000u : bits;
    bits |= sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline float kas_bfloat_to_float(uint16_t bfloat)
{
    const uint32_t bits = (uint32_t)bfloat << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
