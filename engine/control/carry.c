/* Carrying effects out, in the order in which the state gives them. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "engine/control/engine.h"

enum { SUBJECT_SIZE = 512 };
enum { EFFECTS_KEPT = 256 }; /* capacity that is kept from one command to the next */

static void copy_text(char *to, const char *from, size_t size)
{
    snprintf(to, size, "%s", from);
}

/* "layer digits seed 0 artifact digits-good: ", of which each is left out where there is none. */
static const char *subject_of(const kas_event *event, char out[SUBJECT_SIZE])
{
    char seed[24] = "";
    if (event->seed >= 0) snprintf(seed, sizeof seed, " seed %d", event->seed);
    snprintf(out, SUBJECT_SIZE, "%s%s%s%s%s%s", event->layer[0] ? "layer " : "", event->layer, seed,
             event->artifact_id[0] ? event->layer[0] ? " artifact " : "artifact " : "", event->artifact_id,
             event->layer[0] || event->artifact_id[0] ? ": " : "");
    return out;
}

static kas_event event_of(kas_engine *engine, kas_event_kind kind, const kas_effect *effect)
{
    kas_event event = {.at_ns = kas_engine_wall(engine), .kind = kind, .seed = -1};
    memcpy(event.layer, effect->layer, sizeof event.layer);
    return event;
}

static void carry_transition(kas_engine *engine, const kas_effect *effect)
{
    kas_event event = event_of(engine, KAS_EVENT_TRANSITION, effect);
    event.seed = (int32_t)effect->seed;
    event.from = effect->transition.from;
    event.to = effect->transition.to;
    memcpy(event.artifact_id, effect->transition.artifact_id, sizeof event.artifact_id);
    copy_text(event.reason, effect->transition.reason ? effect->transition.reason : "", sizeof event.reason);
    kas_events_push(&engine->events, &event);
    kas_history_note_transition(engine->history, effect->layer_uid, effect->seed, event.from, event.to,
                                kas_engine_now(engine));
    char subject[SUBJECT_SIZE];
    kas_log(event.to == KAS_SEED_ERROR_RECOVERY ? KAS_LOG_WARNING : KAS_LOG_INFO, "control",
            "%s%s to %s (%s)", subject_of(&event, subject), kas_lifecycle_name(event.from),
            kas_lifecycle_name(event.to), event.reason);
}

/* Only now is it known how long it took. The command asks for nothing, so that the effects stay as they are.
 */
static bool tell_published(kas_engine *engine, uint64_t operation)
{
    kas_command command = {.kind = KAS_COMMAND_PUBLISHED, .published = {.operation = operation}};
    kas_status status = kas_control_apply_alone(engine, &command);
    kas_status_free(status); /* out of memory */
    return !status;
}

static bool carry_operation(kas_engine *engine, const kas_effect *effect)
{
    const uint64_t operation = effect->operation.operation;
    if (effect->operation.published && !tell_published(engine, operation)) return false;
    kas_event event = event_of(engine, KAS_EVENT_OPERATION, effect);
    event.operation = operation;
    kas_events_push(&engine->events, &event);
    if (effect->operation.finished) kas_watch_notify(engine, operation);
    return true;
}

static void log_layer(kas_engine *engine, const char *name)
{
    kas_layer_info layer = {.size = sizeof layer};
    kas_status status = kas_state_layer_info(engine->state, name, &layer);
    if (status)
        kas_info("control", "layer %s: deleted", name);
    else
        kas_info("control", "layer %s: %s on %s, %u replicas, generation %llu", name,
                 layer.serving ? "ready" : "unloaded", layer.device, layer.replica_count,
                 (unsigned long long)layer.generation);
    kas_status_free(status);
}

static void carry_layer_update(kas_engine *engine, const kas_effect *effect)
{
    kas_event event = event_of(engine, KAS_EVENT_LAYER_UPDATE, effect);
    kas_events_push(&engine->events, &event);
    if (kas_log_enabled(KAS_LOG_INFO, "control")) log_layer(engine, effect->layer);
}

static kas_event error_event(kas_engine *engine, kas_event_kind kind, const kas_effect *effect)
{
    kas_event event = event_of(engine, kind, effect);
    if (effect->layer[0]) event.seed = (int32_t)effect->seed;
    event.error_type = effect->error.type;
    copy_text(event.component, effect->error.component ? effect->error.component : "",
              sizeof event.component);
    memcpy(event.artifact_id, effect->error.artifact_id, sizeof event.artifact_id);
    memcpy(event.detail, effect->error.detail, sizeof event.detail);
    return event;
}

static void carry_error(kas_engine *engine, const kas_effect *effect)
{
    kas_event event = error_event(engine, KAS_EVENT_ERROR, effect);
    kas_events_push(&engine->events, &event);
    kas_error_record record = {.size = sizeof record,
                               .at_ns = event.at_ns,
                               .type = event.error_type,
                               .code = effect->error.code,
                               .seed = event.seed};
    memcpy(record.component, event.component, sizeof record.component);
    memcpy(record.layer, event.layer, sizeof record.layer);
    memcpy(record.artifact_id, event.artifact_id, sizeof record.artifact_id);
    memcpy(record.detail, event.detail, sizeof record.detail);
    kas_history_note_error(engine->history, &record, kas_engine_now(engine));
    char subject[SUBJECT_SIZE];
    kas_warning("control", "%s%s: %s", subject_of(&event, subject), kas_error_type_name(event.error_type),
                event.detail);
}

static void carry_alert(kas_engine *engine, const kas_effect *effect)
{
    kas_event event = error_event(engine, KAS_EVENT_ALERT, effect);
    kas_events_push(&engine->events, &event);
    pthread_mutex_lock(&engine->alert_lock);
    size_t at = engine->alert_count++ % KAS_ALERTS_MAX;
    memcpy(engine->alerts[at].component, event.component, sizeof event.component);
    memcpy(engine->alerts[at].reason, event.detail, sizeof event.detail);
    engine->alerts[at].since_ns = event.at_ns;
    engine->alerts[at].raised_ns = kas_engine_now(engine);
    pthread_mutex_unlock(&engine->alert_lock);
    char subject[SUBJECT_SIZE];
    kas_log(KAS_LOG_CRITICAL, "control", "%s%s", subject_of(&event, subject), event.detail);
}

/* Whoever is told that an epoch has begun may rely on passes that see it. */
static bool carry_reply(kas_engine *engine, kas_effect *effect)
{
    if (engine->control.published_epoch != kas_state_epoch(engine->state) && !kas_publish_again(engine))
        return false;
    kas_call_replied(engine, effect);
    return true;
}

static bool carry_one(kas_engine *engine, kas_effect *effect)
{
    switch (effect->kind) {
    case KAS_EFFECT_REPLY:
        return carry_reply(engine, effect);
    case KAS_EFFECT_RESOLVE:
        return kas_make_resolve(engine, effect);
    case KAS_EFFECT_UPLOAD:
        kas_make_upload(engine, effect);
        return true;
    case KAS_EFFECT_ABANDON:
        kas_make_abandon(engine, effect);
        return true;
    case KAS_EFFECT_RELEASE_KERNEL:
        kas_held_table_remove(&engine->held, effect->kernel.kernel);
        return true;
    case KAS_EFFECT_RELEASE_WEIGHTS:
        kas_held_table_remove(&engine->held, effect->weights.weights);
        return true;
    case KAS_EFFECT_MOVE_WEIGHTS:
        return kas_move_copy(engine, effect);
    case KAS_EFFECT_MOVE_TRY:
        return kas_move_try(engine, effect);
    case KAS_EFFECT_MOVE_END:
        kas_move_end(engine, effect);
        return true;
    case KAS_EFFECT_FOLD:
        return kas_fold_start(engine, effect);
    case KAS_EFFECT_OPERATION:
        return carry_operation(engine, effect);
    case KAS_EFFECT_TRANSITION:
        carry_transition(engine, effect);
        return true;
    case KAS_EFFECT_LAYER_UPDATE:
        carry_layer_update(engine, effect);
        return true;
    case KAS_EFFECT_ERROR:
        carry_error(engine, effect);
        return true;
    case KAS_EFFECT_ALERT:
        carry_alert(engine, effect);
        return true;
    case KAS_EFFECT_PUBLISH:
    case KAS_EFFECT_UNPUBLISH: /* in groups, below */
    case KAS_EFFECT_KIND_COUNT:
        break;
    }
    return true;
}

static bool is_publication(const kas_effect *effect)
{
    return effect->kind == KAS_EFFECT_PUBLISH || effect->kind == KAS_EFFECT_UNPUBLISH;
}

/* The publication that begins with this effect: all of one command are next to each other. */
static bool carry_publication(kas_engine *engine, const kas_effect *effects, size_t left, size_t *count)
{
    size_t n = 1;
    while (n < left && is_publication(&effects[n]))
        ++n;
    if (!kas_publish(engine, effects, n)) return false;
    for (size_t i = 0; i < n; ++i)
        if (effects[i].kind == KAS_EFFECT_UNPUBLISH)
            kas_history_forget_layer(engine->history, effects[i].layer_uid);
    *count = n;
    return true;
}

bool kas_control_carry(kas_engine *engine)
{
    kas_control *control = &engine->control;
    kas_effects *effects = &control->effects;
    while (control->carried < effects->count) {
        kas_effect *effect = &effects->items[control->carried];
        size_t count = 1;
        if (is_publication(effect)) {
            if (!carry_publication(engine, effect, effects->count - control->carried, &count)) return false;
        } else if (!carry_one(engine, effect)) {
            return false;
        }
        control->carried += count;
    }
    effects->count = control->carried = 0;
    if (effects->capacity > EFFECTS_KEPT) kas_effects_finish(effects);
    return true;
}
