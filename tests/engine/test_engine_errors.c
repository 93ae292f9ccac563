/* What is refused, in which words, and that it changes nothing. */
#include <criterion/criterion.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "tests/engine/engine_world.h"

enum { SEEDS = 3 };

/* Everything that a refused request must leave as it was. */
typedef struct snapshot {
    kas_layer_info layer;
    kas_seed_info seeds[SEEDS];
    uint32_t epoch, staged;
    kas_tier_stats device;
    size_t layers;
    float y[PROBE_ROWS * FEATURES];
} snapshot;

static snapshot take_snapshot(kas_engine *engine)
{
    snapshot s;
    memset(&s, 0, sizeof s);
    s.layer.size = sizeof s.layer;
    for (uint32_t i = 0; i < SEEDS; ++i)
        s.seeds[i].size = sizeof s.seeds[i];
    ok(kas_engine_layer_seeds(engine, "a", &s.layer, s.seeds, SEEDS));
    s.epoch = kas_engine_epoch(engine, &s.staged);
    kas_cache_report cache = {.size = sizeof cache};
    kas_engine_cache_stats(engine, &cache);
    s.device = cache.device;
    s.device.hits = s.device.misses = 0;
    kas_layer_info layers[4];
    s.layers = kas_engine_list_layers(engine, "", layers, 4);
    pass_result pass = run_pass(engine, "a", 2, 1);
    ok(pass.status);
    memcpy(s.y, pass.y, sizeof s.y);
    s.seeds[0].exec_latency_us = 0; /* passes move it */
    s.seeds[0].health_accumulator = 0;
    return s;
}

static void expect_unchanged(kas_engine *engine, const snapshot *before, const char *what)
{
    snapshot after = take_snapshot(engine);
    cr_expect_eq(memcmp(&before->layer, &after.layer, sizeof after.layer), 0, "%s: the layer", what);
    for (uint32_t i = 0; i < SEEDS; ++i)
        cr_expect_eq(memcmp(&before->seeds[i], &after.seeds[i], sizeof after.seeds[i]), 0, "%s: seed %u",
                     what, i);
    cr_expect_eq(before->epoch, after.epoch, "%s: the epoch", what);
    cr_expect_eq(before->staged, after.staged, "%s: what is staged", what);
    cr_expect_eq(memcmp(&before->device, &after.device, sizeof after.device), 0, "%s: the cache", what);
    cr_expect_eq(before->layers, after.layers, "%s: the layers", what);
    cr_expect_eq(memcmp(before->y, after.y, sizeof after.y), 0, "%s: answers", what);
}

/* Layer "a" with "half" ACTIVE in seed 0. */
static kas_engine *open_rig(void)
{
    kas_engine *engine = open_engine(NULL);
    put_kernel(engine, "half", onnx_product(FEATURES, 3, 0));
    put_kernel(engine, "wide", onnx_product(FEATURES + 1, 3, 0));
    create_layer(engine, "a", SEEDS, 1, 0);
    load(engine, "a", 0, "half", 0.5f);
    return engine;
}

static void refuse(kas_engine *engine, kas_request request, kas_code code, const char *part)
{
    snapshot before = take_snapshot(engine);
    must_fail(engine, &request, code, part);
    expect_unchanged(engine, &before, part);
}

Test(engine_errors, whatever_names_a_layer_that_is_not_there)
{
    static const kas_request_kind kinds[] = {
        KAS_REQUEST_DELETE_LAYER, KAS_REQUEST_SET_SERVING, KAS_REQUEST_LOAD,
        KAS_REQUEST_UNLOAD,       KAS_REQUEST_RESET,       KAS_REQUEST_FOSSILIZE,
        KAS_REQUEST_SET_ALPHA,    KAS_REQUEST_DROP_STAGED, KAS_REQUEST_SET_WEIGHTS};
    kas_engine *engine = open_rig();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        kas_request request = request_of(kinds[i], "nobody", 0);
        request.artifact_id = "half";
        request.has_alpha = true;
        if (kinds[i] == KAS_REQUEST_SET_WEIGHTS) {
            request.set_weights.bytes = "x";
            request.set_weights.size_bytes = 1;
        }
        refuse(engine, request, KAS_NOT_FOUND, "no layer nobody");
        request.layer = "not a name";
        refuse(engine, request, KAS_NOT_FOUND, "no layer not a name");
    }
    pass_result pass = run_pass(engine, "nobody", 1, 1);
    expect_failure(pass.status, KAS_NOT_FOUND, "no layer nobody");
    kas_layer_info layer = {.size = sizeof layer};
    expect_failure(kas_engine_layer(engine, "nobody", &layer), KAS_NOT_FOUND, "nobody");
    kas_engine_destroy(engine);
}

Test(engine_errors, seeds_beyond_the_last)
{
    static const kas_request_kind kinds[] = {KAS_REQUEST_LOAD,      KAS_REQUEST_UNLOAD,
                                             KAS_REQUEST_RESET,     KAS_REQUEST_FOSSILIZE,
                                             KAS_REQUEST_SET_ALPHA, KAS_REQUEST_DROP_STAGED};
    kas_engine *engine = open_rig();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        kas_request request = request_of(kinds[i], "a", SEEDS);
        request.artifact_id = "half";
        request.has_alpha = true;
        refuse(engine, request, KAS_NOT_FOUND, "layer a has no seed 3: it has 3, numbered from 0");
        request.seed = UINT32_MAX;
        refuse(engine, request, KAS_NOT_FOUND, "has no seed 4294967295");
    }
    kas_seed_info seed = {.size = sizeof seed};
    expect_failure(kas_engine_seed(engine, "a", SEEDS, &seed), KAS_NOT_FOUND, "no seed 3");
    kas_engine_destroy(engine);
}

Test(engine_errors, alphas_and_ramps_that_cannot_be)
{
    static const float wrong[] = {NAN, INFINITY, -0.001f, 1.001f};
    static const kas_request_kind kinds[] = {KAS_REQUEST_SET_ALPHA, KAS_REQUEST_LOAD};
    kas_engine *engine = open_rig();
    for (int k = 0; k < 2; ++k) {
        kas_request request = request_of(kinds[k], "a", 0);
        request.artifact_id = "half";
        request.has_alpha = true;
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
            request.alpha = wrong[i];
            refuse(engine, request, KAS_INVALID_ARGUMENT, "from 0 to 1 is possible");
        }
        request.alpha = 0.5f;
        request.ramp.unit = KAS_RAMP_PASSES;
        refuse(engine, request, KAS_INVALID_ARGUMENT, "the ramp's length is 0");
        request.ramp.length = 3;
        request.ramp.curve = (kas_curve)7;
        refuse(engine, request, KAS_INVALID_ARGUMENT, "unit or curve");
    }
    kas_request request = request_of(KAS_REQUEST_SET_ALPHA, "a", 0);
    refuse(engine, request, KAS_INVALID_ARGUMENT, "no alpha was given");
    kas_engine_destroy(engine);
}

static void expect_illegal(kas_engine *engine, kas_request request, const char *state,
                           const char *const *allowed)
{
    snapshot before = take_snapshot(engine);
    kas_reply reply = {.size = sizeof reply};
    kas_status status = kas_engine_call(engine, &request, &reply);
    cr_expect_str_eq(reply.state, state);
    for (size_t i = 0; i < KAS_ALLOWED_MAX && (allowed[i] || reply.allowed[i]); ++i)
        cr_expect_str_eq(reply.allowed[i] ? reply.allowed[i] : "(none)", allowed[i] ? allowed[i] : "(none)");
    expect_failure(status, KAS_ILLEGAL_TRANSITION, state);
    kas_reply_finish(&reply);
    expect_unchanged(engine, &before, state);
}

Test(engine_errors, illegal_transitions_name_the_allowed)
{
    static const char *const dormant[KAS_ALLOWED_MAX] = {"load", "unload", "reset"};
    static const char *const fossilized[KAS_ALLOWED_MAX] = {NULL};
    kas_engine *engine = open_rig();
    kas_request alpha = request_of(KAS_REQUEST_SET_ALPHA, "a", 1);
    alpha.has_alpha = true;
    expect_illegal(engine, alpha, "DORMANT", dormant);
    expect_illegal(engine, request_of(KAS_REQUEST_FOSSILIZE, "a", 1), "DORMANT", dormant);
    uint64_t generation = layer_of(engine, "a").generation;
    kas_request fossilize = request_of(KAS_REQUEST_FOSSILIZE, "a", 0);
    must_call(engine, &fossilize);
    while (layer_of(engine, "a").generation <
           generation + 2) /* until it is folded, the layer still changes */
        sched_yield();
    static const kas_request_kind kinds[] = {KAS_REQUEST_LOAD, KAS_REQUEST_UNLOAD, KAS_REQUEST_RESET,
                                             KAS_REQUEST_FOSSILIZE, KAS_REQUEST_SET_ALPHA};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        kas_request request = request_of(kinds[i], "a", 0);
        request.artifact_id = "half";
        request.has_alpha = true;
        expect_illegal(engine, request, "FOSSILIZED", fossilized);
    }
    refuse(engine, request_of(KAS_REQUEST_DELETE_LAYER, "a", 0), KAS_CONFLICT, "force");
    kas_engine_destroy(engine);
}

Test(engine_errors, names_and_sizes_of_layers)
{
    kas_engine *engine = open_rig();
    kas_request request = request_of(KAS_REQUEST_CREATE_LAYER, "a", 0);
    request.create_layer.layer_id = -1;
    request.create_layer.input_size = request.create_layer.output_size = 4;
    refuse(engine, request, KAS_CONFLICT, "a");
    static const char *const names[] = {"", ".", "..", "a/b", "a b", "ä"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        request.layer = names[i];
        refuse(engine, request, KAS_INVALID_ARGUMENT, "the layer's name must be");
    }
    request.layer = "b";
    request.create_layer.input_size = 0;
    refuse(engine, request, KAS_INVALID_ARGUMENT, "input_size is 0");
    request.create_layer.input_size = request.create_layer.output_size = 1 << 20;
    refuse(engine, request, KAS_INVALID_ARGUMENT, "elements");
    request.create_layer.input_size = request.create_layer.output_size = 4;
    request.create_layer.num_seeds = KAS_MAX_SEEDS + 1;
    refuse(engine, request, KAS_INVALID_ARGUMENT, "num_seeds is 65");
    request.create_layer.num_seeds = 1;
    request.create_layer.device = "abacus:0";
    refuse(engine, request, KAS_NOT_FOUND, "abacus:0");
    request.size = 8;
    refuse(engine, request, KAS_INVALID_ARGUMENT, "set it to its sizeof");
    kas_engine_destroy(engine);
}

/* ---- artifacts ---- */

static void refuse_put(kas_engine *engine, const char *id, artifact_bytes artifact, kas_code code,
                       const char *part)
{
    kas_request request = request_of(KAS_REQUEST_PUT_KERNEL, NULL, 0);
    request.artifact_id = id;
    request.put_kernel.bytes = artifact.bytes;
    request.put_kernel.size_bytes = artifact.size;
    refuse(engine, request, code, part);
    free(artifact.bytes);
}

Test(engine_errors, artifacts_that_cannot_be_leave_nothing_behind)
{
    kas_engine *engine = open_rig();
    artifact_bytes cut = onnx_product(FEATURES, 3, 0), garbage = onnx_product(FEATURES, 3, 0);
    cut.size /= 2;
    memset(garbage.bytes, 0xa5, garbage.size);
    refuse_put(engine, "new", cut, KAS_INVALID_ARTIFACT, "");
    refuse_put(engine, "new", garbage, KAS_INVALID_ARTIFACT, "");
    refuse_put(engine, "new", onnx_unknown_operator(FEATURES), KAS_INVALID_ARTIFACT, "Frobnicate");
    refuse_put(engine, "new", onnx_sum_of_rows(FEATURES), KAS_INVALID_ARTIFACT, "CumSum");
    kas_cached_kernel kernel = {.size = sizeof kernel};
    expect_failure(kas_engine_kernel(engine, "new", &kernel), KAS_NOT_FOUND, "new");
    refuse_put(engine, "half", onnx_product(FEATURES, 4, 0), KAS_CONFLICT, "bound to other bytes for good");
    refuse_put(engine, "no name!", onnx_product(FEATURES, 4, 0), KAS_INVALID_ARGUMENT, "artifact id");
    kas_engine_destroy(engine);
}

Test(engine_errors, weights_that_do_not_fit)
{
    kas_engine *engine = open_rig();
    artifact_bytes weights = safetensors_weights(FEATURES + 1, 1, 0, 1);
    kas_request request = request_of(KAS_REQUEST_SET_WEIGHTS, "a", 0);
    request.set_weights.bytes = weights.bytes;
    request.set_weights.size_bytes = weights.size;
    refuse(engine, request, KAS_INVALID_ARTIFACT, "[9, 9]");
    request.set_weights.size_bytes = weights.size - 3;
    refuse(engine, request, KAS_INVALID_ARTIFACT, "");
    request.set_weights.bytes = NULL;
    refuse(engine, request, KAS_INVALID_ARGUMENT, "no bytes");
    free(weights.bytes);
    kas_engine_destroy(engine);
}

/* A load that fails says why and leaves all but last_error as it was. */
static void expect_load_fails(kas_engine *engine, const char *artifact, kas_code code, const char *detail)
{
    snapshot before = take_snapshot(engine);
    cr_expect_eq(try_load(engine, "a", 1, artifact, 0.5f), code, "%s", artifact);
    kas_seed_info seed = seed_of(engine, "a", 1);
    cr_expect_eq(seed.lifecycle_state, KAS_SEED_DORMANT);
    cr_expect_eq(seed.active_kernel_id, 0);
    cr_expect(strstr(seed.last_error.detail, detail) != NULL, "\"%s\" is not in: %s", detail,
              seed.last_error.detail);
    snapshot after = take_snapshot(engine);
    cr_expect_eq(after.layer.generation, before.layer.generation);
    cr_expect_eq(memcmp(before.y, after.y, sizeof after.y), 0);
    cr_expect_eq(memcmp(&before.seeds[0], &after.seeds[0], sizeof after.seeds[0]), 0);
}

Test(engine_errors, loads_that_fail)
{
    kas_engine *engine = open_rig();
    expect_load_fails(engine, "missing", KAS_NOT_FOUND, "missing");
    expect_load_fails(engine, "wide", KAS_INCOMPATIBLE_KERNEL, "[9]");
    expect_load_fails(engine, "wide", KAS_INCOMPATIBLE_KERNEL, "input_size 8");
    kas_error_record errors[8];
    cr_expect_eq(kas_engine_list_errors(engine, errors, 8), 3);
    cr_expect_eq(errors[0].type, KAS_ERROR_KERNEL_VALIDATION);
    cr_expect_eq(errors[2].type, KAS_ERROR_KERNEL_LOADING);
    cr_expect_eq(errors[0].code, KAS_INCOMPATIBLE_KERNEL);
    cr_expect_eq(errors[2].code, KAS_NOT_FOUND);
    cr_expect_eq(seed_of(engine, "a", 1).last_error.code, KAS_INCOMPATIBLE_KERNEL);
    kas_engine_destroy(engine);
}

/* ---- conflicts ---- */

Test(engine_errors, conflicts)
{
    kas_engine *engine = open_rig();
    kas_request advance = request_of(KAS_REQUEST_ADVANCE_EPOCH, NULL, 0);
    refuse(engine, advance, KAS_CONFLICT, "must grow");
    kas_request evict = request_of(KAS_REQUEST_EVICT_KERNEL, NULL, 0);
    evict.artifact_id = "half";
    refuse(engine, evict, KAS_CONFLICT, "in use");
    kas_request alpha = request_of(KAS_REQUEST_SET_ALPHA, "a", 0);
    alpha.has_alpha = true;
    alpha.alpha = 0.25f;
    alpha.revision = seed_of(engine, "a", 0).revision + 1;
    refuse(engine, alpha, KAS_CONFLICT, "has changed: it is at revision");
    kas_request cancel = request_of(KAS_REQUEST_CANCEL_OPERATION, NULL, 0);
    cancel.cancel.operation = 12345;
    refuse(engine, cancel, KAS_NOT_FOUND, "12345");
    kas_request lift = request_of(KAS_REQUEST_LIFT_QUARANTINE, NULL, 0);
    memset(lift.lift.checksum, 'a', KAS_CHECKSUM_HEX_SIZE - 1);
    refuse(engine, lift, KAS_NOT_FOUND, "quarantine");
    kas_request staged = request_of(KAS_REQUEST_UNLOAD, "a", 0);
    staged.at_epoch = kas_engine_epoch(engine, NULL);
    if (staged.at_epoch) refuse(engine, staged, KAS_INVALID_ARGUMENT, "epoch");
    kas_engine_destroy(engine);
}
