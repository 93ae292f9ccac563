/* Does a kernel fit a layer and a device? The order of the checks is part of the interface: the first reason
 * counts. */
#include <string.h>

#include "engine/state/rules.h"

static kas_status refuse(kas_status failure, const char *reason)
{
    return kas_with_reason(failure, reason);
}

static kas_status check_shapes(const kas_layer *layer, const kas_kernel_facts *facts)
{
    if (facts->input_size != layer->input_size)
        return refuse(kas_fail(KAS_INCOMPATIBLE_KERNEL, CALLER,
                               "its input_shape is %s; layer %s has input_size %u", facts->input_shape,
                               layer->name, layer->input_size),
                      "input_shape");
    if (facts->output_size != layer->output_size)
        return refuse(kas_fail(KAS_INCOMPATIBLE_KERNEL, CALLER,
                               "its output_shape is %s; layer %s has output_size %u", facts->output_shape,
                               layer->name, layer->output_size),
                      "output_shape");
    return NULL;
}

kas_status kas_check_compatible(const kas_state *state, const kas_layer *layer, uint32_t device_kind,
                                const kas_kernel_facts *facts, double max_memory_mb)
{
    if (facts->parameter_count > state->limits.parameters)
        return refuse(kas_fail(KAS_INCOMPATIBLE_KERNEL, CALLER, "it has %llu parameters; the limit is %llu",
                               (unsigned long long)facts->parameter_count,
                               (unsigned long long)state->limits.parameters),
                      "parameter_count");
    if (layer) KAS_TRY(check_shapes(layer, facts));
    if (facts->device_kinds && !(facts->device_kinds & device_kind))
        return refuse(kas_fail(KAS_INCOMPATIBLE_KERNEL, CALLER,
                               "its device_requirements do not name the device, which is %s",
                               kas_kind_name(device_kind)),
                      "device_requirements");
    double limit = max_memory_mb > 0 ? max_memory_mb : state->limits.memory_footprint_mb;
    if (!(facts->memory_footprint_mb <= limit))
        return refuse(kas_fail(KAS_INCOMPATIBLE_KERNEL, CALLER,
                               "its memory_footprint_mb is %g; the limit is %g", facts->memory_footprint_mb,
                               limit),
                      "memory_footprint_mb");
    return NULL;
}

kas_status kas_state_compatible(const kas_state *state, const char *layer, const kas_kernel_facts *facts,
                                double max_memory_mb)
{
    const kas_layer *found = kas_layer_find(state, layer);
    if (!found) return kas_fail(KAS_NOT_FOUND, CALLER, "there is no layer %s", layer);
    return kas_check_compatible(state, found, found->device_kind, facts, max_memory_mb);
}
