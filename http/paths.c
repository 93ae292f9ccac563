/* What the ids in a path name: whether they are well-formed, and whether it exists. */
#include <stdlib.h>
#include <string.h>

#include "http/problems.h"
#include "http/router.h"

enum { INDEX_DIGITS = 9, OPERATION_DIGITS = 19 };

static bool parse_number(const char *text, size_t most_digits, uint64_t *out)
{
    size_t length = strlen(text);
    bool plain = length > 0 && length <= most_digits && strspn(text, "0123456789") == length;
    if (!plain || (text[0] == '0' && length > 1)) return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

static bool check_name(kas_http_request *request, const char *what, bool valid)
{
    if (!valid)
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "'%s' cannot be the %s: it has 1 to 128 of A-Z a-z 0-9 . _ -%s", request->params[0],
                        what, strcmp(what, "id of an artifact") == 0 ? " : /" : "");
    return valid;
}

static kas_status read_layer(kas_http_request *request)
{
    request->layer = (kas_layer_info){.size = sizeof request->layer};
    return kas_engine_layer(request->engine, request->params[0], &request->layer);
}

static bool check_layer(kas_http_request *request)
{
    if (!check_name(request, "name of a layer", kas_name_is_valid(request->params[0]))) return false;
    kas_status status = read_layer(request);
    if (!status) return true;
    kas_http_fail(request, status);
    return false;
}

/* A model has one version. */
static void check_model(kas_http_request *request, const kas_http_route *route)
{
    kas_status status = read_layer(request);
    if (status) {
        kas_status_free(status);
        kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND, "Request for unknown model: '%s' is not found",
                        request->params[0]);
        return;
    }
    if (strstr(route->pattern, "/versions/") && strcmp(request->params[1], "1") != 0)
        kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND,
                        "Request for unknown model: '%s' version %s is not found; a layer has version 1",
                        request->params[0], request->params[1]);
}

static void check_seed(kas_http_request *request)
{
    const kas_layer_info *layer = &request->layer;
    uint64_t index;
    if (!check_layer(request)) return;
    if (!parse_number(request->params[1], INDEX_DIGITS, &index) || index >= layer->num_seeds) {
        kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND,
                        "layer %s has no seed '%s'; it has %u, counted from 0", layer->name,
                        request->params[1], layer->num_seeds);
        return;
    }
    request->seed = (uint32_t)index;
}

static void check_operation(kas_http_request *request)
{
    kas_operation_info operation = {.size = sizeof operation};
    const char *id = request->params[0];
    if (strncmp(id, "op-", 3) != 0 || !parse_number(id + 3, OPERATION_DIGITS, &request->operation)) {
        kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND,
                        "there is no operation '%s'; they are named op-1, op-2 …", id);
        return;
    }
    kas_status status = kas_engine_operation(request->engine, request->operation, &operation);
    if (status) kas_http_fail(request, status);
}

static void check_kernel(kas_http_request *request)
{
    kas_cached_kernel kernel = {.size = sizeof kernel};
    if (!check_name(request, "id of an artifact", kas_artifact_id_is_valid(request->params[0]))) return;
    kas_status status = kas_engine_kernel(request->engine, request->params[0], &kernel);
    kas_cached_kernel_finish(&kernel);
    if (status) kas_http_fail(request, status);
}

static void check_checksum(kas_http_request *request)
{
    const char *checksum = request->params[0];
    if (strlen(checksum) != KAS_CHECKSUM_HEX_SIZE - 1 ||
        strspn(checksum, "0123456789abcdefABCDEF") != KAS_CHECKSUM_HEX_SIZE - 1)
        kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND,
                        "'%s' is not a SHA-256 checksum in hex; nothing by it is quarantined", checksum);
}

static void check_device(kas_http_request *request)
{
    kas_device_report devices[KAS_DEVICES_MAX] = {{.size = sizeof *devices}};
    size_t count = kas_engine_list_devices(request->engine, devices, KAS_DEVICES_MAX);
    for (size_t i = 0; i < count; ++i) {
        if (strcmp(devices[i].id, request->params[0]) == 0) return;
    }
    kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND, "there is no device '%s'; GET /v1/devices lists them",
                    request->params[0]);
}

void kas_http_check_path(kas_http_request *request, const kas_http_route *route)
{
    switch (route->resource) {
    case KAS_RESOURCE_NONE:
        return;
    case KAS_RESOURCE_LAYER:
        (void)check_layer(request);
        return;
    case KAS_RESOURCE_SEED:
        check_seed(request);
        return;
    case KAS_RESOURCE_MODEL:
        check_model(request, route);
        return;
    case KAS_RESOURCE_OPERATION:
        check_operation(request);
        return;
    case KAS_RESOURCE_KERNEL:
        check_kernel(request);
        return;
    case KAS_RESOURCE_KERNEL_ID:
        check_name(request, "id of an artifact", kas_artifact_id_is_valid(request->params[0]));
        return;
    case KAS_RESOURCE_CHECKSUM:
        check_checksum(request);
        return;
    case KAS_RESOURCE_DEVICE:
        check_device(request);
        return;
    case KAS_RESOURCE_BREAKER:
        kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND,
                        "there is no breaker '%s'; GET /v1/breakers lists them", request->params[0]);
        return;
    case KAS_RESOURCE_PROBLEM:
        if (!kas_http_problem_exists(request->params[0]))
            kas_http_refuse(request, KAS_PROBLEM_NOT_FOUND, "there is no problem called '%s'",
                            request->params[0]);
        return;
    }
}
