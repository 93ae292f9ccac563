/* Changes through the C API: epochs over layers, ramps, fossils, and what is asked for twice. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/engine/engine_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(engine_changes, .fini = expect_no_leaks);

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static kas_engine *open_two_layers(void)
{
    kas_engine *engine = open_engine(NULL);
    put_kernel(engine, "triple", onnx_product(FEATURES, 3, 0));
    put_kernel(engine, "plus", onnx_product(FEATURES, 1, 4));
    put_kernel(engine, "net", onnx_network(FEATURES, 5, 1));
    create_layer(engine, "a", 3, 1, 0);
    create_layer(engine, "b", 3, 2, 0);
    return engine;
}

/* ---- epochs ---- */

Test(engine_changes, what_is_staged_for_an_epoch_takes_effect_at_once_in_all_layers)
{
    kas_engine *engine = open_two_layers();
    load(engine, "b", 0, "plus", 0.5f); /* (2x + x + 4)/2 */
    stage_load(engine, "a", 0, "triple", 0.5f, 5);
    kas_request staged_unload = request_of(KAS_REQUEST_UNLOAD, "b", 0);
    staged_unload.at_epoch = 4;
    must_call(engine, &staged_unload);
    uint32_t staged;
    cr_expect_eq(kas_engine_epoch(engine, &staged), 0);
    cr_expect_eq(staged, 2);
    cr_expect_eq(seed_of(engine, "a", 0).staged.change, KAS_CHANGE_LOAD);
    cr_expect_eq(seed_of(engine, "a", 0).lifecycle_state, KAS_SEED_DORMANT);
    expect_line(engine, "a", 1, 0);
    expect_line(engine, "b", 1.5, 2);

    kas_reply reply = advance(engine, 5, false);
    cr_expect_eq(reply.epoch, 5);
    cr_expect_eq(reply.applied, 2);
    cr_expect_eq(reply.failed_count, 0);
    kas_reply_finish(&reply);
    expect_line(engine, "a", 2, 0);
    expect_line(engine, "b", 2, 0);
    pass_result pass = run_pass(engine, "b", 1, 1);
    cr_expect_eq(pass.result.epoch, 5);
    cr_expect_eq(seed_of(engine, "a", 0).last_update_epoch, 5);
    cr_expect_eq(kas_engine_epoch(engine, &staged), 5);
    cr_expect_eq(staged, 0);
    kas_engine_destroy(engine);
}

Test(engine_changes, a_staged_load_that_is_not_ready_holds_the_epoch_back_unless_it_is_skipped)
{
    kas_engine *engine = open_two_layers();
    kas_request staged = request_of(KAS_REQUEST_LOAD, "a", 0);
    staged.artifact_id = "missing";
    staged.at_epoch = 2;
    kas_reply reply = must_call(engine, &staged);
    kas_status failure = kas_engine_wait_operation(engine, reply.operation, 0);
    expect_failure(failure, KAS_NOT_FOUND, "missing");
    kas_request request = request_of(KAS_REQUEST_ADVANCE_EPOCH, NULL, 0);
    request.advance.epoch = 2;
    expect_failure(kas_engine_call(engine, &request, &reply), KAS_CONFLICT, "not ready");
    cr_assert_eq(reply.failed_count, 1);
    cr_expect_str_eq(reply.failed[0].layer, "a");
    cr_expect_eq(reply.failed[0].seed, 0);
    kas_reply_finish(&reply);
    cr_expect_eq(kas_engine_epoch(engine, NULL), 0);
    reply = advance(engine, 2, true);
    cr_expect_eq(reply.failed_count, 1);
    cr_expect_eq(reply.applied, 0);
    kas_reply_finish(&reply);
    cr_expect_eq(kas_engine_epoch(engine, NULL), 2);
    kas_engine_destroy(engine);
}

Test(engine_changes, weights_can_be_staged_and_what_is_staged_dropped)
{
    kas_engine *engine = open_two_layers();
    artifact_bytes weights = safetensors_weights(FEATURES, 5, 1, 1);
    kas_request request = request_of(KAS_REQUEST_SET_WEIGHTS, "a", 0);
    request.at_epoch = 1;
    request.set_weights.bytes = weights.bytes;
    request.set_weights.size_bytes = weights.size;
    must_call(engine, &request);
    free(weights.bytes);
    load(engine, "b", 1, "triple", 0.5f);
    kas_request unload_later = request_of(KAS_REQUEST_UNLOAD, "b", 1);
    unload_later.at_epoch = 1;
    must_call(engine, &unload_later);
    kas_request drop = request_of(KAS_REQUEST_DROP_STAGED, "b", 1);
    must_call(engine, &drop);
    expect_line(engine, "a", 1, 0);
    kas_reply reply = advance(engine, 1, false);
    cr_expect_eq(reply.applied, 1);
    kas_reply_finish(&reply);
    expect_line(engine, "a", 5, 1);
    expect_line(engine, "b", 2.5, 0);
    kas_engine_destroy(engine);
}

/* ---- ramps ---- */

Test(engine_changes, a_ramp_over_passes_moves_with_them)
{
    kas_engine *engine = open_two_layers();
    kas_request request = request_of(KAS_REQUEST_LOAD, "a", 0);
    request.artifact_id = "triple";
    request.has_alpha = true;
    request.alpha = 1;
    request.ramp = (kas_ramp){.unit = KAS_RAMP_PASSES, .length = 4};
    kas_reply reply = must_call(engine, &request);
    ok(kas_engine_wait_operation(engine, reply.operation, 0));
    kas_seed_info seed = seed_of(engine, "a", 0);
    cr_expect_eq(seed.alpha_blend, 0);
    cr_expect(seed.has_alpha_target && seed.alpha_target == 1);
    uint64_t generation = layer_of(engine, "a").generation;
    for (uint64_t k = 1; k <= 6; ++k) {
        uint64_t step = k < 4 ? k : 4;
        expect_line(engine, "a", 1 + 2 * (double)step / 4, 0);
        while (layer_of(engine, "a").generation != generation + step)
            pause_briefly(); /* the state hears of it a little later */
    }
    seed = seed_of(engine, "a", 0);
    cr_expect_eq(seed.alpha_blend, 1);
    cr_expect_not(seed.has_alpha_target);
    kas_engine_destroy(engine);
}

Test(engine_changes, a_ramp_that_begins_while_another_runs_starts_at_its_first_step)
{
    kas_engine *engine = open_engine(NULL);
    put_kernel(engine, "twice", onnx_product(FEATURES, 2, 0));
    create_layer(engine, "l", 2, 1, 0);
    kas_request request = request_of(KAS_REQUEST_SET_ALPHA, "l", 0);
    request.has_alpha = true;
    request.alpha = 1;
    request.ramp = (kas_ramp){.unit = KAS_RAMP_PASSES, .length = 1000};
    load(engine, "l", 0, "twice", 0);
    load(engine, "l", 1, "twice", 0);
    must_call(engine, &request);
    for (int i = 0; i < 20; ++i) /* of some of which the control plane has not heard yet */
        ok(run_pass(engine, "l", 1, 1).status);
    request.seed = 1;
    request.ramp.length = 4;
    uint64_t begins = must_call(engine, &request).generation;
    pass_result first = run_pass(engine, "l", 1, 1);
    ok(first.status);
    cr_expect_eq(first.result.generation, begins + 1);
    kas_engine_destroy(engine);
}

Test(engine_changes, a_ramp_over_time_ends_at_its_target, .timeout = 60)
{
    kas_engine *engine = open_two_layers();
    load(engine, "a", 0, "triple", 0);
    kas_request request = request_of(KAS_REQUEST_SET_ALPHA, "a", 0);
    request.has_alpha = true;
    request.alpha = 0.5f;
    request.ramp = (kas_ramp){.unit = KAS_RAMP_MS, .length = 60, .curve = KAS_CURVE_COSINE};
    must_call(engine, &request);
    float last = 0;
    for (kas_seed_info seed = seed_of(engine, "a", 0); seed.has_alpha_target;
         seed = seed_of(engine, "a", 0)) {
        cr_assert(seed.alpha_blend >= last && seed.alpha_blend <= 0.5f, "%g after %g",
                  (double)seed.alpha_blend, (double)last);
        last = seed.alpha_blend;
        pause_briefly();
    }
    cr_expect_eq(seed_of(engine, "a", 0).alpha_blend, 0.5f);
    expect_line(engine, "a", 2, 0);
    request.alpha = 0;
    request.ramp.length = 100000;
    must_call(engine, &request);
    set_alpha(engine, "a", 0, 0.25f); /* a direct one ends it */
    cr_expect_not(seed_of(engine, "a", 0).has_alpha_target);
    expect_line(engine, "a", 1.5, 0);
    kas_engine_destroy(engine);
}

/* ---- fossils ---- */

static void fossilize(kas_engine *engine, uint32_t seed)
{
    kas_request request = request_of(KAS_REQUEST_FOSSILIZE, "a", seed);
    must_call(engine, &request);
}

/* A layer's plan has no fossil steps once its generation has grown by the fold's publication. */
static void await_fold(kas_engine *engine, uint64_t generation)
{
    while (layer_of(engine, "a").generation < generation)
        pause_briefly();
}

Test(engine_changes, fossils_that_are_affine_are_folded_and_the_output_does_not_move)
{
    kas_engine *engine = open_two_layers();
    load(engine, "a", 0, "triple", 0.25f);
    load(engine, "a", 1, "plus", 0.5f);
    expect_line(engine, "a", 0.25 + 0.75 + 0.5, 2);
    fossilize(engine, 0); /* α′ = ¼ / (1 − ¾ + ¼) = ½ */
    expect_line(engine, "a", 1.5, 2);
    uint64_t generation = layer_of(engine, "a").generation;
    kas_seed_info seed = seed_of(engine, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_FOSSILIZED);
    cr_expect_eq(seed.alpha_blend, 0.5f);
    cr_expect_not(seed.contributing);
    expect_line(engine, "a", 1.5, 2);
    unload(engine, "a", 1); /* D̂ = ½x + ½·3x */
    expect_line(engine, "a", 2, 0);
    set_weights(engine, "a", 4, 0); /* the original weights, from which the fold is derived again */
    expect_line(engine, "a", 3.5, 0);
    await_fold(engine, generation + 3);
    expect_line(engine, "a", 3.5, 0);
    cr_expect_eq(layer_of(engine, "a").fossils, 1);
    pass_result pass = run_pass(engine, "a", 2, 1);
    cr_expect_eq(pass.result.seeds_used, 0);
    kas_engine_destroy(engine);
}

Test(engine_changes, fossils_that_are_not_affine_stay_steps)
{
    kas_engine *engine = open_two_layers();
    load(engine, "a", 0, "net", 0.5f);
    pass_result before = run_pass(engine, "a", 3, 1);
    fossilize(engine, 0);
    pass_result after = run_pass(engine, "a", 3, 1);
    cr_expect_eq(memcmp(before.y, after.y, sizeof after.y), 0, "the same bits");
    cr_expect_eq(after.result.seeds_used, 0);
    cr_expect_gt(after.result.generation, before.result.generation);
    kas_engine_destroy(engine);
}

Test(engine_changes, no_fossil_of_more_than_the_whole)
{
    kas_engine *engine = open_two_layers();
    load(engine, "a", 0, "triple", 0.75f);
    load(engine, "a", 1, "plus", 0.5f);
    kas_request request = request_of(KAS_REQUEST_FOSSILIZE, "a", 0);
    must_fail(engine, &request, KAS_CONFLICT, "1.25");
    kas_engine_destroy(engine);
}

/* ---- the same again ---- */

Test(engine_changes, what_changes_nothing_is_no_generation)
{
    kas_engine *engine = open_two_layers();
    load(engine, "a", 0, "triple", 0.5f);
    uint64_t generation = layer_of(engine, "a").generation;
    set_alpha(engine, "a", 0, 0.5f);
    unload(engine, "a", 1);
    kas_request serving = request_of(KAS_REQUEST_SET_SERVING, "a", 0);
    serving.set_serving.serving = true;
    must_call(engine, &serving);
    cr_expect_eq(layer_of(engine, "a").generation, generation);
    set_alpha(engine, "a", 0, 0.25f);
    cr_expect_eq(layer_of(engine, "a").generation, generation + 1);
    unload(engine, "a", 0);
    unload(engine, "a", 0);
    cr_expect_eq(layer_of(engine, "a").generation, generation + 2);
    kas_engine_destroy(engine);
}

Test(engine_changes, the_same_artifact_again_is_the_same_artifact)
{
    kas_engine *engine = open_two_layers();
    artifact_bytes artifact = onnx_product(FEATURES, 3, 0);
    kas_request request = request_of(KAS_REQUEST_PUT_KERNEL, NULL, 0);
    request.artifact_id = "triple";
    request.put_kernel.bytes = artifact.bytes;
    request.put_kernel.size_bytes = artifact.size;
    cr_expect_not(must_call(engine, &request).created);
    request.artifact_id = "alias"; /* another name for the same bytes: one kernel */
    cr_expect(must_call(engine, &request).created);
    free(artifact.bytes);
    load(engine, "a", 0, "triple", 0.5f);
    load(engine, "b", 0, "alias", 0.5f);
    kas_cache_report cache = {.size = sizeof cache};
    kas_engine_cache_stats(engine, &cache);
    cr_expect_eq(cache.device.entries, 1);
    kas_engine_destroy(engine);
}

Test(engine_changes, a_load_over_a_kernel_keeps_it_until_the_new_one_is_there)
{
    kas_engine *engine = open_two_layers();
    load(engine, "a", 0, "triple", 0.5f);
    cr_expect_eq(try_load(engine, "a", 0, "missing", 0.5f), KAS_NOT_FOUND);
    cr_expect_eq(seed_of(engine, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    expect_line(engine, "a", 2, 0);
    load(engine, "a", 0, "plus", 0.5f);
    expect_line(engine, "a", 1, 2);
    kas_engine_destroy(engine);
}

Test(engine_changes, out_of_service_and_back)
{
    kas_engine *engine = open_two_layers();
    kas_request serving = request_of(KAS_REQUEST_SET_SERVING, "a", 0);
    must_call(engine, &serving);
    pass_result pass = run_pass(engine, "a", 1, 1);
    expect_failure(pass.status, KAS_UNAVAILABLE, "out of service");
    load(engine, "a", 0, "triple", 0.5f); /* its seeds can still be changed */
    serving.set_serving.serving = true;
    must_call(engine, &serving);
    expect_line(engine, "a", 2, 0);
    kas_request remove = request_of(KAS_REQUEST_DELETE_LAYER, "a", 0);
    remove.delete_layer.force = true;
    must_call(engine, &remove);
    pass = run_pass(engine, "a", 1, 1);
    expect_failure(pass.status, KAS_NOT_FOUND, "no layer a");
    kas_engine_destroy(engine);
}
