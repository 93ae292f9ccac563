/* Alpha: set and ramped, over time and over passes; generations and revisions as it moves. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/state_world.h"

TestSuite(state_ramps);

static kas_code ramp_to(world *w, uint32_t seed, float alpha, kas_ramp ramp)
{
    kas_command command = {.kind = KAS_COMMAND_SET_ALPHA,
                           .layer = "a",
                           .seed = seed,
                           .has_alpha = true,
                           .alpha = alpha,
                           .ramp = ramp};
    return give(w, command);
}

static void steps(world *w, uint32_t passes)
{
    kas_command command = {.kind = KAS_COMMAND_RAMP_STEPS};
    command.ramp_steps.layer_uid = view_of(w, "a").uid;
    command.ramp_steps.steps = passes;
    give(w, command);
}

static float alpha_of(const world *w, uint32_t seed)
{
    return seed_of(w, "a", seed).alpha_blend;
}

Test(state_ramps, values)
{
    cr_expect_float_eq(kas_ramp_value(0, 1, 0.25f, KAS_CURVE_LINEAR), 0.25f, 0);
    cr_expect_float_eq(kas_ramp_value(1, 0.5f, 0.5f, KAS_CURVE_LINEAR), 0.75f, 0);
    cr_expect_float_eq(kas_ramp_value(0, 1, 0.5f, KAS_CURVE_COSINE), 0.5f, 1e-7f);
    cr_expect_float_eq(kas_ramp_value(0, 1, 0.25f, KAS_CURVE_COSINE), 0.1464466094f, 1e-7f);
    cr_expect_float_eq(kas_ramp_value(0, 1, 0.75f, KAS_CURVE_COSINE), 0.8535533906f, 1e-7f);
    cr_expect_float_eq(kas_ramp_value(0.25f, 0.75f, -1, KAS_CURVE_COSINE), 0.25f, 0);
    cr_expect_float_eq(kas_ramp_value(0.25f, 0.75f, 2, KAS_CURVE_COSINE), 0.75f, 0);
}

Test(state_ramps, a_direct_alpha)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    uint64_t generation = layer_of(&w, "a").generation, revision = seed_of(&w, "a", 0).revision;
    cr_assert_eq(set_alpha(&w, "a", 0, 0.25f), KAS_OK);
    cr_expect_eq(w.reply.generation, generation + 1);
    cr_expect_eq(seed_of(&w, "a", 0).revision, revision + 1);
    cr_assert_eq(set_alpha(&w, "a", 0, 0.25f), KAS_OK);
    cr_expect_eq(w.reply.generation, generation + 1, "what changes nothing is no generation");
    cr_expect_eq(seed_of(&w, "a", 0).revision, revision + 1);
    cr_expect_eq(set_alpha(&w, "a", 0, 1.0001f), KAS_INVALID_ARGUMENT);
    cr_expect_eq(set_alpha(&w, "a", 0, -0.1f), KAS_INVALID_ARGUMENT);
    cr_expect_eq(set_alpha(&w, "a", 0, __builtin_nanf("")), KAS_INVALID_ARGUMENT);
    cr_expect_eq(layer_of(&w, "a").generation, generation + 1);
    world_finish(&w);
}

Test(state_ramps, over_time)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    cr_expect_eq(kas_state_next_wakeup(w.state), KAS_NEVER);
    uint64_t generation = layer_of(&w, "a").generation;
    cr_assert_eq(ramp_to(&w, 0, 1, (kas_ramp){.unit = KAS_RAMP_MS, .length = 100}), KAS_OK);
    cr_expect_float_eq(alpha_of(&w, 0), 0.5f, 0, "it starts where alpha is");
    cr_expect_eq(kas_state_next_wakeup(w.state), w.now_ns + 10 * KAS_NS_PER_MS);
    cr_expect(seed_of(&w, "a", 0).has_alpha_target);
    cr_expect_float_eq(seed_of(&w, "a", 0).alpha_target, 1, 0);
    pass_time(&w, 50 * KAS_NS_PER_MS);
    cr_expect_float_eq(alpha_of(&w, 0), 0.75f, 0);
    cr_expect_eq(layer_of(&w, "a").generation, generation + 1);
    uint64_t revision = seed_of(&w, "a", 0).revision;
    pass_time(&w, KAS_NS_PER_S);
    cr_expect_float_eq(alpha_of(&w, 0), 1, 0);
    cr_expect_not(seed_of(&w, "a", 0).has_alpha_target);
    cr_expect_eq(seed_of(&w, "a", 0).revision, revision, "steps are not controlled changes");
    cr_expect_eq(kas_state_next_wakeup(w.state), KAS_NEVER);
    world_finish(&w);
}

Test(state_ramps, a_loads_ramp_starts_at_zero)
{
    world w = world_make(NULL);
    kas_command command = {.kind = KAS_COMMAND_LOAD,
                           .layer = "a",
                           .artifact_id = "k",
                           .has_alpha = true,
                           .alpha = 0.5f,
                           .ramp = {.unit = KAS_RAMP_MS, .length = 100}};
    cr_assert_eq(give(&w, command), KAS_OK);
    resolve(&w, 1, "k", 10);
    w.now_ns += KAS_NS_PER_S;
    ready(&w, 1);
    kas_seed_info seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_float_eq(seed.alpha_blend, 0, 0);
    cr_expect_not(seed.contributing);
    cr_expect(layer_of(&w, "a").has_active_seeds, "it would contribute with alpha above 0");
    pass_time(&w, 100 * KAS_NS_PER_MS);
    cr_expect_float_eq(alpha_of(&w, 0), 0.5f, 0);
    world_finish(&w);
}

Test(state_ramps, over_passes)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0);
    cr_assert_eq(ramp_to(&w, 0, 1, (kas_ramp){.unit = KAS_RAMP_PASSES, .length = 4}), KAS_OK);
    kas_published_layer view = view_of(&w, "a");
    cr_assert(view.seeds[0].ramp);
    cr_expect_eq(view.seeds[0].ramp_length, 4);
    cr_expect_eq(view.seeds[0].ramp_done, 0);
    uint64_t generation = view.generation;

    steps(&w, 1);
    cr_expect_float_eq(alpha_of(&w, 0), 0.25f, 0, "pass 1 had the value after 1 of 4 steps");
    cr_expect_eq(layer_of(&w, "a").generation, generation + 1);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 0, "the view counts by itself");
    steps(&w, 3);
    cr_expect_float_eq(alpha_of(&w, 0), 0.75f, 0, "in all since the publication");
    steps(&w, 2);
    cr_expect_float_eq(alpha_of(&w, 0), 0.75f, 0, "what is known already changes nothing");
    cr_expect_eq(layer_of(&w, "a").generation, generation + 3);
    steps(&w, 10);
    cr_expect_float_eq(alpha_of(&w, 0), 1, 0);
    cr_expect_eq(layer_of(&w, "a").generation, generation + 4, "after its end passes are no steps");
    cr_expect_not(seed_of(&w, "a", 0).has_alpha_target);
    cr_expect_not(view_of(&w, "a").seeds[0].ramp);
    cr_expect_eq(view_of(&w, "a").generation, generation + 4);
    world_finish(&w);
}

Test(state_ramps, a_publication_amid_passes_never_reuses_a_generation)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0);
    load_whole(&w, "a", 1, "other", 0.5f);
    ramp_to(&w, 0, 1, (kas_ramp){.unit = KAS_RAMP_PASSES, .length = 8});
    uint64_t generation = view_of(&w, "a").generation;
    steps(&w, 2);
    set_alpha(&w, "a", 1, 0.25f);
    kas_published_layer view = view_of(&w, "a");
    cr_expect_gt(view.generation, generation + 8, "passes that nobody told of may have had up to +8");
    cr_expect_eq(view.seeds[0].ramp_done, 2);
    cr_expect_float_eq(view.seeds[0].alpha, 0.25f, 0);
    steps(&w, 2);
    cr_expect_float_eq(alpha_of(&w, 0), 0.5f, 0, "counted from the new publication");
    world_finish(&w);
}

Test(state_ramps, what_ends_a_ramp)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    kas_ramp over_time = {.unit = KAS_RAMP_MS, .length = 1000};
    ramp_to(&w, 0, 1, over_time);
    pass_time(&w, 500 * KAS_NS_PER_MS);
    set_alpha(&w, "a", 0, 0.25f);
    pass_time(&w, KAS_NS_PER_S);
    cr_expect_float_eq(alpha_of(&w, 0), 0.25f, 0, "a direct alpha");
    ramp_to(&w, 0, 1, over_time);
    ask(&w, KAS_COMMAND_UNLOAD, "a", 0);
    pass_time(&w, KAS_NS_PER_S);
    cr_expect_float_eq(alpha_of(&w, 0), 0, 0, "an unload");
    cr_expect_eq(kas_state_next_wakeup(w.state), KAS_NEVER);
    cr_expect_eq(ramp_to(&w, 0, 1, (kas_ramp){.unit = KAS_RAMP_MS}), KAS_INVALID_ARGUMENT, "no length");
    world_finish(&w);
}

Test(state_ramps, while_loading_it_takes_effect_when_active)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "old", 0.5f);
    load(&w, "a", 0, "new", 0.75f);
    uint64_t generation = layer_of(&w, "a").generation;
    cr_assert_eq(set_alpha(&w, "a", 0, 0.25f), KAS_OK);
    cr_expect_float_eq(alpha_of(&w, 0), 0.5f, 0, "the old kernel serves as it did");
    cr_expect_eq(layer_of(&w, "a").generation, generation);
    resolve(&w, 2, "new", 10);
    ready(&w, 2);
    cr_expect_float_eq(alpha_of(&w, 0), 0.25f, 0);
    world_finish(&w);
}

Test(state_ramps, a_staged_ramp_starts_at_the_boundary)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    kas_command command = {.kind = KAS_COMMAND_SET_ALPHA,
                           .layer = "a",
                           .has_alpha = true,
                           .alpha = 1,
                           .ramp = {.unit = KAS_RAMP_MS, .length = 100},
                           .at_epoch = 1};
    cr_assert_eq(give(&w, command), KAS_OK);
    pass_time(&w, KAS_NS_PER_S);
    cr_expect_float_eq(alpha_of(&w, 0), 0.5f, 0);
    advance(&w, 1, false);
    pass_time(&w, 50 * KAS_NS_PER_MS);
    cr_expect_float_eq(alpha_of(&w, 0), 0.75f, 0);
    cr_expect_eq(seed_of(&w, "a", 0).last_update_epoch, 1);
    world_finish(&w);
}

Test(state_ramps, a_load_that_fails_does_not_turn_back_when_alpha_moved)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0);
    ramp_to(&w, 0, 1, (kas_ramp){.unit = KAS_RAMP_MS, .length = 100});
    cr_assert_eq(load(&w, "a", 0, "other", 0.5f), KAS_OK);
    uint64_t make = asked_make(&w, KAS_EFFECT_RESOLVE);
    cr_assert_eq(advance(&w, 3, false), KAS_OK);
    pass_time(&w, 50 * KAS_NS_PER_MS);
    cr_expect_eq(alpha_of(&w, 0), 0.5f, "the old kernel serves, and its ramp goes on");
    fail_make(&w, make, KAS_NOT_FOUND, KAS_ERROR_KERNEL_LOADING);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed_of(&w, "a", 0).last_update_epoch, 3);
    world_finish(&w);
}
