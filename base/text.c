#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

void kas_text_init(kas_text *text, size_t max_bytes)
{
    *text = (kas_text){.max = max_bytes};
}

static bool reserve(kas_text *text, size_t more)
{
    size_t needed;
    if (!text->failed && more < text->capacity - text->length) return true;
    if (text->failed || !kas_add(text->length, more, &needed) || !kas_add(needed, 1, &needed) ||
        !kas_grow((void **)&text->bytes, &text->capacity, needed, text->max, 1)) {
        text->failed = true;
        return false;
    }
    return true;
}

void kas_text_append(kas_text *text, const char *bytes, size_t length)
{
    if (!reserve(text, length)) return;
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = 0;
}

void kas_text_printf(kas_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0) text->failed = true;
    if (length >= 0 && reserve(text, (size_t)length)) {
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
}

size_t kas_format_decimal(uint64_t value, char out[KAS_DECIMAL_SIZE])
{
    char digits[KAS_DECIMAL_SIZE];
    char *at = digits + sizeof digits;
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    size_t length = (size_t)(digits + sizeof digits - at);
    memcpy(out, at, length);
    out[length] = 0;
    return length;
}

void kas_text_finish(kas_text *text)
{
    kas_free(text->bytes);
    *text = (kas_text){.max = text->max};
}
