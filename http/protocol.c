/* /v2: the server as the Open Inference Protocol sees it. */
#include "http/handlers.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/serving.h"

void kas_http_get_protocol(kas_http_request *request)
{
    static const char *const extensions[] = {"binary_tensor_data", "model_configuration", "model_repository",
                                             "statistics"};
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_text(&json, "name", "kasmina");
    kas_json_text(&json, "version", kas_version());
    kas_json_open(&json, "extensions", '[');
    for (size_t i = 0; i < sizeof extensions / sizeof *extensions; ++i)
        kas_json_text(&json, NULL, extensions[i]);
    kas_json_close(&json, ']');
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

void kas_http_get_protocol_live(kas_http_request *request)
{
    kas_http_respond_empty(request, 200);
}

void kas_http_get_protocol_ready(kas_http_request *request)
{
    kas_health health = {.size = sizeof health};
    kas_engine_health(request->engine, &health);
    kas_http_respond_empty(request, health.ready && !atomic_load(&request->server->stopping) ? 200 : 400);
}

void kas_http_not_enabled(kas_http_request *request)
{
    kas_http_refuse(request, KAS_PROBLEM_NOT_ENABLED,
                    "this extension is not enabled on this server; GET /v2 lists those that are");
}
