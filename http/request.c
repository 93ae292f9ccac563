#include "http/request.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/async.h"
#include "http/budget.h"
#include "http/gzip.h"
#include "http/heads.h"
#include "http/idempotency.h"
#include "http/json_read.h"
#include "http/problems.h"
#include "http/requests.h"
#include "http/respond.h"
#include "http/rounds.h"
#include "http/router.h"
#include "http/serving.h"

enum {
    FIRST_BODY_BYTES = 1 << 20,
    GZIP_RATIO_MAX = 1032, /* no stream of deflate unpacks to more (RFC 1951: 258 bytes of 2 bits) */
};

static const char hex[] = "0123456789abcdef";

/* A body that is not wanted is still received, so that the client reads the answer and not a broken
 * connection; but not beyond this many bytes. */
static const unsigned long long discard_max_bytes = 8 << 20;

/* ---- the beginning ---- */

static bool is_plain_id(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length < KAS_HTTP_ID_SIZE &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == length;
}

/* "00-" 32 hex "-" 16 hex "-" 2 hex, and neither id all zero (W3C Trace Context). */
static bool trace_of(const char *parent, char out[KAS_HTTP_TRACE_SIZE])
{
    if (strlen(parent) < 55 || strncmp(parent, "ff", 2) == 0 || strspn(parent, hex) != 2 ||
        parent[2] != '-' || strspn(parent + 3, hex) != 32 || parent[35] != '-' ||
        strspn(parent + 36, hex) != 16 || parent[52] != '-' || strspn(parent + 3, "0") == 32 ||
        strspn(parent + 36, "0") == 16)
        return false;
    memcpy(out, parent + 3, KAS_HTTP_TRACE_SIZE - 1);
    out[KAS_HTTP_TRACE_SIZE - 1] = 0;
    return true;
}

/* The server's prefix and the request's number, each in 16 hex digits. */
static void number_request(const kas_http_server *server, uint64_t number, char out[KAS_HTTP_TRACE_SIZE])
{
    const size_t half = (KAS_HTTP_TRACE_SIZE - 1) / 2;
    memcpy(out, server->id_prefix, half);
    for (size_t i = 0; i < half; ++i)
        out[half + i] = hex[number >> (4 * (half - 1 - i)) & 15];
    out[2 * half] = 0;
}

static void name_request(kas_http_request *request)
{
    const char *given = kas_http_header(request, KAS_FIELD_REQUEST_ID);
    const char *parent = kas_http_header(request, KAS_FIELD_TRACEPARENT);
    char own[KAS_HTTP_TRACE_SIZE];
    number_request(request->server,
                   atomic_fetch_add_explicit(&request->server->next_id, 1, memory_order_relaxed), own);
    if (!parent || !trace_of(parent, request->trace_id)) memcpy(request->trace_id, own, sizeof own);
    const char *id = given && is_plain_id(given) ? given : own;
    memcpy(request->request_id, id, strlen(id) + 1);
}

static kas_http_request *begin(kas_http_server *server, struct MHD_Connection *connection, const char *path,
                               const char *method)
{
    kas_http_request *request = kas_http_requests_take(&server->requests);
    if (!request) return NULL;
    request->server = server;
    request->engine = server->engine;
    request->connection = connection;
    request->path = path;
    request->method = method;
    request->started_ns = kas_monotonic_ns();
    request->reply.size = sizeof request->reply;
    kas_http_fields_read(connection, &request->fields);
    name_request(request);
    atomic_fetch_add_explicit(&server->counts.requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&server->counts.in_progress, 1, memory_order_relaxed);
    return request;
}

/* ---- the body ---- */

/* A body whose length is known lies in the request's memory and is received in place. */
static bool begin_body(kas_http_request *request, size_t first_bytes)
{
    kas_http_body *body = &request->body;
    size_t declared = (size_t)body->declared;     /* within the limit: the head was judged */
    if (declared > FIRST_BODY_BYTES) return true; /* not on its word alone */
    body->capacity = declared > first_bytes ? declared : first_bytes;
    body->bytes = kas_http_scratch_take(&request->scratch, body->capacity);
    return body->bytes != NULL;
}

static bool grow_body(kas_http_request *request, size_t needed)
{
    kas_http_body *body = &request->body;
    size_t declared = (size_t)body->declared;
    size_t capacity = body->capacity ? 2 * body->capacity : FIRST_BODY_BYTES;
    if (declared && capacity > declared) capacity = declared;
    if (capacity < needed) capacity = needed;
    if (!kas_http_hold_body(request, capacity)) return false;
    unsigned char *bytes = kas_alloc_aligned(KAS_CACHE_LINE, kas_align_up(capacity, KAS_CACHE_LINE));
    if (!bytes) return false;
    if (body->size) memcpy(bytes, body->bytes, body->size);
    kas_free(body->owned);
    body->bytes = body->owned = bytes;
    body->capacity = capacity;
    return true;
}

static bool make_room(kas_http_request *request, size_t more)
{
    kas_http_body *body = &request->body;
    if (body->size == 0 && !begin_body(request, more)) return false;
    return body->size + more <= body->capacity || grow_body(request, body->size + more);
}

static void drop_body(kas_http_request *request)
{
    kas_free(request->body.owned);
    request->body.bytes = request->body.owned = NULL;
    request->body.size = request->body.capacity = 0;
    request->discard_body = true;
}

static void watch_arrival(kas_http_request *request, bool arriving)
{
    if (request->arriving == arriving) return;
    request->arriving = arriving;
    kas_http_heads_arriving(request, arriving);
}

/* MHD_NO: the connection is closed, since no answer can be given before the body's end. */
static enum MHD_Result receive(kas_http_request *request, const char *bytes, size_t size)
{
    kas_http_body *body = &request->body;
    atomic_fetch_add_explicit(&request->server->counts.received_bytes, size, memory_order_relaxed);
    if (request->discard_body) {
        request->discarded += size;
        return request->discarded <= discard_max_bytes ? MHD_YES : MHD_NO;
    }
    if (size > body->limit - body->size) {
        kas_http_refuse(request, KAS_PROBLEM_TOO_LARGE,
                        "the body has more than the %zu bytes that are the limit here", body->limit);
        drop_body(request);
        return MHD_YES;
    }
    if (!make_room(request, size)) {
        kas_http_fail(request, kas_out_of_memory());
        drop_body(request);
        return MHD_YES;
    }
    memcpy(body->bytes + body->size, bytes, size);
    body->size += size;
    watch_arrival(request, body->held > 0);
    return MHD_YES;
}

/* How large a body may get by unpacking: not before it is unpacked is that known. All of it is counted while
 * it is being unpacked. */
static bool hold_unpacked(kas_http_request *request, size_t *limit)
{
    kas_http_body *body = &request->body;
    const size_t most = body->held + kas_http_most(request) / body->weight;
    if (body->size < *limit / GZIP_RATIO_MAX) *limit = body->size * GZIP_RATIO_MAX;
    if (*limit > most) *limit = most;
    return kas_http_hold_body(request, *limit);
}

static void count_unpacked(kas_http_request *request)
{
    kas_http_body *body = &request->body;
    const size_t needed = body->size > KAS_HTTP_UNCOUNTED ? body->size : 0;
    if (needed >= body->held) return;
    kas_http_give_back(request, (body->held - needed) * body->weight);
    body->held = needed;
}

static void unpack(kas_http_request *request)
{
    const char *encoding = kas_http_header(request, KAS_FIELD_CONTENT_ENCODING);
    kas_http_body *body = &request->body;
    unsigned char *bytes;
    size_t size, limit = body->limit;
    if (body->size == 0 || !encoding || strcasecmp(encoding, "identity") == 0) return;
    if (!hold_unpacked(request, &limit)) return;
    kas_status status = kas_gunzip(body->bytes, body->size, limit, &bytes, &size);
    if (status) {
        kas_http_fail(request, status);
        return;
    }
    kas_free(body->owned);
    body->bytes = body->owned = bytes;
    body->size = body->capacity = size;
    count_unpacked(request);
}

static void parse_json(kas_http_request *request)
{
    if (request->fault.problem) return;
    if (!(request->media & KAS_MEDIA_JSON) || request->route->tensor) return;
    if (request->body.size == 0 && request->route->body_optional) {
        request->json = json_object();
        if (!request->json) kas_http_fail(request, kas_out_of_memory());
        return;
    }
    kas_status status = kas_json_parse(request->body.bytes, request->body.size, &request->json);
    if (status) kas_http_fail(request, status);
}

/* ---- the steps ---- */

static enum MHD_Result run(kas_http_request *request, kas_http_step step)
{
    if (!request->fault.problem && step) step(request);
    if (request->fault.problem && !request->answered) kas_http_respond_problem(request);
    return request->answered || request->next ? MHD_YES : MHD_NO;
}

/* One connection too many; it ends with this answer. */
static enum MHD_Result turn_away(kas_http_request *request)
{
    kas_http_add_header(request, "Connection", "close");
    kas_http_refuse(request, KAS_PROBLEM_UNAVAILABLE, "%u connections are open, which is the limit",
                    request->server->options.max_connections);
    return run(request, NULL);
}

/* Also where the head was refused before its body was looked at. */
static unsigned long long declared_length(const kas_http_request *request)
{
    const char *length = kas_http_header(request, KAS_FIELD_CONTENT_LENGTH);
    return length ? strtoull(length, NULL, 10) : 0;
}

/* The head is in. An answer that is known is given now when the client waits for leave to send the body, or
 * when the body is beyond all measure; else after the body. */
static enum MHD_Result on_head(kas_http_request *request)
{
    const char *expect = kas_http_header(request, KAS_FIELD_EXPECT);
    if (!kas_http_heads_received(request)) return turn_away(request);
    kas_http_route_request(request);
    watch_arrival(request, request->body.held > 0);
    if (!request->fault.problem) return MHD_YES;
    request->discard_body = true;
    if (expect || request->ambiguous || declared_length(request) > discard_max_bytes)
        return run(request, NULL); /* the connection ends with the answer */
    return MHD_YES;
}

static enum MHD_Result on_complete(kas_http_request *request)
{
    watch_arrival(request, false);
    request->counted = true;
    atomic_fetch_add_explicit(&request->server->answering, 1, memory_order_acq_rel);
    if (!request->fault.problem) unpack(request);
    if (!request->fault.problem && !kas_http_answers_begin(request)) return run(request, NULL);
    parse_json(request);
    return run(request, request->route ? request->route->handle : NULL);
}

enum MHD_Result kas_http_on_request(void *server, struct MHD_Connection *connection, const char *path,
                                    const char *method, const char *version, const char *upload,
                                    size_t *upload_size, void **state)
{
    kas_http_request *request = *state;
    (void)version;
    if (!request) {
        request = *state = begin(server, connection, path, method);
        return request ? on_head(request) : MHD_NO;
    }
    if (*upload_size) {
        enum MHD_Result received = receive(request, upload, *upload_size);
        *upload_size = 0;
        return received;
    }
    if (request->answered) return MHD_YES;
    if (!request->counted) return on_complete(request);
    kas_http_step next = request->next;
    request->next = NULL;
    return run(request, next);
}

/* The client went while the engine carried out what it asked for: the answer is made all the same, for when
 * it asks again under its Idempotency-Key. */
static void answer_for_the_record(kas_http_request *request)
{
    kas_http_step next = request->next;
    kas_http_leave_wait(request);
    request->gone = true;
    request->next = NULL;
    if (request->keyed && next) (void)run(request, next);
}

void kas_http_on_completed(void *cls, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode how)
{
    kas_http_request *request = *state;
    kas_http_server *server = cls;
    (void)connection;
    if (!request) return;
    *state = NULL;
    kas_debug("http", "%s %s %u %lld us id=%s trace=%s%s", request->method, request->path,
              request->http_status, (long long)((kas_monotonic_ns() - request->started_ns) / KAS_NS_PER_US),
              request->request_id, request->trace_id,
              how == MHD_REQUEST_TERMINATED_COMPLETED_OK ? "" : " (connection ended early)");
    watch_arrival(request, false);
    kas_http_heads_expect(request);
    kas_http_leave_round(request);
    answer_for_the_record(request);
    kas_http_answers_end(request);
    if (request->work_finish && request->work) request->work_finish(request->work);
    kas_free(request->body.owned);
    kas_free(request->reply.failed);
    kas_status_free(request->status);
    json_decref(request->json);
    atomic_fetch_add_explicit(&server->counts.answers[request->http_status / 100 % 6], 1,
                              memory_order_relaxed);
    atomic_fetch_sub_explicit(&server->counts.in_progress, 1, memory_order_relaxed);
    const bool counted = request->counted;
    kas_http_give_back(request, request->held);
    kas_http_requests_give(&server->requests, request);
    if (counted) atomic_fetch_sub_explicit(&server->answering, 1, memory_order_acq_rel);
}

void *kas_http_memory(kas_http_request *request, size_t size_bytes)
{
    if (!kas_http_hold(request, size_bytes)) return NULL;
    void *memory = kas_http_scratch_take(&request->scratch, size_bytes);
    if (!memory) kas_http_fail(request, kas_out_of_memory());
    return memory;
}

void *kas_http_work(kas_http_request *request, size_t size_bytes, void (*finish)(void *work))
{
    request->work = kas_http_memory(request, size_bytes);
    request->work_finish = finish;
    if (request->work) memset(request->work, 0, size_bytes);
    return request->work;
}
