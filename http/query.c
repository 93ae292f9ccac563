/* Query parameters and escapes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/problems.h"
#include "http/request.h"

enum { VALUE_SIZE = 32 };

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') return digit - '0';
    if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

bool kas_http_unescape(const char *text, size_t length, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < length && used + 1 < size; ++i) {
        char byte = text[i];
        if (byte == '%') {
            int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
            int low = high >= 0 ? hex_digit(text[i + 2]) : -1;
            if (low < 0 || high * 16 + low == 0) return false;
            byte = (char)(high * 16 + low);
            i += 2;
        }
        out[used++] = byte;
    }
    out[used] = 0;
    return true;
}

bool kas_http_query(const kas_http_request *request, const char *name, char *out, size_t size)
{
    const char *value = MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
    if (!value) return false;
    if (!kas_http_unescape(value, strlen(value), out, size)) snprintf(out, size, "%s", value);
    return true;
}

bool kas_http_query_lacks(kas_http_request *request, const char *name)
{
    if (!MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name)) return true;
    kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE, "%s is a member of the body here, not of the query",
                    name);
    return false;
}

bool kas_http_query_number(kas_http_request *request, const char *name, double min, double max, double *out)
{
    char text[VALUE_SIZE], *end;
    if (!kas_http_query(request, name, text, sizeof text)) return true;
    double value = strtod(text, &end);
    if (end == text || *end || strspn(text, "0123456789.eE+-") != strlen(text) ||
        !(value >= min && value <= max)) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "the query's %s is '%s'; it must be a number within %g and %g", name, text, min, max);
        return false;
    }
    *out = value;
    return true;
}

bool kas_http_query_uint(kas_http_request *request, const char *name, uint32_t min, uint32_t max,
                         uint32_t *out)
{
    char text[VALUE_SIZE];
    if (!kas_http_query(request, name, text, sizeof text)) return true;
    size_t length = strlen(text);
    unsigned long value = strtoul(text, NULL, 10);
    if (length == 0 || length > 10 || strspn(text, "0123456789") != length || value < min || value > max) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "the query's %s is '%s'; it must be a whole number within %u and %u", name, text, min,
                        max);
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

bool kas_http_query_bool(kas_http_request *request, const char *name, bool *out)
{
    char text[VALUE_SIZE];
    if (!kas_http_query(request, name, text, sizeof text)) return true;
    *out = strcmp(text, "true") == 0;
    if (*out || strcmp(text, "false") == 0) return true;
    kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE, "the query's %s is '%s'; it must be true or false",
                    name, text);
    return false;
}
