/* GET /v1/devices, /v1/devices/{id}. */
#include <string.h>

#include "http/handlers.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/shapes.h"

void kas_http_list_devices(kas_http_request *request)
{
    kas_device_report devices[KAS_DEVICES_MAX] = {{.size = sizeof *devices}};
    size_t count = kas_engine_list_devices(request->engine, devices, KAS_DEVICES_MAX);
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "devices", '[');
    for (size_t i = 0; i < count; ++i)
        kas_http_write_device(&json, NULL, &devices[i]);
    kas_json_close(&json, ']');
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

void kas_http_get_device(kas_http_request *request)
{
    kas_device_report devices[KAS_DEVICES_MAX] = {{.size = sizeof *devices}};
    size_t count = kas_engine_list_devices(request->engine, devices, KAS_DEVICES_MAX), i = 0;
    while (i < count && strcmp(devices[i].id, request->params[0]) != 0)
        ++i;
    if (i == count) { /* gone since the path was checked */
        kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND, "there is no device '%s' any more",
                        request->params[0]);
        return;
    }
    kas_json json;
    kas_json_init(&json);
    kas_http_write_device(&json, NULL, &devices[i]);
    kas_http_respond_json(request, 200, &json);
}
