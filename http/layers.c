/* /v1/layers and /v1/layers/{layer}. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/async.h"
#include "http/handlers.h"
#include "http/json_read.h"
#include "http/paging.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/revisions.h"
#include "http/shapes.h"

enum { MAX_SIZE = 1 << 20 };
static const int64_t MOVE_WAIT_S = 24 * 3600;

void kas_http_list_layers(kas_http_request *request)
{
    kas_http_page page;
    if (!kas_http_read_page(request, &page)) return;
    size_t capacity = (size_t)page.limit + 1; /* one more, to see whether there is another page */
    kas_layer_info *layers = kas_calloc(capacity, sizeof *layers);
    if (!layers) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    for (size_t i = 0; i < capacity; ++i)
        layers[i].size = sizeof *layers;
    size_t count = kas_engine_list_layers(request->engine, page.after, layers, capacity);
    size_t shown = count > page.limit ? page.limit : count;
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "layers", '[');
    for (size_t i = 0; i < shown; ++i)
        kas_http_write_layer(&json, NULL, &layers[i], NULL);
    kas_json_close(&json, ']');
    kas_http_write_cursor(&json, count > shown ? layers[shown - 1].name : NULL);
    kas_json_close(&json, '}');
    kas_free(layers);
    kas_http_respond_json(request, 200, &json);
}

void kas_http_respond_layer(kas_http_request *request, unsigned status, const char *name)
{
    char etag[KAS_HTTP_ETAG_SIZE];
    kas_layer_info layer = {.size = sizeof layer};
    kas_seed_info *seeds = kas_calloc(KAS_MAX_SEEDS, sizeof *seeds);
    if (!seeds) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    for (size_t i = 0; i < KAS_MAX_SEEDS; ++i)
        seeds[i].size = sizeof *seeds;
    kas_status failure = kas_engine_layer_seeds(request->engine, name, &layer, seeds, KAS_MAX_SEEDS);
    if (failure) {
        kas_free(seeds);
        kas_http_fail(request, failure);
        return;
    }
    kas_http_layer_etag(&layer, etag);
    kas_http_add_header(request, "ETag", "%s", etag);
    kas_json json;
    kas_json_init(&json);
    kas_http_write_layer(&json, NULL, &layer, seeds);
    kas_free(seeds);
    kas_http_respond_json(request, status, &json);
}

void kas_http_get_layer(kas_http_request *request)
{
    kas_http_respond_layer(request, 200, request->params[0]);
}

/* ---- creating ---- */

/* ["opencl:0", …]; NULL: none. The names are borrowed of the request. */
static kas_status read_replicas(const json_t *array, kas_device_names *out)
{
    size_t count = json_array_size(array);
    out->count = 0;
    if (count > KAS_REPLICAS_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "replicas: %zu devices; at most %d are possible", count,
                        KAS_REPLICAS_MAX);
    for (size_t i = 0; i < count; ++i) {
        const char *name = json_string_value(json_array_get(array, i));
        if (!name) return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "replicas: a device is named by a string");
        out->names[out->count++] = name;
    }
    return NULL;
}

static void created(kas_http_request *request)
{
    const char *name = request->work;
    if (kas_status_code(request->status) == KAS_NOT_FOUND) { /* the device: a value, no part of the path */
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE, "device: %s",
                        kas_status_message(request->status));
        return;
    }
    if (kas_http_failed(request)) return;
    kas_http_add_location(request, "/v1/layers/", name);
    kas_http_respond_layer(request, 201, name);
}

void kas_http_create_layer(kas_http_request *request)
{
    static const char *const maths[] = {"invariant", "fast", NULL};
    kas_request change = {.size = sizeof change, .kind = KAS_REQUEST_CREATE_LAYER};
    uint32_t math = KAS_MATH_INVARIANT;
    char device[KAS_NAME_SIZE] = "auto";
    const json_t *replicas = NULL;
    char *name = kas_http_work(request, KAS_NAME_SIZE, NULL);
    if (!name) return;
    change.create_layer.layer_id = -1;
    change.create_layer.num_seeds = 4;
    change.create_layer.bias = true;
    const kas_json_member members[] = {
        {"name", KAS_JSON_NAME, .required = true, .out = name},
        {"input_size", KAS_JSON_UINT32, .required = true, .out = &change.create_layer.input_size, .min = 1,
         .max = MAX_SIZE},
        {"output_size", KAS_JSON_UINT32, .required = true, .out = &change.create_layer.output_size, .min = 1,
         .max = MAX_SIZE},
        {"num_seeds", KAS_JSON_UINT32, .out = &change.create_layer.num_seeds, .min = 1, .max = KAS_MAX_SEEDS},
        {"device", KAS_JSON_TEXT, .out = device},
        {"replicas", KAS_JSON_ARRAY, .out = &replicas},
        {"bias", KAS_JSON_BOOL, .out = &change.create_layer.bias},
        {"init_seed", KAS_JSON_UINT64, .out = &change.create_layer.init_seed},
        {"layer_id", KAS_JSON_INT64, .out = &change.create_layer.layer_id, .min = 0, .max = 0x1p53},
        {"math", KAS_JSON_WORD, .out = &math, .words = maths},
    };
    kas_status status = kas_json_read(request->json, "", members, sizeof members / sizeof *members);
    if (!status) status = read_replicas(replicas, &change.create_layer.replicas);
    if (status) {
        kas_http_fail(request, status);
        return;
    }
    change.layer = name;
    change.create_layer.math = (kas_math)math;
    change.create_layer.device = device;
    kas_http_submit(request, &change, created);
}

/* ---- changing and deleting ---- */

typedef struct patch {
    int64_t deadline_ns;
    bool asked; /* the client says how long it waits */
} patch;

static void accepted(kas_http_request *request, const kas_operation_info *operation)
{
    char id[KAS_HTTP_OPERATION_SIZE];
    kas_json json;
    kas_http_operation_name(operation->id, id);
    kas_http_add_location(request, "/v1/operations/", id);
    kas_json_init(&json);
    kas_http_write_operation(&json, NULL, operation);
    kas_http_respond_json(request, 202, &json);
}

static void moved(kas_http_request *request)
{
    const patch *work = request->work;
    kas_operation_info operation;
    if (!kas_http_read_operation(request, request->reply.operation, &operation)) return;
    if (operation.state == KAS_OPERATION_SUCCEEDED)
        kas_http_respond_layer(request, 200, request->params[0]);
    else if (kas_http_has_finished(&operation))
        kas_http_fail_operation(request, &operation);
    else if (work->asked)
        accepted(request, &operation);
    else
        kas_http_fail(request, kas_fail(KAS_UNAVAILABLE, ENGINE, "the server stops before layer %s has moved",
                                        request->params[0]));
}

static void move_begun(kas_http_request *request)
{
    const patch *work = request->work;
    if (kas_status_code(request->status) == KAS_NOT_FOUND &&
        !strcmp(kas_status_reason(request->status), "device")) { /* a value, no part of the path */
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE, "device: %s",
                        kas_status_message(request->status));
        return;
    }
    if (kas_http_failed(request)) return;
    if (!request->reply.operation)
        kas_http_respond_layer(request, 200, request->params[0]);
    else
        kas_http_watch(request, request->reply.operation, request->reply.finished ? 0 : work->deadline_ns,
                       moved);
}

/* A client that does not say how long it waits is answered when the layer is there, however long that takes.
 */
static bool read_patience(kas_http_request *request, patch *work)
{
    int64_t asked_ns = -1;
    if (!kas_http_wait_until(request, &asked_ns)) return false;
    work->asked = asked_ns >= 0;
    work->deadline_ns = work->asked ? asked_ns : kas_monotonic_ns() + MOVE_WAIT_S * KAS_NS_PER_S;
    return true;
}

static kas_status read_patch(kas_http_request *request, char *device, kas_request *change)
{
    const json_t *replicas = NULL;
    const kas_json_member members[] = {{"device", KAS_JSON_TEXT, .out = device},
                                       {"replicas", KAS_JSON_ARRAY, .out = &replicas}};
    KAS_TRY(kas_json_read(request->json, "", members, sizeof members / sizeof *members));
    if (*device && replicas)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "device and replicas are changed one after the other");
    change->kind = replicas ? KAS_REQUEST_SET_REPLICAS : KAS_REQUEST_MOVE_LAYER;
    if (replicas) return read_replicas(replicas, &change->set_replicas.replicas);
    change->move_layer.device = *device ? device : NULL;
    return NULL;
}

void kas_http_patch_layer(kas_http_request *request)
{
    kas_request change = {.size = sizeof change, .layer = request->params[0]};
    char device[KAS_NAME_SIZE] = "";
    patch *work = kas_http_work(request, sizeof *work, NULL);
    if (!work || !kas_http_if_layer_matches(request, &change.revision) || !read_patience(request, work))
        return;
    kas_status status = read_patch(request, device, &change);
    if (status) {
        kas_http_fail(request, status);
        return;
    }
    if (change.kind == KAS_REQUEST_MOVE_LAYER && !change.move_layer.device) {
        kas_http_respond_layer(request, 200, request->params[0]);
        return;
    }
    kas_http_submit(request, &change, move_begun);
}

static void deleted(kas_http_request *request)
{
    if (!kas_http_failed(request)) kas_http_respond_empty(request, 204);
}

void kas_http_delete_layer(kas_http_request *request)
{
    kas_request change = {
        .size = sizeof change, .kind = KAS_REQUEST_DELETE_LAYER, .layer = request->params[0]};
    if (!kas_http_if_layer_matches(request, &change.revision)) return;
    if (!kas_http_query_bool(request, "force", &change.delete_layer.force)) return;
    kas_http_submit(request, &change, deleted);
}
