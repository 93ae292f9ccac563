/* IEEE 754 half precision and bfloat16, to and from float, round to nearest even; NaN stays NaN. */
#ifndef KAS_BASE_HALF_H
#define KAS_BASE_HALF_H

#include <stdint.h>

uint16_t kas_half_from_float(float value);
float kas_half_to_float(uint16_t half);
uint16_t kas_bfloat_from_float(float value);
float kas_bfloat_to_float(uint16_t bfloat);

#endif
