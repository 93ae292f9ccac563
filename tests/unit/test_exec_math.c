/* Layers that may give up precision, on a device that says it has a fast product: which lists their plans
 * run. The device is the host at heart, so that the answers are what they always are. */
#include <criterion/criterion.h>

#include "backends/core/backend.h"
#include "engine/exec/plan.h"
#include "tests/unit/exec_world.h"
#include "tests/unit/remote_device.h"

enum { ROWS = 9, ENDS_IN_NOTHING = 1 };

static exec_world *open_world(uint64_t fast_acts, bool there)
{
    kas_device *device = remote_device_open();
    remote_device_say_fast(device, fast_acts, there);
    return exec_world_open(device, NULL);
}

static double four_x(double x)
{
    return 0.5 * (2 * x) + 0.5 * (6 * x);
}

static kas_published_layer blended(exec_world *w, kas_math math)
{
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    layer.math = math;
    add_seed(&layer, 0, make_product(w, 6, 0), 0.5f);
    return layer;
}

static void expect_four_x(exec_world *w, const kas_published_layer *layer)
{
    probe p;
    publish(w, layer);
    probe_init(&p, "a", ROWS, 1);
    probe_ok(w, &p);
    for (uint32_t r = 0; r < ROWS; ++r)
        expect_row(&p, r, four_x);
}

Test(exec_math, a_fast_layer_runs_fast_lists_and_blends_apart)
{
    exec_world *w = open_world(ENDS_IN_NOTHING, true);
    kas_published_layer layer = blended(w, KAS_MATH_FAST);
    kas_plan *plan;
    ok(compose(w, &layer, &plan));
    cr_expect_neq(plan->base_list, kas_segment_list(plan->base));
    cr_expect_eq(plan->base_list, kas_segment_fast_list(plan->base));
    cr_expect_eq(plan->seeds[0].list, kas_segment_fast_list(plan->seeds[0].segment));
    cr_expect_null(plan->linear_blend, "it would be the portable product");
    cr_expect_eq(plan->base_list->launches[0].precision, KAS_PRECISION_BF16, "2 has no digits to lose");
    kas_plan_destroy(plan);
    expect_four_x(w, &layer);
    exec_world_close(w);
}

Test(exec_math, an_invariant_layer_runs_what_it_always_ran)
{
    exec_world *w = open_world(ENDS_IN_NOTHING, true);
    kas_published_layer layer = blended(w, KAS_MATH_INVARIANT);
    kas_plan *plan;
    ok(compose(w, &layer, &plan));
    cr_expect_eq(plan->base_list, kas_segment_list(plan->base));
    cr_expect_eq(plan->seeds[0].list, kas_segment_list(plan->seeds[0].segment));
    cr_expect_not_null(plan->linear_blend);
    cr_expect_eq(plan->base_list->launches[0].precision, KAS_PRECISION_F32);
    kas_plan_destroy(plan);
    expect_four_x(w, &layer);
    cr_expect_eq(remote_device_fast_starts(), 0, "nobody needs it");
    exec_world_close(w);
}

/* On a device that never has one, and on one where it turns out to be missing. */
static void expect_math_changes_nothing(uint64_t fast_acts)
{
    exec_world *w = open_world(fast_acts, false);
    kas_published_layer layer = blended(w, KAS_MATH_FAST);
    kas_plan *plan;
    ok(compose(w, &layer, &plan));
    cr_expect_eq(plan->base_list, kas_segment_list(plan->base));
    cr_expect_not_null(plan->linear_blend);
    kas_plan_destroy(plan);
    expect_four_x(w, &layer);
    exec_world_close(w);
}

Test(exec_math, without_a_fast_product_math_changes_nothing)
{
    expect_math_changes_nothing(0);
    cr_expect_eq(remote_device_fast_starts(), 0);
    expect_math_changes_nothing(ENDS_IN_NOTHING);
    cr_expect_eq(remote_device_fast_starts(), 1);
}

Test(exec_math, a_function_that_the_fast_product_does_not_end_in_is_a_launch_of_its_own)
{
    exec_world *w = open_world(ENDS_IN_NOTHING, true);
    kas_published_layer layer = a_layer("a", 1, make_network(w, 3));
    kas_plan *plan;
    layer.math = KAS_MATH_FAST;
    ok(compose(w, &layer, &plan));
    cr_expect_eq(kas_list_length(kas_segment_list(plan->base)), 2u);
    cr_assert_eq(kas_list_length(plan->base_list), 3u);
    cr_expect_eq(plan->base_list->launches[0].precision, KAS_PRECISION_TF32);
    cr_expect_eq(plan->base_list->launches[1].kernel, KAS_KERNEL_unary);
    cr_expect_eq(plan->base_list->launches[1].precision, KAS_PRECISION_F32);
    kas_plan_destroy(plan);
    publish(w, &layer);
    probe fast, exact;
    probe_init(&fast, "a", ROWS, 2);
    probe_ok(w, &fast);
    layer.math = KAS_MATH_INVARIANT;
    publish(w, &layer);
    probe_init(&exact, "a", ROWS, 2);
    probe_ok(w, &exact);
    for (uint32_t r = 0; r < ROWS; ++r)
        expect_same_bits(&fast, r, &exact, r);
    exec_world_close(w);
}
