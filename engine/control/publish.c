/* Publishing what a command changed: a plan for each layer, all of them in one publication. */
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/control/engine.h"

enum { LAYERS_MAX = 1 << 20 };

typedef struct publication {
    kas_plan **plans;
    size_t plan_count;
    uint64_t *removed;
    size_t removed_count;
} publication;

static kas_segment *resolve(void *user, kas_resource resource)
{
    kas_engine *engine = user;
    const kas_held *held = kas_held_table_find(&engine->held, resource);
    return held ? held->segment : NULL;
}

/* ---- layers whose plan could not be made ---- */

static bool remember(kas_control *control, uint64_t uid)
{
    for (size_t i = 0; i < control->unpublished_count; ++i)
        if (control->unpublished[i] == uid) return true;
    void *grown = control->unpublished;
    if (!kas_grow(&grown, &control->unpublished_capacity, control->unpublished_count + 1, LAYERS_MAX,
                  sizeof *control->unpublished))
        return false;
    control->unpublished = grown;
    control->unpublished[control->unpublished_count++] = uid;
    return true;
}

static void forget(kas_control *control, uint64_t uid)
{
    for (size_t i = 0; i < control->unpublished_count; ++i)
        if (control->unpublished[i] == uid)
            control->unpublished[i] = control->unpublished[--control->unpublished_count];
}

/* ---- composing ---- */

/* On the device that *layer names; joins what is in *out. */
static kas_status compose_on(kas_engine *engine, const kas_published_layer *layer, kas_plan **out)
{
    kas_plan *plan;
    kas_device *device = kas_devices_find(&engine->devices, layer->device);
    if (!device)
        return kas_fail(KAS_INTERNAL, ENGINE, "layer %s is on %s, which is not open", layer->name,
                        layer->device);
    KAS_TRY(kas_annotate(kas_plan_create(engine->exec, layer, device, resolve, engine, &plan),
                         "the plan of layer %s on %s", layer->name, layer->device));
    if (*out)
        kas_plan_add_replica(*out, plan);
    else
        *out = plan;
    return NULL;
}

/* On all its devices. *out has those that could be; the status tells of the first that could not. */
static kas_status compose(kas_engine *engine, uint64_t uid, kas_plan **out)
{
    kas_published_layer layer;
    uint32_t next = 0;
    *out = NULL;
    if (!kas_state_published(engine->state, uid, &layer)) return NULL; /* it has gone since */
    kas_status status = compose_on(engine, &layer, out);
    while (kas_state_replica(engine->state, uid, next, &layer, &next)) {
        kas_status other = compose_on(engine, &layer, out);
        if (status)
            kas_status_free(other);
        else
            status = other;
    }
    return status;
}

/* A layer that cannot be composed on any of its devices keeps its present plan; it is tried again, as is one
 * that could not be on some. Not because of a lost device: it is published anew once it has left that. Memory
 * that is out stops everything. */
static bool add_plan(kas_engine *engine, publication *what, uint64_t uid)
{
    kas_plan *plan;
    kas_status status = compose(engine, uid, &plan);
    if (plan) what->plans[what->plan_count++] = plan;
    if (!status) {
        forget(&engine->control, uid);
        return true;
    }
    bool out_of_memory = kas_status_code(status) == KAS_OUT_OF_MEMORY;
    bool lost = kas_status_code(status) == KAS_DEVICE_LOST;
    if (lost) forget(&engine->control, uid);
    if (!out_of_memory)
        kas_error("control", "%s; %s", kas_status_message(status),
                  plan ? "its other devices serve" : "it keeps the present one");
    kas_status_free(status);
    return !out_of_memory && (lost || remember(&engine->control, uid));
}

static bool compose_all(kas_engine *engine, publication *what, const kas_effect *effects, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        if (effects[i].kind == KAS_EFFECT_UNPUBLISH) {
            forget(&engine->control, effects[i].layer_uid);
            what->removed[what->removed_count++] = effects[i].layer_uid;
        } else if (!add_plan(engine, what, effects[i].layer_uid)) {
            return false;
        }
    }
    return true;
}

static void discard(publication *what)
{
    for (size_t i = 0; i < what->plan_count; ++i)
        kas_plan_destroy(what->plans[i]);
    what->plan_count = 0;
}

static bool publish_composed(kas_engine *engine, publication *what)
{
    uint32_t epoch = kas_state_epoch(engine->state);
    kas_status status = kas_exec_publish(engine->exec, epoch, what->plans, what->plan_count, what->removed,
                                         what->removed_count);
    if (status) {
        kas_status_free(status); /* memory; the effect waits */
        return false;
    }
    what->plan_count = 0;
    engine->control.published_epoch = epoch;
    engine->control.reclaim_due_ns = kas_engine_now(engine);
    return true;
}

bool kas_publish(kas_engine *engine, const kas_effect *effects, size_t count)
{
    publication what = {
        .plans = kas_alloc_array(count, sizeof *what.plans),
        .removed = kas_alloc_array(count, sizeof *what.removed),
    };
    bool done = what.plans && what.removed && compose_all(engine, &what, effects, count) &&
                publish_composed(engine, &what);
    discard(&what);
    kas_free(what.plans);
    kas_free(what.removed);
    return done;
}

bool kas_publish_again(kas_engine *engine)
{
    kas_control *control = &engine->control;
    uint32_t epoch = kas_state_epoch(engine->state);
    if (!control->unpublished_count && control->published_epoch == epoch) return true;
    size_t count = control->unpublished_count;
    kas_effect *effects = kas_calloc(count + 1, sizeof *effects);
    if (!effects) return false;
    for (size_t i = 0; i < count; ++i)
        effects[i] = (kas_effect){.kind = KAS_EFFECT_PUBLISH, .layer_uid = control->unpublished[i]};
    bool done = count ? kas_publish(engine, effects, count) : publish_composed(engine, &(publication){0});
    kas_free(effects);
    return done;
}
