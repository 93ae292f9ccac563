/* Loads from end to end: what they ask of the world, how they share, and the three ways in which they end. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/state_world.h"

TestSuite(state_loads);

/* Index of the first effect of a kind; the count of effects when there is none. */
static size_t place_of(const world *w, kas_effect_kind kind)
{
    size_t i = 0;
    while (i < w->effects.count && w->effects.items[i].kind != kind)
        ++i;
    return i;
}

static kas_code cancel(world *w, uint64_t operation)
{
    return give(w, (kas_command){.kind = KAS_COMMAND_CANCEL_OPERATION, .cancel = {.operation = operation}});
}

Test(state_loads, step_by_step)
{
    world w = world_make(NULL);
    cr_assert_eq(load(&w, "a", 1, "digits", 0.3f), KAS_OK);
    uint64_t operation = w.reply.operation;
    cr_expect_neq(operation, 0);
    cr_expect_not(w.reply.finished);
    uint64_t make = asked_make(&w, KAS_EFFECT_RESOLVE);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 0, "nothing that passes see has changed");
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_QUEUED);
    cr_expect_eq(seed_of(&w, "a", 1).operation, operation);

    kas_command progress = {.kind = KAS_COMMAND_PROGRESS};
    progress.progress.make = make;
    progress.progress.stage = KAS_STAGE_FETCH;
    progress.progress.tier = KAS_TIER_REGISTRY;
    progress.progress.bytes_done = 10;
    progress.progress.bytes_total = 40;
    give(&w, progress);
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_RUNNING);
    cr_expect_eq(operation_of(&w, operation).bytes_done, 10);

    resolve(&w, make, "digits", 1000);
    cr_expect_eq(cache_of(&w).total_bytes, 1000, "memory is reserved before it is used");
    w.now_ns += 5 * KAS_NS_PER_MS;
    kas_resource kernel = ready(&w, make);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1);
    cr_expect_lt(place_of(&w, KAS_EFFECT_PUBLISH), place_of(&w, KAS_EFFECT_OPERATION));

    kas_operation_info info = operation_of(&w, operation);
    cr_expect_eq(info.state, KAS_OPERATION_SUCCEEDED);
    cr_expect_eq(info.stage, KAS_STAGE_DONE);
    cr_expect_eq(info.tier, KAS_TIER_DISK);
    cr_expect_eq(info.duration_ns, 5 * KAS_NS_PER_MS);
    w.now_ns += 30 * KAS_NS_PER_US; /* until it is published */
    give(&w, (kas_command){.kind = KAS_COMMAND_PUBLISHED, .published = {.operation = operation}});
    cr_expect_eq(operation_of(&w, operation).duration_ns, 5 * KAS_NS_PER_MS + 30 * KAS_NS_PER_US);
    kas_seed_info seed = seed_of(&w, "a", 1);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed.active_kernel_id, kas_kernel_id("digits"));
    cr_expect_float_eq(seed.alpha_blend, 0.300048828125f, 0, "the half-precision value");
    cr_expect_eq(seed.operation, 0);
    kas_published_layer view = view_of(&w, "a");
    cr_assert_eq(view.seed_count, 1);
    cr_expect_eq(view.seeds[0].seed, 1);
    cr_expect_eq(view.seeds[0].kernel, kernel);
    world_finish(&w);
}

Test(state_loads, one_make_for_all)
{
    world w = world_make(NULL);
    create_layer(&w, "b", 1);
    load(&w, "a", 0, "k", 0.5f);
    uint64_t make = asked_make(&w, KAS_EFFECT_RESOLVE);
    load(&w, "b", 0, "k", 0.5f);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RESOLVE), 0);
    resolve(&w, make, "k", 10);
    load(&w, "a", 2, "k", 0.5f);
    ready(&w, make);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 2, "two layers, each once");
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed_of(&w, "a", 2).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed_of(&w, "b", 0).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(cache_of(&w).hits, 2);
    cr_expect_eq(cache_of(&w).misses, 1);
    cr_expect_eq(cache_of(&w).entries, 1);
    kas_cache_entry_info entry;
    cr_assert_eq(kas_state_list_cache(w.state, 0, &entry, 1), 1);
    cr_expect_eq(entry.uses, 3);
    cr_expect_eq(entry.hits, 2);
    world_finish(&w);
}

Test(state_loads, a_cached_kernel_is_live_at_once)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    uint64_t generation = layer_of(&w, "a").generation;
    cr_assert_eq(load(&w, "a", 1, "k", 0.25f), KAS_OK);
    cr_expect(w.reply.finished);
    cr_expect_eq(w.reply.generation, generation + 1);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1);
    cr_expect_eq(operation_of(&w, w.reply.operation).tier, KAS_TIER_DEVICE);
    cr_expect_lt(place_of(&w, KAS_EFFECT_PUBLISH), place_of(&w, KAS_EFFECT_REPLY));
    world_finish(&w);
}

Test(state_loads, two_ids_of_the_same_bytes_share_one_kernel)
{
    world w = world_make(NULL);
    load(&w, "a", 0, "first", 0.5f);
    uint64_t first = asked_make(&w, KAS_EFFECT_RESOLVE);
    load(&w, "a", 1, "second", 0.5f);
    uint64_t second = asked_make(&w, KAS_EFFECT_RESOLVE);
    resolve(&w, first, "bytes", 10);
    resolve(&w, second, "bytes", 10);
    cr_expect_eq(asked_make(&w, KAS_EFFECT_ABANDON), second);
    cr_expect_eq(cache_of(&w).entries, 1);
    ready(&w, first);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed_of(&w, "a", 1).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(seed_of(&w, "a", 1).active_kernel_id, kas_kernel_id("second"));
    load(&w, "a", 2, "third", 0.5f);
    resolve(&w, asked_make(&w, KAS_EFFECT_RESOLVE), "bytes", 10);
    cr_expect_eq(seed_of(&w, "a", 2).lifecycle_state, KAS_SEED_ACTIVE);
    world_finish(&w);
}

Test(state_loads, initial_alpha_comes_from_the_confidence)
{
    const struct {
        float confidence, alpha;
    } cases[] = {{0.5f, 0.300048828125f}, {0.9f, 0.5f}, {0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        world w = world_make(NULL);
        load(&w, "a", 0, "k", -1);
        kas_kernel_facts facts = facts_for(8, 4);
        facts.confidence = cases[i].confidence;
        resolve_with(&w, 1, "k", 10, &facts);
        ready(&w, 1);
        cr_expect_float_eq(seed_of(&w, "a", 0).alpha_blend, cases[i].alpha, 0);
        world_finish(&w);
    }
}

/* ---- failures ---- */

Test(state_loads, a_failure_sets_last_error_and_nothing_else)
{
    world w = world_make(NULL);
    advance(&w, 3, false);
    kas_seed_info before = seed_of(&w, "a", 0);
    load(&w, "a", 0, "k", 0.5f);
    uint64_t operation = w.reply.operation;
    cr_expect_eq(seed_of(&w, "a", 0).last_update_epoch, 3);
    fail_make(&w, 1, KAS_NOT_FOUND, KAS_ERROR_KERNEL_LOADING);
    kas_seed_info after = seed_of(&w, "a", 0);
    cr_expect_eq(after.lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(after.last_update_epoch, before.last_update_epoch);
    cr_expect_eq(after.error_count, 0);
    cr_expect_eq(after.last_error.type, KAS_ERROR_KERNEL_LOADING);
    cr_expect_str_eq(after.last_error.detail, "it failed");
    cr_expect_eq(count_effects(&w, KAS_EFFECT_ERROR), 1);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 0);
    kas_operation_info info = operation_of(&w, operation);
    cr_expect_eq(info.state, KAS_OPERATION_FAILED);
    cr_expect_eq(info.error_code, KAS_NOT_FOUND);
    world_finish(&w);
}

Test(state_loads, a_failure_over_a_kernel_leaves_it_active)
{
    world w = world_make(NULL);
    kas_resource kernel = load_whole(&w, "a", 0, "old", 0.5f);
    uint64_t generation = layer_of(&w, "a").generation;
    load(&w, "a", 0, "new", 0.25f);
    cr_expect(seed_of(&w, "a", 0).contributing);
    fail_make(&w, asked_make(&w, KAS_EFFECT_RESOLVE), KAS_UNAVAILABLE, KAS_ERROR_CIRCUIT_BREAKER);
    kas_seed_info seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_str_eq(seed.artifact_id, "old");
    cr_expect_float_eq(seed.alpha_blend, 0.5f, 0);
    cr_expect_eq(view_of(&w, "a").seeds[0].kernel, kernel);
    cr_expect_eq(layer_of(&w, "a").generation, generation);
    world_finish(&w);
}

Test(state_loads, a_failure_from_recovery_ends_dormant)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "old", 0.5f);
    for (int i = 0; i < 3; ++i)
        pass(&w, "a", 0, KAS_OUTCOME_DEVICE);
    load(&w, "a", 0, "new", 0.25f);
    fail_make(&w, asked_make(&w, KAS_EFFECT_RESOLVE), KAS_INTERNAL, KAS_ERROR_UNKNOWN);
    kas_seed_info seed = seed_of(&w, "a", 0);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(seed.active_kernel_id, 0);
    cr_expect_eq(seed.error_count, 0);
    cr_expect_not(seed.fallback_active);
    world_finish(&w);
}

static void fail_load(world *w, kas_code code)
{
    load(w, "a", 0, "k", 0.5f);
    fail_make(w, asked_make(w, KAS_EFFECT_RESOLVE), code, KAS_ERROR_UNKNOWN);
}

Test(state_loads, the_third_unexpected_failure_is_recovery)
{
    world w = world_make(NULL);
    fail_load(&w, KAS_IO);
    fail_load(&w, KAS_DEADLINE);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_DORMANT);
    fail_load(&w, KAS_INTERNAL);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ERROR_RECOVERY);
    pass_time(&w, 30 * KAS_NS_PER_S);
    cr_expect_neq(asked_make(&w, KAS_EFFECT_RESOLVE), 0, "it is tried again");
    world_finish(&w);
}

Test(state_loads, expected_failures_never_are)
{
    static const kas_code codes[] = {KAS_NOT_FOUND, KAS_INVALID_ARTIFACT, KAS_INCOMPATIBLE_KERNEL,
                                     KAS_UNAVAILABLE};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; ++i) {
        world w = world_make(NULL);
        for (int n = 0; n < 5; ++n)
            fail_load(&w, codes[i]);
        cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_DORMANT, "%s", kas_code_name(codes[i]));
        world_finish(&w);
    }
}

Test(state_loads, incompatible_for_one_layer_is_made_for_the_other)
{
    world w = world_make(NULL);
    kas_command command = {.kind = KAS_COMMAND_CREATE_LAYER, .layer = "wide"};
    command.create.layer_id = -1;
    command.create.input_size = 16;
    command.create.output_size = 4;
    command.create.num_seeds = 1;
    command.create.device_kind = KAS_KIND_CPU;
    command.create.weights = 50;
    memcpy(command.create.device, "host:0", 7);
    cr_assert_eq(give(&w, command), KAS_OK);
    load(&w, "wide", 0, "k", 0.5f);
    uint64_t refused = w.reply.operation;
    load(&w, "a", 0, "k", 0.5f);
    resolve(&w, 1, "k", 10);
    cr_expect_eq(asked_make(&w, KAS_EFFECT_UPLOAD), 1);
    kas_operation_info info = operation_of(&w, refused);
    cr_expect_eq(info.error_code, KAS_INCOMPATIBLE_KERNEL);
    cr_expect_str_eq(info.error_reason, "input_shape");
    cr_expect_eq(info.error_type, KAS_ERROR_KERNEL_VALIDATION);
    ready(&w, 1);
    cr_expect_eq(seed_of(&w, "wide", 0).lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    cr_expect_eq(cache_of(&w).compatibility_checks, 2);
    cr_expect_eq(cache_of(&w).compatibility_failures, 1);

    cr_assert_eq(load(&w, "wide", 0, "k", 0.5f), KAS_OK, "from the device it ends at once, in the same way");
    cr_expect(w.reply.finished);
    cr_expect_eq(operation_of(&w, w.reply.operation).state, KAS_OPERATION_FAILED);
    cr_expect_eq(seed_of(&w, "wide", 0).last_error.type, KAS_ERROR_KERNEL_VALIDATION);
    world_finish(&w);
}

/* A kind that this build has no name for is no kernel's by name, but it is not the processor. */
Test(state_loads, requirements_name_kinds_of_devices)
{
    static const char *const named[] = {"cpu", "cuda", "opencl", "vulkan"};
    for (size_t i = 0; i < 4; ++i) {
        uint32_t kind = kas_kind_of_device(named[i]);
        for (size_t j = 0; j < 4; ++j)
            cr_expect_eq((kas_kinds_required(named[j]) & kind) != 0, i == j);
        cr_expect_eq((kas_kinds_required("gpu") & kind) != 0, i != 0);
        cr_expect_eq(kas_kinds_required("abacus") & kind, 0u);
        cr_expect_str_eq(kas_kind_name(kind), named[i]);
    }
    uint32_t other = kas_kind_of_device("abacus");
    cr_expect_eq(kas_kinds_required("abacus") & other, 0u);
    cr_expect_neq(kas_kinds_required("abacus"), 0u, "it asks for something");
    cr_expect_neq(kas_kinds_required("gpu") & other, 0u);
    cr_expect_str_eq(kas_kind_name(other), "of another kind");
}

Test(state_loads, compatibility_has_an_order)
{
    world w = world_make(NULL);
    kas_kernel_facts facts = facts_for(9, 5);
    facts.parameter_count = 10000001;
    facts.device_kinds = KAS_KIND_GPU;
    facts.memory_footprint_mb = 5000;
    static const char *const reasons[] = {"parameter_count", "input_shape", "output_shape",
                                          "device_requirements", "memory_footprint_mb"};
    for (int i = 0; i < 5; ++i) {
        kas_status status = kas_state_compatible(w.state, "a", &facts, 0);
        cr_expect_eq(kas_status_code(status), KAS_INCOMPATIBLE_KERNEL);
        cr_expect_str_eq(kas_status_reason(status), reasons[i]);
        kas_status_free(status);
        if (i == 0) facts.parameter_count = 10000000;
        if (i == 1) facts.input_size = 8;
        if (i == 2) facts.output_size = 4;
        if (i == 3) facts.device_kinds |= KAS_KIND_CPU;
        if (i == 4) facts.memory_footprint_mb = 2048;
    }
    cr_expect_null(kas_state_compatible(w.state, "a", &facts, 0));
    kas_status status = kas_state_compatible(w.state, "a", &facts, 100);
    cr_expect_str_eq(kas_status_reason(status), "memory_footprint_mb", "the caller's own limit");
    kas_status_free(status);
    world_finish(&w);
}

/* ---- cancelling and late answers ---- */

Test(state_loads, cancelling_the_last_load_abandons_the_make)
{
    world w = world_make(NULL);
    create_layer(&w, "b", 1);
    load(&w, "a", 0, "k", 0.5f);
    uint64_t first = w.reply.operation;
    load(&w, "b", 0, "k", 0.5f);
    uint64_t second = w.reply.operation;
    resolve(&w, 1, "k", 10);
    cr_assert_eq(cancel(&w, first), KAS_OK);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_ABANDON), 0);
    cr_assert_eq(cancel(&w, second), KAS_OK);
    cr_expect_eq(asked_make(&w, KAS_EFFECT_ABANDON), 1);
    cr_expect_eq(cache_of(&w).entries, 0, "its memory is free again");
    cr_expect_eq(seed_of(&w, "b", 0).lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_neq(seed_of(&w, "b", 0).last_error.type, KAS_ERROR_NONE,
                  "last_error says that it was cancelled");
    cr_expect_eq(cancel(&w, second), KAS_CONFLICT);
    cr_expect_eq(cancel(&w, 999), KAS_NOT_FOUND);
    world_finish(&w);
}

Test(state_loads, late_answers_are_ignored)
{
    world w = world_make(NULL);
    load(&w, "a", 0, "k", 0.5f);
    ask(&w, KAS_COMMAND_UNLOAD, "a", 0);
    kas_sha256 before = kas_state_digest(w.state);
    resolve(&w, 1, "k", 10);
    ready(&w, 1);
    fail_make(&w, 1, KAS_IO, KAS_ERROR_UNKNOWN);
    drain(&w, 12345);
    cr_expect(same_digest(before, kas_state_digest(w.state)));
    cr_expect_eq(w.effects.count, 0);
    world_finish(&w);
}

Test(state_loads, other_bytes_under_a_bound_id_are_refused)
{
    world w = world_make(NULL);
    kas_command bind = {
        .kind = KAS_COMMAND_BIND_ARTIFACT, .artifact_id = "k", .bind = {checksum_of("right")}};
    cr_assert_eq(give(&w, bind), KAS_OK);
    cr_expect_eq(give(&w, bind), KAS_OK, "the same again");
    bind.bind.checksum = checksum_of("wrong");
    cr_expect_eq(give(&w, bind), KAS_CONFLICT);
    load(&w, "a", 0, "k", 0.5f);
    uint64_t operation = w.reply.operation, make = asked_make(&w, KAS_EFFECT_RESOLVE);
    resolve(&w, make, "wrong", 10);
    cr_expect_eq(operation_of(&w, operation).error_code, KAS_CONFLICT);
    cr_expect_str_eq(operation_of(&w, operation).error_reason, "checksum");
    cr_expect_eq(asked_make(&w, KAS_EFFECT_ABANDON), make);
    kas_sha256 bound;
    cr_assert(kas_state_binding(w.state, "k", &bound));
    cr_expect(same_digest(bound, checksum_of("right")));
    world_finish(&w);
}

Test(state_loads, finished_operations_are_kept_up_to_a_limit)
{
    world w = world_make(&(kas_state_limits){.operations_kept = 3});
    load_whole(&w, "a", 0, "k", 0.5f);
    for (int i = 0; i < 5; ++i) {
        ask(&w, KAS_COMMAND_UNLOAD, "a", 0);
        load(&w, "a", 0, "k", 0.5f);
    }
    kas_operation_info infos[8];
    cr_assert_eq(kas_state_list_operations(w.state, 0, infos, 8), 3);
    cr_expect_eq(infos[0].id, 4);
    cr_expect_eq(kas_state_list_operations(w.state, 4, infos, 8), 2);
    cr_expect_eq(infos[0].id, 5);
    cr_expect_eq(kas_state_list_operations(w.state, 2, infos, 8), 3,
                 "paging goes on behind one that is gone");
    world_finish(&w);
}
