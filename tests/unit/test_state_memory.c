/* All or nothing: each allocation of each command of a long story is made to fail in turn, and neither state
 * nor effects may have moved; and the same story gives the same digests. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/state/model.h"
#include "tests/unit/state_world.h"

TestSuite(state_memory);

typedef struct story {
    kas_state *state;
    int64_t now_ns;
    bool failing;      /* each allocation is tried */
    size_t failures;   /* that were tried */
    kas_sha256 digest; /* of all effects' kinds and of the states in between */
} story;

static void mix(story *s, const void *bytes, size_t size_bytes)
{
    unsigned char block[512];
    memcpy(block, s->digest.bytes, sizeof s->digest.bytes);
    memcpy(block + sizeof s->digest.bytes, bytes, size_bytes);
    s->digest = kas_sha256_of(block, sizeof s->digest.bytes + size_bytes);
}

/* Gives back what earlier commands left for later ones, so that each command must ask for all that it needs.
 */
static void forget_reserves(kas_state *state)
{
    kas_undo_finish(&state->undo);
    kas_pending *pending = &state->pending;
    kas_free(pending->effects);
    kas_free(pending->marked);
    pending->effects = NULL;
    pending->marked = NULL;
    pending->effect_capacity = pending->marked_capacity = 0;
}

/* Fails every allocation that the command makes, one after the other; then lets it pass. */
static void tell(story *s, kas_command command)
{
    kas_effects effects = {0};
    s->now_ns += 3 * KAS_NS_PER_MS;
    command.now_ns = command.wall_ns = s->now_ns;
    command.ticket = 1;
    kas_sha256 before = kas_state_digest(s->state);
    kas_status status;
    for (uint64_t nth = 1;; ++nth) {
        if (s->failing) {
            forget_reserves(s->state);
            kas_alloc_fail_at(nth);
        }
        status = kas_state_apply(s->state, &command, &effects);
        kas_alloc_fail_at(0);
        if (!status) break;
        cr_assert_eq(kas_status_code(status), KAS_OUT_OF_MEMORY, "%s", kas_status_message(status));
        cr_assert_eq(effects.count, 0, "command %d, allocation %d", (int)command.kind, (int)nth);
        kas_sha256 after = kas_state_digest(s->state);
        cr_assert(kas_sha256_equal(&before, &after), "command %d, allocation %d", (int)command.kind,
                  (int)nth);
        kas_status checked = kas_state_check(s->state);
        cr_assert_null(checked, "%s", kas_status_message(checked));
        ++s->failures;
    }
    for (size_t i = 0; i < effects.count; ++i)
        mix(s, &effects.items[i].kind, sizeof effects.items[i].kind);
    kas_sha256 after = kas_state_digest(s->state);
    mix(s, after.bytes, sizeof after.bytes);
    kas_effects_finish(&effects);
}

static kas_command seed_command(kas_command_kind kind, const char *layer, uint32_t seed, const char *artifact)
{
    kas_command command = {.kind = kind, .seed = seed, .has_alpha = true, .alpha = 0.25f};
    snprintf(command.layer, sizeof command.layer, "%s", layer);
    if (artifact) snprintf(command.artifact_id, sizeof command.artifact_id, "%s", artifact);
    return command;
}

static void make_layers(story *s)
{
    for (int i = 0; i < 20; ++i) {
        kas_command create = {.kind = KAS_COMMAND_CREATE_LAYER};
        snprintf(create.layer, sizeof create.layer, "l%d", i);
        create.create.layer_id = -1;
        create.create.input_size = 8;
        create.create.output_size = 4;
        create.create.num_seeds = 3;
        create.create.device_kind = KAS_KIND_CPU;
        create.create.weights = 100 + (kas_resource)i;
        memcpy(create.create.device, "host:0", 7);
        tell(s, create);
    }
}

static void resolve_and_upload(story *s, uint64_t make, const char *content, bool affine)
{
    kas_command resolved = {.kind = KAS_COMMAND_RESOLVED};
    resolved.resolved.make = make;
    resolved.resolved.checksum = checksum_of(content);
    resolved.resolved.facts = facts_for(8, 4);
    resolved.resolved.facts.affine = affine;
    resolved.resolved.device_bytes = 10;
    tell(s, resolved);
    tell(s, (kas_command){.kind = KAS_COMMAND_KERNEL_READY, .ready = {.make = make, .kernel = 500 + make}});
}

static void fail_passes(story *s, uint64_t uid, uint64_t binding)
{
    kas_pass_result results[3];
    for (int i = 0; i < 3; ++i)
        results[i] =
            (kas_pass_result){.layer_uid = uid, .binding = binding, .outcome = KAS_OUTCOME_NON_FINITE};
    tell(s, (kas_command){.kind = KAS_COMMAND_PASS_RESULTS, .passes = {.results = results, .count = 3}});
}

static void load_and_break(story *s)
{
    for (uint32_t seed = 0; seed < 3; ++seed)
        tell(s, seed_command(KAS_COMMAND_LOAD, "l0", seed, "k"));
    tell(s, seed_command(KAS_COMMAND_LOAD, "l1", 0, "k"));
    resolve_and_upload(s, 1, "k", true);
    tell(s, seed_command(KAS_COMMAND_LOAD, "l2", 0, "other"));
    tell(s, seed_command(KAS_COMMAND_LOAD, "l2", 1, "missing"));
    kas_command failed = {.kind = KAS_COMMAND_MAKE_FAILED,
                          .failed = {.make = 3, .code = KAS_IO, .reason = ""}};
    tell(s, failed);
    resolve_and_upload(s, 2, "k", true);
    tell(s, seed_command(KAS_COMMAND_SET_ALPHA, "l0", 0, NULL));
    fail_passes(s, 1, 1);
    tell(s, seed_command(KAS_COMMAND_FOSSILIZE, "l0", 1, NULL));
    tell(s, (kas_command){.kind = KAS_COMMAND_FOLDED, .folded = {.fold = 1, .weights = 900}});
    kas_command set = seed_command(KAS_COMMAND_SET_WEIGHTS, "l0", 0, NULL);
    set.set_weights.weights = 901;
    set.set_weights.sha256 = checksum_of("weights");
    tell(s, set);
}

static void stage_and_advance(story *s)
{
    kas_command staged = seed_command(KAS_COMMAND_LOAD, "l3", 0, "k");
    staged.at_epoch = 2;
    tell(s, staged);
    staged = seed_command(KAS_COMMAND_LOAD, "l3", 1, "never");
    staged.at_epoch = 2;
    tell(s, staged);
    staged = seed_command(KAS_COMMAND_SET_ALPHA, "l1", 0, NULL);
    staged.at_epoch = 2;
    staged.ramp = (kas_ramp){.unit = KAS_RAMP_MS, .length = 100};
    staged.alpha = 1;
    tell(s, staged);
    tell(s, (kas_command){.kind = KAS_COMMAND_ADVANCE_EPOCH, .advance = {.epoch = 2}});
    tell(s, (kas_command){.kind = KAS_COMMAND_ADVANCE_EPOCH, .advance = {.epoch = 2, .skip_unready = true}});
    s->now_ns += 50 * KAS_NS_PER_MS;
    tell(s, (kas_command){.kind = KAS_COMMAND_TICK});
    s->now_ns += 40 * KAS_NS_PER_S;
    tell(s, (kas_command){.kind = KAS_COMMAND_TICK});
}

static void evict_and_remove(story *s)
{
    for (int i = 0; i < 4; ++i) {
        kas_command preload = {.kind = KAS_COMMAND_PRELOAD};
        snprintf(preload.artifact_id, sizeof preload.artifact_id, "p%d", i);
        memcpy(preload.preload.device, "host:0", 7);
        preload.preload.device_kind = KAS_KIND_CPU;
        tell(s, preload);
        resolve_and_upload(s, 5 + (uint64_t)i, preload.artifact_id, false);
    }
    tell(s, seed_command(KAS_COMMAND_PIN, "", 0, "p3"));
    tell(s, seed_command(KAS_COMMAND_UNPIN, "", 0, "p3"));
    tell(s, seed_command(KAS_COMMAND_EVICT, "", 0, "p3"));
    tell(s, seed_command(KAS_COMMAND_RESET, "l0", 0, NULL));
    tell(s, seed_command(KAS_COMMAND_UNLOAD, "l0", 2, NULL));
    for (int i = 0; i < 4; ++i) {
        kas_command remove = {.kind = KAS_COMMAND_DELETE_LAYER, .delete_layer = {.force = true}};
        snprintf(remove.layer, sizeof remove.layer, "l%d", i);
        tell(s, remove);
    }
}

static story whole_story(bool failing)
{
    story s = {.failing = failing};
    cr_assert_null(kas_state_create(&(kas_state_limits){.cache_entries = 3, .operations_kept = 2}, &s.state));
    make_layers(&s);
    load_and_break(&s);
    stage_and_advance(&s);
    evict_and_remove(&s);
    kas_state_destroy(s.state);
    return s;
}

Test(state_memory, every_allocation_of_every_command)
{
    story s = whole_story(true);
    cr_expect_gt(s.failures, 140, "%zu failures were tried", s.failures);
}

Test(state_memory, the_same_commands_give_the_same_state_and_effects)
{
    story first = whole_story(false), second = whole_story(false), failing = whole_story(true);
    cr_expect(same_digest(first.digest, second.digest));
    cr_expect(same_digest(first.digest, failing.digest), "failures leave no trace");
}

Test(state_memory, creation)
{
    for (uint64_t nth = 1;; ++nth) {
        kas_state *state = NULL;
        kas_alloc_fail_at(nth);
        kas_status status = kas_state_create(NULL, &state);
        kas_alloc_fail_at(0);
        if (!status) {
            cr_expect_gt(nth, 1);
            kas_state_destroy(state);
            return;
        }
        cr_assert_eq(kas_status_code(status), KAS_OUT_OF_MEMORY);
    }
}

Test(state_memory, names_that_do_not_end_are_no_command)
{
    world w = world_make(NULL);
    kas_command command = {.kind = KAS_COMMAND_UNLOAD};
    memset(command.layer, 'a', sizeof command.layer);
    kas_effects effects = {0};
    kas_status status = kas_state_apply(w.state, &command, &effects);
    cr_expect_eq(kas_status_code(status), KAS_INTERNAL);
    cr_expect_eq(effects.count, 0);
    kas_status_free(status);
    world_finish(&w);
}
