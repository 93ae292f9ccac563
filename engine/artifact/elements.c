#include "engine/artifact/elements.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "base/float8.h"
#include "base/half.h"

size_t kas_element_bytes(kas_element type)
{
    static const unsigned char bytes[KAS_ELEMENT_COUNT] = {
        [KAS_ELEMENT_F32] = 4,         [KAS_ELEMENT_F64] = 8,         [KAS_ELEMENT_F16] = 2,
        [KAS_ELEMENT_BF16] = 2,        [KAS_ELEMENT_I8] = 1,          [KAS_ELEMENT_U8] = 1,
        [KAS_ELEMENT_I16] = 2,         [KAS_ELEMENT_U16] = 2,         [KAS_ELEMENT_I32] = 4,
        [KAS_ELEMENT_U32] = 4,         [KAS_ELEMENT_I64] = 8,         [KAS_ELEMENT_U64] = 8,
        [KAS_ELEMENT_BOOL] = 1,        [KAS_ELEMENT_F8_E4M3FN] = 1,   [KAS_ELEMENT_F8_E5M2] = 1,
        [KAS_ELEMENT_F8_E4M3FNUZ] = 1, [KAS_ELEMENT_F8_E5M2FNUZ] = 1,
    };
    return bytes[type];
}

static uint16_t load16(const unsigned char *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return le16toh(value);
}

static uint32_t load32(const unsigned char *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static uint64_t load64(const unsigned char *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

static void convert_f32(const unsigned char *bytes, size_t count, float *out)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(out, bytes, count * sizeof *out);
#else
    for (size_t i = 0; i < count; ++i) {
        const uint32_t bits = load32(bytes + 4 * i);
        memcpy(&out[i], &bits, sizeof bits);
    }
#endif
}

static float float_of_double_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return (float)value;
}

#define CONVERT(size, expression)                                                                            \
    for (size_t i = 0; i < count; ++i, at += (size)) {                                                       \
        out[i] = (float)(expression);                                                                        \
    }                                                                                                        \
    return

void kas_elements_to_floats(kas_element type, const void *bytes, size_t count, float *out)
{
    const unsigned char *at = bytes;
    if (count == 0) return;
    switch (type) {
    case KAS_ELEMENT_F32:
        convert_f32(at, count, out);
        return;
    case KAS_ELEMENT_F64:
        CONVERT(8, float_of_double_bits(load64(at)));
    case KAS_ELEMENT_F16:
        CONVERT(2, kas_half_to_float(load16(at)));
    case KAS_ELEMENT_BF16:
        CONVERT(2, kas_bfloat_to_float(load16(at)));
    case KAS_ELEMENT_F8_E4M3FN:
        CONVERT(1, kas_float8_to_float(&kas_float8_e4m3fn, *at));
    case KAS_ELEMENT_F8_E5M2:
        CONVERT(1, kas_float8_to_float(&kas_float8_e5m2, *at));
    case KAS_ELEMENT_F8_E4M3FNUZ:
        CONVERT(1, kas_float8_to_float(&kas_float8_e4m3fnuz, *at));
    case KAS_ELEMENT_F8_E5M2FNUZ:
        CONVERT(1, kas_float8_to_float(&kas_float8_e5m2fnuz, *at));
    case KAS_ELEMENT_I8:
        CONVERT(1, (int8_t)*at);
    case KAS_ELEMENT_U8:
        CONVERT(1, *at);
    case KAS_ELEMENT_I16:
        CONVERT(2, (int16_t)load16(at));
    case KAS_ELEMENT_U16:
        CONVERT(2, load16(at));
    case KAS_ELEMENT_I32:
        CONVERT(4, (int32_t)load32(at));
    case KAS_ELEMENT_U32:
        CONVERT(4, load32(at));
    case KAS_ELEMENT_I64:
        CONVERT(8, (int64_t)load64(at));
    case KAS_ELEMENT_U64:
        CONVERT(8, load64(at));
    case KAS_ELEMENT_BOOL:
        CONVERT(1, *at != 0);
    case KAS_ELEMENT_COUNT:
        return;
    }
}
