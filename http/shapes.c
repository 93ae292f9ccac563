#include "http/shapes.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/half.h"
#include "http/problems.h"

void kas_http_operation_name(uint64_t operation, char out[KAS_HTTP_OPERATION_SIZE])
{
    snprintf(out, KAS_HTTP_OPERATION_SIZE, "op-%llu", (unsigned long long)operation);
}

void kas_http_write_operation_id(kas_json *json, const char *name, uint64_t operation)
{
    char text[KAS_HTTP_OPERATION_SIZE];
    kas_http_operation_name(operation, text);
    kas_json_text(json, name, operation ? text : NULL);
}

/* A value that half precision holds is shown with all its digits, another as the caller wrote it. */
static void write_alpha(kas_json *json, const char *name, float alpha)
{
    if (kas_half_to_float(kas_half_from_float(alpha)) == alpha)
        kas_json_real(json, name, (double)alpha);
    else
        kas_json_float(json, name, alpha);
}

/* ---- seeds ---- */

static void write_staged(kas_json *json, const kas_staged_info *staged)
{
    if (staged->change == KAS_CHANGE_NONE) {
        kas_json_null(json, "staged");
        return;
    }
    kas_json_open(json, "staged", '{');
    kas_json_text(json, "operation", kas_change_name(staged->change));
    kas_json_uint(json, "at_epoch", staged->at_epoch);
    kas_json_text_or_null(json, "artifact_id", staged->artifact_id);
    if (staged->has_alpha)
        write_alpha(json, "alpha", staged->alpha);
    else
        kas_json_null(json, "alpha");
    kas_json_close(json, '}');
}

static void write_error_info(kas_json *json, const kas_error_info *error)
{
    if (error->type == KAS_ERROR_NONE) {
        kas_json_null(json, "last_error");
        return;
    }
    kas_json_open(json, "last_error", '{');
    kas_json_text(json, "error_type", kas_error_type_name(error->type));
    kas_json_text(json, "detail", error->detail);
    kas_json_time(json, "at", error->at_ns);
    kas_json_close(json, '}');
}

void kas_http_write_seed(kas_json *json, const char *name, const kas_seed_info *seed)
{
    char kernel_id[24];
    snprintf(kernel_id, sizeof kernel_id, "0x%016llx", (unsigned long long)seed->active_kernel_id);
    kas_json_open(json, name, '{');
    kas_json_text(json, "layer", seed->layer);
    kas_json_uint(json, "index", seed->index);
    kas_json_text(json, "lifecycle_state", kas_lifecycle_name(seed->lifecycle_state));
    kas_json_text_or_null(json, "artifact_id", seed->artifact_id);
    kas_json_text(json, "active_kernel_id", seed->active_kernel_id ? kernel_id : NULL);
    write_alpha(json, "alpha_blend", seed->alpha_blend);
    if (seed->has_alpha_target)
        write_alpha(json, "alpha_target", seed->alpha_target);
    else
        kas_json_null(json, "alpha_target");
    kas_json_float(json, "health_accumulator", seed->health_accumulator);
    kas_json_uint(json, "last_update_epoch", seed->last_update_epoch);
    kas_json_uint(json, "exec_latency_us", seed->exec_latency_us);
    kas_json_uint(json, "error_count", seed->error_count);
    kas_json_bool(json, "fallback_active", seed->fallback_active);
    kas_json_bool(json, "pinned", seed->pinned);
    kas_http_write_operation_id(json, "operation", seed->operation);
    write_staged(json, &seed->staged);
    kas_json_bool(json, "contributing", seed->contributing);
    write_error_info(json, &seed->last_error);
    kas_json_close(json, '}');
}

/* ---- layers ---- */

void kas_http_write_layer(kas_json *json, const char *name, const kas_layer_info *layer,
                          const kas_seed_info *seeds)
{
    kas_json_open(json, name, '{');
    kas_json_text(json, "name", layer->name);
    kas_json_int(json, "layer_id", layer->layer_id);
    kas_json_uint(json, "input_size", layer->input_size);
    kas_json_uint(json, "output_size", layer->output_size);
    kas_json_uint(json, "num_seeds", layer->num_seeds);
    kas_json_bool(json, "bias", layer->bias);
    kas_json_text(json, "device", layer->device);
    kas_json_open(json, "replicas", '[');
    for (uint32_t i = 0; i < layer->replica_count; ++i) {
        kas_json_open(json, NULL, '{');
        kas_json_text(json, "device", layer->replicas[i].device);
        kas_json_bool(json, "ready", layer->replicas[i].ready);
        kas_json_bool(json, "lost", layer->replicas[i].lost);
        kas_json_close(json, '}');
    }
    kas_json_close(json, ']');
    kas_json_text(json, "math", layer->math == KAS_MATH_FAST ? "fast" : "invariant");
    kas_json_text(json, "state", layer->serving ? "ready" : "unloaded");
    kas_json_uint(json, "generation", layer->generation);
    kas_json_uint(json, "epoch", layer->epoch);
    kas_json_uint(json, "active_seeds", layer->active_seeds);
    kas_json_bool(json, "has_active_seeds", layer->has_active_seeds);
    kas_json_text_or_null(json, "weights_sha256", layer->weights_sha256);
    kas_json_time(json, "created_at", layer->created_at_ns);
    if (seeds) {
        kas_json_open(json, "seeds", '[');
        for (uint32_t i = 0; i < layer->num_seeds; ++i)
            kas_http_write_seed(json, NULL, &seeds[i]);
        kas_json_close(json, ']');
    }
    kas_json_close(json, '}');
}

/* ---- operations ---- */

void kas_http_write_operation(kas_json *json, const char *name, const kas_operation_info *operation)
{
    bool finished = operation->state >= KAS_OPERATION_SUCCEEDED;
    static const char *const kinds[] = {[KAS_OPERATION_LOAD] = "load",
                                        [KAS_OPERATION_PRELOAD] = "preload",
                                        [KAS_OPERATION_MOVE] = "move",
                                        [KAS_OPERATION_REPLICATE] = "replicate"};
    const char *tier = kas_tier_name(operation->tier);
    kas_json_open(json, name, '{');
    kas_http_write_operation_id(json, "id", operation->id);
    kas_json_text(json, "kind", kinds[operation->kind]);
    kas_json_text(json, "state", kas_operation_state_name(operation->state));
    kas_json_text(json, "stage", kas_stage_name(operation->stage));
    kas_json_uint(json, "bytes_done", operation->bytes_done);
    kas_json_uint(json, "bytes_total", operation->bytes_total);
    kas_json_text_or_null(json, "layer", operation->layer);
    if (operation->seed < 0)
        kas_json_null(json, "seed");
    else
        kas_json_int(json, "seed", operation->seed);
    kas_json_text_or_null(json, "artifact_id", operation->artifact_id);
    kas_json_text_or_null(json, "device", operation->device);
    kas_json_text_or_null(json, "tier", tier);
    kas_json_time(json, "created_at", operation->created_at_ns);
    kas_json_time(json, "finished_at", finished ? operation->finished_at_ns : 0);
    if (finished)
        kas_json_int(json, "duration_us", operation->duration_ns / KAS_NS_PER_US);
    else
        kas_json_null(json, "duration_us");
    kas_http_write_operation_error(json, "error", operation);
    kas_json_close(json, '}');
}

/* ---- kernels ---- */

static void write_uses(kas_json *json, const kas_cached_kernel *kernel)
{
    kas_json_open(json, "in_use_by", '[');
    for (uint32_t i = 0; i < kernel->use_count && i < KAS_KERNEL_USES_MAX; ++i) {
        kas_json_open(json, NULL, '{');
        kas_json_text(json, "layer", kernel->uses[i].layer);
        kas_json_uint(json, "seed", kernel->uses[i].seed);
        kas_json_close(json, '}');
    }
    kas_json_close(json, ']');
}

void kas_http_write_kernel(kas_json *json, const char *name, const kas_cached_kernel *kernel)
{
    char kernel_id[24];
    snprintf(kernel_id, sizeof kernel_id, "0x%016llx", (unsigned long long)kernel->kernel_id);
    kas_json_open(json, name, '{');
    kas_json_text(json, "artifact_id", kernel->artifact_id);
    kas_json_text(json, "kernel_id", kernel_id);
    kas_json_text_or_null(json, "checksum", kernel->checksum);
    kas_json_text_or_null(json, "format", kernel->format);
    kas_json_open(json, "tiers", '[');
    if (kernel->on_device) kas_json_text(json, NULL, kas_tier_name(KAS_TIER_DEVICE));
    if (kernel->on_host) kas_json_text(json, NULL, kas_tier_name(KAS_TIER_HOST));
    if (kernel->on_disk) kas_json_text(json, NULL, kas_tier_name(KAS_TIER_DISK));
    kas_json_close(json, ']');
    kas_json_open(json, "devices", '[');
    for (uint32_t i = 0; i < kernel->device_count; ++i)
        kas_json_text(json, NULL, kernel->devices[i]);
    kas_json_close(json, ']');
    kas_json_text(json, "state", kernel->quarantined ? "quarantined" : "ready");
    kas_json_bool(json, "pinned", kernel->pinned);
    write_uses(json, kernel);
    kas_json_uint(json, "size_bytes", kernel->size_bytes);
    kas_json_uint(json, "device_bytes", kernel->device_bytes);
    kas_json_uint(json, "hits", kernel->hits);
    kas_json_time(json, "last_accessed", kernel->last_accessed_ns);
    kas_json_raw(json, "metadata", kernel->metadata_json);
    kas_json_close(json, '}');
}

/* ---- devices ---- */

void kas_http_write_device(kas_json *json, const char *name, const kas_device_report *device)
{
    kas_json_open(json, name, '{');
    kas_json_text(json, "id", device->id);
    kas_json_text(json, "kind", device->kind);
    kas_json_text(json, "api", device->api);
    kas_json_text(json, "name", device->name);
    kas_json_text(json, "uuid", device->uuid);
    kas_json_text(json, "state", device->state);
    kas_json_bool(json, "opened", device->opened);
    kas_json_text_or_null(json, "fast_product", device->fast_product);
    kas_json_uint(json, "memory_total_bytes", device->memory_total_bytes);
    kas_json_uint(json, "memory_used_bytes", device->memory_used_bytes);
    kas_json_uint(json, "memory_free_bytes", device->memory_free_bytes);
    kas_json_uint(json, "layers", device->layers);
    kas_json_open(json, "limits", '{');
    kas_json_uint(json, "max_buffer_bytes", device->max_buffer_bytes);
    kas_json_uint(json, "max_shared_bytes", device->max_shared_bytes);
    kas_json_uint(json, "max_group_items", device->max_group_items);
    kas_json_uint(json, "compute_units", device->compute_units);
    kas_json_close(json, '}');
    kas_json_open(json, "features", '[');
    if (device->fp16) kas_json_text(json, NULL, "fp16");
    if (device->bf16) kas_json_text(json, NULL, "bf16");
    if (device->subgroups) kas_json_text(json, NULL, "subgroups");
    if (device->host_pointers) kas_json_text(json, NULL, "host_pointers");
    kas_json_close(json, ']');
    kas_json_close(json, '}');
}
