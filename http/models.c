/* /v2/models/{}: a layer as a model of the Open Inference Protocol, and its statistics as Triton's extension
 * has them. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/handlers.h"
#include "http/problems.h"
#include "http/respond.h"

enum { PAGE = 64 };

/* What metadata and configuration call the members of a tensor, and its type. */
typedef struct tensor_words {
    const char *type, *fp32, *shape;
} tensor_words;
static const tensor_words metadata_words = {"datatype", "FP32", "shape"};
static const tensor_words config_words = {"data_type", "TYPE_FP32", "dims"};

static void write_tensor(kas_json *json, const tensor_words *words, const char *list, const char *name,
                         uint32_t width)
{
    kas_json_open(json, list, '[');
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "name", name);
    kas_json_text(json, words->type, words->fp32);
    kas_json_open(json, words->shape, '[');
    kas_json_int(json, NULL, -1);
    kas_json_uint(json, NULL, width);
    kas_json_close(json, ']');
    kas_json_close(json, '}');
    kas_json_close(json, ']');
}

/* The layer, or a refusal. */
static bool find_model(kas_http_request *request, kas_layer_info *layer)
{
    layer->size = sizeof *layer;
    kas_status status = kas_engine_layer(request->engine, request->params[0], layer);
    if (!status) return true;
    kas_http_fail(request, status);
    return false;
}

void kas_http_get_model(kas_http_request *request)
{
    kas_layer_info layer;
    kas_json json;
    if (!find_model(request, &layer)) return;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_text(&json, "name", layer.name);
    kas_json_open(&json, "versions", '[');
    kas_json_text(&json, NULL, "1");
    kas_json_close(&json, ']');
    kas_json_text(&json, "platform", "kasmina");
    write_tensor(&json, &metadata_words, "inputs", "input", layer.input_size);
    write_tensor(&json, &metadata_words, "outputs", "output", layer.output_size);
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

void kas_http_get_model_ready(kas_http_request *request)
{
    kas_layer_info layer;
    if (find_model(request, &layer)) kas_http_respond_empty(request, layer.serving ? 200 : 400);
}

void kas_http_get_model_config(kas_http_request *request)
{
    kas_layer_info layer;
    kas_json json;
    if (!find_model(request, &layer)) return;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_text(&json, "name", layer.name);
    kas_json_text(&json, "platform", "kasmina");
    kas_json_text(&json, "backend", "kasmina");
    kas_json_raw(&json, "version_policy", "{\"latest\":{\"num_versions\":1}}");
    kas_json_int(&json, "max_batch_size", 0);
    write_tensor(&json, &config_words, "input", "input", layer.input_size);
    write_tensor(&json, &config_words, "output", "output", layer.output_size);
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

/* ---- statistics ---- */

static void write_duration(kas_json *json, const char *name, uint64_t count, double ns)
{
    kas_json_open(json, name, '{');
    kas_json_uint(json, "count", count);
    kas_json_uint(json, "ns", ns > 0 ? (uint64_t)ns : 0);
    kas_json_close(json, '}');
}

static void write_stats(kas_json *json, const char *name, const kas_layer_stats *stats)
{
    const uint64_t answered = stats->forward_calls;
    const double whole_ns = stats->latency.mean_us * (double)KAS_NS_PER_US * (double)stats->latency.count;
    const double queue_ns = stats->queue_ms * (double)KAS_NS_PER_MS;
    kas_json_open(json, NULL, '{');
    kas_json_text(json, "name", name);
    kas_json_text(json, "version", "1");
    kas_json_int(json, "last_inference", stats->last_ns / KAS_NS_PER_MS);
    kas_json_uint(json, "inference_count", stats->rows);
    kas_json_uint(json, "execution_count", answered);
    kas_json_open(json, "inference_stats", '{');
    write_duration(json, "success", answered, whole_ns);
    write_duration(json, "fail", stats->failed_calls, 0);
    write_duration(json, "queue", answered, queue_ns);
    write_duration(json, "compute_input", answered, 0);
    write_duration(json, "compute_infer", answered, whole_ns - queue_ns);
    write_duration(json, "compute_output", answered, 0);
    write_duration(json, "cache_hit", 0, 0);
    write_duration(json, "cache_miss", 0, 0);
    kas_json_close(json, '}');
    kas_json_open(json, "batch_stats", '[');
    kas_json_close(json, ']');
    kas_json_close(json, '}');
}

static void write_layer(kas_json *json, kas_engine *engine, const char *name)
{
    kas_layer_stats stats = {.size = sizeof stats};
    kas_status status = kas_engine_layer_stats(engine, name, &stats);
    if (!status) write_stats(json, name, &stats);
    kas_status_free(status); /* the layer has gone since: left out */
}

void kas_http_model_stats(kas_http_request *request)
{
    kas_layer_info layer;
    kas_json json;
    if (!find_model(request, &layer)) return;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "model_stats", '[');
    write_layer(&json, request->engine, layer.name);
    kas_json_close(&json, ']');
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

void kas_http_each_layer(kas_http_request *request, kas_json *json, kas_http_write_layer_fn write)
{
    char after[KAS_NAME_SIZE] = "";
    kas_layer_info *page = kas_alloc_array(PAGE, sizeof *page);
    size_t count = page ? PAGE : 0;
    json->text.failed |= !page;
    while (count == PAGE) {
        for (size_t i = 0; i < PAGE; ++i)
            page[i] = (kas_layer_info){.size = sizeof *page};
        count = kas_engine_list_layers(request->engine, after, page, PAGE);
        for (size_t i = 0; i < count; ++i)
            write(json, request->engine, &page[i]);
        if (count) memcpy(after, page[count - 1].name, sizeof after);
    }
    kas_free(page);
}

static void write_listed(kas_json *json, kas_engine *engine, const kas_layer_info *layer)
{
    write_layer(json, engine, layer->name);
}

void kas_http_models_stats(kas_http_request *request)
{
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "model_stats", '[');
    kas_http_each_layer(request, &json, write_listed);
    kas_json_close(&json, ']');
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}
