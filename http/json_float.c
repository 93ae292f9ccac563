#include "http/json_float.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DIGITS = 9,        /* always enough for a float32 */
    EXPONENT_MIN = -5, /* of ten, within which the fast way is exact enough and no exponent is written */
    EXPONENT_MAX = 12,
};

enum { POWERS = 23 };
static const double powers[POWERS] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const uint32_t whole_powers[DIGITS + 1] = {1,      10,      100,      1000,      10000,
                                                  100000, 1000000, 10000000, 100000000, 1000000000};

/* `mantissa` · 10^`scale`, rounded once to a double: both are exact. */
static double scaled(uint32_t mantissa, int scale)
{
    assert(scale >= 1 - POWERS && scale < POWERS);
    return scale < 0 ? mantissa / powers[-scale] : mantissa * powers[scale];
}

/* Whether these digits read back as `value`. A double in the very middle between two floats may have been
 * rounded to there: not taken. */
static bool reads_back(uint32_t mantissa, int scale, float value)
{
    uint64_t bits;
    double number = scaled(mantissa, scale);
    memcpy(&bits, &number, sizeof bits);
    return (float)number == value && (bits & 0x1fffffff) != 0x10000000;
}

/* The fewest digits: nine, then ever fewer while they read back. */
static int shorten(uint32_t *mantissa, int scale, float value)
{
    uint32_t nine = *mantissa;
    int digits = DIGITS;
    while (digits > 1) {
        uint32_t unit = whole_powers[DIGITS - digits + 1], fewer = (nine + unit / 2) / unit;
        if (!reads_back(fewer, scale + DIGITS - digits + 1, value)) break;
        *mantissa = fewer;
        --digits;
    }
    return scale + DIGITS - digits;
}

static size_t write_digits(uint32_t mantissa, char *out)
{
    char reversed[DIGITS + 1];
    size_t count = 0;
    do {
        reversed[count++] = (char)('0' + mantissa % 10);
        mantissa /= 10;
    } while (mantissa);
    for (size_t i = 0; i < count; ++i)
        out[i] = reversed[count - 1 - i];
    return count;
}

static size_t write_zeros(size_t count, char *out)
{
    memset(out, '0', count);
    return count;
}

/* digits · 10^scale without an exponent: "1200.0", "1.25", "0.00125". */
static size_t write_plain(const char *digits, size_t count, int scale, char *out)
{
    char *at = out;
    if (scale >= 0) {
        memcpy(at, digits, count);
        at += count;
        at += write_zeros((size_t)scale, at);
        memcpy(at, ".0", 2);
        return (size_t)(at + 2 - out);
    }
    size_t fraction = (size_t)-scale;
    if (fraction < count) {
        memcpy(at, digits, count - fraction);
        at += count - fraction;
        *at++ = '.';
        memcpy(at, digits + count - fraction, fraction);
        return (size_t)(at + fraction - out);
    }
    memcpy(at, "0.", 2);
    at += 2;
    at += write_zeros(fraction - count, at);
    memcpy(at, digits, count);
    return (size_t)(at + count - out);
}

/* Any value, slowly. */
static size_t write_slowly(float value, char out[KAS_JSON_FLOAT_SIZE])
{
    int length = 0;
    for (int digits = 6; digits <= DIGITS; ++digits) {
        length = snprintf(out, KAS_JSON_FLOAT_SIZE, "%.*g", digits, (double)value);
        if (strtof(out, NULL) == value) break;
    }
    if (strspn(out, "-0123456789") == (size_t)length) {
        memcpy(out + length, ".0", 3);
        length += 2;
    }
    return (size_t)length;
}

size_t kas_json_format_float(float value, char out[KAS_JSON_FLOAT_SIZE])
{
    double size = fabs((double)value);
    if (size == 0) {
        const char *zero = signbit(value) ? "-0.0" : "0.0";
        memcpy(out, zero, strlen(zero) + 1);
        return strlen(zero);
    }
    if (!(size >= 1e-5 && size < 1e13)) return write_slowly(value, out);
    int exponent = 0;
    while (exponent < EXPONENT_MAX && size >= powers[exponent + 1])
        ++exponent;
    while (exponent > EXPONENT_MIN && size * powers[exponent < 0 ? -exponent : 0] < 1)
        --exponent;
    int scale = exponent - (DIGITS - 1);
    uint32_t mantissa = (uint32_t)(scale < 0 ? size * powers[-scale] + 0.5 : size / powers[scale] + 0.5);
    if (mantissa >= whole_powers[DIGITS] || !reads_back(mantissa, scale, (float)size))
        return write_slowly(value, out);
    scale = shorten(&mantissa, scale, (float)size);
    char digits[DIGITS + 1];
    size_t count = write_digits(mantissa, digits), sign = value < 0;
    *out = '-';
    return sign + write_plain(digits, count, scale, out + sign);
}
