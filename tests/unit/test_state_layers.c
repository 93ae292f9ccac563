/* Layers: names, ids, limits, preconditions, paging, removal; the seed arrays' size. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "engine/state/model.h"
#include "tests/unit/state_world.h"

TestSuite(state_layers);

static kas_code create_with_id(world *w, const char *name, int64_t layer_id)
{
    kas_command command = {.kind = KAS_COMMAND_CREATE_LAYER};
    snprintf(command.layer, sizeof command.layer, "%s", name);
    command.create.layer_id = layer_id;
    command.create.input_size = 8;
    command.create.output_size = 4;
    command.create.num_seeds = 1;
    command.create.device_kind = KAS_KIND_CPU;
    command.create.weights = 9;
    memcpy(command.create.device, "host:0", 7);
    return give(w, command);
}

Test(state_layers, twenty_four_bytes_a_seed)
{
    const kas_seed_arrays *s = NULL;
    size_t bytes = sizeof *s->active_kernel_id + sizeof *s->health_accumulator +
                   sizeof *s->last_update_epoch + sizeof *s->alpha_blend + sizeof *s->exec_latency_us +
                   sizeof *s->error_count + sizeof *s->lifecycle_state + sizeof *s->fallback_active;
    cr_expect_eq(bytes, (size_t)KAS_SEED_BYTES);
}

Test(state_layers, a_new_layer)
{
    world w = world_make(NULL);
    kas_layer_info layer = layer_of(&w, "a");
    cr_expect_eq(layer.layer_id, 0);
    cr_expect_eq(layer.num_seeds, 4);
    cr_expect_eq(layer.generation, 1);
    cr_expect_eq(layer.revision, 1);
    cr_expect(layer.serving);
    cr_expect_not(layer.has_active_seeds);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_LAYER_UPDATE), 1);
    world_finish(&w);
}

Test(state_layers, names)
{
    world w = world_make(NULL);
    cr_expect_eq(create_layer(&w, "a", 1), KAS_CONFLICT);
    static const char *const bad[] = {"", ".", "..", "a b", "a/b", "ä", "a:b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i)
        cr_expect_eq(create_layer(&w, bad[i], 1), KAS_INVALID_ARGUMENT, "\"%s\"", bad[i]);
    char longest[KAS_NAME_SIZE];
    memset(longest, 'x', 128);
    longest[128] = 0;
    cr_expect_eq(create_layer(&w, longest, 1), KAS_OK);
    cr_expect_eq(create_layer(&w, "b", 0), KAS_INVALID_ARGUMENT);
    cr_expect_eq(create_layer(&w, "b", KAS_MAX_SEEDS + 1), KAS_INVALID_ARGUMENT);
    cr_expect_eq(create_layer(&w, "b", KAS_MAX_SEEDS), KAS_OK);
    world_finish(&w);
}

Test(state_layers, ids_are_the_smallest_unused)
{
    world w = world_make(NULL);
    cr_assert_eq(create_with_id(&w, "two", 2), KAS_OK);
    cr_expect_eq(create_with_id(&w, "again", 2), KAS_CONFLICT);
    create_with_id(&w, "b", -1);
    create_with_id(&w, "c", -1);
    cr_expect_eq(layer_of(&w, "b").layer_id, 1);
    cr_expect_eq(layer_of(&w, "c").layer_id, 3);
    cr_assert_eq(ask(&w, KAS_COMMAND_DELETE_LAYER, "b", 0), KAS_OK);
    create_with_id(&w, "d", -1);
    cr_expect_eq(layer_of(&w, "d").layer_id, 1);
    cr_expect_eq(create_with_id(&w, "e", -2), KAS_INVALID_ARGUMENT);
    world_finish(&w);
}

Test(state_layers, preconditions)
{
    world w = world_make(NULL);
    kas_command load_it = {.kind = KAS_COMMAND_LOAD, .layer = "a", .artifact_id = "k", .revision = 7};
    cr_expect_eq(give(&w, load_it), KAS_CONFLICT);
    cr_expect_str_eq(w.reason, "precondition");
    load_it.revision = seed_of(&w, "a", 0).revision;
    uint64_t layer_revision = layer_of(&w, "a").revision;
    cr_expect_eq(give(&w, load_it), KAS_OK);
    cr_expect_gt(layer_of(&w, "a").revision, layer_revision, "a seed's change is its layer's too");
    kas_command serve = {.kind = KAS_COMMAND_SET_SERVING, .layer = "a", .revision = layer_revision};
    cr_expect_eq(give(&w, serve), KAS_CONFLICT);
    serve.revision = layer_of(&w, "a").revision;
    cr_expect_eq(give(&w, serve), KAS_OK);
    cr_expect_not(view_of(&w, "a").serving);
    cr_expect_not(layer_of(&w, "a").serving);
    world_finish(&w);
}

Test(state_layers, out_of_service_its_seeds_can_still_be_changed)
{
    world w = world_make(NULL);
    kas_command serve = {.kind = KAS_COMMAND_SET_SERVING, .layer = "a"};
    give(&w, serve);
    uint64_t generation = layer_of(&w, "a").generation;
    give(&w, serve);
    cr_expect_eq(layer_of(&w, "a").generation, generation);
    load_whole(&w, "a", 0, "k", 0.5f);
    cr_expect_eq(seed_of(&w, "a", 0).lifecycle_state, KAS_SEED_ACTIVE);
    world_finish(&w);
}

Test(state_layers, limit)
{
    world w = world_make(&(kas_state_limits){.layers = 2});
    cr_expect_eq(create_layer(&w, "b", 1), KAS_OK);
    cr_expect_eq(create_layer(&w, "c", 1), KAS_TOO_LARGE);
    cr_assert_eq(ask(&w, KAS_COMMAND_DELETE_LAYER, "a", 0), KAS_OK);
    cr_expect_eq(create_layer(&w, "c", 1), KAS_OK);
    world_finish(&w);
}

Test(state_layers, removal_takes_all_with_it)
{
    world w = world_make(NULL);
    load_whole(&w, "a", 0, "k", 0.5f);
    load(&w, "a", 1, "other", 0.5f);
    uint64_t running = w.reply.operation;
    kas_command staged = {.kind = KAS_COMMAND_SET_WEIGHTS, .layer = "a", .at_epoch = 9};
    staged.set_weights.weights = 44;
    give(&w, staged);
    kas_command staged_load = {
        .kind = KAS_COMMAND_LOAD, .layer = "a", .seed = 2, .artifact_id = "x", .at_epoch = 9};
    give(&w, staged_load);
    cr_assert_eq(ask(&w, KAS_COMMAND_DELETE_LAYER, "a", 0), KAS_OK);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_UNPUBLISH), 1);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 0);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RELEASE_WEIGHTS), 2, "its own and the staged ones");
    cr_expect_eq(count_effects(&w, KAS_EFFECT_ABANDON), 2);
    cr_expect_eq(operation_of(&w, running).state, KAS_OPERATION_CANCELLED);
    cr_expect_eq(kas_state_staged(w.state), 0);
    cr_expect_eq(kas_state_layer_count(w.state), 0);
    cr_expect_eq(ask(&w, KAS_COMMAND_UNLOAD, "a", 0), KAS_NOT_FOUND);
    world_finish(&w);
}

Test(state_layers, paging_is_in_order_of_name)
{
    world w = world_make(NULL);
    for (int i = 99; i > 0; --i) {
        char name[16];
        snprintf(name, sizeof name, "layer-%02d", i);
        cr_assert_eq(create_layer(&w, name, 1), KAS_OK);
    }
    kas_layer_info page[10];
    char after[KAS_NAME_SIZE] = "";
    size_t total = 0, count;
    while ((count = kas_state_list_layers(w.state, after, page, 10)) > 0) {
        for (size_t i = 0; i < count; ++i) {
            cr_assert_gt(strcmp(page[i].name, after), 0);
            memcpy(after, page[i].name, sizeof after);
        }
        total += count;
    }
    cr_expect_eq(total, 100);
    world_finish(&w);
}

Test(state_layers, ids_of_artifacts_are_listed)
{
    world w = world_make(NULL);
    static const char *const ids[] = {"c", "a/b:1", "b"};
    for (size_t i = 0; i < 3; ++i) {
        kas_command bind = {.kind = KAS_COMMAND_BIND_ARTIFACT, .bind = {checksum_of(ids[i])}};
        snprintf(bind.artifact_id, sizeof bind.artifact_id, "%s", ids[i]);
        cr_assert_eq(give(&w, bind), KAS_OK);
    }
    char listed[4][KAS_NAME_SIZE];
    kas_sha256 checksums[4];
    cr_assert_eq(kas_state_list_bindings(w.state, "", listed, checksums, 4), 3);
    cr_expect_str_eq(listed[0], "a/b:1");
    cr_expect_str_eq(listed[2], "c");
    cr_expect(same_digest(checksums[1], checksum_of("b")));
    cr_assert_eq(kas_state_list_bindings(w.state, "b", listed, checksums, 4), 1);
    world_finish(&w);
}
