/* /v1/kernels: the artifacts that the engine knows. */
#include "base/alloc.h"
#include "http/async.h"
#include "http/handlers.h"
#include "http/json_read.h"
#include "http/paging.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/revisions.h"
#include "http/shapes.h"

enum { COMPATIBLE_MAX = 1000 };

static kas_cached_kernel *make_kernels(size_t count)
{
    kas_cached_kernel *kernels = kas_calloc(count, sizeof *kernels);
    for (size_t i = 0; kernels && i < count; ++i)
        kernels[i].size = sizeof *kernels;
    return kernels;
}

static void finish_kernels(kas_cached_kernel *kernels, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        kas_cached_kernel_finish(&kernels[i]);
    kas_free(kernels);
}

static void write_kernels(kas_json *json, const kas_cached_kernel *kernels, size_t count)
{
    kas_json_open(json, "kernels", '[');
    for (size_t i = 0; i < count; ++i)
        kas_http_write_kernel(json, NULL, &kernels[i]);
    kas_json_close(json, ']');
}

void kas_http_list_kernels(kas_http_request *request)
{
    kas_http_page page;
    size_t count = 0;
    if (!kas_http_read_page(request, &page)) return;
    size_t capacity = (size_t)page.limit + 1;
    kas_cached_kernel *kernels = make_kernels(capacity);
    kas_status status = kernels
                            ? kas_engine_list_kernels(request->engine, page.after, kernels, capacity, &count)
                            : kas_out_of_memory();
    if (status) {
        finish_kernels(kernels, count);
        kas_http_fail(request, status);
        return;
    }
    size_t shown = count > page.limit ? page.limit : count;
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    write_kernels(&json, kernels, shown);
    kas_http_write_cursor(&json, count > shown ? kernels[shown - 1].artifact_id : NULL);
    kas_json_close(&json, '}');
    finish_kernels(kernels, count);
    kas_http_respond_json(request, 200, &json);
}

void kas_http_compatible_kernels(kas_http_request *request)
{
    double max_memory_mb = 0;
    size_t count = 0;
    if (!kas_http_query_number(request, "max_memory_mb", 1e-9, 1e12, &max_memory_mb)) return;
    kas_cached_kernel *kernels = make_kernels(COMPATIBLE_MAX);
    kas_status status = kernels
                            ? kas_engine_compatible_kernels(request->engine, request->params[0],
                                                            max_memory_mb, kernels, COMPATIBLE_MAX, &count)
                            : kas_out_of_memory();
    if (status) {
        finish_kernels(kernels, count);
        kas_http_fail(request, status);
        return;
    }
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    write_kernels(&json, kernels, count);
    kas_json_close(&json, '}');
    finish_kernels(kernels, count);
    kas_http_respond_json(request, 200, &json);
}

/* ---- one ---- */

static void respond_kernel(kas_http_request *request, unsigned status)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_cached_kernel kernel = {.size = sizeof kernel};
    kas_status failure = kas_engine_kernel(request->engine, request->params[0], &kernel);
    if (failure) {
        kas_http_fail(request, failure);
        return;
    }
    kas_http_kernel_etag(&kernel, etag);
    kas_http_add_header(request, "ETag", "%s", etag);
    kas_json json;
    kas_json_init(&json);
    kas_http_write_kernel(&json, NULL, &kernel);
    kas_cached_kernel_finish(&kernel);
    kas_http_respond_json(request, status, &json);
}

void kas_http_get_kernel(kas_http_request *request)
{
    respond_kernel(request, 200);
}

static void put(kas_http_request *request)
{
    if (kas_http_failed(request)) return;
    if (request->reply.created) kas_http_add_location(request, "/v1/kernels/", request->params[0]);
    respond_kernel(request, request->reply.created ? 201 : 200);
}

static bool if_matches(kas_http_request *request)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_cached_kernel kernel = {.size = sizeof kernel};
    if (!kas_http_header(request, KAS_FIELD_IF_MATCH)) return true;
    kas_status status = kas_engine_kernel(request->engine, request->params[0], &kernel);
    if (status && kas_status_code(status) != KAS_NOT_FOUND) {
        kas_http_fail(request, status);
        return false;
    }
    const bool exists = !status;
    kas_status_free(status);
    if (exists) kas_http_kernel_etag(&kernel, etag);
    kas_cached_kernel_finish(&kernel);
    return kas_http_if_match(request, exists ? etag : NULL);
}

void kas_http_put_kernel(kas_http_request *request)
{
    kas_request change = {
        .size = sizeof change, .kind = KAS_REQUEST_PUT_KERNEL, .artifact_id = request->params[0]};
    if (!if_matches(request)) return;
    if (request->body.size == 0) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_ARTIFACT,
                        "the body is empty; it must be the artifact's bytes");
        return;
    }
    change.put_kernel.bytes = request->body.bytes;
    change.put_kernel.size_bytes = request->body.size;
    kas_http_submit(request, &change, put);
}

static void evicted(kas_http_request *request)
{
    if (!kas_http_failed(request)) kas_http_respond_empty(request, 204);
}

static void changed(kas_http_request *request)
{
    if (!kas_http_failed(request)) respond_kernel(request, 200);
}

static void change_plainly(kas_http_request *request, kas_request_kind kind, kas_http_step next)
{
    kas_request change = {.size = sizeof change, .kind = kind, .artifact_id = request->params[0]};
    if (if_matches(request)) kas_http_submit(request, &change, next);
}

void kas_http_delete_kernel(kas_http_request *request)
{
    change_plainly(request, KAS_REQUEST_EVICT_KERNEL, evicted);
}

static bool has_no_members(kas_http_request *request)
{
    kas_status status = kas_json_read(request->json, "", NULL, 0);
    if (status) kas_http_fail(request, status);
    return !request->fault.problem;
}

void kas_http_pin_kernel(kas_http_request *request)
{
    if (has_no_members(request)) change_plainly(request, KAS_REQUEST_PIN, changed);
}

void kas_http_unpin_kernel(kas_http_request *request)
{
    if (has_no_members(request)) change_plainly(request, KAS_REQUEST_UNPIN, changed);
}
