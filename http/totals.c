/* GET /v1/stats: the whole engine and this server. */
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/handlers.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/serving.h"

enum { LAYERS_PAGE = 256 };

static bool count_layers(kas_engine *engine, uint64_t *out)
{
    kas_layer_info *page = kas_calloc(LAYERS_PAGE, sizeof *page);
    char after[KAS_NAME_SIZE] = "";
    size_t count;
    *out = 0;
    if (!page) return false;
    do {
        for (size_t i = 0; i < LAYERS_PAGE; ++i)
            page[i].size = sizeof *page;
        count = kas_engine_list_layers(engine, after, page, LAYERS_PAGE);
        if (count) memcpy(after, page[count - 1].name, sizeof after);
        *out += count;
    } while (count == LAYERS_PAGE);
    kas_free(page);
    return true;
}

static void write_engine(kas_json *json, kas_http_request *request, uint64_t layers)
{
    kas_layer_stats stats = {.size = sizeof stats};
    uint32_t staged, epoch = kas_engine_epoch(request->engine, &staged);
    int64_t up_ns = kas_monotonic_ns() - request->server->started_ns;
    kas_engine_total_stats(request->engine, &stats);
    kas_json_open(json, "engine", '{');
    kas_json_real(json, "uptime_s", (double)up_ns / (double)KAS_NS_PER_S);
    kas_json_uint(json, "layers", layers);
    kas_json_uint(json, "epoch", epoch);
    kas_json_uint(json, "staged", staged);
    kas_json_uint(json, "total_forward_calls", stats.forward_calls);
    kas_json_uint(json, "failed_forward_calls", stats.failed_calls);
    kas_json_uint(json, "total_rows", stats.rows);
    kas_json_uint(json, "total_kernel_executions", stats.kernel_executions);
    kas_json_uint(json, "failed_kernel_executions", stats.kernel_failures);
    kas_json_close(json, '}');
}

static void write_http(kas_json *json, const kas_http_counts *counts)
{
    static const char *const classes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    kas_json_open(json, "http", '{');
    kas_json_uint(json, "requests", atomic_load(&counts->requests));
    kas_json_uint(json, "in_progress", atomic_load(&counts->in_progress));
    kas_json_uint(json, "connections", atomic_load(&counts->connections));
    kas_json_uint(json, "received_bytes", atomic_load(&counts->received_bytes));
    kas_json_uint(json, "sent_bytes", atomic_load(&counts->sent_bytes));
    kas_json_open(json, "answers", '{');
    for (size_t i = 0; i < sizeof classes / sizeof *classes; ++i)
        kas_json_uint(json, classes[i], atomic_load(&counts->answers[i]));
    kas_json_close(json, '}');
    kas_json_close(json, '}');
}

void kas_http_total_stats(kas_http_request *request)
{
    uint64_t layers;
    if (!count_layers(request->engine, &layers)) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    write_engine(&json, request, layers);
    kas_http_write_cache_stats(&json, "cache_stats", request->engine);
    kas_http_write_recovery(&json, "error_recovery_stats", request->engine);
    write_http(&json, &request->server->counts);
    kas_json_null(&json, "bus");
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}
