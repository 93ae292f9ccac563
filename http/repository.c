/* /v2/repository: which layers there are, and taking them out of service and back in. */
#include <string.h>

#include "http/async.h"
#include "http/handlers.h"
#include "http/problems.h"
#include "http/respond.h"

static void write_entry(kas_json *json, const kas_layer_info *layer)
{
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "name", layer->name);
    kas_json_text(json, "version", "1");
    kas_json_text(json, "state", layer->serving ? "READY" : "UNAVAILABLE");
    kas_json_text(json, "reason", layer->serving ? "" : "unloaded");
    kas_json_close(json, '}');
}

static void write_any(kas_json *json, kas_engine *engine, const kas_layer_info *layer)
{
    (void)engine;
    write_entry(json, layer);
}

static void write_ready(kas_json *json, kas_engine *engine, const kas_layer_info *layer)
{
    (void)engine;
    if (layer->serving) write_entry(json, layer);
}

void kas_http_repository_index(kas_http_request *request)
{
    kas_json json;
    const json_t *ready = json_object_get(request->json, "ready");
    if (ready && !json_is_boolean(ready)) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE, "'ready' must be true or false");
        return;
    }
    kas_json_init(&json);
    kas_json_open(&json, NULL, '[');
    kas_http_each_layer(request, &json, json_is_true(ready) ? write_ready : write_any);
    kas_json_close(&json, ']');
    kas_http_respond_json(request, 200, &json);
}

static void answer(kas_http_request *request)
{
    if (request->status &&
        kas_status_code(request->status) == KAS_NOT_FOUND) { /* this protocol's answer to it is 400 */
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE, "%s", kas_status_message(request->status));
        return;
    }
    if (!kas_http_failed(request)) kas_http_respond_empty(request, 200);
}

static void set_serving(kas_http_request *request, bool serving)
{
    kas_request change = {.size = sizeof change,
                          .kind = KAS_REQUEST_SET_SERVING,
                          .layer = request->params[0],
                          .set_serving = {.serving = serving}};
    if (!kas_name_is_valid(request->params[0])) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE, "there is no model '%.128s'", request->params[0]);
        return;
    }
    kas_http_submit(request, &change, answer);
}

void kas_http_repository_load(kas_http_request *request)
{
    set_serving(request, true);
}

void kas_http_repository_unload(kas_http_request *request)
{
    set_serving(request, false);
}
