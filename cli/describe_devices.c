/* How the devices of this machine would run a graph. */
#include <string.h>

#include "backends/core/device.h"
#include "cli/describe.h"
#include "engine/graph/segment.h"

enum { LISTED_MAX = 64, ROWS_LIMIT = 1 << 16 };

/* The kernels that a plan launches, in order: "linear, layernorm, linear". */
static json_t *launches(const kas_segment_plan *plan)
{
    json_t *names = json_array();
    uint32_t count = kas_segment_plan_info(plan)->launches;
    for (uint32_t i = 0; i < count; ++i)
        json_array_append_new(names,
                              json_string(kas_kernel_get_info(kas_segment_plan_kernel(plan, i))->name));
    return names;
}

static json_t *describe_plan(const char *id, const kas_segment_plan *plan)
{
    const kas_segment_info *info = kas_segment_plan_info(plan);
    return json_pack("{s:s, s:b, s:o, s:I, s:I, s:I, s:I}", "device", id, "runs", true, "launches",
                     launches(plan), "weight_bytes", (json_int_t)info->weight_bytes, "work_bytes",
                     (json_int_t)info->work_bytes, "rows_max", (json_int_t)info->rows_max, "flops_per_row",
                     (json_int_t)info->flops_per_row);
}

static json_t *refusal(const char *id, kas_status status)
{
    json_t *told =
        json_pack("{s:s, s:b, s:s}", "device", id, "runs", false, "reason", kas_status_message(status));
    kas_status_free(status);
    return told;
}

static json_t *describe_device(const char *id, const kas_graph *graph)
{
    kas_device *device;
    kas_segment_plan *plan = NULL;
    kas_status status = kas_device_open(id, &device);
    if (status) return refusal(id, status);
    status = kas_segment_plan_create(device, graph, ROWS_LIMIT, &plan);
    json_t *told = status ? refusal(id, status) : describe_plan(id, plan);
    kas_segment_plan_destroy(plan);
    kas_device_release(device);
    return told;
}

json_t *cli_describe_devices(const kas_graph *graph)
{
    json_t *all = json_array();
    for (size_t d = 0; d < kas_driver_count(); ++d) {
        kas_device_info infos[LISTED_MAX];
        size_t count = 0;
        kas_status status = kas_driver_list(kas_driver_at(d), infos, LISTED_MAX, &count);
        if (status) json_array_append_new(all, refusal(kas_driver_name(kas_driver_at(d)), status));
        for (size_t i = 0; i < count && i < LISTED_MAX; ++i)
            json_array_append_new(all, describe_device(infos[i].id, graph));
    }
    return all;
}
