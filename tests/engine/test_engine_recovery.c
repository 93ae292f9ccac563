/* A kernel that fails while it serves: answers stay right, and what is known of it can be read. */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "tests/engine/engine_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(engine_recovery, .fini = expect_no_leaks);

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static kas_engine *open_rig(void)
{
    kas_engine *engine = open_engine(NULL);
    put_kernel(engine, "root", onnx_sqrt(FEATURES));
    put_kernel(engine, "triple", onnx_product(FEATURES, 3, 0));
    create_layer(engine, "a", 2, 1, 0);
    load(engine, "a", 0, "root", 0.5f);
    load(engine, "a", 1, "triple", 0.5f);
    return engine;
}

/* √x fails on negative rows: the answer is that of the other seed and the base. */
static void expect_without_root(kas_engine *engine)
{
    pass_result pass = run_pass(engine, "a", 2, -1);
    ok(pass.status);
    for (uint32_t i = 0; i < 2 * FEATURES; ++i)
        cr_expect_eq(pass.y[i], -2 * (float)(1 + i));
    cr_expect_eq(pass.result.seeds_used, 2);
}

static void fail_three_times(kas_engine *engine)
{
    for (int i = 0; i < 3; ++i)
        expect_without_root(engine);
    while (seed_of(engine, "a", 0).lifecycle_state != KAS_SEED_ERROR_RECOVERY)
        pause_briefly();
    while (run_pass(engine, "a", 1, 1).result.seeds_used != 2) /* the plan without it comes after the state */
        pause_briefly();
}

Test(engine_recovery, three_failures_in_a_row_take_a_seed_out, .timeout = 60)
{
    kas_engine *engine = open_rig();
    expect_without_root(engine);
    ok(run_pass(engine, "a", 2, 1).status); /* one that succeeds: the count starts again */
    while (seed_of(engine, "a", 0).error_count != 0)
        pause_briefly();
    fail_three_times(engine);
    kas_seed_info seed = seed_of(engine, "a", 0);
    cr_expect_eq(seed.error_count, 3);
    cr_expect(seed.fallback_active);
    cr_expect_eq(seed.last_error.type, KAS_ERROR_KERNEL_EXECUTION);
    expect_without_root(engine);
    pass_result pass = run_pass(engine, "a", 1, 1);
    cr_expect_eq(pass.result.seeds_used, 2, "it does not serve");
    kas_layer_stats stats = {.size = sizeof stats};
    ok(kas_engine_layer_stats(engine, "a", &stats));
    cr_expect_eq(stats.failed_calls, 0);
    cr_expect_eq(stats.kernel_failures, 4);
    kas_engine_destroy(engine);
}

/* Whether a transition to ERROR_RECOVERY is among the events, which are numbered without a gap. */
static bool events_tell(kas_engine *engine)
{
    static kas_event events[256];
    uint64_t missed = 0;
    size_t count = kas_engine_events(engine, 0, events, 256, &missed);
    bool found = false;
    cr_expect_eq(missed, 0);
    for (size_t i = 0; i < count; ++i) {
        cr_expect_eq(events[i].sequence, i + 1);
        found |= events[i].kind == KAS_EVENT_TRANSITION && events[i].to == KAS_SEED_ERROR_RECOVERY &&
                 !strcmp(events[i].layer, "a") && events[i].seed == 0;
    }
    return found;
}

Test(engine_recovery, events_and_history_tell_of_it, .timeout = 60)
{
    kas_engine *engine = open_rig();
    fail_three_times(engine);
    while (!events_tell(engine)) /* they follow the state that readers see */
        pause_briefly();
    kas_error_record errors[16];
    cr_expect_geq(kas_engine_list_errors(engine, errors, 16), 1);
    cr_expect_eq(errors[0].type, KAS_ERROR_KERNEL_EXECUTION);
    cr_expect_str_eq(errors[0].artifact_id, "root");
    kas_health health = {.size = sizeof health};
    kas_engine_health(engine, &health);
    cr_expect_eq(health.status, KAS_HEALTH_DEGRADED);
    cr_expect(health.ready, "the layer still answers");
    kas_request reset = request_of(KAS_REQUEST_RESET, "a", 0);
    must_call(engine, &reset);
    kas_seed_info seed = seed_of(engine, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(seed.error_count, 0);
    cr_expect_not(seed.fallback_active);
    kas_engine_destroy(engine);
}

Test(engine_recovery, a_kernel_that_fails_again_and_again_is_quarantined, .timeout = 60)
{
    kas_engine *engine = open_rig();
    for (int round = 0; round < 3; ++round) {
        if (round > 0) load(engine, "a", 0, "root", 0.5f);
        fail_three_times(engine);
    }
    kas_quarantined listed[2];
    cr_assert_eq(kas_engine_list_quarantine(engine, 0, listed, 2), 1);
    cr_expect_str_eq(listed[0].artifact_ids[0], "root");
    kas_request again = request_of(KAS_REQUEST_LOAD, "a", 0);
    again.artifact_id = "root";
    must_fail(engine, &again, KAS_CONFLICT, "quarantine");
    expect_without_root(engine);
    kas_request lift = request_of(KAS_REQUEST_LIFT_QUARANTINE, NULL, 0);
    memcpy(lift.lift.checksum, listed[0].checksum, sizeof lift.lift.checksum);
    must_call(engine, &lift);
    load(engine, "a", 0, "root", 0.5f);
    kas_engine_destroy(engine);
}
