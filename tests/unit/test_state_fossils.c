/* Fossils: their alphas, that the output stays where it is, folding, and what the layer still allows. */
#include <criterion/criterion.h>

#include "base/half.h"
#include "tests/unit/state_world.h"

TestSuite(state_fossils);

/* D = 1, and kernels that are constants: K of seed 0 is 3, of seed 1 is 7. */
static float output_of(const kas_published_layer *view)
{
    static const float constants[] = {3, 7};
    float base = 1, sum = 0, blended = 0;
    for (uint32_t i = 0; i < view->fossil_count; ++i)
        base =
            (1 - view->fossils[i].alpha) * base + view->fossils[i].alpha * constants[view->fossils[i].seed];
    for (uint32_t i = 0; i < view->seed_count; ++i) {
        sum += view->seeds[i].alpha;
        blended += view->seeds[i].alpha * constants[view->seeds[i].seed];
    }
    return (1 - sum) * base + blended;
}

static kas_resource load_affine(world *w, uint32_t seed, const char *artifact, float alpha, bool affine)
{
    load(w, "a", seed, artifact, alpha);
    uint64_t make = asked_make(w, KAS_EFFECT_RESOLVE);
    kas_kernel_facts facts = facts_for(8, 4);
    facts.affine = affine;
    resolve_with(w, make, artifact, 10, &facts);
    return ready(w, make);
}

static const kas_effect *fold_of(const world *w)
{
    for (size_t i = 0; i < w->effects.count; ++i)
        if (w->effects.items[i].kind == KAS_EFFECT_FOLD) return &w->effects.items[i];
    return NULL;
}

static void folded(world *w, uint64_t fold, kas_resource weights)
{
    give(w, (kas_command){.kind = KAS_COMMAND_FOLDED, .folded = {.fold = fold, .weights = weights}});
}

Test(state_fossils, the_output_does_not_move)
{
    for (uint32_t first = 0; first < 2; ++first) {
        world w = world_make(NULL);
        load_affine(&w, 0, "k1", 0.4f, false);
        load_affine(&w, 1, "k2", 0.3f, false);
        kas_published_layer before = view_of(&w, "a");
        cr_expect_float_eq(output_of(&before), 3.6f, 2e-3f);
        cr_assert_eq(ask(&w, KAS_COMMAND_FOSSILIZE, "a", first), KAS_OK);
        kas_published_layer after = view_of(&w, "a");
        cr_expect_float_eq(output_of(&after), output_of(&before), 1e-5f);
        cr_assert_eq(ask(&w, KAS_COMMAND_FOSSILIZE, "a", 1 - first), KAS_OK);
        kas_published_layer last = view_of(&w, "a");
        cr_expect_eq(last.fossil_count, 2);
        cr_expect_float_eq(output_of(&last), output_of(&before), 1e-5f);
        world_finish(&w);
    }
}

Test(state_fossils, alpha_is_frozen_in_float)
{
    world w = world_make(NULL);
    load_affine(&w, 0, "k1", 0.4f, false);
    load_affine(&w, 1, "k2", 0.3f, false);
    float a = kas_half_to_float(kas_half_from_float(0.4f)), b = kas_half_to_float(kas_half_from_float(0.3f));
    float expected = a / (1 - (a + b) + a);
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0);
    cr_expect_float_eq(view_of(&w, "a").fossils[0].alpha, expected, 0);
    kas_seed_info seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_FOSSILIZED);
    cr_expect_float_eq(seed.alpha_blend, kas_half_to_float(kas_half_from_float(expected)), 0);
    cr_expect_not(seed.contributing);
    cr_expect(seed.pinned);
    cr_expect_eq(layer_of(&w, "a").fossils, 1);
    cr_expect_eq(layer_of(&w, "a").active_seeds, 1);
    world_finish(&w);
}

Test(state_fossils, more_than_one_in_all_is_refused)
{
    world w = world_make(NULL);
    load_affine(&w, 0, "k1", 0.75f, false);
    load_affine(&w, 1, "k2", 0.5f, false);
    cr_expect_eq(ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0), KAS_CONFLICT);
    cr_expect_null(w.reply.state);
    set_alpha(&w, "a", 1, 0.25f);
    cr_expect_eq(ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0), KAS_OK, "exactly one is allowed");
    cr_expect_float_eq(view_of(&w, "a").fossils[0].alpha, 1, 0);
    world_finish(&w);
}

Test(state_fossils, alpha_zero_stays_zero)
{
    world w = world_make(NULL);
    load_affine(&w, 0, "k1", 0, false);
    load_affine(&w, 1, "k2", 1, false);
    cr_assert_eq(ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0), KAS_OK);
    cr_expect_float_eq(view_of(&w, "a").fossils[0].alpha, 0, 0);
    world_finish(&w);
}

Test(state_fossils, affine_ones_fold)
{
    world w = world_make(NULL);
    kas_resource kernel = load_affine(&w, 0, "k1", 0.5f, true);
    kas_resource original = view_of(&w, "a").weights;
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0);
    const kas_effect *fold = fold_of(&w);
    cr_assert_not_null(fold);
    cr_expect_eq(fold->fold.fossils, 1);
    cr_expect_eq(view_of(&w, "a").fossil_count, 1, "a step until the weights are there");
    uint64_t uid = fold->layer_uid, generation = layer_of(&w, "a").generation;
    folded(&w, fold->fold.fold, 900);
    kas_published_layer view = view_of(&w, "a");
    cr_expect_eq(view.weights, 900);
    cr_expect_eq(view.folded_fossils, 1);
    cr_expect_eq(view.fossil_count, 0);
    cr_expect_eq(view.generation, generation + 1);
    kas_resource weights;
    kas_published_fossil fossils[KAS_MAX_SEEDS];
    uint32_t count;
    cr_assert(kas_state_fold_source(w.state, uid, &weights, fossils, &count));
    cr_expect_eq(weights, original);
    cr_assert_eq(count, 1);
    cr_expect_eq(fossils[0].kernel, kernel);
    world_finish(&w);
}

Test(state_fossils, behind_one_that_is_not_affine_nothing_folds)
{
    world w = world_make(NULL);
    load_affine(&w, 0, "k1", 0.25f, true);
    load_affine(&w, 1, "k2", 0.25f, false);
    load_affine(&w, 2, "k3", 0.25f, true);
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0);
    folded(&w, fold_of(&w)->fold.fold, 900);
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 1);
    cr_expect_null(fold_of(&w));
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 2);
    cr_expect_null(fold_of(&w));
    kas_published_layer view = view_of(&w, "a");
    cr_expect_eq(view.folded_fossils, 1);
    cr_assert_eq(view.fossil_count, 2);
    cr_expect_eq(view.fossils[0].seed, 1);
    cr_expect_eq(view.fossils[1].seed, 2);
    world_finish(&w);
}

Test(state_fossils, a_late_fold_gives_its_weights_back)
{
    world w = world_make(NULL);
    load_affine(&w, 0, "k1", 0.25f, true);
    load_affine(&w, 1, "k2", 0.25f, true);
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0);
    uint64_t first = fold_of(&w)->fold.fold;
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 1);
    uint64_t second = fold_of(&w)->fold.fold;
    cr_expect_eq(fold_of(&w)->fold.fossils, 2);
    folded(&w, first, 900);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RELEASE_WEIGHTS), 1);
    cr_expect_eq(view_of(&w, "a").folded_fossils, 0);
    folded(&w, second, 901);
    cr_expect_eq(view_of(&w, "a").folded_fossils, 2);
    world_finish(&w);
}

Test(state_fossils, new_weights_fold_again)
{
    world w = world_make(NULL);
    load_affine(&w, 0, "k1", 0.25f, true);
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0);
    folded(&w, fold_of(&w)->fold.fold, 900);
    kas_command set = {.kind = KAS_COMMAND_SET_WEIGHTS, .layer = "a"};
    set.set_weights.weights = 950;
    set.set_weights.sha256 = checksum_of("new");
    cr_assert_eq(give(&w, set), KAS_OK);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RELEASE_WEIGHTS), 2, "the original and the folded");
    cr_expect_eq(view_of(&w, "a").weights, 950);
    cr_expect_eq(view_of(&w, "a").fossil_count, 1);
    cr_assert_not_null(fold_of(&w));
    folded(&w, fold_of(&w)->fold.fold, 951);
    cr_expect_eq(view_of(&w, "a").weights, 951);
    uint64_t generation = layer_of(&w, "a").generation;
    set.set_weights.weights = 952;
    give(&w, set);
    cr_expect_eq(layer_of(&w, "a").generation, generation, "the same weights again change nothing");
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RELEASE_WEIGHTS), 1);
    world_finish(&w);
}

Test(state_fossils, a_failing_fossil_alerts_and_stays)
{
    world w = world_make(NULL);
    load_affine(&w, 0, "k1", 0.25f, false);
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0);
    for (int i = 0; i < 5; ++i) {
        pass(&w, "a", 0, KAS_OUTCOME_NON_FINITE);
        cr_expect_eq(count_effects(&w, KAS_EFFECT_ALERT), i == 0);
    }
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_FOSSILIZED);
    cr_expect_eq(view_of(&w, "a").fossil_count, 1);
    world_finish(&w);
}

Test(state_fossils, a_layer_with_fossils_goes_only_by_force)
{
    world w = world_make(NULL);
    kas_resource kernel = load_affine(&w, 0, "k1", 0.25f, false);
    ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0);
    cr_expect_eq(ask(&w, KAS_COMMAND_DELETE_LAYER, "a", 0), KAS_CONFLICT);
    kas_command forced = {.kind = KAS_COMMAND_DELETE_LAYER, .layer = "a", .delete_layer = {.force = true}};
    cr_assert_eq(give(&w, forced), KAS_OK);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_UNPUBLISH), 1);
    drain(&w, kernel);
    kas_command evict = {.kind = KAS_COMMAND_EVICT, .artifact_id = "k1"};
    cr_expect_eq(give(&w, evict), KAS_OK, "nothing holds its kernel any more");
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RELEASE_KERNEL), 1);
    world_finish(&w);
}
