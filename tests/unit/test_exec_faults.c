/* Devices that fail, hang and come back: the pass is answered without what failed, or says why it cannot be.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "backends/core/fault.h"
#include "engine/exec/executor.h"
#include "engine/exec/forward.h"
#include "tests/unit/exec_world.h"
#include "tests/unit/graph_fixture.h"
#include "tests/unit/remote_device.h"

TestSuite(exec_faults, .fini = expect_no_leaks);

enum { ROWS = 9 };

/* Base 2x; seed 0 gives 6x with alpha ½, seed 3 gives 3 − x with ¼. */
static exec_world *open_with(kas_device *device, const kas_exec_options *options,
                             kas_resource (*make_base)(exec_world *w, float scale, float shift))
{
    exec_world *w = exec_world_open(device, options);
    kas_published_layer layer = a_layer("a", 1, make_base(w, 2, 0));
    add_seed(&layer, 0, make_affine(w, 6, 0), 0.5f);
    add_seed(&layer, 3, make_affine(w, -1, 3), 0.25f);
    publish(w, &layer);
    return w;
}

/* Whose passes are enqueued as a whole, and step by step only when that has failed. */
static exec_world *open_rig(kas_device *device, const kas_exec_options *options)
{
    return open_with(device, options, make_product);
}

/* Whose passes go step by step from the start: both kernels, judge, base, blend. */
static exec_world *open_stepping_rig(const kas_exec_options *options)
{
    return open_with(NULL, options, make_affine);
}

static uint64_t failed_seeds;

static double without_failed(double x)
{
    double first = failed_seeds & 1 ? 0 : 0.5, second = failed_seeds & 8 ? 0 : 0.25;
    return (1 - first - second) * 2 * x + first * 6 * x + second * (3 - x);
}

/* The answer is that of the seeds that did not fail, and each seed that failed did so on every row. */
static void expect_answer(const probe *p, uint64_t failed)
{
    cr_assert_eq(p->result.seeds_failed, failed);
    cr_expect_eq(p->result.seeds_used, 9 & ~failed);
    cr_expect_eq(p->result.rows_failed, failed ? ROWS : 0);
    failed_seeds = failed;
    for (uint32_t r = 0; r < ROWS; ++r) {
        expect_row(p, r, without_failed);
        cr_expect_eq(p->failed_rows[r], failed);
    }
}

static void expect_outcome(exec_world *w, uint64_t failed, kas_outcome outcome)
{
    kas_pass_result results[8];
    cr_assert_eq(take_results(w, results, 8), 2);
    for (int i = 0; i < 2; ++i)
        cr_expect_eq(results[i].outcome, failed >> results[i].seed & 1 ? outcome : KAS_OUTCOME_OK);
}

/* Every single call at this site is made to fail in turn; seeds take the blame for their own only. */
static void fail_each(exec_world *w, kas_fault_site site, kas_code code, kas_outcome outcome)
{
    unsigned answered_without = 0, refused = 0;
    for (uint64_t nth = 1;; ++nth) {
        probe p;
        probe_init(&p, "a", ROWS, nth);
        kas_fault_arm(site, nth, code);
        kas_status status = probe_run(w, &p);
        bool fired = kas_fault_fired(site);
        kas_fault_arm(site, 0, KAS_OK);
        if (status) {
            cr_expect(strstr(kas_status_message(status), "layer a"), "%s", kas_status_message(status));
            expect_failure(status, code, "");
            ++refused;
        } else {
            expect_answer(&p, p.result.seeds_failed);
            expect_outcome(w, p.result.seeds_failed, outcome);
            answered_without += p.result.seeds_failed != 0;
        }
        probe_init(&p, "a", ROWS, nth);
        probe_ok(w, &p);
        expect_answer(&p, 0); /* the one after is whole */
        expect_outcome(w, 0, KAS_OUTCOME_OK);
        if (!fired) break;
    }
    cr_expect_eq(answered_without, 2, "each seed was left out once");
    cr_expect_eq(refused, 3, "judge, base and blend have nobody to do without");
}

Test(exec_faults, a_submission_that_fails_leaves_out_its_kernel)
{
    exec_world *w = open_stepping_rig(NULL);
    fail_each(w, KAS_FAULT_SUBMISSION, KAS_OUT_OF_MEMORY, KAS_OUTCOME_DEVICE);
    exec_world_close(w);
}

Test(exec_faults, a_wait_that_fails_leaves_out_its_kernel)
{
    exec_world *w = open_stepping_rig(NULL);
    fail_each(w, KAS_FAULT_WAIT, KAS_UNAVAILABLE, KAS_OUTCOME_DEVICE);
    exec_world_close(w);
}

Test(exec_faults, a_kernel_that_passes_its_deadline_is_left_out)
{
    exec_world *w = open_stepping_rig(NULL);
    fail_each(w, KAS_FAULT_WAIT, KAS_DEADLINE, KAS_OUTCOME_DEADLINE);
    exec_world_close(w);
}

Test(exec_faults, a_kernel_that_fails_late_is_left_out_of_all_rows)
{
    exec_world *w = open_stepping_rig(&(kas_exec_options){.rows_max = 4});
    probe p;
    probe_init(&p, "a", ROWS, 1);
    /* Of 5 waits a submission: the second kernel of the second submission. */
    kas_fault_arm(KAS_FAULT_WAIT, 7, KAS_DEADLINE);
    probe_ok(w, &p);
    expect_answer(&p, 8);
    expect_outcome(w, 8, KAS_OUTCOME_DEADLINE);
    exec_world_close(w);
}

Test(exec_faults, a_lost_device_stays_lost)
{
    exec_world *w = open_rig(NULL, NULL);
    probe p;
    probe_init(&p, "a", ROWS, 1);
    kas_fault_arm(KAS_FAULT_SUBMISSION, 1, KAS_DEVICE_LOST);
    expect_failure(probe_run(w, &p), KAS_DEVICE_LOST, "layer a: computing the base on host:0");
    expect_failure(probe_run(w, &p), KAS_DEVICE_LOST, "is lost");
    kas_exec_stats stats;
    cr_assert(kas_exec_layer_stats(w->exec, 1, &stats));
    cr_expect_eq(stats.failed_calls, 2);
    cr_expect_eq(kas_exec_take_results(w->exec, &(kas_pass_result){0}, 1), 0, "no kernel is to blame");
    exec_world_close(w);
}

Test(exec_faults, a_dormant_pass_that_fails_says_so)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", ROWS, 1);
    kas_fault_arm(KAS_FAULT_WAIT, 1, KAS_DEADLINE);
    expect_failure(probe_run(w, &p), KAS_DEADLINE, "the base was not computed within 10000 ms on host:0");
    probe_ok(w, &p);
    exec_world_close(w);
}

Test(exec_faults, a_plan_that_has_no_room_leaves_the_present_one)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    kas_plan *plan;
    kas_fault_arm(KAS_FAULT_ALLOCATION, 1, KAS_OUT_OF_MEMORY);
    expect_failure(compose_whole(w, &layer, &plan), KAS_OUT_OF_MEMORY, "workspaces of");
    kas_fault_arm(KAS_FAULT_ALLOCATION, 3, KAS_OUT_OF_MEMORY);
    expect_failure(compose_whole(w, &layer, &plan), KAS_OUT_OF_MEMORY, "workspaces of");
    publish(w, &layer);
    exec_world_close(w);
}

/* A layer that serves on a full device can be changed: its passes go through in smaller submissions. */
Test(exec_faults, a_full_device_takes_a_plan_of_fewer_rows)
{
    exec_world *w = exec_world_open(remote_device_open(), NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    for (uint32_t seed = 0; seed < 3; ++seed)
        add_seed(&layer, seed, make_network(w, seed), 0.25f);
    publish(w, &layer);
    probe want, got;
    kas_device_info info;
    probe_init(&want, "a", ROWS, 1);
    probe_init(&got, "a", ROWS, 1);
    probe_ok(w, &want);
    unpublish(w, 1);
    (void)kas_exec_reclaim(w->exec);
    kas_published_layer other = a_layer("b", 2, layer.weights);
    add_seed(&other, 0, layer.seeds[0].kernel, 0.25f);
    publish(w, &other); /* its workspaces are there, and smaller */
    kas_device_get_info(w->device, &info);
    remote_device_set_room(info.memory_used_bytes + 1024);
    kas_plan *plan;
    layer.generation = 2;
    expect_failure(compose_whole(w, &layer, &plan), KAS_OUT_OF_MEMORY, "workspaces of");
    publish(w, &layer);
    probe_ok(w, &got);
    for (uint32_t r = 0; r < ROWS; ++r)
        expect_same_bits(&got, r, &want, r);
    exec_world_close(w);
    remote_device_set_room(SIZE_MAX);
}

/* ---- a device that works on its own ---- */

Test(exec_faults, a_far_device_gives_the_same_bits)
{
    static const uint32_t limits[] = {0, 4};
    for (int i = 0; i < 2; ++i) {
        exec_world *near = open_rig(NULL, NULL);
        exec_world *far = open_rig(remote_device_open(), &(kas_exec_options){.rows_max = limits[i]});
        probe want, got;
        probe_init(&want, "a", ROWS, 1);
        probe_init(&got, "a", ROWS, 1);
        probe_ok(near, &want);
        probe_ok(far, &got);
        expect_answer(&got, 0);
        expect_outcome(far, 0, KAS_OUTCOME_OK);
        for (uint32_t r = 0; r < ROWS; ++r)
            expect_same_bits(&got, r, &want, r);
        exec_world_close(near);
        exec_world_close(far);
    }
}

/* A pass that is enqueued as a whole and fails is asked for again, step by step: all is well then. */
static void fail_as_a_whole(exec_world *w)
{
    for (uint64_t nth = 1; nth <= 5; ++nth) {
        probe p;
        probe_init(&p, "a", ROWS, nth);
        kas_fault_arm(KAS_FAULT_SUBMISSION, nth, KAS_OUT_OF_MEMORY);
        probe_ok(w, &p);
        cr_expect_eq(kas_fault_fired(KAS_FAULT_SUBMISSION), nth <= 4);
        kas_fault_arm(KAS_FAULT_SUBMISSION, 0, KAS_OK);
        expect_answer(&p, 0);
        expect_outcome(w, 0, KAS_OUTCOME_OK);
    }
    exec_world_close(w);
}

Test(exec_faults, a_pass_that_fails_as_a_whole_is_asked_for_again_step_by_step)
{
    fail_as_a_whole(open_rig(NULL, NULL));
    fail_as_a_whole(open_rig(remote_device_open(), NULL));
}

Test(exec_faults, fossils_on_a_far_device)
{
    exec_world *w = exec_world_open(remote_device_open(), NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    add_fossil(&layer, 0, make_sqrt(w), 0.5f);
    add_seed(&layer, 3, make_affine(w, -1, 3), 0.25f);
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", 4, 1);
    probe_ok(w, &p);
    cr_expect_eq(p.result.rows_failed, 2);
    for (uint32_t e = 0; e < 4 * FEATURES; ++e) {
        double x = (double)p.x[e], base = x < 0 ? 2 * x : x + 0.5 * sqrt(x),
               want = 0.75 * base + 0.25 * (3 - x);
        cr_expect_float_eq((double)p.y[e], want, 1e-5);
    }
    exec_world_close(w);
}

/* ---- hangs ---- */

Test(exec_faults, a_pass_leaves_a_hung_context_and_its_culprit)
{
    exec_world *w = open_rig(remote_device_open(), NULL);
    probe p;
    probe_init(&p, "a", ROWS, 1);
    remote_device_hang(1, 1); /* the first kernel is done, the second is not */
    probe_ok(w, &p);
    expect_answer(&p, 8);
    expect_outcome(w, 8, KAS_OUTCOME_DEADLINE);
    cr_expect(kas_exec_reclaim(w->exec), "a context hangs");
    unpublish(w, 1);
    cr_expect(kas_exec_reclaim(w->exec));
    cr_expect_eq(w->drained[1], 0, "the device may still read the kernel");
    remote_device_recover();
    cr_expect_not(kas_exec_reclaim(w->exec));
    cr_expect_eq(w->drained[1], 1);
    exec_world_close(w);
}

Test(exec_faults, a_hang_of_what_nobody_can_do_without_ends_the_pass)
{
    exec_world *w = open_rig(remote_device_open(), &(kas_exec_options){.contexts = 1});
    probe p;
    probe_init(&p, "a", ROWS, 1);
    remote_device_hang(1, 0); /* a kernel, but there is no other context */
    expect_failure(probe_run(w, &p), KAS_DEADLINE, "layer a");
    p.request.deadline_ns = 1;
    expect_failure(probe_run(w, &p), KAS_DEADLINE, "all execution contexts were busy");
    remote_device_recover();
    cr_expect_not(kas_exec_reclaim(w->exec));
    p.request.deadline_ns = 0;
    probe_ok(w, &p);
    expect_answer(&p, 0);
    remote_device_hang(1, 3); /* the blend */
    expect_failure(probe_run(w, &p), KAS_DEADLINE, "layer a");
    remote_device_recover();
    cr_expect_not(kas_exec_reclaim(w->exec));
    probe_ok(w, &p);
    exec_world_close(w);
}

Test(exec_faults, a_hang_of_each_kernel_in_one_pass)
{
    exec_world *w = open_rig(remote_device_open(), NULL);
    probe p;
    probe_init(&p, "a", ROWS, 1);
    remote_device_hang(1, 0);
    probe_ok(w, &p);
    expect_answer(&p, 1);
    remote_device_recover();
    cr_expect_not(kas_exec_reclaim(w->exec));
    probe_ok(w, &p);
    expect_answer(&p, 0);
    exec_world_close(w);
}

/* A device that is in time with each piece, but not with all of them: the rest is not run, and the context is
 * free again at once. */
Test(exec_faults, a_deadline_is_seen_between_pieces)
{
    exec_world *w = exec_world_open(remote_device_open(), &(kas_exec_options){.deadline_ns = 1});
    kas_published_layer layer = a_layer("a", 1, make_network(w, 1));
    publish(w, &layer);
    probe p;
    probe_init(&p, "a", ROWS, 1);
    probe_ok(w, &p); /* one piece */
    kas_use_piece_ns(1);
    expect_failure(probe_run(w, &p), KAS_DEADLINE, "layer a: the base was not computed within");
    cr_expect_not(kas_exec_reclaim(w->exec), "nothing hangs");
    kas_use_piece_ns(KAS_PIECE_NS);
    probe_ok(w, &p);
    exec_world_close(w);
}
