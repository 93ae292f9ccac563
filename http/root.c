/* GET /v1: what this server is. */
#include <string.h>

#include "base/clock.h"
#include "http/handlers.h"
#include "http/respond.h"
#include "http/serving.h"

/* Each API of the devices once, in order. */
static void write_backends(kas_json *json, const kas_device_report *devices, size_t count)
{
    kas_json_open(json, "backends", '[');
    for (size_t i = 0; i < count; ++i) {
        size_t first = 0;
        while (strcmp(devices[first].api, devices[i].api) != 0)
            ++first;
        if (first == i) kas_json_text(json, NULL, devices[i].api);
    }
    kas_json_close(json, ']');
}

void kas_http_get_root(kas_http_request *request)
{
    kas_device_report devices[KAS_DEVICES_MAX] = {{.size = sizeof *devices}};
    size_t count = kas_engine_list_devices(request->engine, devices, KAS_DEVICES_MAX);
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_text(&json, "name", "kasmina");
    kas_json_text(&json, "version", kas_version());
    kas_json_text(&json, "build", "compiler " __VERSION__);
    write_backends(&json, devices, count);
    kas_json_open(&json, "devices", '[');
    for (size_t i = 0; i < count; ++i)
        kas_json_text(&json, NULL, devices[i].id);
    kas_json_close(&json, ']');
    kas_json_real(&json, "uptime_s",
                  (double)(kas_monotonic_ns() - request->server->started_ns) / (double)KAS_NS_PER_S);
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}
