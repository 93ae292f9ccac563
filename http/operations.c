/* /v1/operations: loads and preloads, running and recently finished. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/async.h"
#include "http/handlers.h"
#include "http/paging.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/revisions.h"
#include "http/shapes.h"

static void write_page(kas_http_request *request, const kas_operation_info *operations, size_t count,
                       size_t shown)
{
    char last[KAS_HTTP_OPERATION_SIZE];
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "operations", '[');
    for (size_t i = 0; i < shown; ++i)
        kas_http_write_operation(&json, NULL, &operations[i]);
    kas_json_close(&json, ']');
    if (shown) kas_http_operation_name(operations[shown - 1].id, last);
    kas_http_write_cursor(&json, count > shown ? last : NULL);
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

void kas_http_list_operations(kas_http_request *request)
{
    kas_http_page page;
    if (!kas_http_read_page(request, &page)) return;
    if (*page.after && (strncmp(page.after, "op-", 3) != 0 || strspn(page.after + 3, "0123456789") == 0)) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE, "the query's cursor is not one of this list");
        return;
    }
    uint64_t after = *page.after ? strtoull(page.after + 3, NULL, 10) : 0;
    size_t capacity = (size_t)page.limit + 1;
    kas_operation_info *operations = kas_calloc(capacity, sizeof *operations);
    if (!operations) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    for (size_t i = 0; i < capacity; ++i)
        operations[i].size = sizeof *operations;
    size_t count = kas_engine_list_operations(request->engine, after, operations, capacity);
    write_page(request, operations, count, count > page.limit ? page.limit : count);
    kas_free(operations);
}

void kas_http_respond_operation(kas_http_request *request, unsigned status, uint64_t id)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_operation_info operation = {.size = sizeof operation};
    kas_status failure = kas_engine_operation(request->engine, id, &operation);
    if (failure) {
        kas_http_fail(request, failure);
        return;
    }
    kas_http_operation_etag(&operation, etag);
    kas_http_add_header(request, "ETag", "%s", etag);
    kas_json json;
    kas_json_init(&json);
    kas_http_write_operation(&json, NULL, &operation);
    kas_http_respond_json(request, status, &json);
}

/* However the wait ended: the operation itself tells. */
static void answer(kas_http_request *request)
{
    kas_status_free(request->status);
    request->status = NULL;
    kas_http_respond_operation(request, 200, request->operation);
}

void kas_http_get_operation(kas_http_request *request)
{
    int64_t deadline_ns = 0;
    if (kas_http_wait_until(request, &deadline_ns))
        kas_http_watch(request, request->operation, deadline_ns, answer);
}

bool kas_http_read_operation(kas_http_request *request, uint64_t id, kas_operation_info *out)
{
    *out = (kas_operation_info){.size = sizeof *out};
    kas_status_free(request->status); /* the operation tells more */
    request->status = NULL;
    kas_status failure = kas_engine_operation(request->engine, id, out);
    if (failure) kas_http_fail(request, failure);
    return !failure;
}

/* ---- cancelling ---- */

static void ended(kas_http_request *request)
{
    kas_operation_info operation;
    if (!kas_http_read_operation(request, request->operation, &operation)) return;
    kas_http_respond_operation(request, kas_http_has_finished(&operation) ? 200 : 202, request->operation);
}

static void cancelled(kas_http_request *request)
{
    const int64_t *deadline_ns = request->work;
    if (kas_http_failed(request)) return;
    if (*deadline_ns)
        kas_http_watch(request, request->operation, *deadline_ns, ended);
    else
        kas_http_respond_operation(request, 202, request->operation);
}

static bool if_matches(kas_http_request *request)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_operation_info operation = {.size = sizeof operation};
    kas_status status = kas_engine_operation(request->engine, request->operation, &operation);
    if (status) {
        kas_http_fail(request, status);
        return false;
    }
    kas_http_operation_etag(&operation, etag);
    return kas_http_if_match(request, etag);
}

void kas_http_cancel_operation(kas_http_request *request)
{
    kas_request change = {.size = sizeof change, .kind = KAS_REQUEST_CANCEL_OPERATION};
    int64_t *deadline_ns = kas_http_work(request, sizeof *deadline_ns, NULL);
    if (!deadline_ns || !if_matches(request) || !kas_http_wait_until(request, deadline_ns)) return;
    change.cancel.operation = request->operation;
    kas_http_submit(request, &change, cancelled);
}
