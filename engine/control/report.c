/* Reports: statistics, devices, history, health, events. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "engine/control/engine.h"

enum { LAYERS_PAGE = 16 };
#define ALERT_SHOWN_NS  (300 * KAS_NS_PER_S) /* an alert degrades health for so long */
#define ERROR_RATE_HIGH 0.05                 /* errors a second, over five minutes */

/* ---- statistics ---- */

/* What the clock on the wall showed then, if nobody has set it since. */
static int64_t wall_of(kas_engine *engine, int64_t monotonic_ns)
{
    return monotonic_ns == 0 ? 0 : kas_engine_wall(engine) - (kas_monotonic_ns() - monotonic_ns);
}

static void convert_stats(kas_engine *engine, const kas_exec_stats *from, kas_layer_stats *to)
{
    *to = (kas_layer_stats){
        .size = sizeof *to,
        .forward_calls = from->forward_calls,
        .rows = from->rows,
        .failed_calls = from->failed_calls,
        .kernel_executions = from->kernel_executions,
        .kernel_failures = from->kernel_failures,
        .kernel_ms = (double)from->kernel_ns / (double)KAS_NS_PER_MS,
        .latency = from->latency,
        .queue_ms = (double)from->queue_ns / (double)KAS_NS_PER_MS,
        .last_ns = wall_of(engine, from->last_ns),
    };
}

kas_status kas_engine_layer_stats(kas_engine *engine, const char *layer, kas_layer_stats *out)
{
    uint64_t uid;
    pthread_rwlock_rdlock(&engine->state_lock);
    bool known = kas_state_layer_uid(engine->state, layer, &uid);
    pthread_rwlock_unlock(&engine->state_lock);
    if (!known) return kas_fail(KAS_NOT_FOUND, CALLER, "there is no layer %.128s", layer);
    kas_exec_stats stats = {0};
    (void)kas_exec_layer_stats(engine->exec, uid, &stats); /* not published yet: zeros */
    convert_stats(engine, &stats, out);
    return NULL;
}

void kas_engine_total_stats(kas_engine *engine, kas_layer_stats *out)
{
    kas_exec_stats stats = {0};
    kas_exec_total_stats(engine->exec, &stats);
    convert_stats(engine, &stats, out);
}

void kas_engine_cache_stats(kas_engine *engine, kas_cache_report *out)
{
    kas_cache_stats stats;
    pthread_rwlock_rdlock(&engine->state_lock);
    kas_state_cache_stats(engine->state, &stats);
    pthread_rwlock_unlock(&engine->state_lock);
    *out = (kas_cache_report){
        .size = sizeof *out,
        .device =
            {
                .entries = stats.entries,
                .max_entries = stats.max_entries,
                .total_bytes = stats.total_bytes,
                .max_bytes = stats.max_bytes,
                .hits = stats.hits,
                .misses = stats.misses,
                .evictions = stats.evictions,
            },
        .metadata_entries = (uint32_t)kas_catalog_count(engine->catalog),
        .compatibility_checks = stats.compatibility_checks,
        .compatibility_failures = stats.compatibility_failures,
        .total_parameters = stats.total_parameters,
    };
    kas_host_tier_stats(engine->host, &out->host);
    if (engine->disk) kas_disk_tier_stats(engine->disk, &out->disk);
}

/* ---- devices ---- */

static bool has_replica(const kas_layer_info *layer, const char *device)
{
    for (uint32_t i = 0; i < layer->replica_count; ++i)
        if (!strcmp(layer->replicas[i].device, device)) return true;
    return false;
}

static bool is_on(const kas_layer_info *layer, const void *user)
{
    const char *device = user;
    return !strcmp(layer->device, device) || has_replica(layer, device);
}

static uint32_t count_layers(kas_engine *engine,
                             bool (*counts)(const kas_layer_info *layer, const void *user), const void *user)
{
    kas_layer_info page[LAYERS_PAGE];
    char after[KAS_NAME_SIZE] = "";
    uint32_t layers = 0;
    size_t count;
    do {
        count = kas_engine_list_layers(engine, after, page, LAYERS_PAGE);
        for (size_t i = 0; i < count; ++i)
            layers += counts(&page[i], user);
        if (count) memcpy(after, page[count - 1].name, sizeof after);
    } while (count == LAYERS_PAGE);
    return layers;
}

static void report_device(kas_engine *engine, const kas_device_info *listed, kas_device_report *out)
{
    static const char *const states[] = {"ready", "lost", "rebuilding"};
    kas_device *device = kas_devices_find(&engine->devices, listed->id);
    kas_device_info info = *listed;
    if (device) kas_device_get_info(device, &info);
    *out = (kas_device_report){
        .size = sizeof *out,
        .opened = device,
        .memory_total_bytes = info.memory_total_bytes,
        .memory_used_bytes = info.memory_used_bytes,
        .memory_free_bytes = info.memory_free_bytes,
        .layers = count_layers(engine, is_on, info.id),
    };
    snprintf(out->id, sizeof out->id, "%s", info.id);
    snprintf(out->kind, sizeof out->kind, "%s", info.kind);
    snprintf(out->api, sizeof out->api, "%s", info.api);
    snprintf(out->name, sizeof out->name, "%s", info.name);
    snprintf(out->uuid, sizeof out->uuid, "%s", info.uuid);
    snprintf(out->state, sizeof out->state, "%s", states[info.state]);
    if (!device) return;
    snprintf(out->fast_product, sizeof out->fast_product, "%s", kas_device_fast_product(device));
    const kas_device_limits *limits = kas_device_get_limits(device);
    out->max_buffer_bytes = limits->max_buffer_bytes;
    out->max_shared_bytes = limits->max_shared_bytes;
    out->max_group_items = limits->max_group_items;
    out->compute_units = limits->compute_units;
    out->fp16 = limits->fp16;
    out->bf16 = limits->bf16;
    out->subgroups = limits->subgroups;
    out->host_pointers = limits->host_pointers;
}

size_t kas_engine_list_devices(kas_engine *engine, kas_device_report *out, size_t capacity)
{
    kas_device_info infos[KAS_DEVICES_MAX];
    size_t count = kas_devices_list(&engine->devices, infos, KAS_DEVICES_MAX);
    if (count > capacity) count = capacity;
    for (size_t i = 0; i < count; ++i)
        report_device(engine, &infos[i], &out[i]);
    return count;
}

/* ---- history ---- */

size_t kas_engine_list_errors(kas_engine *engine, kas_error_record *out, size_t capacity)
{
    return kas_history_list(engine->history, out, capacity);
}

void kas_engine_recovery_stats(kas_engine *engine, kas_recovery_stats *out)
{
    kas_history_stats(engine->history, kas_engine_now(engine), out);
}

size_t kas_engine_events(kas_engine *engine, uint64_t after, kas_event *out, size_t capacity,
                         uint64_t *missed)
{
    return kas_events_list(&engine->events, after, out, capacity, missed);
}

uint64_t kas_engine_last_event(kas_engine *engine)
{
    return kas_events_last(&engine->events);
}

void kas_engine_on_events(kas_engine *engine, void (*wake)(void *user), void *user)
{
    kas_events_listen(&engine->events, wake, user);
}

/* ---- health ---- */

static void degrade(kas_health *health, const char *component, int64_t since_ns, const char *reason)
{
    if (health->status == KAS_HEALTH_OK) health->status = KAS_HEALTH_DEGRADED;
    if (health->degraded_count == sizeof health->degraded / sizeof *health->degraded) return;
    size_t at = health->degraded_count++;
    snprintf(health->degraded[at].component, sizeof health->degraded[at].component, "%s", component);
    snprintf(health->degraded[at].reason, sizeof health->degraded[at].reason, "%s", reason);
    health->degraded[at].since_ns = since_ns;
}

/* Lost devices, for whoever asks about one. */
typedef struct lost_devices {
    char ids[KAS_DEVICES_MAX][KAS_DEVICE_ID_SIZE];
    size_t count;
} lost_devices;

static bool is_lost(const lost_devices *lost, const char *device)
{
    for (size_t i = 0; i < lost->count; ++i)
        if (!strcmp(lost->ids[i], device)) return true;
    return false;
}

/* All devices that it could be computed on are lost. */
static bool is_cut_off(const kas_layer_info *layer, const void *user)
{
    const lost_devices *lost = user;
    if (!is_lost(lost, layer->device)) return false;
    for (uint32_t i = 0; i < layer->replica_count; ++i)
        if (layer->replicas[i].ready && !is_lost(lost, layer->replicas[i].device)) return false;
    return true;
}

/* A lost device fails the layers that are on it and nowhere else; once they have moved it is only less than
 * there was. */
static void check_devices(kas_engine *engine, kas_health *health)
{
    lost_devices lost;
    char reason[KAS_DETAIL_SIZE];
    lost.count = kas_devices_list_lost(&engine->devices, lost.ids);
    for (size_t i = 0; i < lost.count; ++i) {
        snprintf(reason, sizeof reason, "device %s is lost, with %u layers on it", lost.ids[i],
                 count_layers(engine, is_on, lost.ids[i]));
        degrade(health, "device", 0, reason);
    }
    if (lost.count == 0 || count_layers(engine, is_cut_off, &lost) == 0) return;
    health->status = KAS_HEALTH_FAILED;
    health->ready = false;
}

static void check_disk(kas_engine *engine, kas_health *health)
{
    uint32_t damaged = engine->disk ? kas_disk_tier_damaged(engine->disk) : 0;
    if (!damaged) return;
    char reason[KAS_DETAIL_SIZE];
    snprintf(reason, sizeof reason,
             "%u file%s of uploaded artifacts %s damaged; upload the artifacts again (see the log)", damaged,
             damaged == 1 ? "" : "s", damaged == 1 ? "is" : "are");
    degrade(health, "disk", 0, reason);
}

static void check_alerts(kas_engine *engine, kas_health *health, int64_t now_ns)
{
    pthread_mutex_lock(&engine->alert_lock);
    size_t count = engine->alert_count < KAS_ALERTS_MAX ? (size_t)engine->alert_count : KAS_ALERTS_MAX;
    for (size_t i = 0; i < count; ++i)
        if (engine->alerts[i].raised_ns >= now_ns - ALERT_SHOWN_NS)
            degrade(health, engine->alerts[i].component, engine->alerts[i].since_ns,
                    engine->alerts[i].reason);
    pthread_mutex_unlock(&engine->alert_lock);
}

static void check_errors(kas_engine *engine, kas_health *health, int64_t now_ns)
{
    kas_recovery_stats stats;
    char reason[KAS_DETAIL_SIZE];
    kas_history_stats(engine->history, now_ns, &stats);
    if (stats.active_recoveries) {
        snprintf(reason, sizeof reason,
                 "the base stands in for %u seed%s in ERROR_RECOVERY; /v1/errors names %s",
                 stats.active_recoveries, stats.active_recoveries == 1 ? "" : "s",
                 stats.active_recoveries == 1 ? "it" : "them");
        degrade(health, "seeds", 0, reason);
    }
    if (stats.error_rate_5min > ERROR_RATE_HIGH) {
        snprintf(reason, sizeof reason, "%.3f errors a second over five minutes; %.2f is the threshold",
                 stats.error_rate_5min, ERROR_RATE_HIGH);
        degrade(health, "errors", 0, reason);
    }
}

void kas_engine_health(kas_engine *engine, kas_health *out)
{
    int64_t now_ns = kas_engine_now(engine);
    *out = (kas_health){
        .size = sizeof *out,
        .ready = !atomic_load(&engine->stopping),
        .uptime_s = (double)(now_ns - engine->started_ns) / (double)KAS_NS_PER_S,
    };
    check_devices(engine, out);
    check_disk(engine, out);
    check_alerts(engine, out, now_ns);
    check_errors(engine, out, now_ns);
    if (!out->ready) out->status = KAS_HEALTH_FAILED;
}
