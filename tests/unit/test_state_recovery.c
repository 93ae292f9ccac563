/* What passes find: health, consecutive failures, blame, the one retry, quarantine. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/state_world.h"

TestSuite(state_recovery);

static void fail(world *w, uint32_t seed, kas_outcome outcome, int times)
{
    for (int i = 0; i < times; ++i)
        pass(w, "a", seed, outcome);
}

static void sample(world *w, kas_outcome outcome, float dead_ratio)
{
    kas_published_layer view = view_of(w, "a");
    kas_pass_result result = {.layer_uid = view.uid,
                              .binding = view.seeds[0].binding,
                              .seed = (uint16_t)view.seeds[0].seed,
                              .latency_us = 12,
                              .outcome = (uint8_t)outcome,
                              .dead_ratio = dead_ratio};
    give(w, (kas_command){.kind = KAS_COMMAND_PASS_RESULTS, .passes = {.results = &result, .count = 1}});
}

static size_t quarantined(const world *w)
{
    kas_quarantine_info info[4];
    return kas_state_list_quarantine(w->state, 0, info, 4);
}

Test(state_recovery, failures_must_be_consecutive)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    fail(&w, 0, KAS_OUTCOME_NON_FINITE, 2);
    cr_expect_eq(seed_of(&w, "a", 0).error_count, 2);
    cr_expect_eq(seed_of(&w, "a", 0).last_error.type, KAS_ERROR_KERNEL_EXECUTION);
    pass(&w, "a", 0, KAS_OUTCOME_OK);
    cr_expect_eq(seed_of(&w, "a", 0).error_count, 0);
    fail(&w, 0, KAS_OUTCOME_DEVICE, 2);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    advance(&w, 6, false);
    uint64_t generation = layer_of(&w, "a").generation;
    fail(&w, 0, KAS_OUTCOME_DEADLINE, 1);
    kas_seed_info seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_ERROR_RECOVERY);
    cr_expect(seed.fallback_active);
    cr_expect_eq(seed.last_update_epoch, 6);
    cr_expect_eq(seed.last_error.type, KAS_ERROR_TIMEOUT);
    cr_expect_eq(layer_of(&w, "a").generation, generation + 1);
    cr_expect_eq(view_of(&w, "a").seed_count, 0);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_TRANSITION), 1);
    world_finish(&w);
}

Test(state_recovery, results_of_another_binding_are_dropped)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    kas_published_layer view = view_of(&w, "a");
    kas_pass_result results[4];
    for (int i = 0; i < 4; ++i)
        results[i] = (kas_pass_result){.layer_uid = view.uid,
                                       .binding = view.seeds[0].binding,
                                       .outcome = KAS_OUTCOME_NON_FINITE,
                                       .dead_ratio = -1};
    results[1].binding += 1;
    results[2].layer_uid += 1;
    results[3].seed = 60;
    give(&w, (kas_command){.kind = KAS_COMMAND_PASS_RESULTS, .passes = {.results = results, .count = 4}});
    cr_expect_eq(seed_of(&w, "a", 0).error_count, 1);
    load(&w, "a", 0, "k", 0.5f);
    give(&w, (kas_command){.kind = KAS_COMMAND_PASS_RESULTS, .passes = {.results = results, .count = 1}});
    cr_expect_eq(seed_of(&w, "a", 0).error_count, 0, "a new load is a new binding");
    world_finish(&w);
}

Test(state_recovery, health_is_a_moving_average)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    sample(&w, KAS_OUTCOME_OK, 0.25f);
    cr_expect_float_eq(seed_of(&w, "a", 0).health_accumulator, 0.75f, 1e-6f, "the first sample as is");
    sample(&w, KAS_OUTCOME_OK, -1);
    cr_expect_float_eq(seed_of(&w, "a", 0).health_accumulator, 0.75f, 1e-6f, "not sampled");
    sample(&w, KAS_OUTCOME_OK, 0);
    cr_expect_float_eq(seed_of(&w, "a", 0).health_accumulator, 0.775f, 1e-6f, "0.9 · 0.75 + 0.1 · 1");
    sample(&w, KAS_OUTCOME_NON_FINITE, -1);
    cr_expect_float_eq(seed_of(&w, "a", 0).health_accumulator, 0.6975f, 1e-6f, "a failure scores 0");
    sample(&w, KAS_OUTCOME_OK, 0);
    cr_expect_float_eq(seed_of(&w, "a", 0).health_accumulator, 0.9f * 0.6975f + 0.1f * 0.8f, 1e-6f,
                       "1 of 5 recent executions failed");
    cr_expect_eq(seed_of(&w, "a", 0).exec_latency_us, 12);
    world_finish(&w);
}

Test(state_recovery, the_recent_error_rate_is_over_a_hundred)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    sample(&w, KAS_OUTCOME_NON_FINITE, -1);
    for (int i = 0; i < 99; ++i)
        sample(&w, KAS_OUTCOME_OK, -1);
    float before = seed_of(&w, "a", 0).health_accumulator;
    sample(&w, KAS_OUTCOME_OK, 0);
    cr_expect_float_eq(seed_of(&w, "a", 0).health_accumulator, before + 0.1f * (1 - before), 1e-6f,
                       "the failure is the 101st ago");
    world_finish(&w);
}

/* ---- the retry ---- */

Test(state_recovery, one_retry_after_thirty_seconds)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.25f);
    fail(&w, 0, KAS_OUTCOME_DEVICE, 3);
    cr_expect_eq(kas_state_next_wakeup(w.state), w.now_ns + 30 * KAS_NS_PER_S);
    pass_time(&w, 30 * KAS_NS_PER_S - 1);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ERROR_RECOVERY);
    pass_time(&w, 1);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE, "its kernel is on the device");
    cr_expect_float_eq(seed_of(&w, "a", 0).alpha_blend, 0.25f, 0);
    cr_expect_eq(kas_state_next_wakeup(w.state), KAS_NEVER);
    world_finish(&w);
}

Test(state_recovery, a_ramp_that_ran_is_remembered_by_where_it_went)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.25f);
    kas_command ramp = {.kind = KAS_COMMAND_SET_ALPHA,
                        .layer = "a",
                        .has_alpha = true,
                        .alpha = 0.75f,
                        .ramp = {.unit = KAS_RAMP_MS, .length = 1000}};
    cr_assert_eq(give(&w, ramp), KAS_OK);
    fail(&w, 0, KAS_OUTCOME_DEVICE, 3);
    cr_expect_float_eq(seed_of(&w, "a", 0).alpha_blend, 0.25f, 0);
    pass_time(&w, 31 * KAS_NS_PER_S);
    cr_expect_float_eq(seed_of(&w, "a", 0).alpha_blend, 0.75f, 0);
    world_finish(&w);
}

Test(state_recovery, an_operator_comes_first)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.25f);
    fail(&w, 0, KAS_OUTCOME_DEVICE, 3);
    ask(&w, KAS_COMMAND_RESET, "a", 0);
    cr_expect_eq(kas_state_next_wakeup(w.state), KAS_NEVER);
    pass_time(&w, 60 * KAS_NS_PER_S);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_DORMANT);
    world_finish(&w);
}

Test(state_recovery, a_failing_kernel_under_a_load_leaves_the_load)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "old", 0.5f);
    load(&w, "a", 0, "new", 0.25f);
    uint64_t make = asked_make(&w, KAS_EFFECT_RESOLVE);
    fail(&w, 0, KAS_OUTCOME_NON_FINITE, 3);
    kas_seed_info seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_LOADING);
    cr_expect(seed.fallback_active);
    cr_expect_eq(view_of(&w, "a").seed_count, 0);
    resolve(&w, make, "new", 10);
    ready(&w, make);
    seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_str_eq(seed.artifact_id, "new");
    cr_expect_not(seed.fallback_active);
    world_finish(&w);
}

/* ---- quarantine ---- */

static void into_quarantine(world *w, int64_t apart_ns)
{
    for (int i = 0; i < 3; ++i) {
        fail(w, 0, KAS_OUTCOME_NON_FINITE, 3);
        if (i == 2) return;
        pass_time(w, apart_ns);
        if (seed_of(w, "a", 0).lifecycle_state != KAS_SEED_ACTIVE) load(w, "a", 0, "k", 0.5f);
    }
}

Test(state_recovery, three_times_in_the_window_is_quarantine)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    load(&w, "a", 1, "k", 0.5f);
    into_quarantine(&w, KAS_NS_PER_S);
    cr_assert_eq(quarantined(&w), 1);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_ALERT), 1);
    cr_expect_eq(load(&w, "a", 2, "k", 0.5f), KAS_CONFLICT);
    cr_expect_str_eq(w.reason, "quarantined");
    cr_expect_eq(seed_of(&w, "a", 1).lifecycle_state, KAS_SEED_ACTIVE, "who holds it keeps it");
    pass_time(&w, 31 * KAS_NS_PER_S);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ERROR_RECOVERY, "it is never tried again");

    kas_command lift = {.kind = KAS_COMMAND_LIFT_QUARANTINE, .lift = {checksum_of("k")}};
    cr_assert_eq(give(&w, lift), KAS_OK);
    cr_expect_eq(give(&w, lift), KAS_NOT_FOUND);
    cr_expect_eq(quarantined(&w), 0);
    cr_assert_eq(load(&w, "a", 0, "k", 0.5f), KAS_OK);
    fail(&w, 0, KAS_OUTCOME_NON_FINITE, 3);
    cr_expect_eq(quarantined(&w), 0, "its count starts again");
    world_finish(&w);
}

Test(state_recovery, slower_than_the_window_is_not)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    into_quarantine(&w, 151 * KAS_NS_PER_S);
    cr_expect_eq(quarantined(&w), 0);
    world_finish(&w);
}

Test(state_recovery, device_errors_are_not_the_kernels_fault)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    for (int i = 0; i < 4; ++i) {
        fail(&w, 0, KAS_OUTCOME_NON_FINITE, 1);
        fail(&w, 0, i % 2 ? KAS_OUTCOME_DEVICE : KAS_OUTCOME_DEADLINE, 2);
        cr_assert_eq(load(&w, "a", 0, "k", 0.5f), KAS_OK);
    }
    cr_expect_eq(quarantined(&w), 0);
    world_finish(&w);
}

Test(state_recovery, quarantine_goes_by_checksum_and_stops_running_loads)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    kas_command bind = {
        .kind = KAS_COMMAND_BIND_ARTIFACT, .artifact_id = "alias", .bind = {checksum_of("k")}};
    give(&w, bind);
    load(&w, "a", 3, "unbound", 0.5f);
    uint64_t operation = w.reply.operation, make = asked_make(&w, KAS_EFFECT_RESOLVE);
    into_quarantine(&w, KAS_NS_PER_S);
    cr_expect_eq(load(&w, "a", 2, "alias", 0.5f), KAS_CONFLICT);
    resolve(&w, make, "k", 10);
    cr_expect_eq(operation_of(&w, operation).error_code, KAS_CONFLICT);
    cr_expect_str_eq(operation_of(&w, operation).error_reason, "quarantined");
    world_finish(&w);
}
