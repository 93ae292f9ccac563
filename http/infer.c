/* POST /v2/models/{}/infer: one pass, in the words of the Open Inference Protocol. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/async.h"
#include "http/budget.h"
#include "http/handlers.h"
#include "http/infer_read.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/rounds.h"
#include "http/serving.h"

enum {
    ANSWER_FACTOR = 4,
    HEAD_MAX = 1024, /* bytes of a binary answer's JSON, but for the id: a name and a shape are short */
};

/* The answer is put together in one piece of the request's memory. In binary, its JSON is written first and
 * filled up with spaces, so that the values that follow lie where the pass can write them. */
typedef struct inference {
    kas_forward_request pass;
    kas_forward_result result;
    kas_infer asked;
    char *head; /* of a binary answer, in the request's memory; the output follows it */
    size_t head_bytes;
    float *output; /* in the request's memory */
    size_t output_values;
} inference;

static void finish(void *work)
{
    inference *owned = work;
    kas_infer_finish(&owned->asked);
}

/* ---- the answer ---- */

static void write_head(kas_json *json, const kas_http_request *request, const inference *work)
{
    const kas_tensor_view *view = &work->pass.output;
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "model_name", request->params[0]);
    kas_json_text(json, "model_version", "1");
    if (work->asked.id) kas_json_escaped(json, "id", work->asked.id, work->asked.id_length);
    kas_json_open(json, "outputs", '[');
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "name", "output");
    kas_json_text(json, "datatype", "FP32");
    kas_json_open(json, "shape", '[');
    for (uint32_t i = 0; i < view->rank; ++i)
        kas_json_int(json, NULL, view->shape[i]);
    kas_json_close(json, ']');
}

static void write_tail(kas_json *json)
{
    kas_json_close(json, '}');
    kas_json_close(json, ']');
    kas_json_close(json, '}');
}

static void respond_json(kas_http_request *request, inference *work)
{
    kas_json json;
    kas_json_init(&json);
    write_head(&json, request, work);
    kas_json_open(&json, "data", '[');
    for (size_t i = 0; i < work->output_values; ++i)
        kas_json_float(&json, NULL, work->output[i]);
    kas_json_close(&json, ']');
    write_tail(&json);
    kas_http_respond_json(request, 200, &json);
}

static void respond_binary(kas_http_request *request, const inference *work)
{
    kas_http_add_count_header(request, "Inference-Header-Content-Length", work->head_bytes);
    kas_http_respond_memory(request, 200, "application/octet-stream", work->head,
                            work->head_bytes + work->output_values * sizeof(float));
}

static void answer(kas_http_request *request)
{
    inference *work = request->work;
    if (kas_http_failed(request)) return;
    kas_http_add_inference(request, &work->result);
    if (work->asked.binary_output)
        respond_binary(request, work);
    else
        respond_json(request, work);
}

/* ---- the request ---- */

/* Where the JSON ends and raw bytes begin. */
static bool split_body(kas_http_request *request, size_t *json_bytes)
{
    const char *header = kas_http_header(request, KAS_FIELD_INFERENCE_HEADER_CONTENT_LENGTH);
    *json_bytes = request->body.size;
    if (!header) return true;
    char *end;
    unsigned long long value = strtoull(header, &end, 10);
    if (*header >= '0' && *header <= '9' && !*end && value <= request->body.size) {
        *json_bytes = (size_t)value;
        return true;
    }
    kas_http_refuse(request, KAS_PROBLEM_MALFORMED,
                    "Inference-Header-Content-Length is '%.40s'; the body has %zu bytes", header,
                    request->body.size);
    return false;
}

static bool take_binary(kas_http_request *request, inference *work, size_t json_bytes)
{
    const size_t given = request->body.size - json_bytes;
    kas_json_tensor *input = &work->asked.input;
    if (work->asked.binary_bytes != given) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "binary_data_size is %zu, but %zu bytes follow the JSON", work->asked.binary_bytes,
                        given);
        return false;
    }
    input->count = given / sizeof(float);
    kas_status status = given % sizeof(float) ? kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                                                         "%zu bytes are no number of FP32 values", given)
                                              : kas_json_tensor_check(input);
    if (status) {
        kas_http_fail(request, status);
        return false;
    }
    unsigned char *bytes = request->body.bytes + json_bytes;
    work->pass.input.data = bytes;
    if ((uintptr_t)bytes % sizeof(float) == 0) return true;
    work->pass.input.data = kas_http_memory(request, given);
    if (!work->pass.input.data) return false;
    memcpy(work->pass.input.data, bytes, given);
    return true;
}

static bool take_input(kas_http_request *request, inference *work, size_t json_bytes)
{
    const kas_json_tensor *input = &work->asked.input;
    if (work->asked.binary) {
        if (!take_binary(request, work, json_bytes)) return false;
    } else if (json_bytes != request->body.size) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "%zu bytes follow the JSON and no input claims them",
                        request->body.size - json_bytes);
        return false;
    } else {
        work->pass.input.data = input->values;
    }
    work->pass.input.rank = input->rank;
    memcpy(work->pass.input.shape, input->shape, sizeof input->shape);
    return true;
}

/* The head of a binary answer says nothing that is not known before the pass. */
static bool make_binary(kas_http_request *request, inference *work, size_t bytes)
{
    const size_t room = kas_align_up(HEAD_MAX + work->asked.id_length, KAS_CACHE_LINE);
    kas_json json;
    work->head = kas_http_memory(request, room + bytes);
    if (!work->head) return false;
    kas_json_init_in(&json, work->head, room);
    write_head(&json, request, work);
    kas_json_open(&json, "parameters", '{');
    kas_json_uint(&json, "binary_data_size", bytes);
    kas_json_close(&json, '}');
    write_tail(&json);
    work->head_bytes = kas_align_up(json.text.length, KAS_CACHE_LINE);
    memset(work->head + json.text.length, ' ', work->head_bytes - json.text.length);
    work->output = (float *)(void *)(work->head + work->head_bytes);
    return true;
}

static bool make_memory(kas_http_request *request, inference *work)
{
    const size_t bytes = work->output_values * sizeof(float);
    if (work->asked.binary_output) return make_binary(request, work, bytes);
    work->output = kas_http_memory(request, bytes);
    return work->output && kas_http_hold_answer_text(request, work->output_values);
}

static bool make_output(kas_http_request *request, inference *work)
{
    static float nothing; /* what an empty tensor points to */
    const kas_layer_info *layer = &request->layer;
    const kas_tensor_view *input = &work->pass.input;
    const size_t rows = work->asked.input.count / layer->input_size;
    if (input->shape[input->rank - 1] != layer->input_size) {
        kas_http_refuse(
            request, KAS_PROBLEM_INVALID_VALUE,
            "unexpected shape for input 'input' of model '%s': its last dimension is %lld, expected [-1, %u]",
            request->params[0], (long long)input->shape[input->rank - 1], layer->input_size);
        return false;
    }
    const size_t limit = request->server->options.body_bytes * ANSWER_FACTOR / sizeof(float);
    if (!kas_mul(rows, layer->output_size, &work->output_values) || work->output_values > limit) {
        kas_http_refuse(request, KAS_PROBLEM_TOO_LARGE,
                        "the answer to %zu rows would have more than %zu values", rows, limit);
        return false;
    }
    if (!work->pass.input.data) work->pass.input.data = &nothing;
    work->pass.output = *input;
    work->pass.output.shape[input->rank - 1] = layer->output_size;
    if (!make_memory(request, work)) return false;
    work->pass.output.data = work->output;
    return true;
}

static void start(kas_http_request *request, inference *work, size_t rows)
{
    work->pass.alphas = work->asked.alphas;
    work->pass.alpha_count = work->asked.alpha_count;
    if (kas_forward_is_small(request->engine, work->pass.layer, rows))
        kas_http_forward_small(request, &work->pass, &work->result, answer);
    else
        kas_http_forward(request, &work->pass, &work->result, answer);
}

void kas_http_infer(kas_http_request *request)
{
    size_t json_bytes;
    inference *work = kas_http_work(request, sizeof *work, finish);
    if (!work || !split_body(request, &json_bytes)) return;
    kas_status status = kas_infer_read((const char *)request->body.bytes, json_bytes, &work->asked);
    if (status) {
        kas_http_fail(request, status);
        return;
    }
    work->pass.size = sizeof work->pass;
    work->pass.layer = request->params[0];
    work->result.size = sizeof work->result;
    if (take_input(request, work, json_bytes) && make_output(request, work))
        start(request, work, work->asked.input.count / request->layer.input_size);
}
