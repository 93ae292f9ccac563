/* /v1/layers/{layer}/stats, by the names of docs/semantics.md. A ratio of nothing is 0. */
#include <string.h>

#include "base/alloc.h"
#include "http/handlers.h"
#include "http/problems.h"
#include "http/respond.h"

enum { KEYS_PAGE = 32, ERRORS_MAX = 1000 };

static const double bytes_per_mb = 1024.0 * 1024.0;

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* ---- the cache ---- */

static void write_tier(kas_json *json, const kas_tier_stats *tier)
{
    kas_json_uint(json, "entries", tier->entries);
    kas_json_real(json, "total_size_mb", (double)tier->total_bytes / bytes_per_mb);
    kas_json_real(json, "max_size_mb", (double)tier->max_bytes / bytes_per_mb);
    kas_json_uint(json, "max_entries", tier->max_entries);
    kas_json_uint(json, "hits", tier->hits);
    kas_json_uint(json, "misses", tier->misses);
}

static void write_named_tier(kas_json *json, const char *name, const kas_tier_stats *tier)
{
    kas_json_open(json, name, '{');
    write_tier(json, tier);
    kas_json_close(json, '}');
}

/* The ids of the kernels on devices. Where they cannot be listed the text fails, and with it the answer. */
static void write_cache_keys(kas_json *json, kas_engine *engine)
{
    char after[KAS_NAME_SIZE] = "";
    size_t count;
    kas_cached_kernel *page = kas_alloc_array(KEYS_PAGE, sizeof *page);
    kas_json_open(json, "cache_keys", '[');
    do {
        count = 0;
        for (size_t i = 0; page && i < KEYS_PAGE; ++i)
            page[i] = (kas_cached_kernel){.size = sizeof *page};
        kas_status status =
            page ? kas_engine_list_kernels(engine, after, page, KEYS_PAGE, &count) : kas_out_of_memory();
        json->text.failed |= status != NULL;
        kas_status_free(status);
        for (size_t i = 0; i < count; ++i) {
            if (page[i].on_device) kas_json_text(json, NULL, page[i].artifact_id);
            if (i + 1 == KEYS_PAGE) memcpy(after, page[i].artifact_id, sizeof after);
            kas_cached_kernel_finish(&page[i]);
        }
    } while (count == KEYS_PAGE);
    kas_json_close(json, ']');
    kas_free(page);
}

void kas_http_write_cache_stats(kas_json *json, const char *name, kas_engine *engine)
{
    kas_cache_report report = {.size = sizeof report};
    kas_engine_cache_stats(engine, &report);
    const kas_tier_stats *device = &report.device;
    uint64_t checks = report.compatibility_checks, failures = report.compatibility_failures;
    kas_json_open(json, name, '{');
    write_tier(json, device);
    kas_json_uint(json, "evictions", device->evictions);
    kas_json_real(json, "hit_rate", ratio((double)device->hits, (double)(device->hits + device->misses)));
    write_cache_keys(json, engine);
    kas_json_uint(json, "metadata_cache_size", report.metadata_entries);
    kas_json_uint(json, "compatibility_checks", checks);
    kas_json_uint(json, "compatibility_failures", failures);
    kas_json_real(json, "compatibility_rate", ratio((double)(checks - failures), (double)checks));
    kas_json_real(json, "total_estimated_memory_mb", (double)device->total_bytes / bytes_per_mb);
    kas_json_real(json, "average_kernel_parameters", ratio((double)report.total_parameters, device->entries));
    kas_json_open(json, "tiers", '{');
    write_named_tier(json, "device", device);
    write_named_tier(json, "host", &report.host);
    write_named_tier(json, "disk", &report.disk);
    kas_json_close(json, '}');
    kas_json_close(json, '}');
}

/* ---- a layer ---- */

static void write_states(kas_json *json, const kas_layer_info *layer, const kas_seed_info *seeds)
{
    uint32_t states[KAS_SEED_FOSSILIZED + 1] = {0}, fallbacks = 0;
    double health = 0, latency = 0;
    uint64_t errors = 0;
    for (uint32_t i = 0; i < layer->num_seeds; ++i) {
        ++states[seeds[i].lifecycle_state];
        health += (double)seeds[i].health_accumulator;
        latency += seeds[i].exec_latency_us;
        errors += seeds[i].error_count;
        fallbacks += seeds[i].fallback_active;
    }
    kas_json_open(json, "state_stats", '{');
    kas_json_uint(json, "num_seeds", layer->num_seeds);
    kas_json_uint(json, "dormant_seeds", states[KAS_SEED_DORMANT]);
    kas_json_uint(json, "active_seeds", states[KAS_SEED_ACTIVE]);
    kas_json_uint(json, "loading_seeds", states[KAS_SEED_LOADING]);
    kas_json_uint(json, "error_recovery_seeds", states[KAS_SEED_ERROR_RECOVERY]);
    kas_json_uint(json, "fossilized_seeds", states[KAS_SEED_FOSSILIZED]);
    kas_json_real(json, "avg_health", ratio(health, layer->num_seeds));
    kas_json_real(json, "avg_latency_us", ratio(latency, layer->num_seeds));
    kas_json_uint(json, "total_errors", errors);
    kas_json_uint(json, "fallback_active_count", fallbacks);
    kas_json_close(json, '}');
}

/* Errors of this layer in the history: artifacts whose bytes or metadata were refused, and kernels that did
 * not fit. One that was not there, or could not be fetched, is neither. */
static void count_errors(kas_engine *engine, const char *layer, uint64_t *refused, uint64_t *unfit)
{
    kas_error_record *errors = kas_calloc(ERRORS_MAX, sizeof *errors);
    *refused = *unfit = 0;
    if (!errors) return;
    for (size_t i = 0; i < ERRORS_MAX; ++i)
        errors[i].size = sizeof *errors;
    size_t count = kas_engine_list_errors(engine, errors, ERRORS_MAX);
    for (size_t i = 0; i < count; ++i) {
        if (strcmp(errors[i].layer, layer) != 0) continue;
        *refused += errors[i].code == KAS_INVALID_ARTIFACT || errors[i].code == KAS_MALFORMED;
        *unfit += errors[i].code == KAS_INCOMPATIBLE_KERNEL;
    }
    kas_free(errors);
}

static void write_executions(kas_json *json, kas_engine *engine, const char *layer,
                             const kas_layer_stats *stats)
{
    uint64_t refused, unfit, runs = stats->kernel_executions, good = runs - stats->kernel_failures;
    count_errors(engine, layer, &refused, &unfit);
    kas_json_open(json, "execution_stats", '{');
    kas_json_uint(json, "total_executions", runs);
    kas_json_uint(json, "successful_executions", good);
    kas_json_uint(json, "failed_executions", stats->kernel_failures);
    kas_json_real(json, "success_rate", ratio((double)good, (double)runs));
    kas_json_real(json, "average_execution_time_ms", ratio(stats->kernel_ms, (double)runs));
    kas_json_uint(json, "deserialize_errors", refused);
    kas_json_uint(json, "shape_errors", unfit);
    kas_json_uint(json, "runtime_errors", stats->kernel_failures);
    kas_json_close(json, '}');
}

static void write_latency(kas_json *json, const kas_latency *latency)
{
    kas_json_open(json, "latency_us", '{');
    kas_json_uint(json, "count", latency->count);
    kas_json_real(json, "mean", latency->mean_us);
    kas_json_real(json, "p50", latency->p50_us);
    kas_json_real(json, "p90", latency->p90_us);
    kas_json_real(json, "p99", latency->p99_us);
    kas_json_real(json, "max", latency->max_us);
    kas_json_close(json, '}');
}

static void respond_layer_stats(kas_http_request *request, kas_seed_info *seeds)
{
    kas_layer_info layer = {.size = sizeof layer};
    kas_layer_stats stats = {.size = sizeof stats};
    for (size_t i = 0; i < KAS_MAX_SEEDS; ++i)
        seeds[i].size = sizeof *seeds;
    kas_status status =
        kas_engine_layer_seeds(request->engine, request->params[0], &layer, seeds, KAS_MAX_SEEDS);
    if (!status) status = kas_engine_layer_stats(request->engine, request->params[0], &stats);
    if (status) {
        kas_http_fail(request, status);
        return;
    }
    kas_json json;
    kas_json_init(&json);
    kas_json_open(&json, NULL, '{');
    kas_json_text(&json, "layer_name", layer.name);
    kas_json_uint(&json, "total_forward_calls", stats.forward_calls);
    kas_json_uint(&json, "total_kernel_executions", stats.kernel_executions);
    kas_json_real(&json, "kernel_execution_ratio",
                  ratio((double)stats.kernel_executions, (double)stats.forward_calls));
    kas_json_bool(&json, "telemetry_enabled", false);
    write_states(&json, &layer, seeds);
    write_executions(&json, request->engine, layer.name, &stats);
    write_latency(&json, &stats.latency);
    kas_http_write_cache_stats(&json, "cache_stats", request->engine);
    kas_http_write_recovery(&json, "error_recovery_stats", request->engine);
    kas_json_close(&json, '}');
    kas_http_respond_json(request, 200, &json);
}

void kas_http_layer_stats(kas_http_request *request)
{
    kas_seed_info *seeds = kas_calloc(KAS_MAX_SEEDS, sizeof *seeds);
    if (!seeds) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    respond_layer_stats(request, seeds);
    kas_free(seeds);
}
