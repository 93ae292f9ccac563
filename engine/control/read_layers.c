/* Reading layers, seeds and operations: copies, under the state's read lock. */
#include <string.h>

#include "base/alloc.h"
#include "engine/control/engine.h"

static void lock(kas_engine *engine)
{
    pthread_rwlock_rdlock(&engine->state_lock);
}

static void unlock(kas_engine *engine)
{
    pthread_rwlock_unlock(&engine->state_lock);
}

uint32_t kas_engine_epoch(kas_engine *engine, uint32_t *staged)
{
    lock(engine);
    uint32_t epoch = kas_state_epoch(engine->state);
    if (staged) *staged = kas_state_staged(engine->state);
    unlock(engine);
    return epoch;
}

kas_status kas_engine_layer(kas_engine *engine, const char *name, kas_layer_info *out)
{
    lock(engine);
    kas_status status = kas_state_layer_info(engine->state, name, out);
    unlock(engine);
    return status;
}

kas_status kas_engine_seed(kas_engine *engine, const char *layer, uint32_t seed, kas_seed_info *out)
{
    lock(engine);
    kas_status status = kas_state_seed_info(engine->state, layer, seed, out);
    unlock(engine);
    return status;
}

static kas_status read_seeds(const kas_state *state, const char *name, uint32_t count, kas_seed_info *seeds)
{
    for (uint32_t i = 0; i < count; ++i)
        KAS_TRY(kas_state_seed_info(state, name, i, &seeds[i]));
    return NULL;
}

kas_status kas_engine_layer_seeds(kas_engine *engine, const char *name, kas_layer_info *layer,
                                  kas_seed_info *seeds, uint32_t capacity)
{
    lock(engine);
    kas_status status = kas_state_layer_info(engine->state, name, layer);
    if (!status)
        status =
            read_seeds(engine->state, name, layer->num_seeds < capacity ? layer->num_seeds : capacity, seeds);
    unlock(engine);
    return status;
}

kas_status kas_engine_operation(kas_engine *engine, uint64_t operation, kas_operation_info *out)
{
    lock(engine);
    kas_status status = kas_state_operation_info(engine->state, operation, out);
    unlock(engine);
    return status;
}

size_t kas_engine_list_layers(kas_engine *engine, const char *after, kas_layer_info *out, size_t capacity)
{
    lock(engine);
    size_t count = kas_state_list_layers(engine->state, after, out, capacity);
    unlock(engine);
    return count;
}

size_t kas_engine_list_operations(kas_engine *engine, uint64_t after, kas_operation_info *out,
                                  size_t capacity)
{
    lock(engine);
    size_t count = kas_state_list_operations(engine->state, after, out, capacity);
    unlock(engine);
    return count;
}

/* The layer's own weights, retained: the state lock is what keeps them in the table meanwhile. */
static kas_status find_weights(kas_engine *engine, const char *layer, kas_held **out)
{
    uint64_t uid;
    kas_resource weights;
    kas_published_fossil fossils[KAS_MAX_SEEDS];
    uint32_t count;
    if (!kas_state_layer_uid(engine->state, layer, &uid) ||
        !kas_state_fold_source(engine->state, uid, &weights, fossils, &count))
        return kas_fail(KAS_NOT_FOUND, CALLER, "there is no layer %s", layer);
    *out = kas_held_table_retain(&engine->held, weights);
    return *out ? NULL : kas_fail(KAS_INTERNAL, ENGINE, "the weights of layer %s are not there", layer);
}

kas_status kas_engine_weights(kas_engine *engine, const char *layer, void **bytes, size_t *size_bytes)
{
    kas_held *held = NULL;
    lock(engine);
    kas_status status = find_weights(engine, layer, &held);
    unlock(engine);
    KAS_TRY(status);
    status = kas_weights_to_safetensors(&held->weights, bytes, size_bytes);
    kas_held_release(held);
    return status;
}
