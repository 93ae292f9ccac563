#include "http/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/json_float.h"
#include "http/json_scan.h"

enum { TEXT_MAX = 1 << 30, FIRST_CAPACITY = 1024, NUMBER_SIZE = 40 };

void kas_json_init(kas_json *json)
{
    *json = (kas_json){.comma = false};
    kas_text_init(&json->text, TEXT_MAX);
    kas_text *text = &json->text;
    text->failed = !kas_grow((void **)&text->bytes, &text->capacity, FIRST_CAPACITY, text->max, 1);
}

void kas_json_init_in(kas_json *json, char *memory, size_t size)
{
    *json = (kas_json){.text = {.bytes = memory, .capacity = size, .max = size}};
}

void kas_json_finish(kas_json *json)
{
    kas_text_finish(&json->text);
}

static void put(kas_json *json, const char *bytes)
{
    kas_text_append(&json->text, bytes, strlen(bytes));
}

static void begin(kas_json *json, const char *name)
{
    if (json->comma) kas_text_append(&json->text, ",", 1);
    json->comma = true;
    if (!name) return;
    kas_text_append(&json->text, "\"", 1);
    put(json, name);
    kas_text_append(&json->text, "\":", 2);
}

void kas_json_open(kas_json *json, const char *name, char bracket)
{
    begin(json, name);
    kas_text_append(&json->text, &bracket, 1);
    json->comma = false;
}

void kas_json_close(kas_json *json, char bracket)
{
    kas_text_append(&json->text, &bracket, 1);
    json->comma = true;
}

void kas_json_raw(kas_json *json, const char *name, const char *value)
{
    begin(json, name);
    put(json, value ? value : "null");
}

void kas_json_null(kas_json *json, const char *name)
{
    kas_json_raw(json, name, NULL);
}

void kas_json_bool(kas_json *json, const char *name, bool value)
{
    kas_json_raw(json, name, value ? "true" : "false");
}

void kas_json_uint(kas_json *json, const char *name, uint64_t value)
{
    char digits[KAS_DECIMAL_SIZE];
    size_t length = kas_format_decimal(value, digits);
    begin(json, name);
    kas_text_append(&json->text, digits, length);
}

void kas_json_int(kas_json *json, const char *name, int64_t value)
{
    char text[NUMBER_SIZE];
    if (value >= 0) {
        kas_json_uint(json, name, (uint64_t)value);
        return;
    }
    snprintf(text, sizeof text, "%lld", (long long)value);
    kas_json_raw(json, name, text);
}

/* A number that is a whole one still shows that it is real: "1.0". */
static void put_real(kas_json *json, const char *name, char *text, size_t size)
{
    size_t length = strlen(text);
    if (strspn(text, "-0123456789") == length && length + 3 <= size) memcpy(text + length, ".0", 3);
    kas_json_raw(json, name, text);
}

void kas_json_real(kas_json *json, const char *name, double value)
{
    char text[NUMBER_SIZE];
    if (!isfinite(value)) {
        kas_json_null(json, name);
        return;
    }
    for (int digits = 15; digits <= 17; ++digits) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    put_real(json, name, text, sizeof text);
}

void kas_json_float(kas_json *json, const char *name, float value)
{
    char text[KAS_JSON_FLOAT_SIZE];
    if (!isfinite(value)) {
        kas_json_null(json, name);
        return;
    }
    size_t length = kas_json_format_float(value, text);
    begin(json, name);
    kas_text_append(&json->text, text, length);
}

static const char *escape_of(unsigned char byte, char out[8])
{
    if (byte == '"' || byte == '\\')
        snprintf(out, 8, "\\%c", byte);
    else
        snprintf(out, 8, "\\u%04x", byte);
    return out;
}

/* What came in as bytes (a path, a header) may not be UTF-8: such bytes are shown as the replacement
 * character. */
static void put_escaped(kas_json *json, const char *value)
{
    const char *plain = value, *end = value + strlen(value);
    char escape[8];
    while (value < end) {
        unsigned char byte = (unsigned char)*value;
        size_t length = kas_utf8_length((const unsigned char *)value, (size_t)(end - value));
        if (length && byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f) {
            value += length;
            continue;
        }
        kas_text_append(&json->text, plain, (size_t)(value - plain));
        put(json, length ? escape_of(byte, escape) : "\xef\xbf\xbd");
        plain = ++value;
    }
    kas_text_append(&json->text, plain, (size_t)(end - plain));
}

void kas_json_text(kas_json *json, const char *name, const char *value)
{
    if (!value) {
        kas_json_null(json, name);
        return;
    }
    begin(json, name);
    kas_text_append(&json->text, "\"", 1);
    put_escaped(json, value);
    kas_text_append(&json->text, "\"", 1);
}

void kas_json_escaped(kas_json *json, const char *name, const char *value, size_t length)
{
    begin(json, name);
    kas_text_append(&json->text, "\"", 1);
    kas_text_append(&json->text, value, length);
    kas_text_append(&json->text, "\"", 1);
}

void kas_json_text_or_null(kas_json *json, const char *name, const char *value)
{
    kas_json_text(json, name, value && *value ? value : NULL);
}

void kas_json_time(kas_json *json, const char *name, int64_t wall_ns)
{
    char text[KAS_TIMESTAMP_SIZE];
    if (wall_ns == 0) {
        kas_json_null(json, name);
        return;
    }
    kas_format_utc(wall_ns, text);
    kas_json_text(json, name, text);
}
