/* /v1/errors, /v1/recovery, /v1/breakers: what went wrong and what was done about it. */
#include "base/alloc.h"
#include "http/handlers.h"
#include "http/paging.h"
#include "http/problems.h"
#include "http/respond.h"

void kas_http_write_error(kas_json *json, const char *name, const kas_error_record *error)
{
    kas_json_open(json, name, '{');
    kas_json_time(json, "at", error->at_ns);
    kas_json_text(json, "error_type", kas_error_type_name(error->type));
    kas_json_text(json, "component", error->component);
    kas_json_text_or_null(json, "layer", error->layer);
    if (error->seed < 0)
        kas_json_null(json, "seed");
    else
        kas_json_int(json, "seed", error->seed);
    kas_json_text_or_null(json, "artifact_id", error->artifact_id);
    kas_json_text(json, "detail", error->detail);
    kas_json_null(json, "trace_id"); /* what fails in a pass or a load belongs to no one request */
    kas_json_close(json, '}');
}

void kas_http_list_errors(kas_http_request *request)
{
    uint32_t limit = KAS_HTTP_PAGE_DEFAULT;
    if (!kas_http_query_uint(request, "limit", 1, KAS_HTTP_PAGE_MAX, &limit)) return;
    kas_recovery_stats stats = {.size = sizeof stats};
    kas_error_record *errors = kas_calloc(limit, sizeof *errors);
    if (!errors) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    for (uint32_t i = 0; i < limit; ++i)
        errors[i].size = sizeof *errors;
    size_t count = kas_engine_list_errors(request->engine, errors, limit);
    kas_engine_recovery_stats(request->engine, &stats);
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_open(&json, "errors", '[');
    for (size_t i = 0; i < count; ++i)
        kas_http_write_error(&json, NULL, &errors[i]);
    kas_json_close(&json, ']');
    kas_json_real(&json, "error_rate_5min", stats.error_rate_5min);
    kas_json_close(&json, '}');
    kas_free(errors);
    kas_http_respond_json(request, 200, &json);
}

static void write_error_stats(kas_json *json, const kas_recovery_stats *stats)
{
    kas_json_open(json, "error_stats", '{');
    kas_json_uint(json, "total_errors", stats->total_errors);
    kas_json_open(json, "error_counts", '{');
    for (kas_error_type type = KAS_ERROR_NONE + 1; type < KAS_ERROR_TYPE_COUNT; ++type)
        kas_json_uint(json, kas_error_type_name(type), stats->error_counts[type]);
    kas_json_close(json, '}');
    kas_json_real(json, "error_rate_5min", stats->error_rate_5min);
    kas_json_open(json, "problematic_kernels", '[');
    for (uint32_t i = 0; i < stats->problematic_kernel_count; ++i)
        kas_json_text(json, NULL, stats->problematic_kernels[i]);
    kas_json_close(json, ']');
    kas_json_open(json, "problematic_components", '[');
    for (uint32_t i = 0; i < stats->problematic_component_count; ++i)
        kas_json_text(json, NULL, stats->problematic_components[i]);
    kas_json_close(json, ']');
    kas_json_close(json, '}');
}

void kas_http_write_recovery(kas_json *json, const char *name, kas_engine *engine)
{
    kas_recovery_stats stats = {.size = sizeof stats};
    kas_engine_recovery_stats(engine, &stats);
    double rate =
        stats.total_recoveries ? (double)stats.successful_recoveries / (double)stats.total_recoveries : 0;
    kas_json_open(json, name, '{');
    kas_json_uint(json, "total_recoveries", stats.total_recoveries);
    kas_json_uint(json, "recent_recoveries", stats.recent_recoveries);
    kas_json_real(json, "recovery_success_rate", rate);
    kas_json_uint(json, "active_recoveries", stats.active_recoveries);
    write_error_stats(json, &stats);
    kas_json_close(json, '}');
}

void kas_http_get_recovery(kas_http_request *request)
{
    kas_json json;
    kas_json_init(&json);
    kas_http_write_recovery(&json, NULL, request->engine);
    kas_http_respond_json(request, 200, &json);
}

/* One breaker a remote; an engine with an embedded registry has no remotes. */
void kas_http_list_breakers(kas_http_request *request)
{
    kas_http_respond_static(request, 200, "application/json", "{\"breakers\":[]}");
}
