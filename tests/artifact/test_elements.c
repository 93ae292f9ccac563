/* Numbers as files store them: every type, against the definition. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/finite.h"
#include "base/half.h"
#include "engine/artifact/elements.h"

TestSuite(elements);

/* The value of a half by its definition: ±2^(e−15)·(1 + m/1024), or ±2^−14·m/1024. */
static float half_by_definition(unsigned half)
{
    const int exponent = (int)(half >> 10 & 31), mantissa = (int)(half & 1023);
    float size = exponent == 31
                     ? (mantissa ? NAN : INFINITY)
                     : ldexpf((float)(exponent ? 1024 + mantissa : mantissa), (exponent ? exponent : 1) - 25);
    return half & 0x8000 ? -size : size;
}

Test(elements, every_half)
{
    static unsigned char bytes[2 * 65536 + 1];
    static float values[65536];
    for (unsigned i = 0; i < 65536; ++i) {
        bytes[2 * i + 1] = (unsigned char)i; /* at odd addresses */
        bytes[2 * i + 2] = (unsigned char)(i >> 8);
    }
    kas_elements_to_floats(KAS_ELEMENT_F16, bytes + 1, 65536, values);
    for (unsigned i = 0; i < 65536; ++i) {
        const float want = half_by_definition(i);
        if (isnan(want))
            cr_assert(isnan(values[i]), "%u", i);
        else
            cr_assert(values[i] == want && signbit(values[i]) == signbit(want), "%u: %g", i,
                      (double)values[i]);
    }
    kas_elements_to_floats(KAS_ELEMENT_BF16, bytes + 1, 65536, values);
    for (unsigned i = 0; i < 65536; ++i) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        cr_assert_eq(bits, i << 16);
    }
}

static void expect_element(kas_element type, const void *bytes, float want)
{
    unsigned char two[16];
    float values[2];
    const size_t size = kas_element_bytes(type);
    memset(two, 0, sizeof two);
    memcpy(two + size, bytes, size);
    kas_elements_to_floats(type, two, 2, values);
    cr_expect_eq(values[0], 0.0f, "type %d", (int)type);
    cr_expect_eq(values[1], want, "type %d: %g", (int)type, (double)values[1]);
}

Test(elements, every_type)
{
    expect_element(KAS_ELEMENT_F32, "\x00\x00\x20\xc0", -2.5f);
    expect_element(KAS_ELEMENT_F64, "\x00\x00\x00\x00\x00\x00\x04\xc0", -2.5f);
    expect_element(KAS_ELEMENT_I8, "\xfe", -2);
    expect_element(KAS_ELEMENT_U8, "\xfe", 254);
    expect_element(KAS_ELEMENT_I16, "\xfe\xff", -2);
    expect_element(KAS_ELEMENT_U16, "\xfe\xff", 65534);
    expect_element(KAS_ELEMENT_I32, "\xfe\xff\xff\xff", -2);
    expect_element(KAS_ELEMENT_U32, "\x00\x00\x00\x80", 2147483648.0f);
    expect_element(KAS_ELEMENT_I64, "\x00\x00\x00\x00\x00\x00\x00\x80", -9223372036854775808.0f);
    expect_element(KAS_ELEMENT_U64, "\x00\x00\x00\x00\x00\x00\x00\x80", 9223372036854775808.0f);
    expect_element(KAS_ELEMENT_BOOL, "\x07", 1);
}

Test(elements, first_that_is_not_finite)
{
    static float values[5000];
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    cr_expect_eq(kas_first_not_finite(values, 0), 0);
    cr_expect_eq(kas_first_not_finite(values, 5000), 5000);
    for (size_t at = 0; at < 5000; at = at * 2 + 1) {
        values[4999] = 3.4028235e38f;
        values[at] = bad[at % 4];
        cr_expect_eq(kas_first_not_finite(values, 5000), at);
        cr_expect_eq(kas_first_not_finite(values, at), at);
        values[at] = 0;
    }
}
