/* Floats as JSON: the shortest decimals that read back. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/json_float.h"

static void expect(float value, const char *text)
{
    char out[KAS_JSON_FLOAT_SIZE];
    size_t length = kas_json_format_float(value, out);
    cr_assert_eq(length, strlen(text), "%s: length %zu", text, length);
    cr_assert(memcmp(out, text, length) == 0, "%s: got %.*s", text, (int)length, out);
}

Test(json_float, known)
{
    expect(0.0f, "0.0");
    expect(-0.0f, "-0.0");
    expect(1.0f, "1.0");
    expect(-1.5f, "-1.5");
    expect(0.1f, "0.1");
    expect(100.0f, "100.0");
    expect(0.3f, "0.3");
    expect(0.25f, "0.25");
    expect(0.001f, "0.001");
    expect(0.00012345f, "0.00012345");
    expect(16777216.0f, "16777216.0");
    expect(0.300048828125f, "0.30004883");
    expect(3.4028235e38f, "3.4028235e+38");
}

/* The fewest digits that printf can do it with. */
static size_t shortest(float value)
{
    char text[64];
    int digits = 1;
    while (snprintf(text, sizeof text, "%.*e", digits - 1, (double)value), strtof(text, NULL) != value)
        ++digits;
    return (size_t)digits;
}

static size_t digits_of(const char *text, size_t length)
{
    char plain[KAS_JSON_FLOAT_SIZE];
    size_t count = 0;
    for (size_t i = 0; i < length && text[i] != 'e'; ++i)
        if (text[i] >= '0' && text[i] <= '9' && (count || text[i] != '0')) plain[count++] = text[i];
    while (count > 1 && plain[count - 1] == '0')
        --count;
    return count;
}

Test(json_float, reads_back)
{
    uint64_t state = 1;
    size_t longer = 0, count = 2000000;
    for (size_t i = 0; i < count; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint32_t bits = (uint32_t)(state >> 32);
        if (i % 2) bits = (bits & 0x87ffffffu) | 0x38000000u; /* of everyday size */
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        char out[KAS_JSON_FLOAT_SIZE + 1];
        size_t length = kas_json_format_float(value, out);
        cr_assert_lt(length, (size_t)KAS_JSON_FLOAT_SIZE);
        out[length] = 0;
        float back = strtof(out, NULL);
        cr_assert(memcmp(&back, &value, sizeof value) == 0, "%a became %s", (double)value, out);
        if (i % 64 == 1) longer += digits_of(out, length) > shortest(value);
    }
    cr_assert_leq(longer, count / 64 / 1000, "%zu were longer than they need be", longer);
}
