/* /v1/health and its probes. */
#include "http/handlers.h"
#include "http/respond.h"
#include "http/serving.h"

void kas_http_get_health(kas_http_request *request)
{
    static const char *const words[] = {"ok", "degraded", "failed"};
    kas_health health = {.size = sizeof health};
    kas_json json;
    kas_engine_health(request->engine, &health);
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_text(&json, "status", words[health.status]);
    kas_json_bool(&json, "ready", health.ready && !atomic_load(&request->server->stopping));
    kas_json_open(&json, "degraded", '[');
    for (uint32_t i = 0; i < health.degraded_count; ++i) {
        kas_json_open(&json, NULL, '{');
        kas_json_text(&json, "component", health.degraded[i].component);
        kas_json_text(&json, "reason", health.degraded[i].reason);
        kas_json_time(&json, "since", health.degraded[i].since_ns);
        kas_json_close(&json, '}');
    }
    kas_json_close(&json, ']');
    kas_json_real(&json, "uptime_s", health.uptime_s);
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

/* That this answers at all is what is asked. */
void kas_http_get_live(kas_http_request *request)
{
    kas_http_respond_static(request, 200, "application/json", "{\"status\":\"ok\"}");
}

void kas_http_get_ready(kas_http_request *request)
{
    kas_health health = {.size = sizeof health};
    kas_engine_health(request->engine, &health);
    if (atomic_load(&request->server->stopping))
        kas_http_respond_static(request, 503, "application/json", "{\"status\":\"stopping\"}");
    else if (!health.ready)
        kas_http_respond_static(request, 503, "application/json", "{\"status\":\"not ready\"}");
    else
        kas_http_respond_static(request, 200, "application/json", "{\"status\":\"ready\"}");
}
