/* A layer on two devices at once: the same bits of both, always of one generation; where one is lost the
 * other answers. remote:0 (two_devices.h) computes the bits of host:0. Labelled `threads`. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "engine/control/engine.h"
#include "engine/exec/executor.h"
#include "tests/engine/placed_world.h"
#include "tests/unit/remote_device.h"

enum { ROUNDS = 20 };

/* ---- which device ---- */

/* The layer's present plan on a device; NULL: there is none. While nothing is published. */
static uint64_t calls_on(kas_engine *engine, const char *device)
{
    const kas_plan *plan = plan_on(engine, device);
    uint64_t calls = 0;
    for (uint32_t i = 0; plan && i < plan->set->count; ++i)
        calls += kas_counters_calls(&plan->counters[i]);
    return calls;
}

/* A pass while the other device is busy. */
static pass_result pass_on(kas_engine *engine, const char *device)
{
    const char *other = strcmp(device, "host:0") ? "host:0" : "remote:0";
    set_in_flight(engine, other, 1);
    uint64_t before = calls_on(engine, device);
    pass_result given = run_pass(engine, "a", PROBE_ROWS, 1);
    cr_expect_eq(calls_on(engine, device), before + 1, "the pass was not on %s", device);
    set_in_flight(engine, other, 0);
    return given;
}

static void expect_both_same(kas_engine *engine)
{
    wait_ready(engine);
    pass_result here = pass_on(engine, "host:0"), there = pass_on(engine, "remote:0");
    expect_same(&here, &there);
    cr_expect_eq(here.result.generation, there.result.generation);
}

/* ---- two at once ---- */

Test(engine_replicas, least_busy_and_same_bits)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    uint64_t generation = layer_of(engine, "a").generation;
    replicate(engine, "remote:0");
    cr_expect_eq(layer_of(engine, "a").generation, generation, "what the layer computes has not changed");
    pass_result here = pass_on(engine, "host:0"), there = pass_on(engine, "remote:0");
    expect_same(&before, &here);
    expect_same(&before, &there);
    uint64_t calls = calls_on(engine, "host:0");
    ok(run_pass(engine, "a", PROBE_ROWS, 1).status);
    cr_expect_eq(calls_on(engine, "host:0"), calls + 1, "where both are idle it is the layer's own device");
    kas_engine_destroy(engine);
}

/* Every way in which a layer changes. */
Test(engine_replicas, changes_are_on_both)
{
    kas_engine *engine = open_with_layer();
    replicate(engine, "remote:0");
    load(engine, "a", 2, "k2", 0.125f);
    expect_both_same(engine);
    set_alpha(engine, "a", 2, 0.25f);
    expect_both_same(engine);
    unload(engine, "a", 0);
    expect_both_same(engine);
    set_weights(engine, "a", 2, 1);
    expect_both_same(engine);
    stage_load(engine, "a", 0, "k0", 0.125f, 1);
    kas_reply reply = advance(engine, 1, false);
    cr_expect_eq(reply.applied, 1);
    kas_reply_finish(&reply);
    expect_both_same(engine);
    kas_request request = request_of(KAS_REQUEST_FOSSILIZE, "a", 1);
    must_call(engine, &request);
    expect_both_same(engine);
    kas_engine_destroy(engine);
}

/* How many operations there have been, once all have ended. */
static size_t operations_ended(kas_engine *engine)
{
    static kas_operation_info list[64];
    size_t count;
    bool running;
    do {
        for (size_t i = 0; i < sizeof list / sizeof *list; ++i)
            list[i].size = sizeof *list;
        count = kas_engine_list_operations(engine, 0, list, sizeof list / sizeof *list);
        running = false;
        for (size_t i = 0; i < count; ++i)
            running |= list[i].state < KAS_OPERATION_SUCCEEDED;
    } while (running);
    return count;
}

/* A staged load is made on all its devices, so that its epoch begins on all at once, with nothing to be made.
 */
Test(engine_replicas, what_is_staged_is_ready_on_both)
{
    kas_engine *engine = open_with_layer();
    replicate(engine, "remote:0");
    stage_load(engine, "a", 2, "k2", 0.125f, 1);
    size_t before = operations_ended(engine);
    cr_expect(layer_of(engine, "a").replicas[0].ready, "it serves while it gets ready");
    kas_reply reply = advance(engine, 1, false);
    cr_expect_eq(reply.applied, 1);
    kas_reply_finish(&reply);
    cr_expect(layer_of(engine, "a").replicas[0].ready);
    cr_expect_eq(operations_ended(engine), before, "something was made when the epoch had come");
    expect_both_same(engine);
    cr_expect(run_pass(engine, "a", 1, 1).result.seeds_used & 4);
    kas_engine_destroy(engine);
}

Test(engine_replicas, dropped)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    replicate(engine, "remote:0");
    ok(try_replicate(engine, NULL));
    cr_expect_eq(layer_of(engine, "a").replica_count, 0);
    cr_expect_null(plan_on(engine, "remote:0"));
    pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
    expect_same(&before, &after);
    for (int i = 0; i < 2; ++i) {
        kas_request evict = request_of(KAS_REQUEST_EVICT_KERNEL, NULL, 0);
        evict.artifact_id = i ? "k1" : "k0";
        unload(engine, "a", (uint32_t)i);
        while (kas_engine_call(engine, &evict, NULL))
            sched_yield();
    }
    while (used_of_remote(engine) > 0)
        sched_yield();
    kas_engine_destroy(engine);
}

Test(engine_replicas, made_with_the_layer_and_gone_with_it)
{
    kas_engine *engine = open_two(NULL);
    kas_request request = new_layer("a");
    request.create_layer.device = "host:0";
    request.create_layer.replicas = (kas_device_names){.count = 1, .names = {"remote:0"}};
    must_call(engine, &request);
    expect_both_same(engine);
    request = request_of(KAS_REQUEST_DELETE_LAYER, "a", 0);
    must_call(engine, &request);
    while (used_of_remote(engine) > 0)
        sched_yield();
    kas_engine_destroy(engine);
}

Test(engine_replicas, the_layer_moves_there)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    replicate(engine, "remote:0");
    move(engine, "remote:0");
    cr_expect_eq(layer_of(engine, "a").replica_count, 0);
    pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
    expect_same(&before, &after);
    kas_engine_destroy(engine);
}

/* ---- what cannot be ---- */

Test(engine_replicas, refused)
{
    kas_engine *engine = open_with_layer();
    expect_failure(try_replicate(engine, "host:0"), KAS_INVALID_ARGUMENT, "is on host:0 itself");
    expect_failure(try_replicate(engine, "auto"), KAS_INVALID_ARGUMENT, "named");
    expect_failure(try_replicate(engine, "remote:7"), KAS_NOT_FOUND, "remote:7");
    cr_expect_eq(layer_of(engine, "a").replica_count, 0);
    kas_engine_destroy(engine);
}

Test(engine_replicas, no_room)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    bool arrived = false;
    for (size_t room = 64; !arrived; room *= 2) {
        cr_assert_lt(room, 1u << 30);
        remote_device_set_room(room);
        kas_status status = try_replicate(engine, "remote:0");
        arrived = !status;
        if (status) expect_failure(status, KAS_OUT_OF_MEMORY, "layer a has no replica on remote:0");
        cr_expect_eq(layer_of(engine, "a").replica_count, arrived);
        pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
        expect_same(&before, &after);
    }
    kas_engine_destroy(engine);
}

/* ---- under traffic ---- */

/* Replicas come, lag behind, catch up and go; at last the device is lost: no pass fails, and nobody sees a
 * generation after a later one. */
Test(engine_replicas, no_pass_fails)
{
    kas_engine *engine = open_with_layer();
    traffic all = {0};
    traffic_start(&all, engine);
    for (int i = 0; i < ROUNDS; ++i) {
        replicate(engine, "remote:0");
        load(engine, "a", 2, i % 2 ? "k2" : "line", 0); /* alpha 0 moves no bit */
        if (i % 3 == 0) wait_ready(engine);
        unload(engine, "a", 2);
        if (i % 2) ok(try_replicate(engine, NULL));
    }
    replicate(engine, "remote:0");
    traffic_wait(&all, 50);
    remote_device_lose(devices.remote);
    traffic_wait(&all, 50);
    traffic_stop(&all);
    expect_no_failed_calls(engine);
    kas_engine_destroy(engine);
}
