#include "engine/control/trial.h"

#include <stdio.h>

/* Nobody's layer and resource: neither is ever handed out. */
#define NOBODY UINT64_MAX

static kas_segment *resolve_base(void *user, kas_resource resource)
{
    return resource == NOBODY ? user : NULL;
}

kas_status kas_trial_base(kas_engine *engine, const char *layer, kas_math math, kas_device *device,
                          kas_segment *base, kas_plan **out)
{
    const kas_segment_info *info = kas_segment_get_info(base);
    kas_published_layer published = {.uid = NOBODY,
                                     .input_size = (uint32_t)info->inputs,
                                     .output_size = (uint32_t)info->outputs,
                                     .math = math,
                                     .weights = NOBODY};
    snprintf(published.name, sizeof published.name, "%s", layer);
    return kas_plan_create_whole(engine->exec, &published, device, resolve_base, base, out);
}

static kas_segment *resolve_held(void *user, kas_resource resource)
{
    kas_engine *engine = user;
    const kas_held *held = kas_held_table_find(&engine->held, resource);
    return held ? held->segment : NULL;
}

kas_status kas_trial_move(kas_engine *engine, uint64_t operation, kas_plan **out)
{
    kas_published_layer published;
    if (!kas_state_moving(engine->state, operation, &published))
        return kas_fail(KAS_INTERNAL, ENGINE, "operation op-%llu moves no layer",
                        (unsigned long long)operation);
    kas_device *device = kas_devices_find(&engine->devices, published.device);
    if (!device)
        return kas_fail(KAS_INTERNAL, ENGINE, "layer %s moves to %s, which is not open", published.name,
                        published.device);
    return kas_plan_create_whole(engine->exec, &published, device, resolve_held, engine, out);
}
