/* Publication and reclaiming: what a pass sees, how long that lives, and what is told when it has gone. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "engine/exec/executor.h"
#include "engine/exec/forward.h"
#include "tests/unit/exec_world.h"
#include "tests/unit/graph_fixture.h"

TestSuite(exec_publication, .fini = expect_no_leaks);

static double twice(double x)
{
    return 2 * x;
}

static double plus_half_of_six(double x) /* (1 − ½)·2x + ½·6x */
{
    return 4 * x;
}

/* A pass that stands still in the middle: its context is taken and its plan announced. */
static kas_visit stand_in(exec_world *w, const char *layer)
{
    kas_context_set *set = NULL;
    kas_visit visit;
    cr_assert(kas_visit_begin(w->exec, layer, &set, &visit));
    cr_assert_not_null(visit.context);
    return visit;
}

Test(exec_publication, a_pass_sees_the_present_plan)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    probe p;
    probe_init(&p, "a", 5, 1);
    expect_failure(probe_run(w, &p), KAS_NOT_FOUND, "no layer a");
    layer.epoch = 7;
    publish(w, &layer);
    probe_ok(w, &p);
    cr_expect_eq(p.result.generation, 1);
    cr_expect_eq(p.result.epoch, 7);
    cr_expect_eq(p.result.seeds_used, 0);
    for (uint32_t r = 0; r < 5; ++r)
        expect_row(&p, r, twice);
    add_seed(&layer, 3, make_affine(w, 6, 0), 0.5f);
    layer.generation = 9;
    publish(w, &layer);
    probe_ok(w, &p);
    cr_expect_eq(p.result.generation, 9);
    cr_expect_eq(p.result.seeds_used, 1u << 3);
    for (uint32_t r = 0; r < 5; ++r)
        expect_row(&p, r, plus_half_of_six);
    exec_world_close(w);
}

Test(exec_publication, what_a_pass_uses_lives_until_it_has_ended)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_resource base = make_product(w, 2, 0), kernel = make_affine(w, 6, 0);
    kas_published_layer with = a_layer("a", 1, base), without = a_layer("a", 1, base);
    add_seed(&with, 0, kernel, 0.5f);
    publish(w, &with);
    kas_visit visit = stand_in(w, "a");
    without.generation = 2;
    publish(w, &without);
    cr_expect(kas_exec_reclaim(w->exec), "the plan waits for the pass");
    cr_expect_eq(w->drained[kernel - 1], 0);
    cr_expect_eq(visit.sight.plan->seed_count, 1, "the announced plan is whole");
    probe p;
    probe_init(&p, "a", 2, 1);
    probe_ok(w, &p);
    cr_expect_eq(p.result.generation, 2, "others see the new one");
    kas_visit_end(w->exec, &visit);
    cr_expect_not(kas_exec_reclaim(w->exec));
    cr_expect_eq(w->drained[kernel - 1], 1);
    cr_expect_eq(w->drained[base - 1], 0, "the new plan uses it");
    exec_world_close(w);
}

Test(exec_publication, a_standing_pass_holds_back_only_what_it_uses)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_resource base = make_product(w, 2, 0), kernel = make_affine(w, 6, 0);
    kas_published_layer a = a_layer("a", 1, base), b = a_layer("b", 2, base);
    add_seed(&b, 0, kernel, 0.5f);
    publish_two(w, 1, &a, &b);
    kas_visit visit = stand_in(w, "a");
    b.seed_count = 0;
    for (int i = 0; i < 3; ++i) { /* roots do not pile up behind it either */
        publish(w, &b);
        cr_expect_not(kas_exec_reclaim(w->exec));
    }
    cr_expect_eq(w->drained[kernel - 1], 1);
    kas_visit_end(w->exec, &visit);
    exec_world_close(w);
}

Test(exec_publication, an_announced_root_protects_every_plan_that_was_in_it)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_resource base = make_product(w, 2, 0), kernel = make_affine(w, 6, 0);
    kas_published_layer a = a_layer("a", 1, base), b = a_layer("b", 2, base);
    add_seed(&b, 0, kernel, 0.5f);
    publish_two(w, 1, &a, &b);
    kas_visit visit = stand_in(w, "a");
    const void *plan = atomic_load(&visit.context->announced);
    atomic_store(&visit.context->announced,
                 atomic_load(&w->exec->publication.root)); /* between steps 2 and 5 */
    unpublish(w, 2);
    cr_expect(kas_exec_reclaim(w->exec));
    cr_expect_eq(w->drained[kernel - 1], 0);
    publish(w, &b); /* born after that root: not protected by it */
    unpublish(w, 2);
    cr_expect(kas_exec_reclaim(w->exec));
    cr_expect_eq(w->drained[kernel - 1], 0, "the first plan of b still has it");
    atomic_store(&visit.context->announced, plan);
    cr_expect_not(kas_exec_reclaim(w->exec));
    cr_expect_eq(w->drained[kernel - 1], 1);
    kas_visit_end(w->exec, &visit);
    exec_world_close(w);
}

Test(exec_publication, one_publication_for_all_layers_of_an_epoch)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_resource base = make_product(w, 2, 0);
    kas_published_layer a = a_layer("a", 1, base), b = a_layer("b", 2, base), c = a_layer("c", 3, base);
    publish_two(w, 1, &a, &b);
    c.epoch = 1;
    publish(w, &c);
    a.generation = b.generation = 5;
    publish_two(w, 2, &a, &b);
    static const struct {
        const char *layer;
        uint64_t generation;
    } want[] = {{"a", 5}, {"b", 5}, {"c", 1}};
    for (int i = 0; i < 3; ++i) {
        probe p;
        probe_init(&p, want[i].layer, 1, 1);
        probe_ok(w, &p);
        cr_expect_eq(p.result.generation, want[i].generation, "layer %s", want[i].layer);
        cr_expect_eq(p.result.epoch, 2, "layer %s", want[i].layer);
    }
    exec_world_close(w);
}

Test(exec_publication, a_layer_that_went_is_not_found_and_one_of_its_name_is_another)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_resource base = make_product(w, 2, 0);
    kas_published_layer layer = a_layer("a", 1, base), namesake = a_layer("a", 2, base);
    kas_exec_stats stats;
    probe p;
    probe_init(&p, "a", 4, 1);
    publish(w, &layer);
    probe_ok(w, &p);
    cr_assert(kas_exec_layer_stats(w->exec, 1, &stats));
    cr_expect_eq(stats.forward_calls, 1);
    cr_expect_eq(stats.rows, 4);
    publish(w, &layer); /* statistics outlive a plan */
    probe_ok(w, &p);
    cr_assert(kas_exec_layer_stats(w->exec, 1, &stats));
    cr_expect_eq(stats.forward_calls, 2);
    cr_expect_eq(stats.latency.count, 2);
    unpublish(w, 1);
    cr_expect_not(kas_exec_layer_stats(w->exec, 1, &stats));
    expect_failure(probe_run(w, &p), KAS_NOT_FOUND, "no layer a");
    publish(w, &namesake);
    probe_ok(w, &p);
    cr_assert(kas_exec_layer_stats(w->exec, 2, &stats));
    cr_expect_eq(stats.forward_calls, 1);
    kas_exec_total_stats(w->exec, &stats);
    cr_expect_eq(stats.forward_calls, 3, "of deleted layers too");
    cr_expect_eq(stats.failed_calls, 1);
    exec_world_close(w);
}

Test(exec_publication, many_layers_come_and_go)
{
    enum { LAYERS = 200 };
    exec_world *w = exec_world_open(NULL, NULL);
    kas_resource base = make_product(w, 2, 0);
    probe p;
    for (uint64_t uid = 1; uid <= LAYERS; ++uid) {
        char name[32];
        snprintf(name, sizeof name, "layer-%llu", (unsigned long long)uid);
        kas_published_layer layer = a_layer(name, uid, base);
        layer.generation = uid;
        publish(w, &layer);
        if (uid > 3) unpublish(w, uid - 3);
        (void)kas_exec_reclaim(w->exec);
    }
    for (uint64_t uid = 1; uid <= LAYERS; ++uid) {
        char name[32];
        snprintf(name, sizeof name, "layer-%llu", (unsigned long long)uid);
        probe_init(&p, name, 1, 1);
        kas_status status = probe_run(w, &p);
        cr_expect_eq(kas_status_code(status), uid > LAYERS - 3 ? KAS_OK : KAS_NOT_FOUND, "%s", name);
        kas_status_free(status);
    }
    exec_world_close(w);
}

Test(exec_publication, a_kernel_of_several_plans_is_drained_with_the_last)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_resource base = make_product(w, 2, 0), kernel = make_affine(w, 6, 0);
    kas_published_layer a = a_layer("a", 1, base), b = a_layer("b", 2, base);
    add_seed(&a, 0, kernel, 0.5f);
    add_seed(&a, 1, kernel, 0.25f);
    add_fossil(&b, 0, kernel, 0.5f);
    publish_two(w, 1, &a, &b);
    unpublish(w, 1);
    cr_expect_not(kas_exec_reclaim(w->exec));
    cr_expect_eq(w->drained[kernel - 1], 0);
    unpublish(w, 2);
    cr_expect_not(kas_exec_reclaim(w->exec));
    cr_expect_eq(w->drained[kernel - 1], 1);
    cr_expect_eq(w->drained[base - 1], 1);
    exec_world_close(w);
}

Test(exec_publication, what_nobody_holds_or_does_not_fit_makes_no_plan)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    kas_plan *plan;
    add_seed(&layer, 0, 17, 0.5f);
    expect_failure(compose(w, &layer, &plan), KAS_INTERNAL, "resource 17, which nobody holds");
    layer.seed_count = 0;
    layer.input_size = FEATURES + 1;
    expect_failure(compose(w, &layer, &plan), KAS_INTERNAL, "maps 7 to 6 features");
    exec_world_close(w);
}

/* ---- ramps over passes ---- */

static double ramp_alpha;

static double ramped(double x) /* (1 − α)·2x + α·6x */
{
    return 2 * x + ramp_alpha * 4 * x;
}

static void expect_step(exec_world *w, probe *p, uint64_t generation, double alpha)
{
    probe_ok(w, p);
    cr_expect_eq(p->result.generation, generation);
    ramp_alpha = alpha;
    expect_row(p, 0, ramped);
}

Test(exec_publication, each_pass_is_a_step_of_a_ramp_and_a_generation)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    add_ramp(&layer, 0, make_affine(w, 6, 0), 1, 4);
    layer.generation = 10;
    publish(w, &layer);
    kas_ramp_progress progress[2];
    probe p;
    probe_init(&p, "a", 1, 1);
    expect_step(w, &p, 11, 0.25);
    expect_step(w, &p, 12, 0.5);
    cr_assert_eq(kas_exec_take_ramp_progress(w->exec, progress, 2), 1);
    cr_expect_eq(progress[0].layer_uid, 1);
    cr_expect_eq(progress[0].steps, 2);
    cr_expect_eq(kas_exec_take_ramp_progress(w->exec, progress, 2), 0, "told once");
    expect_step(w, &p, 13, 0.75);
    expect_step(w, &p, 14, 1);
    expect_step(w, &p, 14, 1);
    cr_assert_eq(kas_exec_take_ramp_progress(w->exec, progress, 2), 1);
    cr_expect_eq(progress[0].steps, 4, "in all; it has ended");
    exec_world_close(w);
}

Test(exec_publication, a_ramp_goes_on_in_the_next_plan_where_passes_have_left_it)
{
    exec_world *w = exec_world_open(NULL, NULL);
    kas_published_layer layer = a_layer("a", 1, make_product(w, 2, 0));
    add_ramp(&layer, 0, make_affine(w, 6, 0), 1, 8);
    publish(w, &layer);
    kas_ramp_progress progress[2];
    probe p;
    probe_init(&p, "a", 1, 1);
    expect_step(w, &p, 2, 0.125);
    cr_assert_eq(kas_exec_take_ramp_progress(w->exec, progress, 2), 1);
    expect_step(w, &p, 3, 0.25); /* not told when the next plan is composed: */
    layer.seeds[0].ramp_done = 1;
    layer.generation = 20;
    publish(w, &layer);
    expect_step(w, &p, 22, 0.375);
    cr_assert_eq(kas_exec_take_ramp_progress(w->exec, progress, 2), 1);
    cr_expect_eq(progress[0].steps, 2);
    exec_world_close(w);
}
