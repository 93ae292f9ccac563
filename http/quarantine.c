/* /v1/quarantine: kernels that are not loaded any more, and why. */
#include <string.h>

#include "base/alloc.h"
#include "http/async.h"
#include "http/handlers.h"
#include "http/problems.h"
#include "http/respond.h"

enum { PAGE = 64 };

static void write_quarantined(kas_json *json, const kas_quarantined *item)
{
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "checksum", item->checksum);
    kas_json_open(json, "artifact_ids", '[');
    for (uint32_t i = 0; i < item->artifact_count; ++i)
        kas_json_text(json, NULL, item->artifact_ids[i]);
    kas_json_close(json, ']');
    kas_json_text(json, "reason", item->reason);
    kas_json_time(json, "since", item->since_ns);
    kas_json_close(json, '}');
}

void kas_http_list_quarantine(kas_http_request *request)
{
    kas_quarantined *page = kas_calloc(PAGE, sizeof *page);
    size_t from = 0, count;
    if (!page) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "quarantine", '[');
    do {
        for (size_t i = 0; i < PAGE; ++i)
            page[i].size = sizeof *page;
        count = kas_engine_list_quarantine(request->engine, from, page, PAGE);
        for (size_t i = 0; i < count; ++i)
            write_quarantined(&json, &page[i]);
        from += count;
    } while (count == PAGE);
    kas_json_close(&json, ']');
    kas_json_close(&json, '}');
    kas_free(page);
    kas_http_respond_json(request, 200, &json);
}

static void lifted(kas_http_request *request)
{
    if (!kas_http_failed(request)) kas_http_respond_empty(request, 204);
}

void kas_http_lift_quarantine(kas_http_request *request)
{
    kas_request change = {.size = sizeof change, .kind = KAS_REQUEST_LIFT_QUARANTINE};
    memcpy(change.lift.checksum, request->params[0], sizeof change.lift.checksum);
    kas_http_submit(request, &change, lifted);
}
