/* /v1/layers/{layer}/weights: safetensors in and out. */
#include "base/alloc.h"
#include "http/async.h"
#include "http/budget.h"
#include "http/handlers.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/revisions.h"

enum { HEAD_MAX = 4096 };

static void set_now(kas_http_request *request)
{
    if (!kas_http_failed(request)) kas_http_respond_layer(request, 200, request->params[0]);
}

static void staged(kas_http_request *request)
{
    if (!kas_http_failed(request)) kas_http_respond_layer(request, 202, request->params[0]);
}

void kas_http_put_weights(kas_http_request *request)
{
    kas_request change = {
        .size = sizeof change, .kind = KAS_REQUEST_SET_WEIGHTS, .layer = request->params[0]};
    if (!kas_http_if_layer_matches(request, &change.revision)) return;
    if (!kas_http_query_uint(request, "at_epoch", 1, UINT32_MAX, &change.at_epoch)) return;
    change.set_weights.bytes = request->body.bytes;
    change.set_weights.size_bytes = request->body.size;
    if (request->body.size == 0) {
        kas_http_refuse(request, KAS_PROBLEM_MALFORMED,
                        "the body is empty; it must be weights: safetensors, torch.save or bare float32");
        return;
    }
    kas_http_submit(request, &change, change.at_epoch ? staged : set_now);
}

/* Of what GET answers: the values, and a head that tells their shapes. */
static bool hold_weights(kas_http_request *request, const kas_layer_info *layer)
{
    const size_t values = ((size_t)layer->input_size + 1) * layer->output_size;
    return kas_http_hold_answer(request, values * sizeof(float) + HEAD_MAX);
}

void kas_http_get_weights(kas_http_request *request)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_layer_info layer = {.size = sizeof layer};
    void *bytes;
    size_t size;
    kas_status status = kas_engine_layer(request->engine, request->params[0], &layer);
    if (!status && !hold_weights(request, &layer)) return;
    if (!status) status = kas_engine_weights(request->engine, request->params[0], &bytes, &size);
    if (status) {
        kas_http_fail(request, status);
        return;
    }
    kas_http_layer_etag(&layer, etag);
    kas_http_add_header(request, "ETag", "%s", etag);
    kas_http_respond_bytes(request, 200, "application/octet-stream", bytes, size);
}
