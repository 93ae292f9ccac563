/* The kernel cache through the C API: limits, what goes first, what cannot go, one making however many ask.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tests/engine/engine_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(engine_cache, .fini = expect_no_leaks);

static void put_numbered(kas_engine *engine, unsigned count)
{
    for (unsigned i = 0; i < count; ++i) {
        char id[16];
        snprintf(id, sizeof id, "k%u", i);
        put_kernel(engine, id, onnx_product(FEATURES, (float)i, 1));
    }
}

static kas_cache_report cache_of(kas_engine *engine)
{
    kas_cache_report cache = {.size = sizeof cache};
    kas_engine_cache_stats(engine, &cache);
    return cache;
}

static bool is_on_device(kas_engine *engine, const char *id)
{
    kas_cached_kernel kernel = {.size = sizeof kernel};
    ok(kas_engine_kernel(engine, id, &kernel));
    bool resident = kernel.on_device;
    kas_cached_kernel_finish(&kernel);
    return resident;
}

/* What is drained leaves the seeds' hands a moment after the unload. */
static void await_evictable(kas_engine *engine)
{
    kas_cached_kernel kernels[16];
    for (bool busy = true; busy;) {
        size_t count = 0;
        busy = false;
        for (size_t i = 0; i < 16; ++i)
            kernels[i] = (kas_cached_kernel){.size = sizeof kernels[i]};
        ok(kas_engine_list_kernels(engine, "", kernels, 16, &count));
        for (size_t i = 0; i < count; ++i) {
            busy |= kernels[i].use_count > 0;
            kas_cached_kernel_finish(&kernels[i]);
        }
    }
}

/* It begins and ends within one command, but lasts until passes see it. */
Test(engine_cache, a_load_of_what_is_there_tells_how_long_it_took)
{
    kas_engine *engine = open_engine(NULL);
    put_kernel(engine, "k0", onnx_product(FEATURES, 0, 1));
    create_layer(engine, "a", 1, 1, 0);
    load(engine, "a", 0, "k0", 0.5f);
    kas_request request = request_of(KAS_REQUEST_LOAD, "a", 0);
    request.artifact_id = "k0";
    int64_t asked_ns = kas_monotonic_ns();
    kas_reply reply = must_call(engine, &request);
    int64_t answered_ns = kas_monotonic_ns();
    cr_expect(reply.finished, "what is on the device is loaded at once");
    kas_operation_info operation = {.size = sizeof operation};
    ok(kas_engine_operation(engine, reply.operation, &operation));
    cr_expect_eq(operation.state, KAS_OPERATION_SUCCEEDED);
    cr_expect(operation.duration_ns > 0 && operation.duration_ns < answered_ns - asked_ns, "%lld ns of %lld",
              (long long)operation.duration_ns, (long long)(answered_ns - asked_ns));
    kas_engine_destroy(engine);
}

Test(engine_cache, the_least_recently_used_goes_first, .timeout = 60)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.cache_entries = 2});
    put_numbered(engine, 3);
    create_layer(engine, "a", 2, 1, 0);
    load(engine, "a", 0, "k0", 0.5f);
    unload(engine, "a", 0);
    load(engine, "a", 0, "k1", 0.5f);
    unload(engine, "a", 0);
    load(engine, "a", 0, "k0", 0.5f); /* k1 is now the one that was not used for longest */
    unload(engine, "a", 0);
    await_evictable(engine);
    load(engine, "a", 0, "k2", 0.5f);
    cr_expect(is_on_device(engine, "k0"));
    cr_expect_not(is_on_device(engine, "k1"));
    cr_expect(is_on_device(engine, "k2"));
    kas_cache_report cache = cache_of(engine);
    cr_expect_eq(cache.device.entries, 2);
    cr_expect_eq(cache.device.max_entries, 2);
    cr_expect_eq(cache.device.evictions, 1);
    cr_expect_eq(cache.device.hits, 1);
    cr_expect_eq(cache.device.misses, 3);
    expect_line(engine, "a", 1.5, 0.5);
    load(engine, "a", 0, "k1", 0.5f); /* from the host tier */
    expect_line(engine, "a", 1, 0.5);
    cr_expect_geq(cache_of(engine).host.hits, 1);
    kas_engine_destroy(engine);
}

Test(engine_cache, what_seeds_use_cannot_go)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.cache_entries = 2});
    put_numbered(engine, 3);
    create_layer(engine, "a", 3, 1, 0);
    load(engine, "a", 0, "k0", 0.25f);
    load(engine, "a", 1, "k1", 0.25f);
    cr_expect_eq(try_load(engine, "a", 2, "k2", 0.25f), KAS_NO_ROOM);
    kas_seed_info seed = seed_of(engine, "a", 2);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(seed.last_error.type, KAS_ERROR_MEMORY_OVERFLOW);
    cr_expect(is_on_device(engine, "k0") && is_on_device(engine, "k1"));
    expect_line(engine, "a", 0.5 + 0 + 0.25, 0.5);
    cr_expect_eq(cache_of(engine).device.evictions, 0);
    kas_engine_destroy(engine);
}

Test(engine_cache, bytes_are_limited_too)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.cache_bytes = 64});
    put_numbered(engine, 1);
    create_layer(engine, "a", 1, 1, 0);
    cr_expect_eq(try_load(engine, "a", 0, "k0", 0.5f), KAS_NO_ROOM);
    cr_expect(strstr(seed_of(engine, "a", 0).last_error.detail, "64") != NULL);
    cr_expect_eq(cache_of(engine).device.entries, 0);
    cr_expect_eq(cache_of(engine).device.max_bytes, 64);
    kas_engine_destroy(engine);
}

Test(engine_cache, pinned_kernels_stay)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.cache_entries = 1});
    put_numbered(engine, 2);
    create_layer(engine, "a", 1, 1, 0);
    kas_request preload = request_of(KAS_REQUEST_PRELOAD, NULL, 0);
    preload.artifact_id = "k0";
    kas_reply reply = must_call(engine, &preload);
    ok(kas_engine_wait_operation(engine, reply.operation, 0));
    kas_request pin = request_of(KAS_REQUEST_PIN, NULL, 0);
    pin.artifact_id = "k0";
    must_call(engine, &pin);
    cr_expect_eq(try_load(engine, "a", 0, "k1", 0.5f), KAS_NO_ROOM);
    pin.kind = KAS_REQUEST_UNPIN;
    must_call(engine, &pin);
    load(engine, "a", 0, "k1", 0.5f);
    cr_expect_not(is_on_device(engine, "k0"));
    kas_engine_destroy(engine);
}

Test(engine_cache, evicting_forgets_the_bytes_but_not_whose_they_were)
{
    kas_engine *engine = open_engine(NULL);
    put_numbered(engine, 1);
    kas_request evict = request_of(KAS_REQUEST_EVICT_KERNEL, NULL, 0);
    evict.artifact_id = "k0";
    must_call(engine, &evict);
    kas_cached_kernel kernel = {.size = sizeof kernel};
    expect_failure(kas_engine_kernel(engine, "k0", &kernel), KAS_NOT_FOUND, "k0");
    create_layer(engine, "a", 1, 1, 0);
    cr_expect_eq(try_load(engine, "a", 0, "k0", 0.5f), KAS_NOT_FOUND);
    artifact_bytes other = onnx_product(FEATURES, 9, 9);
    kas_request put = request_of(KAS_REQUEST_PUT_KERNEL, NULL, 0);
    put.artifact_id = "k0";
    put.put_kernel.bytes = other.bytes;
    put.put_kernel.size_bytes = other.size;
    must_fail(engine, &put, KAS_CONFLICT, "bound to other bytes for good");
    free(other.bytes);
    put_kernel(engine, "k0", onnx_product(FEATURES, 0, 1)); /* the same bytes again */
    load(engine, "a", 0, "k0", 0.5f);
    kas_engine_destroy(engine);
}

/* ---- one making ---- */

enum { ASKERS = 8 };

typedef struct asker {
    kas_engine *engine;
    uint32_t seed;
    pthread_barrier_t *start;
    kas_code code;
} asker;

static void *ask(void *user)
{
    asker *self = user;
    pthread_barrier_wait(self->start);
    self->code = try_load(self->engine, "a", self->seed, "shared", 1.0f / ASKERS);
    return NULL;
}

Test(engine_cache, many_who_ask_at_once_cost_one_making, .timeout = 60)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.loaders = 4});
    put_kernel(engine, "shared", onnx_product(FEATURES, 5, 0));
    create_layer(engine, "a", ASKERS, 1, 0);
    uint64_t host_lookups = cache_of(engine).host.hits;
    pthread_barrier_t start;
    pthread_barrier_init(&start, NULL, ASKERS);
    asker askers[ASKERS];
    pthread_t threads[ASKERS];
    for (uint32_t i = 0; i < ASKERS; ++i) {
        askers[i] = (asker){.engine = engine, .seed = i, .start = &start};
        cr_assert_eq(pthread_create(&threads[i], NULL, ask, &askers[i]), 0);
    }
    for (uint32_t i = 0; i < ASKERS; ++i) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(askers[i].code, KAS_OK);
    }
    pthread_barrier_destroy(&start);
    kas_cache_report cache = cache_of(engine);
    cr_expect_eq(cache.device.entries, 1);
    cr_expect_eq(cache.device.misses, 1);
    cr_expect_eq(cache.device.hits, ASKERS - 1);
    cr_expect_eq(cache.host.hits - host_lookups, 1, "its bytes were looked for once");
    expect_line(engine, "a", 5, 0);
    kas_cached_kernel kernel = {.size = sizeof kernel};
    ok(kas_engine_kernel(engine, "shared", &kernel));
    cr_expect_eq(kernel.use_count, ASKERS);
    kas_cached_kernel_finish(&kernel);
    kas_engine_destroy(engine);
}
