/* The four 8-bit floating-point formats that frameworks store weights in, to float. */
#ifndef KAS_BASE_FLOAT8_H
#define KAS_BASE_FLOAT8_H

#include <stdint.h>

typedef enum kas_float8_special {
    KAS_FLOAT8_IEEE,   /* the largest exponent is for infinity and NaN */
    KAS_FLOAT8_FINITE, /* "fn": only all ones is NaN, no infinity */
    KAS_FLOAT8_NO_ZERO /* "fnuz": only the negative zero is NaN, no infinity */
} kas_float8_special;

typedef struct kas_float8 {
    int mantissa_bits, bias;
    kas_float8_special special;
} kas_float8;

extern const kas_float8 kas_float8_e4m3fn, kas_float8_e5m2, kas_float8_e4m3fnuz, kas_float8_e5m2fnuz;

float kas_float8_to_float(const kas_float8 *format, uint8_t bits);

#endif
