/* Gathers the effects of a change while it is made, and hands them over in an order that is safe to carry
 * out: first memory is given back, then work is asked for that may need it, then views are published, then
 * what they no longer show is released, and only then is anybody told. */
#include <string.h>

#include "base/alloc.h"
#include "engine/state/rules.h"

enum { EFFECTS_MAX = 1 << 24 };

/* When an effect is carried out; within one stage in the order in which it came up. */
static const uint8_t stage_of[KAS_EFFECT_KIND_COUNT] = {
    [KAS_EFFECT_ABANDON] = 0,         [KAS_EFFECT_RELEASE_KERNEL] = 0, [KAS_EFFECT_RESOLVE] = 1,
    [KAS_EFFECT_UPLOAD] = 1,          [KAS_EFFECT_PUBLISH] = 2,        [KAS_EFFECT_UNPUBLISH] = 2,
    [KAS_EFFECT_MOVE_WEIGHTS] = 1,    [KAS_EFFECT_MOVE_TRY] = 1,       [KAS_EFFECT_MOVE_END] = 3,
    [KAS_EFFECT_RELEASE_WEIGHTS] = 3, [KAS_EFFECT_FOLD] = 3,           [KAS_EFFECT_OPERATION] = 4,
    [KAS_EFFECT_TRANSITION] = 4,      [KAS_EFFECT_LAYER_UPDATE] = 4,   [KAS_EFFECT_ERROR] = 4,
    [KAS_EFFECT_ALERT] = 4,           [KAS_EFFECT_REPLY] = 5,
};
enum { STAGE_COUNT = 6 };

static void finish_items(kas_effect *items, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        if (items[i].kind != KAS_EFFECT_REPLY) continue;
        kas_status_free(items[i].reply.status);
        if (items[i].reply.reply) kas_free(items[i].reply.reply->failed);
        kas_free(items[i].reply.reply);
    }
}

void kas_effects_finish(kas_effects *effects)
{
    finish_items(effects->items, effects->count);
    kas_free(effects->items);
    *effects = (kas_effects){0};
}

kas_status kas_emit(kas_state *state, kas_effect_kind kind, const kas_layer *layer, uint32_t seed,
                    kas_effect **out)
{
    kas_pending *pending = &state->pending;
    if (!kas_grow((void **)&pending->effects, &pending->effect_capacity, pending->effect_count + 1,
                  EFFECTS_MAX, sizeof *pending->effects))
        return kas_out_of_memory();
    kas_effect *effect = &pending->effects[pending->effect_count++];
    memset(effect, 0, sizeof *effect);
    effect->kind = kind;
    effect->seed = seed;
    if (layer) {
        effect->layer_uid = layer->uid;
        memcpy(effect->layer, layer->name, sizeof effect->layer);
    }
    *out = effect;
    return NULL;
}

kas_status kas_emit_plain(kas_state *state, kas_effect_kind kind, const kas_layer *layer)
{
    kas_effect *effect;
    return kas_emit(state, kind, layer, 0, &effect);
}

kas_status kas_emit_release(kas_state *state, kas_resource weights)
{
    if (!weights) return NULL;
    kas_effect *effect;
    KAS_TRY(kas_emit(state, KAS_EFFECT_RELEASE_WEIGHTS, NULL, 0, &effect));
    effect->weights.weights = weights;
    return NULL;
}

static const char *component_of(kas_error_type type)
{
    switch (type) {
    case KAS_ERROR_MEMORY_OVERFLOW:
        return "cache";
    case KAS_ERROR_DEVICE_ERROR:
        return "device";
    case KAS_ERROR_NETWORK_ERROR:
    case KAS_ERROR_CIRCUIT_BREAKER:
        return "registry";
    default:
        return "kernel";
    }
}

kas_status kas_emit_error(kas_state *state, kas_effect_kind kind, const kas_layer *layer, uint32_t seed,
                          const char *artifact_id, const kas_error_info *error)
{
    kas_effect *effect;
    KAS_TRY(kas_emit(state, kind, layer, seed, &effect));
    effect->error.type = error->type;
    effect->error.code = error->code;
    effect->error.component = component_of(error->type);
    memcpy(effect->error.artifact_id, artifact_id, strlen(artifact_id) + 1);
    memcpy(effect->error.detail, error->detail, sizeof effect->error.detail);
    return NULL;
}

kas_status kas_effects_deliver(kas_state *state, kas_effects *effects)
{
    kas_pending *pending = &state->pending;
    if (!kas_grow((void **)&effects->items, &effects->capacity, effects->count + pending->effect_count,
                  EFFECTS_MAX, sizeof *effects->items))
        return kas_out_of_memory();
    for (unsigned stage = 0; stage < STAGE_COUNT; ++stage)
        for (size_t i = 0; i < pending->effect_count; ++i)
            if (stage_of[pending->effects[i].kind] == stage)
                effects->items[effects->count++] = pending->effects[i];
    pending->effect_count = 0;
    return NULL;
}

void kas_effects_discard(kas_state *state)
{
    finish_items(state->pending.effects, state->pending.effect_count);
    state->pending.effect_count = 0;
}
