/* The lifecycle, exhaustively: every state times every request, with what comes of it. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/state_world.h"

TestSuite(state_transitions);

static void fail_three_times(world *w)
{
    for (int i = 0; i < 3; ++i)
        pass(w, "a", 0, KAS_OUTCOME_NON_FINITE);
}

/* Seed 0 of layer "a" in a given state, by the shortest way. */
static world in_state(kas_lifecycle state)
{
    world w = world_make(NULL);
    if (state == KAS_SEED_LOADING) load(&w, "a", 0, "k", 0.5f);
    if (state >= KAS_SEED_ACTIVE) load_whole(&w, "a", 0, "k", 0.5f);
    if (state == KAS_SEED_ERROR_RECOVERY) fail_three_times(&w);
    if (state == KAS_SEED_FOSSILIZED) ask(&w, KAS_COMMAND_FOSSILIZE, "a", 0);
    cr_assert_eq(seed_of(&w, "a", 0).lifecycle_state, state);
    return w;
}

enum { REFUSED = -1 };

typedef struct expectation {
    const char *request;
    int outcome[5]; /* by present state: the state afterwards, or REFUSED */
} expectation;

static const expectation table[] = {
    {"load", {KAS_SEED_LOADING, REFUSED, KAS_SEED_LOADING, KAS_SEED_LOADING, REFUSED}},
    {"unload", {KAS_SEED_DORMANT, KAS_SEED_DORMANT, KAS_SEED_DORMANT, KAS_SEED_DORMANT, REFUSED}},
    {"alpha", {REFUSED, KAS_SEED_LOADING, KAS_SEED_ACTIVE, REFUSED, REFUSED}},
    {"fossilize", {REFUSED, REFUSED, KAS_SEED_FOSSILIZED, REFUSED, REFUSED}},
    {"reset", {KAS_SEED_DORMANT, KAS_SEED_DORMANT, KAS_SEED_DORMANT, KAS_SEED_DORMANT, REFUSED}},
};
enum { REQUESTS = sizeof table / sizeof *table };

static kas_code request(world *w, const char *name)
{
    if (!strcmp(name, "load")) return load(w, "a", 0, "other", 0.25f);
    if (!strcmp(name, "alpha")) return set_alpha(w, "a", 0, 0.25f);
    if (!strcmp(name, "unload")) return ask(w, KAS_COMMAND_UNLOAD, "a", 0);
    if (!strcmp(name, "fossilize")) return ask(w, KAS_COMMAND_FOSSILIZE, "a", 0);
    return ask(w, KAS_COMMAND_RESET, "a", 0);
}

static bool lists(const kas_reply *reply, const char *name)
{
    for (int i = 0; i < KAS_ALLOWED_MAX; ++i)
        if (reply->allowed[i] && !strcmp(reply->allowed[i], name)) return true;
    return false;
}

static void check_refusal(const world *w, kas_lifecycle state)
{
    static const char *const names[] = {"DORMANT", "LOADING", "ACTIVE", "ERROR_RECOVERY", "FOSSILIZED"};
    cr_assert_eq(w->code, KAS_ILLEGAL_TRANSITION);
    cr_assert_str_eq(w->reply.state, names[state]);
    for (int i = 0; i < REQUESTS; ++i)
        cr_expect_eq(lists(&w->reply, table[i].request), table[i].outcome[state] != REFUSED, "%s in %s",
                     table[i].request, names[state]);
}

Test(state_transitions, every_state_and_request)
{
    for (int state = 0; state < 5; ++state) {
        for (int i = 0; i < REQUESTS; ++i) {
            world w = in_state((kas_lifecycle)state);
            kas_sha256 before = kas_state_digest(w.state);
            kas_code code = request(&w, table[i].request);
            int expected = table[i].outcome[state];
            if (expected == REFUSED) {
                check_refusal(&w, (kas_lifecycle)state);
                cr_expect(same_digest(before, kas_state_digest(w.state)), "a refusal changes nothing");
            } else {
                cr_expect_eq(code, KAS_OK, "%s in state %d", table[i].request, state);
                cr_expect_eq((int)seed_of(&w, "a", 0).lifecycle_state, expected, "%s in state %d",
                             table[i].request, state);
            }
            world_finish(&w);
        }
    }
}

Test(state_transitions, load_of_the_same_artifact_joins)
{
    world w = in_state(KAS_SEED_LOADING);
    uint64_t running = seed_of(&w, "a", 0).operation;
    cr_assert_eq(load(&w, "a", 0, "k", 0.125f), KAS_OK);
    cr_expect_eq(w.reply.operation, running);
    cr_expect_not(w.reply.finished);
    resolve(&w, 1, "k", 10);
    ready(&w, 1);
    cr_expect_float_eq(seed_of(&w, "a", 0).alpha_blend, 0.125f, 0);
    cr_expect_eq(cache_of(&w).hits, 1);
    cr_expect_eq(cache_of(&w).misses, 1);
    world_finish(&w);
}

Test(state_transitions, unload_of_a_dormant_seed_changes_nothing)
{
    world w = world_make(NULL);
    kas_seed_info before = seed_of(&w, "a", 0);
    uint64_t generation = layer_of(&w, "a").generation;
    cr_expect_eq(ask(&w, KAS_COMMAND_UNLOAD, "a", 0), KAS_OK);
    cr_expect_eq(seed_of(&w, "a", 0).revision, before.revision);
    cr_expect_eq(layer_of(&w, "a").generation, generation);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 0);
    world_finish(&w);
}

Test(state_transitions, unload_keeps_what_it_must)
{
    world w = in_state(KAS_SEED_ACTIVE);
    pass(&w, "a", 0, KAS_OUTCOME_NON_FINITE);
    cr_assert_eq(seed_of(&w, "a", 0).error_count, 1);
    ask(&w, KAS_COMMAND_UNLOAD, "a", 0);
    kas_seed_info seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.error_count, 0);
    cr_expect_eq(seed.active_kernel_id, 0);
    cr_expect_float_eq(seed.alpha_blend, 0, 0);
    cr_expect_eq(seed.exec_latency_us, 7);
    cr_expect_eq(seed.last_error.type, KAS_ERROR_KERNEL_EXECUTION);
    ask(&w, KAS_COMMAND_RESET, "a", 0);
    seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.last_error.type, KAS_ERROR_NONE);
    cr_expect_eq(seed.exec_latency_us, 0);
    world_finish(&w);
}

Test(state_transitions, unload_over_a_kernel_cancels_and_removes_both)
{
    world w = in_state(KAS_SEED_ACTIVE);
    load(&w, "a", 0, "other", 0.5f);
    uint64_t operation = w.reply.operation;
    cr_assert(seed_of(&w, "a", 0).contributing, "the old kernel serves on");
    ask(&w, KAS_COMMAND_UNLOAD, "a", 0);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_ABANDON), 1);
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_CANCELLED);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(view_of(&w, "a").seed_count, 0);
    world_finish(&w);
}

Test(state_transitions, active_means_no_errors)
{
    world w = in_state(KAS_SEED_ERROR_RECOVERY);
    kas_seed_info seed = seed_of(&w, "a", 0);
    cr_expect(seed.fallback_active);
    cr_expect_eq(seed.error_count, 3);
    cr_expect_float_eq(seed.alpha_blend, 0.5f, 0, "it still shows its alpha");
    cr_expect_str_eq(seed.artifact_id, "k");
    cr_expect_neq(seed.active_kernel_id, 0);
    cr_expect_not(seed.contributing);
    cr_assert_eq(load(&w, "a", 0, "k", 0.25f), KAS_OK);
    cr_expect(w.reply.finished, "its kernel is on the device");
    seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed.error_count, 0);
    cr_expect_not(seed.fallback_active);
    cr_expect_eq(seed.last_error.type, KAS_ERROR_NONE);
    world_finish(&w);
}

Test(state_transitions, seeds_and_layers_that_are_not_there)
{
    world w = world_make(NULL);
    cr_expect_eq(load(&w, "nobody", 0, "k", 0.5f), KAS_NOT_FOUND);
    cr_expect_eq(load(&w, "a", 4, "k", 0.5f), KAS_NOT_FOUND);
    cr_expect_eq(load(&w, "a", 0, "k k", 0.5f), KAS_INVALID_ARGUMENT);
    cr_expect_eq(load(&w, "a", 0, "k", 1.5f), KAS_INVALID_ARGUMENT);
    world_finish(&w);
}
