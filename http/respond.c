#include "http/respond.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "http/budget.h"
#include "http/gzip.h"
#include "http/idempotency.h"
#include "http/problems.h"
#include "http/serving.h"

enum { PACK_MIN = 1024, PACK_MAX = 4 << 20 }; /* bytes */

void kas_http_add_text_header(kas_http_request *request, const char *name, const char *value, size_t length)
{
    const size_t room = sizeof request->headers - request->headers_size, name_size = strlen(name) + 1;
    char *at = request->headers + request->headers_size;
    if (name_size >= room || length >= room - name_size) {
        kas_warning("http", "the header %s of %s does not fit and is left out", name, request->path);
        return;
    }
    memcpy(at, name, name_size);
    memcpy(at + name_size, value, length);
    at[name_size + length] = 0;
    request->headers_size += name_size + length + 1;
}

void kas_http_add_count_header(kas_http_request *request, const char *name, uint64_t value)
{
    char digits[KAS_DECIMAL_SIZE];
    kas_http_add_text_header(request, name, digits, kas_format_decimal(value, digits));
}

void kas_http_add_header(kas_http_request *request, const char *name, const char *format, ...)
{
    char value[sizeof request->headers];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    kas_http_add_text_header(request, name, value, length < 0 ? 0 : (size_t)length);
}

static void add_headers(const kas_http_request *request, struct MHD_Response *response,
                        const char *media_type)
{
    const char *at = request->headers, *end = at + request->headers_size;
    MHD_add_response_header(response, "X-Request-Id", request->request_id);
    if (media_type) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, media_type);
    if (atomic_load_explicit(&request->server->stopping, memory_order_relaxed))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        /* libmicrohttpd refuses an empty value; white space around one is not part of it (RFC 9110, 5.5). */
        MHD_add_response_header(response, at, *value ? value : " ");
        at = value + strlen(value) + 1;
    }
}

/* Without memory for an answer there is none: the connection is closed. */
static void queue(kas_http_request *request, unsigned status, const char *media_type,
                  struct MHD_Response *response, size_t size)
{
    request->answered = true;
    request->http_status = status;
    if (!response) {
        request->answered = false;
        return;
    }
    if (request->gone) {
        MHD_destroy_response(response);
        return;
    }
    add_headers(request, response, media_type);
    if (MHD_queue_response(request->connection, status, response) != MHD_YES) request->answered = false;
    MHD_destroy_response(response);
    atomic_fetch_add_explicit(&request->server->counts.sent_bytes, size, memory_order_relaxed);
}

/* The packed bytes of what is worth it and does not hold the serving thread up; else NULL. */
static void *pack(kas_http_request *request, const void *bytes, size_t size, size_t *packed_size)
{
    if (size < PACK_MIN || size > PACK_MAX) return NULL;
    if (request->route && request->route->method == KAS_HTTP_GET) /* others' answers are in no cache */
        kas_http_add_text_header(request, "Vary", "Accept-Encoding", strlen("Accept-Encoding"));
    if (!kas_gzip_is_accepted(kas_http_header(request, KAS_FIELD_ACCEPT_ENCODING))) return NULL;
    void *packed = kas_gzip(bytes, size, packed_size);
    if (packed) kas_http_add_header(request, "Content-Encoding", "gzip");
    return packed;
}

/* Takes `bytes`. */
static void queue_owned(kas_http_request *request, unsigned status, const char *media_type, void *bytes,
                        size_t size)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(size, bytes, kas_free);
    if (!response) kas_free(bytes);
    queue(request, status, media_type, response, size);
}

static void queue_lasting(kas_http_request *request, unsigned status, const char *media_type,
                          const void *bytes, size_t size)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT);
    queue(request, status, media_type, response, size);
}

void kas_http_respond_bytes(kas_http_request *request, unsigned status, const char *media_type, void *bytes,
                            size_t size)
{
    size_t packed_size;
    if (!kas_http_count_answer(request, size)) {
        kas_free(bytes);
        return;
    }
    kas_http_answers_keep(request, status, media_type, bytes, size);
    void *packed = pack(request, bytes, size, &packed_size);
    if (packed) kas_free(bytes);
    queue_owned(request, status, media_type, packed ? packed : bytes, packed ? packed_size : size);
}

void kas_http_respond_memory(kas_http_request *request, unsigned status, const char *media_type,
                             const void *bytes, size_t size)
{
    size_t packed_size;
    kas_http_answers_keep(request, status, media_type, bytes, size);
    void *packed = pack(request, bytes, size, &packed_size);
    if (packed)
        queue_owned(request, status, media_type, packed, packed_size);
    else
        queue_lasting(request, status, media_type, bytes, size);
}

void kas_http_respond_json(kas_http_request *request, unsigned status, kas_json *json)
{
    kas_http_respond_json_as(request, status, "application/json", json);
}

void kas_http_respond_json_as(kas_http_request *request, unsigned status, const char *media_type,
                              kas_json *json)
{
    if (json->text.failed) {
        kas_json_finish(json);
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    char *bytes = json->text.bytes;
    size_t length = json->text.length;
    json->text.bytes = NULL;
    kas_json_finish(json);
    kas_http_respond_bytes(request, status, media_type, bytes, length);
}

void kas_http_respond_static(kas_http_request *request, unsigned status, const char *media_type,
                             const char *text)
{
    size_t size = strlen(text);
    kas_http_answers_keep(request, status, media_type, text, size);
    queue_lasting(request, status, media_type, text, size);
}

void kas_http_respond_stream(kas_http_request *request, unsigned status, const char *media_type,
                             struct MHD_Response *response)
{
    queue(request, status, media_type, response, 0);
    if (!request->counted) return;
    request->counted = false;
    atomic_fetch_sub_explicit(&request->server->answering, 1, memory_order_acq_rel);
}

void kas_http_respond_empty(kas_http_request *request, unsigned status)
{
    kas_http_respond_static(request, status, NULL, "");
}

void kas_http_add_location(kas_http_request *request, const char *prefix, const char *id)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-~";
    char escaped[3 * KAS_NAME_SIZE + 1];
    size_t used = 0;
    for (; *id && used + 4 < sizeof escaped; ++id) {
        if (strchr(plain, *id))
            escaped[used++] = *id;
        else
            used += (size_t)snprintf(escaped + used, 4, "%%%02X", (unsigned char)*id);
    }
    escaped[used] = 0;
    kas_http_add_header(request, "Location", "%s%s", prefix, escaped);
}
