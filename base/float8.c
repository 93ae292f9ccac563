#include "base/float8.h"

#include <math.h>

const kas_float8 kas_float8_e4m3fn = {3, 7, KAS_FLOAT8_FINITE};
const kas_float8 kas_float8_e5m2 = {2, 15, KAS_FLOAT8_IEEE};
const kas_float8 kas_float8_e4m3fnuz = {3, 8, KAS_FLOAT8_NO_ZERO};
const kas_float8 kas_float8_e5m2fnuz = {2, 16, KAS_FLOAT8_NO_ZERO};

float kas_float8_to_float(const kas_float8 *format, uint8_t bits)
{
    const unsigned rest = bits & 0x7fu;
    const unsigned mantissa = rest & ((1u << format->mantissa_bits) - 1);
    const unsigned exponent = rest >> format->mantissa_bits;
    const unsigned exponent_max = 0x7fu >> format->mantissa_bits;
    const float sign = bits & 0x80u ? -1.0f : 1.0f;
    if (format->special == KAS_FLOAT8_NO_ZERO && bits == 0x80u) return NAN;
    if (format->special == KAS_FLOAT8_FINITE && rest == 0x7fu) return NAN;
    if (format->special == KAS_FLOAT8_IEEE && exponent == exponent_max)
        return mantissa ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * ldexpf((float)mantissa, 1 - format->bias - format->mantissa_bits);
    return sign * ldexpf((float)(mantissa + (1u << format->mantissa_bits)),
                         (int)exponent - format->bias - format->mantissa_bits);
}
