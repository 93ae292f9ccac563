#include "http/json_scan.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 64, NUMBER_MAX = 64, EXACT_DIGITS = 15, EXACT_POWER = 22 };

static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

char kas_json_peek(kas_json_scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\t' || *scan->at == '\r'))
        ++scan->at;
    return scan->at < scan->end ? *scan->at : 0;
}

bool kas_json_take(kas_json_scan *scan, char byte)
{
    if (kas_json_peek(scan) != byte || scan->at == scan->end) return false;
    ++scan->at;
    return true;
}

kas_status kas_json_malformed(const kas_json_scan *scan, const char *wanted)
{
    return kas_fail(KAS_MALFORMED, CALLER, "the body is not JSON: %s expected at byte %zu", wanted,
                    (size_t)(scan->at - scan->start));
}

/* ---- numbers ---- */

static const char *digits_end(const char *at, const char *end)
{
    while (at < end && *at >= '0' && *at <= '9')
        ++at;
    return at;
}

/* Where a number by the grammar ends; NULL: there is none. */
static const char *number_end(const char *at, const char *end)
{
    if (at < end && *at == '-') ++at;
    const char *whole = digits_end(at, end);
    if (whole == at || (*at == '0' && whole > at + 1)) return NULL;
    at = whole;
    if (at < end && *at == '.') {
        const char *fraction = digits_end(at + 1, end);
        if (fraction == at + 1) return NULL;
        at = fraction;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        ++at;
        if (at < end && (*at == '+' || *at == '-')) ++at;
        const char *exponent = digits_end(at, end);
        if (exponent == at) return NULL;
        at = exponent;
    }
    return at;
}

/* Few digits and a small power of ten: a whole number and one multiplication or division are exact (Clinger).
 */
static bool convert_exactly(const char *at, const char *end, double *out)
{
    bool negative = *at == '-';
    uint64_t mantissa = 0;
    int digits = 0, scale = 0;
    bool fraction = false;
    for (at += negative; at < end && *at != 'e' && *at != 'E'; ++at) {
        if (*at == '.') {
            fraction = true;
            continue;
        }
        mantissa = mantissa * 10 + (uint64_t)(*at - '0');
        digits += mantissa != 0;
        scale -= fraction;
        if (digits > EXACT_DIGITS) return false;
    }
    if (at < end) {
        if (end - at > 5) return false;
        scale += (int)strtol(at + 1, NULL, 10);
    }
    if (scale < -EXACT_POWER || scale > EXACT_POWER) return false;
    double value = scale < 0 ? (double)mantissa / powers[-scale] : (double)mantissa * powers[scale];
    *out = negative ? -value : value;
    return true;
}

static kas_status convert(const kas_json_scan *scan, const char *end, double *out)
{
    char text[NUMBER_MAX];
    size_t length = (size_t)(end - scan->at);
    if (length < sizeof text) {
        memcpy(text, scan->at, length);
        text[length] = 0;
        if (!convert_exactly(text, text + length, out)) *out = strtod(text, NULL);
        return NULL;
    }
    char *copy = strndup(scan->at, length);
    if (!copy) return kas_out_of_memory();
    *out = strtod(copy, NULL);
    free(copy);
    return NULL;
}

/* The usual number, read in one go: a few digits, perhaps a point, no exponent, and no end of the text in
 * sight. False: look again, slowly. */
static bool scan_plainly(kas_json_scan *scan, double *out)
{
    const char *at = scan->at, *end = scan->end;
    bool negative = at < end && *at == '-';
    at += negative;
    const char *first = at, *point = NULL;
    uint64_t mantissa = 0;
    for (; at < end; ++at) {
        unsigned digit = (unsigned)(*at - '0');
        if (digit <= 9)
            mantissa = mantissa * 10 + digit;
        else if (*at == '.' && !point && at > first)
            point = at;
        else
            break;
    }
    size_t digits = (size_t)(at - first) - (point != NULL), fraction = point ? (size_t)(at - point) - 1 : 0;
    if (at == end || digits == 0 || digits > EXACT_DIGITS || (point && fraction == 0)) return false;
    if (*at == 'e' || *at == 'E' || (*first == '0' && digits - fraction > 1)) return false;
    double value = (double)mantissa / powers[fraction];
    *out = negative ? -value : value;
    scan->at = at;
    return true;
}

kas_status kas_json_scan_number(kas_json_scan *scan, double *out)
{
    kas_json_peek(scan);
    if (scan_plainly(scan, out)) return NULL;
    const char *end = number_end(scan->at, scan->end);
    if (!end) return kas_json_malformed(scan, "a number");
    KAS_TRY(convert(scan, end, out));
    scan->at = end;
    return NULL;
}

/* ---- strings ---- */

size_t kas_utf8_length(const unsigned char *at, size_t left)
{
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xc2 ? 0
                    : at[0] < 0xe0 ? 2
                    : at[0] < 0xf0 ? 3
                    : at[0] < 0xf5 ? 4
                                   : 0;
    if (length > left) return 0;
    for (size_t i = 1; i < length; ++i) {
        if ((at[i] & 0xc0) != 0x80) return 0;
    }
    if (length == 3 && ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f))) return 0;
    if (length == 4 && ((at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))) return 0;
    return length;
}

static size_t escape_length(const char *at, size_t left)
{
    if (left < 2) return 0;
    if (at[1] && strchr("\"\\/bfnrt", at[1])) return 2;
    if (at[1] != 'u' || left < 6) return 0;
    for (size_t i = 2; i < 6; ++i) {
        if (!at[i] || !strchr("0123456789abcdefABCDEF", at[i])) return 0;
    }
    return 6;
}

/* A byte of a string that stands for itself and is a whole character. */
static bool is_plain(char byte)
{
    return byte >= 0x20 && (unsigned char)byte < 0x80 && byte != '"' && byte != '\\';
}

kas_status kas_json_scan_string(kas_json_scan *scan, const char **text, size_t *length)
{
    if (!kas_json_take(scan, '"')) return kas_json_malformed(scan, "a string");
    *text = scan->at;
    for (;;) {
        while (scan->at < scan->end && is_plain(*scan->at))
            ++scan->at;
        if (scan->at == scan->end || *scan->at == '"') break;
        size_t left = (size_t)(scan->end - scan->at), step;
        if ((unsigned char)*scan->at < 0x20) return kas_json_malformed(scan, "no control character");
        step = *scan->at == '\\' ? escape_length(scan->at, left)
                                 : kas_utf8_length((const unsigned char *)scan->at, left);
        if (step == 0) return kas_json_malformed(scan, "UTF-8 and a known escape");
        scan->at += step;
    }
    *length = (size_t)(scan->at - *text);
    if (scan->at == scan->end) return kas_json_malformed(scan, "the end of a string");
    ++scan->at;
    return NULL;
}

/* ---- anything ---- */

static kas_status skip_word(kas_json_scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i) {
        size_t length = strlen(words[i]);
        if ((size_t)(scan->end - scan->at) < length || memcmp(scan->at, words[i], length) != 0) continue;
        scan->at += length;
        return NULL;
    }
    return kas_json_malformed(scan, "a value");
}

static kas_status skip(kas_json_scan *scan, int depth);

static kas_status skip_members(kas_json_scan *scan, char close, int depth)
{
    const char *text;
    size_t length;
    if (depth == DEPTH_MAX) return kas_json_malformed(scan, "less nesting");
    ++scan->at;
    if (kas_json_take(scan, close)) return NULL;
    do {
        if (close == '}') {
            KAS_TRY(kas_json_scan_string(scan, &text, &length));
            if (!kas_json_take(scan, ':')) return kas_json_malformed(scan, "':'");
        }
        KAS_TRY(skip(scan, depth + 1));
    } while (kas_json_take(scan, ','));
    return kas_json_take(scan, close) ? NULL : kas_json_malformed(scan, "',' or the end of the list");
}

static kas_status skip(kas_json_scan *scan, int depth)
{
    const char *text;
    size_t length;
    double number;
    switch (kas_json_peek(scan)) {
    case '{':
        return skip_members(scan, '}', depth);
    case '[':
        return skip_members(scan, ']', depth);
    case '"':
        return kas_json_scan_string(scan, &text, &length);
    case 't':
    case 'f':
    case 'n':
        return skip_word(scan);
    default:
        return kas_json_scan_number(scan, &number);
    }
}

kas_status kas_json_skip(kas_json_scan *scan)
{
    return skip(scan, 0);
}
