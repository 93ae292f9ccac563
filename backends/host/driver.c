#include "backends/host/driver.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/host/host.h"
#include "base/alloc.h"

/* ---- what it is ---- */

static size_t pages_to_bytes(long pages)
{
    long page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 ? (size_t)pages * (size_t)page : 0;
}

/* The processor's name as the system tells it; "processor" where it does not. */
static void processor_name(char out[KAS_DEVICE_NAME_SIZE])
{
    snprintf(out, KAS_DEVICE_NAME_SIZE, "processor");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file) return;
    char line[256];
    while (fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        snprintf(out, KAS_DEVICE_NAME_SIZE, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    fclose(file);
}

/* What can be had without swapping: caches that the kernel would give up count, which free pages alone do
 * not. */
static size_t available_bytes(void)
{
    unsigned long long kibibytes = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "MemAvailable: %llu kB", &kibibytes) == 1;
    if (file) fclose(file);
    return found ? (size_t)kibibytes << 10 : pages_to_bytes(sysconf(_SC_AVPHYS_PAGES));
}

static void fill_info(kas_device_info *info)
{
    memset(info, 0, sizeof *info);
    snprintf(info->id, sizeof info->id, "host:0");
    snprintf(info->kind, sizeof info->kind, "cpu");
    snprintf(info->api, sizeof info->api, "host");
    processor_name(info->name);
    info->memory_total_bytes = pages_to_bytes(sysconf(_SC_PHYS_PAGES));
    info->memory_free_bytes = available_bytes();
}

static kas_status list(kas_device_info *infos, size_t capacity, size_t *count)
{
    if (capacity > 0) fill_info(&infos[0]);
    *count = 1;
    return NULL;
}

static size_t memory_free(kas_device *device)
{
    (void)device;
    return available_bytes();
}

/* ---- opening ---- */

/* For each output of a panel: two vectors, at a quarter of what a slow processor can do. */
enum { GFLOPS_OF_A_COLUMN = 2 };

static unsigned usable_processors(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    if (count < 1) return 1;
    return (unsigned)count;
}

static kas_status choose_threads(unsigned *out)
{
    const char *text = getenv("KASMINA_THREADS");
    uint32_t wanted = kas_threads_wanted();
    *out = wanted ? wanted : usable_processors();
    if (*out > KAS_HOST_THREADS_MAX) *out = KAS_HOST_THREADS_MAX;
    if (wanted) return NULL;
    if (!text || !*text) return NULL;
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || value < 1 || value > KAS_HOST_THREADS_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "KASMINA_THREADS is \"%.32s\", not a number from 1 to %d", text,
                        KAS_HOST_THREADS_MAX);
    *out = (unsigned)value;
    return NULL;
}

static kas_status init(kas_device *device, uint32_t index)
{
    kas_host_device *self = (kas_host_device *)device;
    unsigned threads;
    if (index > 0) return kas_fail(KAS_NOT_FOUND, CALLER, "there is one host device, host:0");
    KAS_TRY(choose_threads(&threads));
    KAS_TRY(kas_host_isa_choose(getenv("KASMINA_HOST_ISA"), &self->isa));
    fill_info(&device->info);
    device->limits = (kas_device_limits){
        .max_buffer_bytes = SIZE_MAX / 2,
        .buffer_alignment = KAS_CACHE_LINE,
        .max_shared_bytes = 64 * 1024,
        .max_group_items = 1024,
        .compute_units = threads,
        .product_gflops = (uint32_t)self->isa->panel_columns * GFLOPS_OF_A_COLUMN,
        .host_pointers = true,
        .immediate = true,
    };
    return kas_host_pool_create(threads, &self->pool);
}

static void finish(kas_device *device)
{
    kas_host_pool_destroy(((kas_host_device *)device)->pool);
}

const char *kas_host_device_isa(const kas_device *device)
{
    return ((const kas_host_device *)device)->isa->name;
}

/* ---- weights of products ---- */

static size_t panel_columns(const kas_device *device)
{
    return ((const kas_host_device *)device)->isa->panel_columns;
}

static size_t packed_bytes(const kas_device *device, size_t inputs, size_t outputs)
{
    size_t panel = panel_columns(device), bytes;
    if (panel && !kas_add(outputs, panel - 1, &outputs)) return 0;
    if (panel) outputs = outputs / panel * panel;
    return kas_mul(inputs, outputs, &bytes) && kas_mul(bytes, sizeof(float), &bytes) ? bytes : 0;
}

static void pack(const kas_device *device, const float *weight, size_t inputs, size_t outputs, void *out)
{
    size_t panel = panel_columns(device) ? panel_columns(device) : outputs;
    float *to = out;
    for (size_t first = 0; first < outputs; first += panel)
        for (size_t k = 0; k < inputs; ++k)
            for (size_t n = first; n < first + panel; ++n)
                *to++ = n < outputs ? weight[n * inputs + k] : 0.0f;
}

static const kas_device_ops device_ops = {
    .size_bytes = sizeof(kas_host_device),
    .init = init,
    .finish = finish,
    .memory_free = memory_free,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .buffer = &kas_host_buffer_ops,
    .program = &kas_host_program_ops,
    .list = &kas_host_list_ops,
    .queue = &kas_host_queue_ops,
};

const kas_driver kas_host_driver = {.name = "host", .list = list, .device = &device_ops};
