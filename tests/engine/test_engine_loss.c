/* A device that is lost, or hangs until it is: its layers are answered by the host, which they move to by
 * themselves, and the engine ends without waiting for it. remote:0 (two_devices.h) computes the bits of
 * host:0. Labelled `threads`. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "engine/control/engine.h"
#include "engine/exec/executor.h"
#include "tests/engine/engine_world.h"
#include "tests/engine/two_devices.h"
#include "tests/unit/remote_device.h"

enum { CLIENTS = 3, EVENTS_MAX = 256 };

static two_devices devices;

/* Layer a is on remote:0; host:0 is opened by nobody yet. */
static kas_engine *open_remote(const kas_engine_options *given)
{
    kas_engine_options options = given ? *given : (kas_engine_options){0};
    const kas_env env = {.devices = &devices.source};
    kas_engine *engine;
    two_devices_init(&devices);
    options.size = sizeof options;
    options.device = "remote:0";
    ok(kas_engine_create_in(&options, &env, &engine));
    put_kernel(engine, "k0", onnx_network(FEATURES, 11, 0));
    put_kernel(engine, "k1", onnx_network(FEATURES, 11, 1));
    create_layer(engine, "a", 4, 1.5f, 0.25f);
    load(engine, "a", 0, "k0", 0.25f);
    load(engine, "a", 1, "k1", 0.5f);
    return engine;
}

static kas_health health_of(kas_engine *engine)
{
    kas_health health = {.size = sizeof health};
    kas_engine_health(engine, &health);
    return health;
}

static bool says(const kas_health *health, const char *part)
{
    for (uint32_t i = 0; i < health->degraded_count; ++i)
        if (strstr(health->degraded[i].reason, part)) return true;
    return false;
}

static void wait_for_device(kas_engine *engine, const char *device)
{
    while (strcmp(layer_of(engine, "a").device, device) != 0)
        sched_yield();
}

static void wait_until_lost(void)
{
    while (!kas_device_is_lost(devices.remote))
        sched_yield();
}

static void expect_bits(const pass_result *want, const pass_result *got)
{
    cr_assert_null(got->status, "%s", kas_status_message(got->status));
    cr_expect_eq(memcmp(want->y, got->y, sizeof want->y), 0, "other bits");
}

static bool was_told(kas_engine *engine, kas_event_kind kind, const char *part)
{
    static kas_event events[EVENTS_MAX];
    size_t count = kas_engine_events(engine, 0, events, EVENTS_MAX, NULL);
    for (size_t i = 0; i < count; ++i)
        if (events[i].kind == kind && strstr(events[i].detail, part)) return true;
    return false;
}

/* ---- loss ---- */

Test(engine_loss, its_layers_go_to_the_host)
{
    kas_engine *engine = open_remote(NULL);
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    remote_device_lose(devices.remote);
    for (int i = 0; i < 10; ++i) { /* the first is what finds out */
        pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
        expect_bits(&before, &after);
    }
    cr_expect_str_eq(layer_of(engine, "a").device, "host:0");
    kas_layer_stats stats = {.size = sizeof stats};
    ok(kas_engine_layer_stats(engine, "a", &stats));
    cr_expect_eq(stats.failed_calls, 0);
    kas_health health = health_of(engine);
    cr_expect(health.ready);
    cr_expect_eq(health.status, KAS_HEALTH_DEGRADED);
    cr_expect(says(&health, "remote:0 is lost"));
    cr_expect(was_told(engine, KAS_EVENT_ALERT, "remote:0 is lost, with 1 layers on it"));
    cr_expect(was_told(engine, KAS_EVENT_ERROR, "fell off its bus"));
    load(engine, "a", 0, "k1", 0.25f); /* and it can be changed as ever */
    kas_engine_destroy(engine);
}

/* Nobody asks for a pass: an upload finds out. */
Test(engine_loss, a_load_finds_out)
{
    kas_engine *engine = open_remote(NULL);
    remote_device_lose(devices.remote);
    set_alpha(engine, "a", 0, 0.125f);
    (void)try_load(engine, "a", 2, "k1", 0.25f);
    wait_for_device(engine, "host:0");
    load(engine, "a", 2, "k1", 0.25f);
    kas_engine_destroy(engine);
}

/* What cannot be made on the host stays, and an operator is told why. */
Test(engine_loss, nowhere_to_go)
{
    kas_engine *engine = open_remote(&(kas_engine_options){.deadline_ns = 50 * KAS_NS_PER_MS});
    kas_device *host;
    ok(kas_devices_open(&engine->devices, "host:0", &host));
    remote_device_lose(host);
    remote_device_lose(devices.remote);
    expect_failure(run_pass(engine, "a", 1, 1).status, KAS_DEVICE_LOST, "layer a");
    cr_expect_str_eq(layer_of(engine, "a").device, "remote:0");
    cr_expect_not(health_of(engine).ready);
    kas_engine_destroy(engine);
}

/* ---- hangs ---- */

/* Each pass hangs, until the device has been away for too long: from then on none fails. */
Test(engine_loss, a_device_that_does_not_come_back)
{
    kas_engine *engine = open_remote(&(kas_engine_options){.grace_ns = 20 * KAS_NS_PER_MS});
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    kas_request alphas = request_of(KAS_REQUEST_SET_ALPHA, "a", 0);
    remote_device_hang_for_good();
    pass_result hung = run_pass(engine, "a", PROBE_ROWS, 1);
    cr_expect(!hung.status || kas_status_code(hung.status) == KAS_DEADLINE);
    kas_status_free(hung.status);
    wait_until_lost();
    remote_device_forbid_freeing(true);
    for (int i = 0; i < 10; ++i) {
        pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
        expect_bits(&before, &after);
    }
    cr_expect_str_eq(layer_of(engine, "a").device, "host:0");
    cr_expect(was_told(engine, KAS_EVENT_ALERT, "passed its deadline"));
    cr_expect(health_of(engine).ready);
    alphas.has_alpha = true;
    must_call(engine, &alphas);
    kas_engine_destroy(engine);
}

/* One that comes back in time goes on. */
Test(engine_loss, a_device_that_comes_back)
{
    kas_engine *engine = open_remote(NULL);
    unload(engine, "a", 0);
    unload(engine, "a", 1);
    remote_device_hang(1, 0);
    expect_failure(run_pass(engine, "a", 1, 1).status, KAS_DEADLINE, "layer a");
    const kas_context_set *set = atomic_load(&engine->exec->sets[0]);
    cr_expect_eq(atomic_load(&set->hanging), 1u);
    remote_device_recover();
    while (atomic_load(&set->hanging) > 0)
        sched_yield();
    ok(run_pass(engine, "a", 1, 1).status);
    cr_expect_str_eq(layer_of(engine, "a").device, "remote:0");
    cr_expect_eq(health_of(engine).status, KAS_HEALTH_OK);
    kas_engine_destroy(engine);
}

/* ---- under traffic ---- */

typedef struct traffic {
    kas_engine *engine;
    const pass_result *expected;
    bool may_hang;
    atomic_bool over;
    atomic_uint answers, wrong;
} traffic;

static void *ask(void *user)
{
    traffic *all = user;
    while (!atomic_load(&all->over)) {
        pass_result given = run_pass(all->engine, "a", PROBE_ROWS, 1);
        kas_code code = kas_status_code(given.status);
        bool right = code == KAS_OK && memcmp(given.y, all->expected->y, sizeof given.y) == 0;
        bool hung = code == KAS_DEADLINE || (code == KAS_OK && given.result.seeds_failed);
        kas_status_free(given.status);
        atomic_fetch_add(&all->wrong, !right && !(all->may_hang && hung));
        atomic_fetch_add(&all->answers, 1);
    }
    return NULL;
}

static void start(traffic *all, pthread_t *clients)
{
    for (int i = 0; i < CLIENTS; ++i)
        cr_assert_eq(pthread_create(&clients[i], NULL, ask, all), 0);
}

static void stop(traffic *all, const pthread_t *clients)
{
    unsigned enough = atomic_load(&all->answers) + 20;
    while (atomic_load(&all->answers) < enough)
        sched_yield();
    atomic_store(&all->over, true);
    for (int i = 0; i < CLIENTS; ++i)
        cr_assert_eq(pthread_join(clients[i], NULL), 0);
    cr_expect_eq(atomic_load(&all->wrong), 0u);
}

Test(engine_loss, no_pass_fails)
{
    kas_engine *engine = open_remote(NULL);
    pass_result expected = run_pass(engine, "a", PROBE_ROWS, 1);
    traffic all = {.engine = engine, .expected = &expected};
    pthread_t clients[CLIENTS];
    start(&all, clients);
    while (atomic_load(&all.answers) < 20)
        sched_yield();
    remote_device_lose(devices.remote);
    stop(&all, clients);
    wait_for_device(engine, "host:0");
    kas_engine_destroy(engine);
}

/* Until every context hangs and passes wait for one: they are answered by the host then. */
Test(engine_loss, every_context_hangs)
{
    kas_engine *engine = open_remote(&(kas_engine_options){.grace_ns = 200 * KAS_NS_PER_MS});
    pass_result expected = run_pass(engine, "a", PROBE_ROWS, 1);
    traffic all = {.engine = engine, .expected = &expected, .may_hang = true};
    pthread_t clients[CLIENTS];
    const kas_context_set *set = atomic_load(&engine->exec->sets[0]);
    start(&all, clients);
    remote_device_hang_for_good();
    while (atomic_load(&set->hanging) < set->count && !kas_device_is_lost(devices.remote))
        sched_yield();
    wait_until_lost();
    remote_device_forbid_freeing(true);
    wait_for_device(engine, "host:0");
    all.may_hang = false;
    stop(&all, clients);
    kas_engine_destroy(engine);
}

/* ---- replicas ---- */

static void replicate(kas_engine *engine, const char *device)
{
    kas_request request = request_of(KAS_REQUEST_SET_REPLICAS, "a", 0);
    request.set_replicas.replicas = (kas_device_names){.count = 1, .names = {device}};
    kas_reply reply = must_call(engine, &request);
    if (reply.operation) ok(kas_engine_wait_operation(engine, reply.operation, 0));
    while (!layer_of(engine, "a").replicas[0].ready)
        sched_yield();
}

/* Its passes are computed on the replica's; so are those that come while it is away. */
Test(engine_loss, a_replica_stands_in_for_a_device_that_hangs)
{
    kas_engine *engine = open_remote(NULL);
    unload(engine, "a", 0);
    unload(engine, "a", 1);
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    replicate(engine, "host:0");
    const kas_context_set *set = atomic_load(&engine->exec->sets[0]);
    remote_device_hang(1, 0);
    for (int i = 0; i < 5; ++i) {
        pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
        expect_bits(&before, &after);
        cr_expect_eq(atomic_load(&set->hanging), 1u, "it is asked while it hangs");
    }
    kas_layer_stats stats = {.size = sizeof stats};
    ok(kas_engine_layer_stats(engine, "a", &stats));
    cr_expect_eq(stats.failed_calls, 0);
    remote_device_recover();
    while (atomic_load(&set->hanging) > 0)
        sched_yield();
    kas_engine_destroy(engine);
}

static kas_engine *open_with_lost_replica(void)
{
    kas_engine *engine = open_remote(NULL);
    kas_request request = request_of(KAS_REQUEST_MOVE_LAYER, "a", 0);
    request.move_layer.device = "host:0";
    kas_reply reply = must_call(engine, &request);
    if (!reply.finished) ok(kas_engine_wait_operation(engine, reply.operation, 0));
    replicate(engine, "remote:0");
    remote_device_lose(devices.remote);
    (void)try_load(engine, "a", 2, "k1", 0.25f);
    while (!layer_of(engine, "a").replica_count || !layer_of(engine, "a").replicas[0].lost)
        sched_yield();
    return engine;
}

Test(engine_loss, a_lost_replica_is_listed_as_such)
{
    kas_engine *engine = open_with_lost_replica();
    cr_expect_not(layer_of(engine, "a").replicas[0].ready);
    cr_expect_str_eq(layer_of(engine, "a").device, "host:0");
    ok(run_pass(engine, "a", PROBE_ROWS, 1).status);
    set_weights(engine, "a", 2, 1); /* changes do not wake it */
    cr_expect(layer_of(engine, "a").replicas[0].lost);
    kas_request request = request_of(KAS_REQUEST_SET_REPLICAS, "a", 0);
    must_call(engine, &request);
    cr_expect_eq(layer_of(engine, "a").replica_count, 0);
    kas_engine_destroy(engine);
}

/* The layer goes to its replica's device: there it has all that it needs. */
Test(engine_loss, a_replica_takes_over)
{
    kas_engine *engine = open_remote(NULL);
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    replicate(engine, "host:0");
    remote_device_lose(devices.remote);
    (void)try_load(engine, "a", 2, "k1", 0.25f);
    wait_for_device(engine, "host:0");
    cr_expect_eq(layer_of(engine, "a").replica_count, 0);
    unload(engine, "a", 2);
    pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
    expect_bits(&before, &after);
    kas_engine_destroy(engine);
}

/* ---- the end ---- */

/* Nothing is freed that a driver would wait for, and nobody waits for the grace time either. */
Test(engine_loss, the_engine_ends_while_a_device_hangs)
{
    kas_engine *engine = open_remote(NULL);
    unload(engine, "a", 0);
    unload(engine, "a", 1);
    remote_device_hang_for_good();
    expect_failure(run_pass(engine, "a", 1, 1).status, KAS_DEADLINE, "layer a");
    kas_device *device = kas_device_retain(devices.remote);
    remote_device_forbid_freeing(true);
    kas_engine_destroy(engine);
    cr_expect(kas_device_is_lost(device));
    kas_device_release(device);
}
