/* /v1/epoch: reading and advancing it. */
#include <stdio.h>

#include "http/async.h"
#include "http/handlers.h"
#include "http/json_read.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/revisions.h"

static void epoch_etag(uint32_t epoch, uint32_t staged, char out[KAS_HTTP_ETAG_SIZE])
{
    snprintf(out, KAS_HTTP_ETAG_SIZE, "\"%u-%u\"", epoch, staged);
}

void kas_http_get_epoch(kas_http_request *request)
{
    uint32_t staged, epoch = kas_engine_epoch(request->engine, &staged);
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_json json;
    epoch_etag(epoch, staged, etag);
    kas_http_add_header(request, "ETag", "%s", etag);
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_uint(&json, "epoch", epoch);
    kas_json_uint(&json, "staged", staged);
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

static void write_failed(kas_json *json, const kas_epoch_failure *failure)
{
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "layer", failure->layer);
    if (failure->seed < 0)
        kas_json_null(json, "seed");
    else
        kas_json_int(json, "seed", failure->seed);
    kas_json_text(json, "reason", failure->reason);
    kas_json_close(json, '}');
}

static void advanced(kas_http_request *request)
{
    const kas_reply *reply = &request->reply;
    kas_json json;
    if (kas_http_failed(request)) {
        if (reply->failed_count == 0) return;
        request->fault.unready = reply->failed;
        request->fault.unready_count = reply->failed_count;
        return;
    }
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_uint(&json, "epoch", reply->epoch);
    kas_json_uint(&json, "applied", reply->applied);
    kas_json_open(&json, "failed", '[');
    for (uint32_t i = 0; i < reply->failed_count; ++i)
        write_failed(&json, &reply->failed[i]);
    kas_json_close(&json, ']');
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

static bool if_matches(kas_http_request *request)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    uint32_t staged, epoch = kas_engine_epoch(request->engine, &staged);
    epoch_etag(epoch, staged, etag);
    return kas_http_if_match(request, etag);
}

void kas_http_advance_epoch(kas_http_request *request)
{
    static const char *const words[] = {"refuse", "skip", NULL};
    uint32_t on_unready = 0;
    kas_request change = {.size = sizeof change, .kind = KAS_REQUEST_ADVANCE_EPOCH};
    const kas_json_member members[] = {
        {"epoch", KAS_JSON_UINT32, .required = true, .out = &change.advance.epoch, .max = UINT32_MAX},
        {"on_unready", KAS_JSON_WORD, .out = &on_unready, .words = words},
    };
    if (!if_matches(request)) return;
    kas_status status = kas_json_read(request->json, "", members, sizeof members / sizeof *members);
    if (status) {
        kas_http_fail(request, status);
        return;
    }
    change.advance.skip_unready = on_unready == 1;
    kas_http_submit(request, &change, advanced);
}
