/* A layer goes to another device while it serves: the same bits, no pass that fails, and where something
 * cannot be made there it stays. remote:0 (two_devices.h) computes the bits of host:0. Labelled `threads`. */
#include <criterion/criterion.h>
#include <stdint.h>

#include "engine/control/engine.h"
#include "tests/engine/placed_world.h"
#include "tests/unit/remote_device.h"

enum { ROUND_TRIPS = 20 };

/* ---- there and back ---- */

Test(engine_move, same_bits_and_same_seeds)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    kas_layer_info was = layer_of(engine, "a");
    kas_seed_info seed = seed_of(engine, "a", 1);
    move(engine, "remote:0");
    pass_result there = run_pass(engine, "a", PROBE_ROWS, 1);
    expect_same(&before, &there);
    cr_expect_eq(there.result.generation, was.generation + 1, "a move is one generation");
    cr_expect_eq(layer_of(engine, "a").revision, was.revision + 1);
    cr_expect_str_eq(layer_of(engine, "a").weights_sha256, was.weights_sha256);
    cr_expect_eq(seed_of(engine, "a", 1).revision, seed.revision, "a seed changes as its layer moves");
    kas_layer_stats stats = {.size = sizeof stats};
    ok(kas_engine_layer_stats(engine, "a", &stats));
    cr_expect_eq(stats.forward_calls, 2, "statistics are of a device");
    move(engine, "host:0");
    pass_result back = run_pass(engine, "a", PROBE_ROWS, 1);
    expect_same(&before, &back);
    kas_engine_destroy(engine);
}

Test(engine_move, to_where_it_is_changes_nothing)
{
    kas_engine *engine = open_with_layer();
    kas_layer_info was = layer_of(engine, "a");
    move(engine, "host:0");
    cr_expect_eq(layer_of(engine, "a").generation, was.generation);
    cr_expect_eq(layer_of(engine, "a").revision, was.revision);
    kas_engine_destroy(engine);
}

/* Weights read back, set and staged; a staged load; fossils, folded there anew. */
Test(engine_move, all_that_is_the_layers_goes_along)
{
    kas_engine *engine = open_with_layer();
    stage_load(engine, "a", 2, "k2", 0.125f, 1);
    load(engine, "a", 3, "line", 0.125f);
    kas_request request = request_of(KAS_REQUEST_FOSSILIZE, "a", 3);
    must_call(engine, &request);
    move(engine, "remote:0");
    set_weights(engine, "a", 2, 1);
    kas_reply reply = advance(engine, 1, false);
    cr_expect_eq(reply.applied, 1);
    kas_reply_finish(&reply);
    cr_expect_eq(seed_of(engine, "a", 2).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed_of(engine, "a", 3).lifecycle_state, KAS_SEED_FOSSILIZED);
    for (uint32_t seed = 0; seed < 3; ++seed)
        unload(engine, "a", seed);
    expect_line(engine, "a", 2, 1); /* the base and the fossil are the same line */
    kas_engine_destroy(engine);
}

Test(engine_move, auto_takes_the_first_that_has_room)
{
    kas_engine *engine;
    const kas_engine_options options = {.size = sizeof options};
    const kas_env env = {.devices = &devices.source};
    two_devices_init(&devices);
    ok(kas_engine_create_in(&options, &env, &engine));
    kas_request request = new_layer("a");
    request.create_layer.device = "host:0";
    must_call(engine, &request);
    remote_device_set_room(16);
    ok(try_move(engine, "auto"));
    cr_expect_str_eq(layer_of(engine, "a").device, "host:0", "where it is there is room for it");
    remote_device_set_room(SIZE_MAX);
    ok(try_move(engine, "auto"));
    cr_expect_str_eq(layer_of(engine, "a").device, "remote:0");
    remote_device_set_room(16);
    ok(try_move(engine, NULL));
    cr_expect_str_eq(layer_of(engine, "a").device, "remote:0", "where it is there is room for it");
    kas_engine_destroy(engine);
}

/* Loading a vendor's library may take a second, in which the control thread must go on (remote_device.h). */
Test(engine_move, a_fast_product_is_started_by_a_task)
{
    kas_engine *engine = open_two(NULL);
    kas_request request = new_layer("a");
    request.create_layer.device = "host:0";
    request.create_layer.math = KAS_MATH_FAST;
    devices.fast_acts = 1;
    must_call(engine, &request);
    cr_expect_eq(remote_device_fast_starts(), 0);
    move(engine, "remote:0");
    cr_expect_eq(remote_device_fast_starts(), 1, "to where a fast layer moves");
    kas_engine_destroy(engine);
    engine = open_two(NULL);
    devices.fast_acts = 1;
    request.create_layer.device = "remote:0";
    request.create_layer.math = KAS_MATH_INVARIANT;
    must_call(engine, &request);
    cr_expect_eq(remote_device_fast_starts(), 0);
    request.layer = "b";
    request.create_layer.math = KAS_MATH_FAST;
    must_call(engine, &request);
    cr_expect_eq(remote_device_fast_starts(), 1, "where a fast layer is made");
    kas_engine_destroy(engine);
}

/* Who looks at devices asks for it, of those that are open. */
Test(engine_move, a_fast_product_is_reported)
{
    kas_device_report reports[3];
    kas_engine *engine = open_with_layer();
    devices.fast_acts = 1;
    cr_assert_eq(kas_engine_list_devices(engine, reports, 3), 3);
    cr_expect_str_eq(reports[1].fast_product, "", "it is not open");
    move(engine, "remote:0");
    cr_assert_eq(kas_engine_list_devices(engine, reports, 3), 3);
    cr_expect_str_eq(reports[1].fast_product, "the host's own");
    kas_engine_destroy(engine);
}

/* ---- it stays ---- */

/* However little the device has room for: the layer arrives, or it stays and nothing of it is left there. */
Test(engine_move, no_room)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    bool arrived = false;
    for (size_t room = 64; !arrived; room *= 2) {
        cr_assert_lt(room, 1u << 30);
        remote_device_set_room(room);
        kas_status status = try_move(engine, "remote:0");
        arrived = !status;
        if (status) expect_failure(status, KAS_OUT_OF_MEMORY, "layer a stays on host:0");
        cr_expect_str_eq(layer_of(engine, "a").device, arrived ? "remote:0" : "host:0");
        pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
        expect_same(&before, &after);
    }
    kas_engine_destroy(engine);
}

Test(engine_move, the_cache_has_no_room)
{
    kas_engine *engine = open_two(&(kas_engine_options){.cache_entries = 1});
    create_layer(engine, "a", 1, 1.5f, 0.25f);
    load(engine, "a", 0, "k0", 0.25f);
    expect_failure(try_move(engine, "remote:0"), KAS_NO_ROOM, "layer a stays on host:0: artifact k0");
    cr_expect_eq(seed_of(engine, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed_of(engine, "a", 0).last_error.type, KAS_ERROR_NONE,
                 "a move that fails is no seed's error");
    kas_engine_destroy(engine);
}

Test(engine_move, what_is_not_there)
{
    kas_engine *engine = open_with_layer();
    expect_failure(try_move(engine, "remote:7"), KAS_NOT_FOUND, "remote:7");
    kas_request request = request_of(KAS_REQUEST_MOVE_LAYER, "nobody", 0);
    request.move_layer.device = "remote:0";
    must_fail(engine, &request, KAS_NOT_FOUND, "nobody");
    cr_expect_eq(used_of_remote(engine), 0);
    kas_engine_destroy(engine);
}

/* With room for a kernel's weights and nothing else, passes hold fewer rows and give the same bits. */
Test(engine_move, a_full_device_takes_changes)
{
    kas_engine *engine = open_with_layer();
    pass_result before = run_pass(engine, "a", PROBE_ROWS, 1);
    unload(engine, "a", 0);
    unload(engine, "a", 1);
    move(engine, "remote:0");
    remote_device_set_room(used_of_remote(engine) + (8 << 10));
    load(engine, "a", 0, "k0", 0.25f);
    load(engine, "a", 1, "k1", 0.5f);
    pass_result after = run_pass(engine, "a", PROBE_ROWS, 1);
    expect_same(&before, &after);
    kas_engine_destroy(engine);
}

/* ---- under traffic ---- */

Test(engine_move, no_pass_fails)
{
    kas_engine *engine = open_with_layer();
    traffic all = {0};
    traffic_start(&all, engine);
    for (int i = 0; i < ROUND_TRIPS; ++i) {
        move(engine, "remote:0");
        load(engine, "a", 2, i % 2 ? "k2" : "line", 0); /* changes meanwhile: alpha 0 moves no bit */
        move(engine, "host:0");
        unload(engine, "a", 2);
    }
    traffic_wait(&all, 100);
    traffic_stop(&all);
    expect_no_failed_calls(engine);
    kas_layer_stats stats = {.size = sizeof stats};
    ok(kas_engine_layer_stats(engine, "a", &stats));
    cr_expect_eq(stats.forward_calls, 1 + atomic_load(&all.answers));
    kas_engine_destroy(engine);
}

/* Two at once: to the same place they are one, elsewhere the second is refused; and the layer may go. */
Test(engine_move, with_others)
{
    kas_engine *engine = open_with_layer();
    kas_request request = request_of(KAS_REQUEST_MOVE_LAYER, "a", 0);
    request.move_layer.device = "remote:0";
    for (int i = 0; i < ROUND_TRIPS; ++i) {
        kas_reply first = must_call(engine, &request), second = {.size = sizeof second};
        kas_request back = request, away = request_of(KAS_REQUEST_CANCEL_OPERATION, NULL, 0);
        back.move_layer.device = "host:0";
        kas_status status = kas_engine_call(engine, &back, &second);
        if (status) expect_failure(status, KAS_CONFLICT, "is being moved to remote:0");
        away.cancel.operation = first.operation;
        kas_status_free(kas_engine_call(engine, &away, NULL));
        kas_status_free(kas_engine_wait_operation(engine, first.operation, 0));
        pass_result given = run_pass(engine, "a", 1, 1);
        ok(given.status);
        move(engine, "host:0");
    }
    kas_reply last = must_call(engine, &request);
    kas_request gone = request_of(KAS_REQUEST_DELETE_LAYER, "a", 0);
    must_call(engine, &gone);
    if (last.operation) kas_status_free(kas_engine_wait_operation(engine, last.operation, 0));
    kas_engine_destroy(engine);
}

/* An engine that ends in the middle of a move leaves nothing behind (the sanitizers see to that). */
Test(engine_move, the_engine_ends)
{
    for (int i = 0; i < 4; ++i) {
        kas_engine *engine = open_with_layer();
        kas_request request = request_of(KAS_REQUEST_MOVE_LAYER, "a", 0);
        request.move_layer.device = "remote:0";
        must_call(engine, &request);
        for (int yields = 0; yields < i * 50; ++yields)
            sched_yield();
        kas_engine_destroy(engine);
    }
}
