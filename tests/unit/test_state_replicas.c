/* Replicas step by step: what they ask for, when they are part of the view, and what they leave behind. The
 * layer "a" is on host:0 and is to be on cuda:0 too. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/state_world.h"

TestSuite(state_replicas);

static kas_code replicate(world *w, const char *device) /* NULL: none */
{
    kas_command command = {.kind = KAS_COMMAND_SET_REPLICAS, .layer = "a"};
    command.replicas.count = device != NULL;
    if (device) strcpy(command.replicas.devices[0], device);
    command.replicas.device_kinds[0] = KAS_KIND_CUDA;
    return give(w, command);
}

static kas_resource copied(world *w)
{
    const kas_effect *effect = asked(w, KAS_EFFECT_MOVE_WEIGHTS);
    cr_assert_not_null(effect, "no weights are copied");
    kas_command command = {.kind = KAS_COMMAND_MOVE_WEIGHTS_READY};
    command.moved.operation = effect->move.operation;
    command.moved.weights = ++w->last_resource;
    give(w, command);
    return command.moved.weights;
}

static bool there(const world *w, kas_published_layer *out)
{
    uint32_t next;
    return kas_state_replica(w->state, view_of(w, "a").uid, 0, out, &next);
}

/* With a kernel "digits" in seed 0. */
static kas_resource with_replica(world *w, kas_resource *weights)
{
    (void)load_whole(w, "a", 0, "digits", 0.5f);
    cr_assert_eq(replicate(w, "cuda:0"), KAS_OK);
    *weights = copied(w);
    kas_resource kernel = made(w, "digits");
    tried(w);
    return kernel;
}

Test(state_replicas, step_by_step)
{
    world w = world_make(NULL);
    kas_published_layer view;
    (void)load_whole(&w, "a", 1, "digits", 0.25f);
    kas_published_layer own = view_of(&w, "a");
    cr_assert_eq(replicate(&w, "cuda:0"), KAS_OK);
    uint64_t operation = w.reply.operation;
    cr_expect_eq(operation_of(&w, operation).kind, KAS_OPERATION_REPLICATE);
    cr_expect_not(w.reply.finished);
    kas_resource weights = copied(&w), kernel = made(&w, "digits");
    cr_expect_not(there(&w, &view));
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 0);
    tried(&w);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1);
    cr_assert(there(&w, &view));
    cr_expect_str_eq(view.device, "cuda:0");
    cr_expect_eq(view.weights, weights);
    cr_expect_eq(view.seeds[0].kernel, kernel);
    cr_expect_eq(view.seeds[0].binding, own.seeds[0].binding);
    cr_expect_eq(view.generation, own.generation, "nothing that the layer computes has changed");
    cr_expect_eq(view_of(&w, "a").generation, own.generation);
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_SUCCEEDED);
    cr_expect(layer_of(&w, "a").replicas[0].ready);
    cr_expect_eq(replicate(&w, "cuda:0"), KAS_OK);
    cr_expect(w.reply.finished && !w.reply.operation, "what is there is made again");
    world_finish(&w);
}

/* An alpha, and a kernel that goes, are everywhere at once. */
Test(state_replicas, follows_at_once_what_needs_nothing)
{
    world w = world_make(NULL);
    kas_published_layer view;
    kas_resource weights, kernel = with_replica(&w, &weights);
    cr_assert_eq(set_alpha(&w, "a", 0, 0.25f), KAS_OK);
    cr_assert(there(&w, &view));
    cr_expect_eq(view.seeds[0].alpha, 0.25f);
    cr_expect_eq(view.generation, view_of(&w, "a").generation);
    cr_assert_eq(ask(&w, KAS_COMMAND_UNLOAD, "a", 0), KAS_OK);
    cr_assert(there(&w, &view));
    cr_expect_eq(view.seed_count, 0);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_MOVE_TRY), 0);
    drain(&w, kernel);
    world_finish(&w);
}

Test(state_replicas, is_out_until_it_has_what_is_new)
{
    world w = world_make(NULL);
    kas_published_layer view;
    kas_resource weights;
    (void)with_replica(&w, &weights);
    (void)load_whole(&w, "a", 1, "letters", 0.5f);
    cr_expect_eq(view_of(&w, "a").seed_count, 2, "a load waits for a replica");
    cr_expect_not(there(&w, &view));
    cr_expect_not(layer_of(&w, "a").replicas[0].ready);
    kas_resource kernel = made(&w, "letters");
    tried(&w);
    cr_assert(there(&w, &view));
    cr_expect_eq(view.seeds[1].kernel, kernel);
    kas_command set = {.kind = KAS_COMMAND_SET_WEIGHTS, .layer = "a"};
    set.set_weights.weights = ++w.last_resource;
    set.set_weights.sha256 = checksum_of("new weights");
    cr_assert_eq(give(&w, set), KAS_OK);
    cr_expect_not(there(&w, &view));
    bool released = false;
    for (size_t i = 0; i < w.effects.count; ++i)
        released |= w.effects.items[i].kind == KAS_EFFECT_RELEASE_WEIGHTS &&
                    w.effects.items[i].weights.weights == weights;
    cr_expect(released, "the copy of the weights before is kept");
    kas_resource copy = copied(&w);
    tried(&w);
    cr_assert(there(&w, &view));
    cr_expect_eq(view.weights, copy);
    world_finish(&w);
}

Test(state_replicas, a_failure_drops_it_and_nothing_else)
{
    world w = world_make(NULL);
    kas_published_layer view;
    kas_resource weights;
    (void)with_replica(&w, &weights);
    (void)load_whole(&w, "a", 1, "letters", 0.5f);
    fail_make(&w, asked_make(&w, KAS_EFFECT_RESOLVE), KAS_INTERNAL, KAS_ERROR_UNKNOWN);
    cr_expect_not(there(&w, &view));
    cr_expect_eq(layer_of(&w, "a").replica_count, 0);
    cr_expect_eq(asked(&w, KAS_EFFECT_RELEASE_WEIGHTS)->weights.weights, weights);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_ERROR), 1);
    cr_expect_eq(view_of(&w, "a").seed_count, 2);
    cr_expect_eq(seed_of(&w, "a", 1).last_error.type, KAS_ERROR_NONE);
    world_finish(&w);
}

/* ---- what is staged ---- */

/* Of seed 1 for epoch 1; its kernel is on the layer's own device then. */
static void stage(world *w, const char *artifact)
{
    kas_command command = {.kind = KAS_COMMAND_LOAD, .layer = "a", .seed = 1, .at_epoch = 1};
    strcpy(command.artifact_id, artifact);
    cr_assert_eq(give(w, command), KAS_OK);
    (void)made(w, artifact);
}

Test(state_replicas, what_is_staged_is_made_there_before_its_epoch)
{
    world w = world_make(NULL);
    kas_published_layer view;
    kas_resource weights;
    (void)with_replica(&w, &weights);
    stage(&w, "letters");
    cr_expect(there(&w, &view), "it serves meanwhile");
    kas_resource kernel = made(&w, "letters");
    const kas_effect *trial = asked(&w, KAS_EFFECT_MOVE_TRY);
    cr_assert_not_null(trial);
    cr_assert(kas_state_moving(w.state, trial->move.operation, &view));
    cr_expect_eq(view.seed_count, 2, "it is tried with what is staged");
    uint64_t operation = trial->move.operation;
    tried(&w);
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_SUCCEEDED);
    cr_assert_eq(advance(&w, 1, false), KAS_OK);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RESOLVE) + count_effects(&w, KAS_EFFECT_MOVE_TRY), 0);
    cr_assert(there(&w, &view), "it is in the epoch's publication");
    cr_assert_eq(view.seed_count, 2);
    cr_expect_eq(view.seeds[1].kernel, kernel);
    world_finish(&w);
}

Test(state_replicas, what_is_staged_cannot_be_made_there)
{
    world w = world_make(NULL);
    kas_published_layer view;
    kas_resource weights;
    (void)with_replica(&w, &weights);
    stage(&w, "letters");
    fail_make(&w, asked_make(&w, KAS_EFFECT_RESOLVE), KAS_INTERNAL, KAS_ERROR_UNKNOWN);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_ERROR), 1);
    cr_expect(there(&w, &view), "it serves on");
    cr_expect_eq(count_effects(&w, KAS_EFFECT_RESOLVE), 0, "it is not tried again and again");
    cr_assert_eq(advance(&w, 1, false), KAS_OK);
    cr_expect_not(there(&w, &view), "the epoch does not wait for it");
    (void)made(&w, "letters");
    tried(&w);
    cr_expect(there(&w, &view), "it has caught up");
    world_finish(&w);
}

/* ---- loss ---- */

static void lose(world *w, const char *device, const char *refuge)
{
    kas_command command = {.kind = KAS_COMMAND_DEVICE_LOST};
    strcpy(command.lost.device, device);
    strcpy(command.lost.refuge, refuge);
    command.lost.refuge_kind = KAS_KIND_CPU;
    strcpy(command.lost.reason, "it fell off its bus");
    give(w, command);
}

/* It stays in the list, with nothing, through all changes, until it is dropped. */
Test(state_replicas, its_device_is_lost)
{
    world w = world_make(NULL);
    kas_published_layer view;
    kas_resource weights, kernel = with_replica(&w, &weights);
    lose(&w, "cuda:0", "host:0");
    cr_expect_not(there(&w, &view));
    cr_expect(layer_of(&w, "a").replicas[0].lost);
    cr_expect_not(layer_of(&w, "a").replicas[0].ready);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1);
    cr_expect_eq(asked(&w, KAS_EFFECT_RELEASE_WEIGHTS)->weights.weights, weights);
    cr_expect_not_null(strstr(asked(&w, KAS_EFFECT_ALERT)->error.detail, "cuda:0 is lost"));
    cr_expect_str_eq(layer_of(&w, "a").device, "host:0");
    drain(&w, kernel);
    (void)load_whole(&w, "a", 1, "letters", 0.5f);
    cr_expect(layer_of(&w, "a").replicas[0].lost);
    cr_assert_eq(replicate(&w, NULL), KAS_OK);
    cr_expect_eq(layer_of(&w, "a").replica_count, 0);
    world_finish(&w);
}

/* What was being made there is a failure; it had never been part of the layer. */
Test(state_replicas, its_device_is_lost_before_it_joins)
{
    world w = world_make(NULL);
    cr_assert_eq(replicate(&w, "cuda:0"), KAS_OK);
    uint64_t operation = w.reply.operation;
    lose(&w, "cuda:0", "host:0");
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_FAILED);
    cr_expect_eq(operation_of(&w, operation).error_code, KAS_DEVICE_LOST);
    cr_expect_eq(layer_of(&w, "a").replica_count, 0);
    world_finish(&w);
}

/* The layer goes where its replica is, whatever the refuge. */
Test(state_replicas, the_layers_device_is_lost)
{
    world w = world_make(NULL);
    kas_resource weights;
    (void)with_replica(&w, &weights);
    lose(&w, "host:0", "");
    (void)copied(&w);
    tried(&w);
    cr_expect_str_eq(layer_of(&w, "a").device, "cuda:0");
    cr_expect_eq(layer_of(&w, "a").replica_count, 0);
    world_finish(&w);
}

Test(state_replicas, dropped_on_request)
{
    world w = world_make(NULL);
    kas_published_layer view;
    kas_resource weights, kernel = with_replica(&w, &weights);
    cr_assert_eq(replicate(&w, NULL), KAS_OK);
    cr_expect(w.reply.finished);
    cr_expect_eq(count_effects(&w, KAS_EFFECT_PUBLISH), 1);
    cr_expect_eq(asked(&w, KAS_EFFECT_RELEASE_WEIGHTS)->weights.weights, weights);
    cr_expect_not(there(&w, &view));
    drain(&w, kernel);
    cr_assert_eq(replicate(&w, "cuda:0"), KAS_OK);
    kas_command cancel = {.kind = KAS_COMMAND_CANCEL_OPERATION, .cancel = {.operation = w.reply.operation}};
    cr_expect_eq(give(&w, cancel), KAS_OK);
    cr_expect_eq(layer_of(&w, "a").replica_count, 0);
    cr_assert_eq(replicate(&w, "cuda:0"), KAS_OK);
    uint64_t operation = w.reply.operation;
    cr_expect_eq(ask(&w, KAS_COMMAND_DELETE_LAYER, "a", 0), KAS_OK);
    cr_expect_eq(operation_of(&w, operation).state, KAS_OPERATION_CANCELLED);
    world_finish(&w);
}

Test(state_replicas, refused)
{
    world w = world_make(NULL);
    cr_expect_eq(replicate(&w, "host:0"), KAS_INVALID_ARGUMENT);
    kas_command twice = {.kind = KAS_COMMAND_SET_REPLICAS, .layer = "a"};
    twice.replicas.count = 2;
    strcpy(twice.replicas.devices[0], "cuda:0");
    strcpy(twice.replicas.devices[1], "cuda:0");
    cr_expect_eq(give(&w, twice), KAS_INVALID_ARGUMENT);
    twice.replicas.count = KAS_REPLICAS_MAX + 1;
    cr_expect_eq(give(&w, twice), KAS_INVALID_ARGUMENT);
    cr_expect_eq(layer_of(&w, "a").replica_count, 0);
    world_finish(&w);
}
