/* POST /v1/layers/{layer}/forward: one tensor in, one out. Octets are computed with where they were received.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/async.h"
#include "http/budget.h"
#include "http/handlers.h"
#include "http/json_tensor.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/rounds.h"
#include "http/serving.h"

enum { SHAPE_SIZE = 24 * KAS_TENSOR_MAX_RANK, ANSWER_FACTOR = 4 };

typedef struct forward {
    kas_forward_request pass;
    kas_forward_result result;
    kas_json_tensor tensor; /* of a JSON body */
    float *output;          /* in the request's memory */
    size_t output_bytes, rows;
    uint32_t input_size, output_size;
} forward;

static void finish(void *work)
{
    forward *owned = work;
    kas_json_tensor_finish(&owned->tensor);
}

/* ---- the answer ---- */

static size_t list_shape(const kas_tensor_view *view, char out[SHAPE_SIZE])
{
    size_t used = 0;
    for (uint32_t i = 0; i < view->rank; ++i) {
        if (i > 0) out[used++] = ',';
        used += kas_format_decimal((uint64_t)view->shape[i], out + used);
    }
    return used;
}

static void respond_octets(kas_http_request *request, forward *work)
{
    char shape[SHAPE_SIZE];
    size_t length = list_shape(&work->pass.output, shape);
    kas_http_add_text_header(request, "X-Kasmina-Shape", shape, length);
    kas_http_respond_memory(request, 200, "application/octet-stream", work->output, work->output_bytes);
}

static void respond_tensor(kas_http_request *request, const forward *work)
{
    const kas_tensor_view *view = &work->pass.output;
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "shape", '[');
    for (uint32_t i = 0; i < view->rank; ++i)
        kas_json_int(&json, NULL, view->shape[i]);
    kas_json_close(&json, ']');
    kas_json_open(&json, "data", '[');
    for (size_t i = 0; i < work->rows * work->output_size; ++i)
        kas_json_float(&json, NULL, work->output[i]);
    kas_json_close(&json, ']');
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

static bool answers_octets(const kas_http_request *request)
{
    const uint8_t form = request->answer & request->media ? request->media : request->answer;
    return form & KAS_MEDIA_OCTETS;
}

static void answer(kas_http_request *request)
{
    forward *work = request->work;
    if (kas_http_failed(request)) return;
    kas_http_add_pass(request, &work->result);
    if (answers_octets(request))
        respond_octets(request, work);
    else
        respond_tensor(request, work);
}

/* ---- the request ---- */

/* "2,3,64"; false when it is not that. */
static bool parse_shape(const char *text, kas_tensor_view *view)
{
    view->rank = 0;
    do {
        char *end;
        if (*text == ',') ++text;
        while (*text == ' ')
            ++text;
        size_t digits = strspn(text, "0123456789");
        if (digits == 0 || digits > 15 || view->rank == KAS_TENSOR_MAX_RANK) return false;
        view->shape[view->rank++] = strtoll(text, &end, 10);
        text = end + strspn(end, " ");
    } while (*text == ',');
    return !*text;
}

/* The rows of a shape; false when it does not end in input_size, or has not `count` elements. */
static bool count_rows(kas_http_request *request, forward *work, size_t count)
{
    const kas_tensor_view *view = &work->pass.input;
    size_t rows = 1, elements;
    for (uint32_t i = 0; i + 1 < view->rank; ++i) {
        if (!kas_mul(rows, (size_t)view->shape[i], &rows)) rows = SIZE_MAX;
    }
    if (view->shape[view->rank - 1] == work->input_size && kas_mul(rows, work->input_size, &elements) &&
        elements == count) {
        work->rows = rows;
        return true;
    }
    char shape[SHAPE_SIZE];
    list_shape(view, shape);
    kas_http_refuse(
        request, KAS_PROBLEM_INVALID_VALUE,
        "the input is [%s] with %zu values; layer %s takes [..., %u], and as many values as that has", shape,
        count, work->pass.layer, work->input_size);
    return false;
}

static bool take_rows(kas_http_request *request, forward *work, size_t count)
{
    kas_tensor_view *view = &work->pass.input;
    if (count % work->input_size) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "the input has %zu values; rows of layer %s have %u, and %zu are left over", count,
                        work->pass.layer, work->input_size, count % work->input_size);
        return false;
    }
    work->rows = count / work->input_size;
    view->rank = 2;
    view->shape[0] = (int64_t)work->rows;
    view->shape[1] = work->input_size;
    return true;
}

static bool read_octets(kas_http_request *request, forward *work)
{
    const char *shape = kas_http_header(request, KAS_FIELD_SHAPE);
    size_t count = request->body.size / sizeof(float);
    if (request->body.size % sizeof(float)) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "the body has %zu bytes, which is no number of float32 values", request->body.size);
        return false;
    }
    work->pass.input.data = request->body.bytes;
    if (!shape) return take_rows(request, work, count);
    if (!parse_shape(shape, &work->pass.input)) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "X-Kasmina-Shape is '%.100s'; it must be 1 to %d whole numbers such as 2,3,64", shape,
                        KAS_TENSOR_MAX_RANK);
        return false;
    }
    return count_rows(request, work, count);
}

static bool read_json(kas_http_request *request, forward *work)
{
    kas_json_tensor *tensor = &work->tensor;
    kas_status status = kas_json_tensor_read((const char *)request->body.bytes, request->body.size, tensor);
    if (kas_status_code(status) == KAS_MALFORMED && request->body.size && request->body.bytes[0] != '{')
        kas_status_prefix(status, "raw float32 values need Content-Type: application/octet-stream");
    if (status) {
        kas_http_fail(request, status);
        return false;
    }
    work->pass.input.data = tensor->values;
    if (tensor->rank == 0) return take_rows(request, work, tensor->count);
    work->pass.input.rank = tensor->rank;
    memcpy(work->pass.input.shape, tensor->shape, sizeof tensor->shape);
    return count_rows(request, work, tensor->count);
}

static bool make_output(kas_http_request *request, forward *work)
{
    static float nothing; /* what an empty tensor points to */
    const kas_tensor_view *input = &work->pass.input;
    size_t limit = request->server->options.body_bytes * ANSWER_FACTOR;
    if (!kas_mul(work->rows, work->output_size * sizeof(float), &work->output_bytes) ||
        work->output_bytes > limit) {
        kas_http_refuse(
            request, KAS_PROBLEM_TOO_LARGE,
            "the answer to %zu rows of %u values would have more than the %zu bytes that are the limit",
            work->rows, work->output_size, limit);
        return false;
    }
    if (!work->pass.input.data) work->pass.input.data = &nothing;
    work->output = kas_http_memory(request, work->output_bytes);
    if (!work->output) return false;
    if (!answers_octets(request) && !kas_http_hold_answer_text(request, work->rows * work->output_size))
        return false;
    work->pass.output = *input;
    work->pass.output.data = work->output;
    work->pass.output.shape[input->rank - 1] = work->output_size;
    return true;
}

static void start(kas_http_request *request, forward *work)
{
    work->result.size = sizeof work->result;
    if (kas_forward_is_small(request->engine, work->pass.layer, work->rows))
        kas_http_forward_small(request, &work->pass, &work->result, answer);
    else
        kas_http_forward(request, &work->pass, &work->result, answer);
}

void kas_http_post_forward(kas_http_request *request)
{
    forward *work = kas_http_work(request, sizeof *work, finish);
    if (!work) return;
    work->pass.size = sizeof work->pass;
    work->pass.layer = request->params[0];
    work->input_size = request->layer.input_size;
    work->output_size = request->layer.output_size;
    bool read = request->media == KAS_MEDIA_OCTETS ? read_octets(request, work) : read_json(request, work);
    if (read && make_output(request, work)) start(request, work);
}
