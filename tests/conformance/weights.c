#include "tests/conformance/weights.h"

#include "base/half.h"

static uint16_t narrowed(float value, kas_weight_type type)
{
    return type == KAS_WEIGHT_F16 ? kas_half_from_float(value) : kas_bfloat_from_float(value);
}

float conformance_widened(uint16_t bits, kas_weight_type type)
{
    return type == KAS_WEIGHT_F16 ? kas_half_to_float(bits) : kas_bfloat_to_float(bits);
}

void conformance_round(float *values, size_t count, kas_weight_type type)
{
    for (size_t i = 0; i < count && type != KAS_WEIGHT_F32; ++i)
        values[i] = conformance_widened(narrowed(values[i], type), type);
}

uint32_t *conformance_pairs(const float *values, size_t rows, size_t columns, kas_weight_type type,
                            size_t *size_bytes)
{
    size_t words = (columns + 1) / 2;
    uint32_t *out = conformance_alloc(rows * words, sizeof *out);
    for (size_t row = 0; row < rows; ++row)
        for (size_t column = 0; column < columns; ++column) {
            uint32_t bits = narrowed(values[row * columns + column], type);
            out[row * words + column / 2] |= bits << column % 2 * 16;
        }
    *size_bytes = rows * words * sizeof *out;
    return out;
}
