#include "tests/engine/engine_world.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

void expect_failure(kas_status status, kas_code code, const char *part)
{
    cr_expect_eq(kas_status_code(status), code, "%s, not %s: %s", kas_code_name(code),
                 kas_code_name(kas_status_code(status)), kas_status_message(status));
    cr_expect(strstr(kas_status_message(status), part) != NULL, "\"%s\" is not in: %s", part,
              kas_status_message(status));
    kas_status_free(status);
}

kas_engine *open_engine(const kas_engine_options *options)
{
    kas_engine_options filled = options ? *options : (kas_engine_options){0};
    kas_engine *engine;
    filled.size = sizeof filled;
    const char *device = getenv("KASMINA_TEST_DEVICE");
    filled.device = device ? device : "host:0";
    ok(kas_engine_create(&filled, &engine));
    return engine;
}

kas_request request_of(kas_request_kind kind, const char *layer, uint32_t seed)
{
    return (kas_request){.size = sizeof(kas_request), .kind = kind, .layer = layer, .seed = seed};
}

kas_reply must_call(kas_engine *engine, const kas_request *request)
{
    kas_reply reply = {.size = sizeof reply};
    ok(kas_engine_call(engine, request, &reply));
    return reply;
}

void must_fail(kas_engine *engine, const kas_request *request, kas_code code, const char *part)
{
    kas_reply reply = {.size = sizeof reply};
    expect_failure(kas_engine_call(engine, request, &reply), code, part);
    kas_reply_finish(&reply);
}

void put_kernel(kas_engine *engine, const char *id, artifact_bytes artifact)
{
    kas_request request = request_of(KAS_REQUEST_PUT_KERNEL, NULL, 0);
    request.artifact_id = id;
    request.put_kernel.bytes = artifact.bytes;
    request.put_kernel.size_bytes = artifact.size;
    must_call(engine, &request);
    free(artifact.bytes);
}

void set_weights(kas_engine *engine, const char *layer, float scale, float shift)
{
    artifact_bytes weights = safetensors_weights(FEATURES, scale, shift, 1);
    kas_request request = request_of(KAS_REQUEST_SET_WEIGHTS, layer, 0);
    request.set_weights.bytes = weights.bytes;
    request.set_weights.size_bytes = weights.size;
    must_call(engine, &request);
    free(weights.bytes);
}

kas_request new_layer(const char *name)
{
    kas_request request = request_of(KAS_REQUEST_CREATE_LAYER, name, 0);
    request.create_layer.layer_id = -1;
    request.create_layer.input_size = request.create_layer.output_size = FEATURES;
    request.create_layer.bias = true;
    return request;
}

void create_layer(kas_engine *engine, const char *name, uint32_t seeds, float scale, float shift)
{
    kas_request request = new_layer(name);
    request.create_layer.num_seeds = seeds;
    must_call(engine, &request);
    set_weights(engine, name, scale, shift);
}

kas_code try_load(kas_engine *engine, const char *layer, uint32_t seed, const char *artifact, float alpha)
{
    kas_request request = request_of(KAS_REQUEST_LOAD, layer, seed);
    request.artifact_id = artifact;
    request.has_alpha = true;
    request.alpha = alpha;
    kas_reply reply = {.size = sizeof reply};
    kas_status status = kas_engine_call(engine, &request, &reply);
    if (!status) status = kas_engine_wait_operation(engine, reply.operation, 0);
    kas_code code = kas_status_code(status);
    kas_status_free(status);
    kas_reply_finish(&reply);
    return code;
}

void load(kas_engine *engine, const char *layer, uint32_t seed, const char *artifact, float alpha)
{
    kas_code code = try_load(engine, layer, seed, artifact, alpha);
    cr_assert_eq(code, KAS_OK, "loading %s: %s", artifact, kas_code_name(code));
}

void stage_load(kas_engine *engine, const char *layer, uint32_t seed, const char *artifact, float alpha,
                uint32_t at_epoch)
{
    kas_request request = request_of(KAS_REQUEST_LOAD, layer, seed);
    request.artifact_id = artifact;
    request.has_alpha = true;
    request.alpha = alpha;
    request.at_epoch = at_epoch;
    kas_reply reply = must_call(engine, &request);
    if (!reply.finished) ok(kas_engine_wait_operation(engine, reply.operation, 0));
}

kas_reply advance(kas_engine *engine, uint32_t epoch, bool skip_unready)
{
    kas_request request = request_of(KAS_REQUEST_ADVANCE_EPOCH, NULL, 0);
    request.advance.epoch = epoch;
    request.advance.skip_unready = skip_unready;
    return must_call(engine, &request);
}

void set_alpha(kas_engine *engine, const char *layer, uint32_t seed, float alpha)
{
    kas_request request = request_of(KAS_REQUEST_SET_ALPHA, layer, seed);
    request.has_alpha = true;
    request.alpha = alpha;
    must_call(engine, &request);
}

void unload(kas_engine *engine, const char *layer, uint32_t seed)
{
    kas_request request = request_of(KAS_REQUEST_UNLOAD, layer, seed);
    must_call(engine, &request);
}

kas_seed_info seed_of(kas_engine *engine, const char *layer, uint32_t seed)
{
    kas_seed_info info = {.size = sizeof info};
    ok(kas_engine_seed(engine, layer, seed, &info));
    return info;
}

kas_layer_info layer_of(kas_engine *engine, const char *layer)
{
    kas_layer_info info = {.size = sizeof info};
    ok(kas_engine_layer(engine, layer, &info));
    return info;
}

/* ---- passes ---- */

static float input_at(uint32_t i, float sign)
{
    return sign * (float)(1 + i);
}

pass_result run_pass(kas_engine *engine, const char *layer, uint32_t rows, float sign)
{
    float x[PROBE_ROWS * FEATURES];
    pass_result out = {.result = {.size = sizeof out.result}};
    for (uint32_t i = 0; i < rows * FEATURES; ++i)
        x[i] = input_at(i, sign);
    const kas_forward_request request = {.size = sizeof request,
                                         .layer = layer,
                                         .input = {.data = x, .rank = 2, .shape = {rows, FEATURES}},
                                         .output = {.data = out.y, .rank = 2, .shape = {rows, FEATURES}}};
    out.status = kas_forward(engine, &request, &out.result);
    return out;
}

void expect_line(kas_engine *engine, const char *layer, double scale, double shift)
{
    pass_result pass = run_pass(engine, layer, 2, 1);
    ok(pass.status);
    for (uint32_t i = 0; i < 2 * FEATURES; ++i) {
        double want = scale * (double)input_at(i, 1) + shift, got = (double)pass.y[i];
        cr_expect(fabs(got - want) <= 1e-5 * (1 + fabs(want)), "element %u: %g, not %g", i, got, want);
    }
}
