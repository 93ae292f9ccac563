/* POST /v1/kernels/validate: a dry run of an artifact, by id or by its bytes. */
#include <string.h>

#include "http/async.h"
#include "http/handlers.h"
#include "http/json_read.h"
#include "http/problems.h"
#include "http/respond.h"

typedef struct validation {
    char artifact_id[KAS_NAME_SIZE];
    char layer[KAS_NAME_SIZE];
    kas_validation result;
} validation;

static void finish(void *work)
{
    kas_validation_finish(&((validation *)work)->result);
}

static void answer(kas_http_request *request)
{
    const kas_validation *result = &((const validation *)request->work)->result;
    kas_json json;
    if (kas_http_failed(request)) return;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_bool(&json, "valid", result->valid);
    kas_json_open(&json, "reasons", '[');
    for (uint32_t i = 0; i < result->reason_count; ++i)
        kas_json_text(&json, NULL, result->reasons[i]);
    kas_json_close(&json, ']');
    kas_json_text_or_null(&json, "format", result->format);
    kas_json_raw(&json, "metadata", result->metadata_json);
    kas_json_open(&json, "operators", '[');
    for (uint32_t i = 0; i < result->operator_count; ++i)
        kas_json_text(&json, NULL, result->operators[i]);
    kas_json_close(&json, ']');
    if (result->has_compatible)
        kas_json_bool(&json, "compatible", result->compatible);
    else
        kas_json_null(&json, "compatible");
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

static void submit(kas_http_request *request, validation *work, kas_request *change)
{
    change->size = sizeof *change;
    change->kind = KAS_REQUEST_VALIDATE;
    change->layer = *work->layer ? work->layer : NULL;
    change->validate.result = &work->result;
    kas_http_submit(request, change, answer);
}

static void validate_bytes(kas_http_request *request, validation *work)
{
    kas_request change = {.kind = KAS_REQUEST_VALIDATE};
    if (kas_http_query(request, "layer", work->layer, sizeof work->layer) &&
        !kas_name_is_valid(work->layer)) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "the query's layer is '%s'; that is no name of a layer", work->layer);
        return;
    }
    change.validate.bytes = request->body.bytes ? (const void *)request->body.bytes : "";
    change.validate.size_bytes = request->body.size;
    submit(request, work, &change);
}

void kas_http_validate(kas_http_request *request)
{
    validation *work = kas_http_work(request, sizeof *work, finish);
    if (!work) return;
    work->result.size = sizeof work->result;
    if (request->media == KAS_MEDIA_OCTETS) {
        validate_bytes(request, work);
        return;
    }
    const kas_json_member members[] = {
        {"artifact_id", KAS_JSON_ARTIFACT, .required = true, .out = work->artifact_id},
        {"layer", KAS_JSON_NAME, .out = work->layer},
    };
    kas_request change = {.artifact_id = work->artifact_id};
    kas_status status = kas_json_read(request->json, "", members, sizeof members / sizeof *members);
    if (status)
        kas_http_fail(request, status);
    else
        submit(request, work, &change);
}
