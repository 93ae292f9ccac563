#include "http/paging.h"

#include <stdio.h>
#include <string.h>

#include "http/problems.h"

enum { CURSOR_SIZE = 2 * KAS_NAME_SIZE };

static int hex_value(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit ? strchr(digits, digit) : NULL;
    return at ? (int)(at - digits) : -1;
}

static bool decode(const char *cursor, char out[KAS_NAME_SIZE])
{
    size_t length = strlen(cursor);
    if (length == 0 || length % 2 || length / 2 >= KAS_NAME_SIZE) return false;
    for (size_t i = 0; i < length / 2; ++i) {
        int high = hex_value(cursor[2 * i]), low = hex_value(cursor[2 * i + 1]);
        if (high < 0 || low < 0 || high * 16 + low == 0) return false;
        out[i] = (char)(high * 16 + low);
    }
    out[length / 2] = 0;
    return true;
}

bool kas_http_read_page(kas_http_request *request, kas_http_page *out)
{
    char cursor[CURSOR_SIZE + 1];
    *out = (kas_http_page){.limit = KAS_HTTP_PAGE_DEFAULT};
    if (!kas_http_query_uint(request, "limit", 1, KAS_HTTP_PAGE_MAX, &out->limit)) return false;
    if (!kas_http_query(request, "cursor", cursor, sizeof cursor)) return true;
    if (decode(cursor, out->after)) return true;
    kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                    "the query's cursor is not one that this server gave out");
    return false;
}

void kas_http_write_cursor(kas_json *json, const char *last)
{
    char cursor[CURSOR_SIZE + 1] = "";
    for (size_t i = 0; last && last[i] && i < KAS_NAME_SIZE; ++i)
        snprintf(cursor + 2 * i, 3, "%02x", (unsigned char)last[i]);
    kas_json_text_or_null(json, "next_cursor", cursor);
}
