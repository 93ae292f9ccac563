/* The cache's policy: least recently used first, in use never, both limits, pins, draining. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/state_world.h"

TestSuite(state_cache);

static kas_code about_artifact(world *w, kas_command_kind kind, const char *artifact)
{
    kas_command command = {.kind = kind};
    snprintf(command.artifact_id, sizeof command.artifact_id, "%s", artifact);
    return give(w, command);
}

/* On the device, in nobody's use. */
static kas_resource preload(world *w, const char *artifact, uint64_t bytes)
{
    kas_command command = {.kind = KAS_COMMAND_PRELOAD};
    snprintf(command.artifact_id, sizeof command.artifact_id, "%s", artifact);
    memcpy(command.preload.device, "host:0", 7);
    command.preload.device_kind = KAS_KIND_CPU;
    cr_assert_eq(give(w, command), KAS_OK);
    uint64_t make = asked_make(w, KAS_EFFECT_RESOLVE);
    resolve(w, make, artifact, bytes);
    return ready(w, make);
}

static kas_resource released(const world *w)
{
    for (size_t i = 0; i < w->effects.count; ++i)
        if (w->effects.items[i].kind == KAS_EFFECT_RELEASE_KERNEL) return w->effects.items[i].kernel.kernel;
    return 0;
}

static kas_code load_and_resolve(world *w, uint32_t seed, const char *artifact, uint64_t bytes)
{
    load(w, "a", seed, artifact, 0.5f);
    uint64_t operation = w->reply.operation, make = asked_make(w, KAS_EFFECT_RESOLVE);
    resolve(w, make, artifact, bytes);
    return operation_of(w, operation).error_code;
}

Test(state_cache, the_least_recently_used_goes_first)
{
    world w = world_make(&(kas_state_limits){.cache_entries = 3});
    kas_resource x = preload(&w, "x", 10);
    kas_resource y = preload(&w, "y", 10);
    preload(&w, "z", 10);
    load(&w, "a", 0, "x", 0.5f);
    ask(&w, KAS_COMMAND_UNLOAD, "a", 0);
    drain(&w, x);
    cr_assert_eq(load_and_resolve(&w, 0, "new", 10), KAS_OK);
    cr_expect_eq(released(&w), y, "x was used after y");
    cr_expect_eq(cache_of(&w).evictions, 1);
    cr_expect_eq(cache_of(&w).entries, 3);
    world_finish(&w);
}

Test(state_cache, as_many_go_as_the_bytes_need)
{
    world w = world_make(&(kas_state_limits){.cache_bytes = 100});
    preload(&w, "x", 40);
    preload(&w, "y", 40);
    cr_assert_eq(load_and_resolve(&w, 0, "new", 90), KAS_OK);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RELEASE_KERNEL), 2);
    cr_expect_eq(cache_of(&w).total_bytes, 90);
    cr_expect_eq(w.effects.items[0].kind, KAS_EFFECT_RELEASE_KERNEL,
                 "memory is given back before it is asked for");
    world_finish(&w);
}

Test(state_cache, what_is_in_use_stays_and_no_room_changes_nothing_else)
{
    world w = world_make(&(kas_state_limits){.cache_bytes = 100});
    load(&w, "a", 0, "held", 0.5f);
    resolve(&w, 1, "held", 60);
    ready(&w, 1);
    kas_resource cold = preload(&w, "cold", 30);
    cr_expect_eq(load_and_resolve(&w, 1, "big", 50), KAS_NO_ROOM);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RELEASE_KERNEL), 0, "nothing is evicted in vain");
    cr_expect_eq(seed_of(&w, "a", 1).lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(seed_of(&w, "a", 1).last_error.type, KAS_ERROR_MEMORY_OVERFLOW);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(load_and_resolve(&w, 1, "fits", 40), KAS_OK);
    cr_expect_eq(released(&w), cold);
    cr_expect_eq(load_and_resolve(&w, 2, "huge", UINT64_MAX), KAS_NO_ROOM);
    world_finish(&w);
}

Test(state_cache, no_entry_left_is_no_room)
{
    world w = world_make(&(kas_state_limits){.cache_entries = 1});
    load_whole(&w, "a", 0, "held", 0.5f);
    cr_expect_eq(load_and_resolve(&w, 1, "other", 1), KAS_NO_ROOM);
    world_finish(&w);
}

Test(state_cache, a_replaced_kernel_counts_until_it_is_drained)
{
    world w = world_make(&(kas_state_limits){.cache_entries = 2});
    kas_resource old = load_whole(&w, "a", 0, "old", 0.5f);
    load_whole(&w, "a", 0, "new", 0.5f);
    cr_expect_eq(load_and_resolve(&w, 1, "third", 1), KAS_NO_ROOM, "passes may still run the old one");
    drain(&w, old);
    cr_expect_eq(load_and_resolve(&w, 1, "third", 1), KAS_OK);
    cr_expect_eq(released(&w), old);
    world_finish(&w);
}

Test(state_cache, published_again_is_in_use_again)
{
    world w = world_make(&(kas_state_limits){.cache_entries = 1});
    kas_resource kernel = load_whole(&w, "a", 0, "k", 0.5f);
    ask(&w, KAS_COMMAND_UNLOAD, "a", 0);
    load(&w, "a", 1, "k", 0.5f);
    drain(&w, kernel);
    cr_expect_eq(load_and_resolve(&w, 2, "other", 1), KAS_NO_ROOM);
    ask(&w, KAS_COMMAND_UNLOAD, "a", 1);
    cr_expect_eq(load_and_resolve(&w, 2, "other", 1), KAS_NO_ROOM, "it drains once more");
    drain(&w, kernel);
    cr_expect_eq(load_and_resolve(&w, 2, "other", 1), KAS_OK);
    world_finish(&w);
}

Test(state_cache, pins_hold)
{
    world w = world_make(&(kas_state_limits){.cache_entries = 1});
    cr_expect_eq(about_artifact(&w, KAS_COMMAND_PIN, "x"), KAS_NOT_FOUND);
    preload(&w, "x", 10);
    cr_assert_eq(about_artifact(&w, KAS_COMMAND_PIN, "x"), KAS_OK);
    cr_expect_eq(load_and_resolve(&w, 0, "y", 10), KAS_NO_ROOM);
    cr_expect_eq(about_artifact(&w, KAS_COMMAND_EVICT, "x"), KAS_CONFLICT);
    load(&w, "a", 1, "x", 0.5f);
    cr_expect(seed_of(&w, "a", 1).pinned);
    ask(&w, KAS_COMMAND_UNLOAD, "a", 1);
    cr_assert_eq(about_artifact(&w, KAS_COMMAND_UNPIN, "x"), KAS_OK);
    cr_expect_eq(load_and_resolve(&w, 0, "y", 10), KAS_NO_ROOM, "it still drains");
    world_finish(&w);
}

Test(state_cache, evicting_by_request)
{
    world w = world_make(NULL);
    kas_resource kernel = load_whole(&w, "a", 0, "k", 0.5f);
    cr_expect_eq(about_artifact(&w, KAS_COMMAND_EVICT, "k"), KAS_CONFLICT);
    ask(&w, KAS_COMMAND_UNLOAD, "a", 0);
    cr_assert_eq(about_artifact(&w, KAS_COMMAND_EVICT, "k"), KAS_OK);
    cr_expect_eq(released(&w), 0, "passes may still run it");
    load(&w, "a", 1, "k", 0.5f);
    cr_expect_neq(asked_make(&w, KAS_EFFECT_RESOLVE), 0, "but no load finds it");
    drain(&w, kernel);
    cr_expect_eq(released(&w), kernel);
    cr_expect_eq(about_artifact(&w, KAS_COMMAND_EVICT, "never-heard-of"), KAS_OK);
    world_finish(&w);
}

Test(state_cache, a_make_without_takers_still_fills_the_cache)
{
    world w = world_make(NULL);
    kas_resource kernel = preload(&w, "x", 10);
    cr_expect_eq(cache_of(&w).misses, 0, "a preload is no load");
    cr_assert_eq(load(&w, "a", 0, "x", 0.5f), KAS_OK);
    cr_expect(w.reply.finished);
    cr_expect_eq(view_of(&w, "a").seeds[0].kernel, kernel);
    cr_expect_eq(cache_of(&w).total_parameters, 100);
    world_finish(&w);
}
