/* Staged changes and the boundary of an epoch. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/state_world.h"

TestSuite(state_staging);

static kas_code stage(world *w, kas_command_kind kind, uint32_t seed, const char *artifact, uint32_t at_epoch)
{
    kas_command command = {.kind = kind, .layer = "a", .seed = seed, .at_epoch = at_epoch};
    if (artifact) snprintf(command.artifact_id, sizeof command.artifact_id, "%s", artifact);
    command.has_alpha = true;
    command.alpha = 0.25f;
    return give(w, command);
}

static kas_code stage_weights(world *w, kas_resource weights, const char *content, uint32_t at_epoch)
{
    kas_command command = {.kind = KAS_COMMAND_SET_WEIGHTS, .layer = "a", .at_epoch = at_epoch};
    command.set_weights.weights = weights;
    command.set_weights.sha256 = checksum_of(content);
    return give(w, command);
}

Test(state_staging, a_load_is_made_now_and_takes_effect_then)
{
    world w = world_make(NULL);
    cr_assert_eq(stage(&w, KAS_COMMAND_LOAD, 0, "k", 5), KAS_OK);
    uint64_t operation = w.reply.operation;
    uint64_t make = asked_make(&w, KAS_EFFECT_RESOLVE);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(seed_of(&w, "a", 0).staged.at_epoch, 5);
    cr_expect_eq(seed_of(&w, "a", 0).staged.change, KAS_CHANGE_LOAD);
    cr_expect_eq(kas_state_staged(w.state), 1);
    resolve(&w, make, "k", 10);
    ready(&w, make);
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_SUCCEEDED);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 0);

    cr_assert_eq(advance(&w, 4, false), KAS_OK);
    cr_expect_eq(w.reply.applied, 0);
    cr_assert_eq(advance(&w, 7, false), KAS_OK);
    cr_expect_eq(w.reply.applied, 1);
    cr_expect_eq(w.reply.epoch, 7);
    kas_seed_info seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed.last_update_epoch, 7, "the epoch that was reached");
    cr_expect_eq(seed.staged.change, KAS_CHANGE_NONE);
    cr_expect_float_eq(seed.alpha_blend, 0.25f, 0);
    cr_expect_eq(kas_state_staged(w.state), 0);
    cr_expect_eq(view_of(&w, "a").epoch, 7);
    world_finish(&w);
}

Test(state_staging, its_kernel_cannot_be_evicted)
{
    world w = world_make(&(kas_state_limits){.cache_entries = 1});
    stage(&w, KAS_COMMAND_LOAD, 0, "k", 5);
    resolve(&w, 1, "k", 10);
    ready(&w, 1);
    load(&w, "a", 1, "other", 0.5f);
    uint64_t operation = w.reply.operation;
    resolve(&w, asked_make(&w, KAS_EFFECT_RESOLVE), "other", 10);
    cr_expect_eq(operation_of(&w, operation).error_code, KAS_NO_ROOM);
    ask(&w, KAS_COMMAND_DROP_STAGED, "a", 0);
    load(&w, "a", 1, "other", 0.5f);
    resolve(&w, asked_make(&w, KAS_EFFECT_RESOLVE), "other", 10);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RELEASE_KERNEL), 1);
    world_finish(&w);
}

Test(state_staging, refuse_lists_the_unready_and_changes_nothing)
{
    world w = world_make(NULL);
    stage(&w, KAS_COMMAND_LOAD, 0, "k", 5);
    uint64_t operation = w.reply.operation;
    stage_weights(&w, 77, "w", 5);
    kas_sha256 before = kas_state_digest(w.state);
    cr_assert_eq(advance(&w, 5, false), KAS_CONFLICT);
    cr_assert_eq(w.reply.failed_count, 1);
    cr_expect_str_eq(w.failed[0].layer, "a");
    cr_expect_eq(w.failed[0].seed, 0);
    cr_expect_eq(w.failed[0].operation, operation);
    cr_expect(same_digest(before, kas_state_digest(w.state)));
    cr_expect_eq(kas_state_epoch(w.state), 0);
    world_finish(&w);
}

Test(state_staging, skip_drops_the_unready)
{
    world w = world_make(NULL);
    stage(&w, KAS_COMMAND_LOAD, 0, "k", 5);
    uint64_t operation = w.reply.operation;
    stage_weights(&w, 77, "w", 5);
    cr_assert_eq(advance(&w, 5, true), KAS_OK);
    cr_expect_eq(w.reply.applied, 1);
    cr_assert_eq(w.reply.failed_count, 1);
    cr_expect_eq(w.failed[0].seed, 0);
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_CANCELLED);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_ABANDON), 1);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1);
    cr_expect_eq(view_of(&w, "a").weights, 77);
    world_finish(&w);
}

Test(state_staging, a_failed_load_stays_unready)
{
    world w = world_make(NULL);
    stage(&w, KAS_COMMAND_LOAD, 0, "k", 5);
    fail_make(&w, 1, KAS_NOT_FOUND, KAS_ERROR_KERNEL_LOADING);
    cr_expect_eq(seed_of(&w, "a", 0).last_error.type, KAS_ERROR_KERNEL_LOADING);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(advance(&w, 5, false), KAS_CONFLICT);
    cr_expect_str_eq(w.failed[0].reason, "load_failed");
    cr_expect_eq(advance(&w, 5, true), KAS_OK);
    cr_expect_eq(w.reply.failed_count, 1);
    world_finish(&w);
}

Test(state_staging, it_is_checked_now)
{
    world w = world_make(NULL);
    advance(&w, 3, false);
    cr_expect_eq(stage(&w, KAS_COMMAND_LOAD, 0, "k", 3), KAS_INVALID_ARGUMENT);
    cr_expect_eq(stage(&w, KAS_COMMAND_FOSSILIZE, 0, NULL, 4), KAS_ILLEGAL_TRANSITION);
    cr_expect_eq(stage(&w, KAS_COMMAND_UNLOAD, 0, NULL, 4), KAS_OK);
    cr_expect_eq(stage(&w, KAS_COMMAND_RESET, 0, NULL, 5), KAS_CONFLICT, "one a seed");
    cr_expect_eq(stage_weights(&w, 70, "w", 4), KAS_OK);
    cr_expect_eq(stage_weights(&w, 71, "v", 5), KAS_CONFLICT, "one a layer");
    cr_expect_eq(advance(&w, 3, false), KAS_CONFLICT, "it must grow");
    world_finish(&w);
}

Test(state_staging, and_again_at_the_boundary)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    cr_assert_eq(stage(&w, KAS_COMMAND_FOSSILIZE, 0, NULL, 2), KAS_OK);
    cr_assert_eq(ask(&w, KAS_COMMAND_UNLOAD, "a", 0), KAS_OK, "a direct change is allowed");
    cr_assert_eq(advance(&w, 2, false), KAS_OK);
    cr_expect_eq(w.reply.applied, 0);
    cr_assert_eq(w.reply.failed_count, 1);
    cr_expect_eq(w.failed[0].seed, 0);
    cr_expect_neq(w.failed[0].reason[0], 0);
    cr_expect_null(w.reply.state);
    world_finish(&w);
}

Test(state_staging, in_order_of_epoch_and_in_one_publication)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    uint64_t generation = layer_of(&w, "a").generation;
    stage_weights(&w, 70, "w", 3);
    stage(&w, KAS_COMMAND_SET_ALPHA, 0, NULL, 2);
    cr_assert_eq(advance(&w, 3, false), KAS_OK);
    cr_expect_eq(w.reply.applied, 2);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1);
    cr_expect_eq(layer_of(&w, "a").generation, generation + 1);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RELEASE_WEIGHTS), 1, "the weights before");
    cr_expect_float_eq(seed_of(&w, "a", 0).alpha_blend, 0.25f, 0);
    world_finish(&w);
}

Test(state_staging, cancelling_its_operation_drops_it)
{
    world w = world_make(NULL);
    stage(&w, KAS_COMMAND_LOAD, 0, "k", 5);
    kas_command cancel = {.kind = KAS_COMMAND_CANCEL_OPERATION, .cancel = {.operation = w.reply.operation}};
    cr_assert_eq(give(&w, cancel), KAS_OK);
    cr_expect_eq(kas_state_staged(w.state), 0);
    cr_expect_eq(ask(&w, KAS_COMMAND_DROP_STAGED, "a", 0), KAS_NOT_FOUND);
    world_finish(&w);
}

Test(state_staging, an_epoch_alone_is_no_generation)
{
    world w = world_make(NULL);
    uint64_t generation = layer_of(&w, "a").generation;
    advance(&w, 1, false);
    cr_expect_eq(layer_of(&w, "a").generation, generation);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1, "but answers name the epoch");
    world_finish(&w);
}

Test(state_staging, what_the_request_says_is_refused_before_what_the_state_says)
{
    world w = world_make(NULL);
    cr_assert_eq(advance(&w, 5, false), KAS_OK);
    cr_expect_eq(ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0), KAS_ILLEGAL_TRANSITION);
    cr_expect_eq(stage(&w, KAS_COMMAND_FOSSILIZE, 0, NULL, 5), KAS_INVALID_ARGUMENT);
    cr_expect_eq(stage(&w, KAS_COMMAND_FOSSILIZE, 0, NULL, 6), KAS_ILLEGAL_TRANSITION);
    cr_assert_eq(load(&w, "a", 0, "k", 0.5f), KAS_OK);
    cr_expect_eq(stage(&w, KAS_COMMAND_LOAD, 0, "other", 4), KAS_INVALID_ARGUMENT);
    cr_expect_eq(stage(&w, KAS_COMMAND_LOAD, 0, "other", 6), KAS_ILLEGAL_TRANSITION);
    cr_assert_eq(stage_weights(&w, 900, "w", 6), KAS_OK);
    cr_expect_eq(stage_weights(&w, 901, "x", 5), KAS_INVALID_ARGUMENT);
    cr_expect_eq(stage_weights(&w, 901, "x", 7), KAS_CONFLICT);
    world_finish(&w);
}
