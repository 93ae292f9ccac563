/* Moves from end to end: what they ask for, one thing at a time, and what happens beside them. The layer "a"
 * goes from host:0 to cuda:0. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/state_world.h"

TestSuite(state_moves);

static kas_code move_to(world *w, const char *device)
{
    kas_command command = {.kind = KAS_COMMAND_MOVE_LAYER, .layer = "a"};
    strcpy(command.move.device, device);
    command.move.device_kind = strcmp(device, "host:0") ? KAS_KIND_CUDA : KAS_KIND_CPU;
    return give(w, command);
}

/* Answers the effect of the last command that asks for weights; returns their copy. */
static kas_resource copied(world *w, kas_resource from)
{
    const kas_effect *effect = asked(w, KAS_EFFECT_MOVE_WEIGHTS);
    cr_assert_not_null(effect);
    cr_expect_eq(effect->move.from, from);
    cr_expect_str_eq(effect->move.device, "cuda:0");
    kas_command command = {.kind = KAS_COMMAND_MOVE_WEIGHTS_READY};
    command.moved.operation = effect->move.operation;
    command.moved.weights = ++w->last_resource;
    give(w, command);
    return command.moved.weights;
}

static void expect_at(const world *w, const char *device, kas_resource weights)
{
    cr_expect_str_eq(layer_of(w, "a").device, device);
    cr_expect_str_eq(view_of(w, "a").device, device);
    cr_expect_eq(view_of(w, "a").weights, weights);
}

Test(state_moves, step_by_step)
{
    world w = world_make(NULL);
    kas_resource kernel = load_whole(&w, "a", 1, "digits", 0.25f), weights = view_of(&w, "a").weights;
    uint64_t generation = view_of(&w, "a").generation, binding = view_of(&w, "a").seeds[0].binding;
    cr_assert_eq(move_to(&w, "cuda:0"), KAS_OK);
    uint64_t operation = w.reply.operation;
    cr_expect_not(w.reply.finished);
    cr_expect_eq(operation_of(&w, operation).kind, KAS_OPERATION_MOVE);
    cr_expect_eq(operation_of(&w, operation).seed, -1);
    cr_expect_str_eq(operation_of(&w, operation).device, "cuda:0");
    kas_resource copy = copied(&w, weights);
    cr_expect_str_eq(operation_of(&w, operation).artifact_id, "digits");
    kas_resource there = made(&w, "digits");
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 0, "nothing that passes see has changed");
    expect_at(&w, "host:0", weights);
    tried(&w);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_MOVE_END), 1);
    cr_expect_eq(asked(&w, KAS_EFFECT_RELEASE_WEIGHTS)->weights.weights, weights);
    expect_at(&w, "cuda:0", copy);
    kas_published_layer view = view_of(&w, "a");
    cr_expect_eq(view.generation, generation + 1);
    cr_expect_eq(view.seeds[0].kernel, there);
    cr_expect_eq(view.seeds[0].binding, binding, "results of passes in flight still count");
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_SUCCEEDED);
    cr_expect_eq(cache_of(&w).entries, 2);
    drain(&w, kernel);
    cr_expect_eq(ask(&w, KAS_COMMAND_DELETE_LAYER, "a", 0), KAS_OK);
    world_finish(&w);
}

Test(state_moves, a_load_that_runs_goes_along)
{
    world w = world_make(NULL);
    cr_assert_eq(load(&w, "a", 0, "digits", 0.5f), KAS_OK);
    uint64_t loading = w.reply.operation, here = asked_make(&w, KAS_EFFECT_RESOLVE);
    kas_cache_stats before = cache_of(&w);
    cr_assert_eq(move_to(&w, "cuda:0"), KAS_OK);
    kas_resource copy = copied(&w, view_of(&w, "a").weights);
    tried(&w);
    expect_at(&w, "cuda:0", copy);
    cr_expect_eq(asked(&w, KAS_EFFECT_ABANDON)->make.make, here, "it still goes where nobody is");
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_LOADING);
    cr_expect_eq(seed_of(&w, "a", 0).operation, loading);
    (void)made(&w, "digits");
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(cache_of(&w).misses, before.misses, "one load is counted twice");
    world_finish(&w);
}

Test(state_moves, what_changes_meanwhile_goes_along)
{
    world w = world_make(NULL);
    (void)load_whole(&w, "a", 0, "digits", 0.5f);
    cr_assert_eq(move_to(&w, "cuda:0"), KAS_OK);
    uint64_t moving = w.reply.operation;
    kas_command set = {.kind = KAS_COMMAND_SET_WEIGHTS, .layer = "a"};
    set.set_weights.weights = ++w.last_resource;
    set.set_weights.sha256 = checksum_of("new weights");
    cr_assert_eq(give(&w, set), KAS_OK);
    cr_expect_eq(ask(&w, KAS_COMMAND_UNLOAD, "a", 0), KAS_OK);
    (void)load_whole(&w, "a", 1, "letters", 0.5f);
    kas_command answer = {.kind = KAS_COMMAND_MOVE_WEIGHTS_READY};
    answer.moved.operation = moving;
    answer.moved.weights = ++w.last_resource;
    give(&w, answer); /* a copy of what the layer had */
    cr_expect_eq(asked(&w, KAS_EFFECT_RELEASE_WEIGHTS)->weights.weights, answer.moved.weights);
    kas_resource copy = copied(&w, set.set_weights.weights);
    kas_resource there = made(&w, "letters");
    tried(&w);
    expect_at(&w, "cuda:0", copy);
    cr_expect_eq(view_of(&w, "a").seed_count, 1);
    cr_expect_eq(view_of(&w, "a").seeds[0].kernel, there);
    world_finish(&w);
}

Test(state_moves, a_failure_leaves_the_layer_where_it_is)
{
    world w = world_make(NULL);
    (void)load_whole(&w, "a", 0, "digits", 0.5f);
    kas_published_layer was = view_of(&w, "a");
    cr_assert_eq(move_to(&w, "cuda:0"), KAS_OK);
    uint64_t operation = w.reply.operation;
    kas_resource copy = copied(&w, was.weights);
    fail_make(&w, asked_make(&w, KAS_EFFECT_RESOLVE), KAS_DEVICE_LOST, KAS_ERROR_DEVICE_ERROR);
    kas_operation_info info = operation_of(&w, operation);
    cr_expect_eq(info.state, KAS_OPERATION_FAILED);
    cr_expect_eq(info.error_code, KAS_DEVICE_LOST);
    cr_expect(strstr(info.error_detail, "layer a stays on host:0") != NULL, "%s", info.error_detail);
    cr_expect_eq(asked(&w, KAS_EFFECT_RELEASE_WEIGHTS)->weights.weights, copy);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_MOVE_END), 1);
    expect_at(&w, "host:0", was.weights);
    cr_expect_eq(view_of(&w, "a").generation, was.generation);
    cr_expect_eq(seed_of(&w, "a", 0).last_error.type, KAS_ERROR_NONE);
    world_finish(&w);
}

Test(state_moves, a_kernel_that_cannot_go)
{
    world w = world_make(NULL);
    cr_assert_eq(load(&w, "a", 0, "digits", 0.5f), KAS_OK);
    kas_kernel_facts facts = facts_for(8, 4);
    facts.device_kinds = KAS_KIND_CPU;
    uint64_t make = asked_make(&w, KAS_EFFECT_RESOLVE);
    resolve_with(&w, make, "digits", 100, &facts);
    ready(&w, make);
    cr_assert_eq(move_to(&w, "cuda:0"), KAS_OK);
    uint64_t operation = w.reply.operation;
    (void)copied(&w, view_of(&w, "a").weights);
    resolve_with(&w, asked_make(&w, KAS_EFFECT_RESOLVE), "digits", 100, &facts);
    cr_expect_eq(operation_of(&w, operation).error_code, KAS_INCOMPATIBLE_KERNEL);
    cr_expect_str_eq(operation_of(&w, operation).error_reason, "device_requirements");
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    world_finish(&w);
}

/* A seed keeps a quarantined kernel until its own third failure, wherever its layer is. */
Test(state_moves, a_quarantined_kernel_goes_along)
{
    world w = world_make(NULL);
    for (uint32_t seed = 0; seed < 4; ++seed)
        (void)(seed ? load(&w, "a", seed, "digits", 0.25f)
                    : (kas_code)(load_whole(&w, "a", seed, "digits", 0.25f) == 0));
    for (uint32_t seed = 0; seed < 3; ++seed)
        for (int failures = 0; failures < 3; ++failures)
            pass(&w, "a", seed, KAS_OUTCOME_NON_FINITE);
    cr_expect_eq(load(&w, "a", 0, "digits", 0.25f), KAS_CONFLICT, "it is not in quarantine");
    cr_assert_eq(move_to(&w, "cuda:0"), KAS_OK);
    (void)copied(&w, view_of(&w, "a").weights);
    kas_resource there = made(&w, "digits");
    tried(&w);
    cr_expect_str_eq(layer_of(&w, "a").device, "cuda:0");
    cr_expect_eq(view_of(&w, "a").seeds[0].kernel, there);
    world_finish(&w);
}

Test(state_moves, one_at_a_time)
{
    world w = world_make(NULL);
    cr_assert_eq(move_to(&w, "host:0"), KAS_OK);
    cr_expect(w.reply.finished && !w.reply.operation, "a layer moves to where it is");
    cr_assert_eq(move_to(&w, "cuda:0"), KAS_OK);
    uint64_t operation = w.reply.operation;
    cr_expect_eq(move_to(&w, "cuda:0"), KAS_OK);
    cr_expect_eq(w.reply.operation, operation, "the same move is two operations");
    cr_expect_eq(move_to(&w, "cuda:1"), KAS_CONFLICT);
    cr_expect_str_eq(w.reason, "moving");
    cr_expect_eq(move_to(&w, "host:0"), KAS_CONFLICT);
    kas_command cancel = {.kind = KAS_COMMAND_CANCEL_OPERATION, .cancel = {.operation = operation}};
    cr_expect_eq(give(&w, cancel), KAS_OK);
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_CANCELLED);
    cr_expect_eq(move_to(&w, "cuda:1"), KAS_OK);
    operation = w.reply.operation;
    cr_expect_eq(ask(&w, KAS_COMMAND_DELETE_LAYER, "a", 0), KAS_OK);
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_CANCELLED);
    world_finish(&w);
}

/* ---- off a lost device ---- */

static void lose_host(world *w, const char *refuge)
{
    kas_command command = {.kind = KAS_COMMAND_DEVICE_LOST};
    strcpy(command.lost.device, "host:0");
    strcpy(command.lost.refuge, refuge);
    command.lost.refuge_kind = KAS_KIND_CUDA;
    give(w, command);
}

/* Answers that it cannot be; returns whether anybody is alarmed. */
static bool fails(world *w, kas_code code)
{
    const kas_effect *effect = asked(w, KAS_EFFECT_MOVE_WEIGHTS);
    cr_assert_not_null(effect, "the layer is not moved again");
    kas_command command = {.kind = KAS_COMMAND_MOVE_FAILED};
    command.failed.make = effect->move.operation;
    command.failed.code = code;
    command.failed.error_type = KAS_ERROR_MEMORY_OVERFLOW;
    command.failed.reason = "";
    give(w, command);
    return count_effects(w, KAS_EFFECT_ALERT) > 0;
}

Test(state_moves, off_a_lost_device_it_is_tried_again)
{
    world w = world_make(NULL);
    kas_resource weights = view_of(&w, "a").weights;
    lose_host(&w, "cuda:0");
    cr_expect(fails(&w, KAS_OUT_OF_MEMORY), "the first failure is an alert");
    for (int64_t pause_s = 1; pause_s < 1000; pause_s *= 2) {
        int64_t due_ns = w.now_ns + (pause_s < 300 ? pause_s : 300) * KAS_NS_PER_S;
        cr_expect_eq(kas_state_next_wakeup(w.state), due_ns);
        pass_time(&w, due_ns - w.now_ns - 1);
        cr_expect_null(asked(&w, KAS_EFFECT_MOVE_WEIGHTS), "too early");
        pass_time(&w, 1);
        cr_expect_not(fails(&w, KAS_OUT_OF_MEMORY), "the same reason is no news");
        cr_expect_eq(count_effects(&w, KAS_EFFECT_ERROR), 0);
    }
    pass_time(&w, 300 * KAS_NS_PER_S);
    cr_expect(fails(&w, KAS_NO_ROOM), "another reason is");
    pass_time(&w, 300 * KAS_NS_PER_S);
    kas_resource copy = copied(&w, weights);
    tried(&w);
    expect_at(&w, "cuda:0", copy);
    cr_expect_eq(kas_state_next_wakeup(w.state), KAS_NEVER, "it is elsewhere");
    world_finish(&w);
}

Test(state_moves, off_a_lost_device_until_somebody_ends_it)
{
    world w = world_make(NULL);
    lose_host(&w, "cuda:0");
    (void)fails(&w, KAS_OUT_OF_MEMORY);
    cr_assert_eq(move_to(&w, "cuda:0"), KAS_OK); /* by request, between two tries: it is one of them */
    cr_expect_eq(kas_state_next_wakeup(w.state), KAS_NEVER);
    (void)fails(&w, KAS_OUT_OF_MEMORY);
    pass_time(&w, 2 * KAS_NS_PER_S);
    kas_command cancel = {.kind = KAS_COMMAND_CANCEL_OPERATION};
    cancel.cancel.operation = asked(&w, KAS_EFFECT_MOVE_WEIGHTS)->move.operation;
    cr_expect_eq(give(&w, cancel), KAS_OK);
    cr_expect_eq(kas_state_next_wakeup(w.state), KAS_NEVER);
    world_finish(&w);
}

/* Without a refuge it stays, until a replica of it is ready somewhere. */
Test(state_moves, off_a_lost_device_its_refuge_is_lost_too)
{
    world w = world_make(NULL);
    lose_host(&w, "cuda:0");
    (void)fails(&w, KAS_OUT_OF_MEMORY);
    kas_command command = {.kind = KAS_COMMAND_DEVICE_LOST};
    strcpy(command.lost.device, "cuda:0");
    give(&w, command);
    pass_time(&w, KAS_NS_PER_S);
    cr_expect_null(asked(&w, KAS_EFFECT_MOVE_WEIGHTS), "it goes to a lost device");
    cr_expect_eq(kas_state_next_wakeup(w.state), w.now_ns + 2 * KAS_NS_PER_S);
    cr_expect_eq(ask(&w, KAS_COMMAND_DELETE_LAYER, "a", 0), KAS_OK);
    cr_expect_eq(kas_state_next_wakeup(w.state), KAS_NEVER);
    world_finish(&w);
}
