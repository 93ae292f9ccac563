/* POST /v1/kernels/preload: one operation an artifact. */
#include <string.h>

#include "http/async.h"
#include "http/handlers.h"
#include "http/json_read.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/shapes.h"

enum { PRELOAD_MAX = 64 };

typedef struct preload {
    char ids[PRELOAD_MAX][KAS_NAME_SIZE];
    uint64_t operations[PRELOAD_MAX];
    size_t count, started, awaited;
    int64_t deadline_ns; /* until which the client waits for all; 0: it does not */
    char device[KAS_NAME_SIZE];
} preload;

static void answer(kas_http_request *request)
{
    const preload *work = request->work;
    bool finished = true;
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "operations", '[');
    for (size_t i = 0; i < work->count; ++i) {
        kas_operation_info operation = {.size = sizeof operation};
        kas_status status = kas_engine_operation(request->engine, work->operations[i], &operation);
        if (status) {
            kas_json_finish(&json);
            kas_http_fail(request, status);
            return;
        }
        finished = finished && kas_http_has_finished(&operation);
        kas_http_write_operation(&json, NULL, &operation);
    }
    kas_json_close(&json, ']');
    kas_json_close(&json, '}');
    kas_http_respond_json(request, work->deadline_ns && finished ? 200 : 202, &json);
}

/* Waits for one after the other, until all have ended or the deadline has passed for each that has not. */
static void wait_next(kas_http_request *request)
{
    preload *work = request->work;
    kas_status_free(request->status); /* each operation tells what became of it */
    request->status = NULL;
    if (work->awaited == work->count || !work->deadline_ns)
        answer(request);
    else
        kas_http_watch(request, work->operations[work->awaited++], work->deadline_ns, wait_next);
}

static void start_next(kas_http_request *request);

static void started(kas_http_request *request)
{
    preload *work = request->work;
    if (kas_status_code(request->status) == KAS_NOT_FOUND) { /* the device: a value, no part of the path */
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE, "device: %s",
                        kas_status_message(request->status));
        return;
    }
    if (kas_http_failed(request)) return;
    work->operations[work->started++] = request->reply.operation;
    if (work->started == work->count)
        wait_next(request);
    else
        start_next(request);
}

static void start_next(kas_http_request *request)
{
    preload *work = request->work;
    kas_request change = {
        .size = sizeof change, .kind = KAS_REQUEST_PRELOAD, .artifact_id = work->ids[work->started]};
    change.preload.device = *work->device ? work->device : NULL;
    kas_http_submit(request, &change, started);
}

static kas_status read_ids(const json_t *ids, preload *work)
{
    size_t index;
    json_t *id;
    work->count = json_array_size(ids);
    if (work->count < 1 || work->count > PRELOAD_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "artifact_ids has %zu members; it must have 1 to %d",
                        work->count, PRELOAD_MAX);
    json_array_foreach(ids, index, id)
    {
        const char *text = json_is_string(id) ? json_string_value(id) : "";
        if (!kas_artifact_id_is_valid(text))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "artifact_ids[%zu] is not the id of an artifact",
                            index);
        memcpy(work->ids[index], text, strlen(text) + 1);
    }
    return NULL;
}

void kas_http_preload(kas_http_request *request)
{
    const json_t *ids = NULL;
    preload *work = kas_http_work(request, sizeof *work, NULL);
    if (!work) return;
    const kas_json_member members[] = {
        {"artifact_ids", KAS_JSON_ARRAY, .required = true, .out = &ids},
        {"device", KAS_JSON_TEXT, .out = work->device},
    };
    kas_status status = kas_json_read(request->json, "", members, sizeof members / sizeof *members);
    if (!status) status = read_ids(ids, work);
    if (status)
        kas_http_fail(request, status);
    else if (kas_http_wait_until(request, &work->deadline_ns))
        start_next(request);
}
