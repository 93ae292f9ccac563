/* A device that is lost, or hangs until it is: its layers are answered by the host, which they move to by
 * themselves, and the engine ends without waiting for it. remote:0 (two_devices.h) computes the bits of
 * host:0. Labelled `threads`. */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "backends/core/fault.h"
#include "base/clock.h"
#include "engine/control/engine.h"
#include "engine/exec/executor.h"
#include "tests/engine/placed_world.h"
#include "tests/unit/remote_device.h"

enum { EVENTS_MAX = 256 };

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

static bool says(const kas_health *health, const char *part)
{
    for (uint32_t i = 0; i < health->degraded_count; ++i)
        if (strstr(health->degraded[i].reason, part)) return true;
    return false;
}

static void wait_until_lost(void)
{
    while (!kas_device_is_lost(devices.remote))
        sched_yield();
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
        expect_same(&before, &after);
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

/* What stands in its way goes: so does the layer, a little later. Passes wait for it meanwhile. */
Test(engine_loss, a_move_that_fails_is_tried_again)
{
    kas_engine *engine = open_remote(NULL);
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    kas_device *host;
    ok(kas_devices_open(&engine->devices, "host:0", &host));
    kas_fault_arm(KAS_FAULT_ALLOCATION, 1, KAS_OUT_OF_MEMORY);
    remote_device_lose(devices.remote);
    pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
    expect_same(&before, &after);
    cr_expect(kas_fault_fired(KAS_FAULT_ALLOCATION));
    cr_expect_str_eq(layer_of(engine, "a").device, "host:0");
    cr_expect(was_told(engine, KAS_EVENT_ALERT, "layer a stays on remote:0, which is lost"));
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

Test(engine_loss, the_other_device_is_lost)
{
    kas_engine *engine = open_with_layer();
    move(engine, "remote:0");
    move(engine, "host:0");
    remote_device_lose(devices.remote);
    expect_failure(try_move(engine, "remote:0"), KAS_DEVICE_LOST, "layer a stays on host:0");
    pass_result after = run_pass(engine, "a", 1, 1);
    ok(after.status);
    kas_health health = health_of(engine);
    cr_expect(health.ready, "a lost device that no layer is on makes the engine unready");
    cr_expect_eq(health.status, KAS_HEALTH_DEGRADED);
    kas_engine_destroy(engine);
}

/* Nothing is read from where it was: the host has the weights, and the artifacts. */
Test(engine_loss, away_from_a_lost_device)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    move(engine, "remote:0");
    remote_device_lose(devices.remote);
    kas_health health = health_of(engine);
    cr_expect_not(health.ready);
    move(engine, "host:0");
    pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
    expect_same(&before, &after);
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
        expect_same(&before, &after);
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

Test(engine_loss, no_pass_fails)
{
    kas_engine *engine = open_remote(NULL);
    traffic all = {0};
    traffic_start(&all, engine);
    traffic_wait(&all, 20);
    remote_device_lose(devices.remote);
    traffic_wait(&all, 20);
    traffic_stop(&all);
    wait_for_device(engine, "host:0");
    kas_engine_destroy(engine);
}

/* Until every context hangs and passes wait for one: they are answered by the host then. */
Test(engine_loss, every_context_hangs)
{
    kas_engine *engine = open_remote(&(kas_engine_options){.grace_ns = 200 * KAS_NS_PER_MS});
    traffic all = {.may_hang = true};
    const kas_context_set *set = atomic_load(&engine->exec->sets[0]);
    traffic_start(&all, engine);
    remote_device_hang_for_good();
    while (atomic_load(&set->hanging) < set->count && !kas_device_is_lost(devices.remote))
        sched_yield();
    wait_until_lost();
    remote_device_forbid_freeing(true);
    wait_for_device(engine, "host:0");
    atomic_store(&all.may_hang, false);
    traffic_wait(&all, 20);
    traffic_stop(&all);
    kas_engine_destroy(engine);
}

/* ---- replicas ---- */

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
        expect_same(&before, &after);
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
    move(engine, "host:0");
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
    expect_same(&before, &after);
    kas_engine_destroy(engine);
}

Test(engine_loss, the_replicas_device_is_lost)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    replicate(engine, "remote:0");
    remote_device_lose(devices.remote);
    set_in_flight(engine, "host:0", 1000); /* so that it is asked first */
    for (int i = 0; i < 3; ++i) {
        pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
        expect_same(&before, &after);
    }
    expect_no_failed_calls(engine);
    cr_expect(health_of(engine).ready);
    cr_expect_eq(health_of(engine).status, KAS_HEALTH_DEGRADED);
    kas_engine_destroy(engine);
}

/* And the layer can still be changed. */
Test(engine_loss, the_layers_device_is_lost)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    move(engine, "remote:0");
    replicate(engine, "host:0");
    remote_device_lose(devices.remote);
    for (int i = 0; i < 3; ++i) {
        pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
        expect_same(&before, &after);
    }
    expect_no_failed_calls(engine);
    cr_expect(health_of(engine).ready, "its replica serves");
    cr_expect_eq(health_of(engine).status, KAS_HEALTH_DEGRADED);
    move(engine, "host:0");
    pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
    expect_same(&before, &after);
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
