/* POST /v1/layers/{layer}/seeds/{i}/load: asks for the load, and waits for its end where the client wants to.
 */
#include "base/clock.h"
#include "http/async.h"
#include "http/handlers.h"
#include "http/json_read.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/revisions.h"
#include "http/shapes.h"

typedef struct load {
    char artifact_id[KAS_NAME_SIZE];
    int64_t deadline_ns; /* 0: it does not wait */
} load;

static void add_timing(kas_http_request *request, const kas_operation_info *operation)
{
    kas_http_add_header(request, "Server-Timing", "load;dur=%.3f",
                        (double)operation->duration_ns / (double)KAS_NS_PER_MS);
}

static void answer(kas_http_request *request)
{
    const load *work = request->work;
    const bool waited = work->deadline_ns != 0;
    kas_operation_info operation;
    if (!kas_http_read_operation(request, request->reply.operation, &operation)) return;
    if (waited && (operation.state == KAS_OPERATION_FAILED || operation.state == KAS_OPERATION_CANCELLED)) {
        kas_http_fail_operation(request, &operation);
        return;
    }
    if (operation.state == KAS_OPERATION_SUCCEEDED) add_timing(request, &operation);
    bool done = waited && operation.state == KAS_OPERATION_SUCCEEDED;
    kas_json json;
    kas_json_init(&json);
    kas_http_write_operation(&json, NULL, &operation);
    kas_http_respond_json(request, done ? 200 : 202, &json);
}

static void accepted(kas_http_request *request)
{
    const load *work = request->work;
    char id[32];
    if (kas_http_failed(request)) return;
    kas_http_operation_name(request->reply.operation, id);
    kas_http_add_location(request, "/v1/operations/", id);
    kas_http_watch(request, request->reply.operation, request->reply.finished ? 0 : work->deadline_ns,
                   answer);
}

void kas_http_load_seed(kas_http_request *request)
{
    const json_t *ramp = NULL;
    kas_request change = {
        .size = sizeof change, .kind = KAS_REQUEST_LOAD, .layer = request->params[0], .seed = request->seed};
    load *work = kas_http_work(request, sizeof *work, NULL);
    if (!work || !kas_http_query_lacks(request, "at_epoch") ||
        !kas_http_if_seed_matches(request, &change.revision))
        return;
    const kas_json_member members[] = {
        {"artifact_id", KAS_JSON_ARTIFACT, .required = true, .out = work->artifact_id},
        {"alpha", KAS_JSON_FLOAT, .out = &change.alpha, .present = &change.has_alpha, .max = 1},
        {"ramp", KAS_JSON_OBJECT, .out = &ramp},
        {"at_epoch", KAS_JSON_UINT32, .out = &change.at_epoch, .min = 1, .max = UINT32_MAX},
    };
    kas_status status = kas_json_read(request->json, "", members, sizeof members / sizeof *members);
    if (status) {
        kas_http_fail(request, status);
        return;
    }
    change.artifact_id = work->artifact_id;
    if (!kas_http_read_ramp(request, ramp, &change.ramp) || !kas_http_wait_until(request, &work->deadline_ns))
        return;
    kas_http_submit(request, &change, accepted);
}
