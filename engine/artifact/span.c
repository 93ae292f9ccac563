#include "engine/artifact/span.h"

#include <string.h>

bool kas_span_equal(kas_span a, kas_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool kas_span_is(kas_span span, const char *text)
{
    return kas_span_equal(span, (kas_span){(const uint8_t *)text, strlen(text)});
}

int kas_span_compare(kas_span a, kas_span b)
{
    const size_t common = a.size < b.size ? a.size : b.size;
    const int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

bool kas_span_begins(kas_span span, const char *prefix)
{
    const size_t size = strlen(prefix);
    return span.size >= size && memcmp(span.data, prefix, size) == 0;
}

/* Bytes of the sequence that begins with `first`, and the bits of its first byte; 0: no sequence begins so.
 */
static size_t sequence_length(uint8_t first, uint32_t *bits)
{
    static const struct {
        uint8_t mask, lead, length;
    } forms[] = {{0x80, 0x00, 1}, {0xe0, 0xc0, 2}, {0xf0, 0xe0, 3}, {0xf8, 0xf0, 4}};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; ++i)
        if ((first & forms[i].mask) == forms[i].lead) {
            *bits = first & (uint8_t)~forms[i].mask;
            return forms[i].length;
        }
    return 0;
}

bool kas_span_is_utf8(kas_span span)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    for (size_t i = 0; i < span.size;) {
        uint32_t point;
        const size_t length = sequence_length(span.data[i], &point);
        if (length == 0 || length > span.size - i) return false;
        for (size_t k = 1; k < length; ++k) {
            if ((span.data[i + k] & 0xc0) != 0x80) return false;
            point = point << 6 | (span.data[i + k] & 0x3f);
        }
        if (point < least[length] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
        i += length;
    }
    return true;
}
