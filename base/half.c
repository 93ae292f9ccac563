#include "base/half.h"

#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

uint16_t kas_half_from_float(float value)
{
    uint32_t bits = bits_of(value);
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000u);
    bits &= 0x7fffffffu;
    if (bits > 0x7f800000u) return (uint16_t)(sign | 0x7e00u);  /* NaN */
    if (bits >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* rounds to infinity */
    if (bits < 0x38800000u) {                                   /* subnormal or zero */
        float scaled = from_bits(bits) + 0.5f;                  /* ulp(0.5) = 2^-24: rounds for us */
        return (uint16_t)(sign | (bits_of(scaled) - bits_of(0.5f)));
    }
    bits += 0xfffu + (bits >> 13 & 1u);
    return (uint16_t)(sign | ((bits - 0x38000000u) >> 13));
}

uint16_t kas_bfloat_from_float(float value)
{
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

bool kas_all_half(const float *values, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        if (bits_of(kas_half_to_float(kas_half_from_float(values[i]))) != bits_of(values[i])) return false;
    return true;
}

bool kas_all_bfloat(const float *values, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        if (bits_of(kas_bfloat_to_float(kas_bfloat_from_float(values[i]))) != bits_of(values[i]))
            return false;
    return true;
}
