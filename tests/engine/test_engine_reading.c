/* What can be read through the C API: kernels, layers, operations, devices, weights, validation; and that
 * uploads outlive the engine. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/engine/engine_world.h"

/* ---- folders ---- */

static char folder[64];

static const char *make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/kasmina-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    return folder;
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

/* Writes a file of the folder and frees the bytes. */
static void write_artifact(const char *name, artifact_bytes artifact)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(artifact.bytes, 1, artifact.size, file), artifact.size);
    fclose(file);
    free(artifact.bytes);
}

static void write_text(const char *name, const char *text)
{
    artifact_bytes bytes = {.size = strlen(text)};
    bytes.bytes = malloc(bytes.size);
    cr_assert_not_null(bytes.bytes);
    memcpy(bytes.bytes, text, bytes.size);
    write_artifact(name, bytes);
}

/* ---- the registry that is a folder ---- */

Test(engine_reading, artifacts_of_a_folder)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.artifact_dir = make_folder()});
    write_artifact("triple.onnx", onnx_product(FEATURES, 3, 0));
    write_text("triple.json", "{\"performance_profile\": {\"confidence\": 0.5, \"score\": 0.75}}");
    write_artifact("two%2Fparts.onnx", onnx_product(FEATURES, 2, 0));
    create_layer(engine, "a", 2, 1, 0);
    kas_request request = request_of(KAS_REQUEST_LOAD, "a", 0);
    request.artifact_id = "triple";
    kas_reply reply = must_call(engine, &request);
    ok(kas_engine_wait_operation(engine, reply.operation, 0));
    cr_expect_float_eq((double)seed_of(engine, "a", 0).alpha_blend, 0.3, 1e-3, "0.6 of the confidence");
    kas_operation_info operation = {.size = sizeof operation};
    ok(kas_engine_operation(engine, reply.operation, &operation));
    cr_expect_eq(operation.state, KAS_OPERATION_SUCCEEDED);
    cr_expect_eq(operation.tier, KAS_TIER_REGISTRY);
    load(engine, "a", 1, "two/parts", 0);
    kas_cached_kernel kernel = {.size = sizeof kernel};
    ok(kas_engine_kernel(engine, "triple", &kernel));
    cr_expect_eq(kernel.score, 0.75);
    cr_expect(kernel.on_device && kernel.on_host && !kernel.on_disk);
    cr_expect_str_eq(kernel.format, "onnx");
    cr_expect_eq(kernel.parameter_count, FEATURES * (FEATURES + 1));
    cr_expect_str_eq(kernel.uses[0].layer, "a");
    cr_expect(strstr(kernel.metadata_json, "\"confidence\"") != NULL);
    kas_cached_kernel_finish(&kernel);
    kas_engine_destroy(engine);
    remove_folder();
}

Test(engine_reading, other_bytes_under_a_known_id_are_refused)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.artifact_dir = make_folder()});
    write_artifact("k.onnx", onnx_product(FEATURES, 3, 0));
    create_layer(engine, "a", 2, 1, 0);
    load(engine, "a", 0, "k", 0.5f);
    unload(engine, "a", 0);
    kas_request evict = request_of(KAS_REQUEST_EVICT_KERNEL, NULL, 0);
    evict.artifact_id = "k";
    must_call(engine, &evict);
    write_artifact("k.onnx", onnx_product(FEATURES, 4, 0));
    cr_expect_eq(try_load(engine, "a", 0, "k", 0.5f), KAS_CONFLICT);
    cr_expect(strstr(seed_of(engine, "a", 0).last_error.detail, "for good") != NULL);
    write_artifact("k.onnx", onnx_product(FEATURES, 3, 0));
    load(engine, "a", 0, "k", 0.5f);
    kas_engine_destroy(engine);
    remove_folder();
}

Test(engine_reading, metadata_that_disagrees_with_the_bytes)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.artifact_dir = make_folder()});
    write_artifact("k.onnx", onnx_product(FEATURES, 3, 0));
    write_text("k.json", "{\"input_shape\": [77]}");
    create_layer(engine, "a", 1, 1, 0);
    cr_expect_eq(try_load(engine, "a", 0, "k", 0.5f), KAS_INVALID_ARTIFACT);
    cr_expect(strstr(seed_of(engine, "a", 0).last_error.detail, "77") != NULL);
    kas_engine_destroy(engine);
    remove_folder();
}

Test(engine_reading, requirements_of_a_kernel)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.artifact_dir = make_folder()});
    write_artifact("gpu.onnx", onnx_product(FEATURES, 3, 0));
    write_text("gpu.json", "{\"device_requirements\": [\"gpu\"]}");
    write_artifact("cpu.onnx", onnx_product(FEATURES, 4, 0));
    write_text("cpu.json", "{\"device_requirements\": [\"cuda\", \"cpu\"]}");
    create_layer(engine, "a", 1, 1, 0);
    cr_expect_eq(try_load(engine, "a", 0, "gpu", 0.5f), KAS_INCOMPATIBLE_KERNEL);
    load(engine, "a", 0, "cpu", 0.5f);
    kas_engine_destroy(engine);
    remove_folder();
}

/* ---- uploads ---- */

Test(engine_reading, uploads_outlive_the_engine)
{
    const kas_engine_options options = {.data_dir = make_folder()};
    kas_engine *engine = open_engine(&options);
    put_kernel(engine, "triple", onnx_product(FEATURES, 3, 0));
    kas_engine_destroy(engine);
    engine = open_engine(&options);
    create_layer(engine, "a", 1, 1, 0);
    kas_cached_kernel kernel = {.size = sizeof kernel};
    ok(kas_engine_kernel(engine, "triple", &kernel));
    cr_expect(kernel.on_disk && !kernel.on_host && !kernel.on_device);
    kas_cached_kernel_finish(&kernel);
    load(engine, "a", 0, "triple", 0.5f);
    expect_line(engine, "a", 2, 0);
    artifact_bytes other = onnx_product(FEATURES, 5, 0);
    kas_request put = request_of(KAS_REQUEST_PUT_KERNEL, NULL, 0);
    put.artifact_id = "triple";
    put.put_kernel.bytes = other.bytes;
    put.put_kernel.size_bytes = other.size;
    must_fail(engine, &put, KAS_CONFLICT, "bound");
    free(other.bytes);
    kas_engine_destroy(engine);
    remove_folder();
}

static void damage_uploads(void)
{
    char command[256];
    snprintf(command, sizeof command,
             "find '%s' -type f -size +100c ! -name '*.json' -exec sh -c 'printf x > \"$1\"' _ {} \\;",
             folder);
    cr_assert_eq(system(command), 0);
}

Test(engine_reading, a_damaged_upload_is_found_out_and_reported)
{
    const kas_engine_options options = {.data_dir = make_folder()};
    kas_engine *engine = open_engine(&options);
    put_kernel(engine, "triple", onnx_product(FEATURES, 3, 0));
    kas_engine_destroy(engine);
    damage_uploads();
    engine = open_engine(&options);
    create_layer(engine, "a", 1, 1, 0);
    cr_expect_neq(try_load(engine, "a", 0, "triple", 0.5f), KAS_OK);
    cr_expect_eq(seed_of(engine, "a", 0).lifecycle_state, KAS_SEED_DORMANT);
    expect_line(engine, "a", 1, 0);
    kas_health health = {.size = sizeof health};
    kas_engine_health(engine, &health);
    cr_expect_eq(health.status, KAS_HEALTH_DEGRADED);
    kas_engine_destroy(engine);
    remove_folder();
}

/* ---- validation ---- */

static kas_validation validate(kas_engine *engine, artifact_bytes artifact, const char *layer)
{
    kas_validation result = {.size = sizeof result};
    kas_request request = request_of(KAS_REQUEST_VALIDATE, layer, 0);
    request.validate.bytes = artifact.bytes;
    request.validate.size_bytes = artifact.size;
    request.validate.result = &result;
    must_call(engine, &request);
    free(artifact.bytes);
    return result;
}

Test(engine_reading, validation_reports_and_keeps_nothing)
{
    kas_engine *engine = open_engine(NULL);
    create_layer(engine, "a", 1, 1, 0);
    kas_validation good = validate(engine, onnx_network(FEATURES, 5, 1), "a");
    cr_expect(good.valid && good.has_compatible && good.compatible);
    cr_expect_eq(good.operator_count, 2);
    cr_expect_str_eq(good.operators[0], "Gemm");
    cr_expect_str_eq(good.operators[1], "Relu");
    cr_expect_not_null(good.metadata_json);
    kas_validation_finish(&good);
    kas_validation wide = validate(engine, onnx_product(FEATURES + 1, 3, 0), "a");
    cr_expect(wide.valid && wide.has_compatible && !wide.compatible);
    cr_assert_eq(wide.reason_count, 1);
    cr_expect(strstr(wide.reasons[0], "[9]") != NULL, "%s", wide.reasons[0]);
    kas_validation_finish(&wide);
    kas_validation bad = validate(engine, onnx_unknown_operator(FEATURES), NULL);
    cr_expect(!bad.valid && !bad.has_compatible);
    cr_expect(strstr(bad.reasons[0], "Frobnicate") != NULL);
    kas_validation_finish(&bad);
    kas_request nobody = request_of(KAS_REQUEST_VALIDATE, "nobody", 0);
    kas_validation unused = {.size = sizeof unused};
    nobody.validate.bytes = "x";
    nobody.validate.size_bytes = 1;
    nobody.validate.result = &unused;
    must_fail(engine, &nobody, KAS_NOT_FOUND, "nobody");
    kas_validation_finish(&unused);
    kas_cached_kernel kernels[1] = {{.size = sizeof kernels[0]}};
    size_t count;
    ok(kas_engine_list_kernels(engine, "", kernels, 1, &count));
    cr_expect_eq(count, 0);
    kas_engine_destroy(engine);
}

/* ---- lists ---- */

Test(engine_reading, pages_in_order)
{
    kas_engine *engine = open_engine(NULL);
    static const char *const names[] = {"c", "a", "e", "b", "d"};
    for (int i = 0; i < 5; ++i) {
        create_layer(engine, names[i], 1, 1, 0);
        put_kernel(engine, names[i], onnx_product(FEATURES, (float)i, 0));
    }
    kas_layer_info layers[2];
    char after[KAS_NAME_SIZE] = "";
    for (int page = 0; page < 3; ++page) {
        size_t count = kas_engine_list_layers(engine, after, layers, 2);
        cr_assert_eq(count, page < 2 ? 2 : 1);
        for (size_t i = 0; i < count; ++i)
            cr_expect_eq(layers[i].name[0], 'a' + 2 * page + (int)i);
        memcpy(after, layers[count - 1].name, sizeof after);
    }
    kas_cached_kernel kernels[3] = {
        {.size = sizeof *kernels}, {.size = sizeof *kernels}, {.size = sizeof *kernels}};
    size_t count;
    ok(kas_engine_list_kernels(engine, "b", kernels, 3, &count));
    cr_assert_eq(count, 3);
    cr_expect_str_eq(kernels[0].artifact_id, "c");
    cr_expect_str_eq(kernels[2].artifact_id, "e");
    for (size_t i = 0; i < count; ++i)
        kas_cached_kernel_finish(&kernels[i]);
    load(engine, "a", 0, "a", 0.5f);
    load(engine, "b", 0, "b", 0.5f);
    kas_operation_info operations[4];
    cr_assert_eq(kas_engine_list_operations(engine, 0, operations, 4), 2);
    cr_expect_lt(operations[0].id, operations[1].id);
    cr_expect_str_eq(operations[1].layer, "b");
    cr_expect_eq(kas_engine_list_operations(engine, operations[0].id, operations, 4), 1);
    kas_engine_destroy(engine);
}

Test(engine_reading, kernels_that_fit_a_layer_best_first)
{
    kas_engine *engine = open_engine(&(kas_engine_options){.artifact_dir = make_folder()});
    write_artifact("low.onnx", onnx_product(FEATURES, 1, 0));
    write_text("low.json", "{\"performance_profile\": {\"score\": 0.1}}");
    write_artifact("high.onnx", onnx_product(FEATURES, 2, 0));
    write_text("high.json", "{\"performance_profile\": {\"score\": 0.9}}");
    write_artifact("wide.onnx", onnx_product(FEATURES + 1, 2, 0));
    create_layer(engine, "a", 2, 1, 0);
    load(engine, "a", 0, "low", 0.5f);
    load(engine, "a", 1, "high", 0.5f);
    cr_expect_eq(try_load(engine, "a", 1, "wide", 0.5f), KAS_INCOMPATIBLE_KERNEL);
    kas_cached_kernel kernels[4] = {{.size = sizeof *kernels}};
    size_t count;
    ok(kas_engine_compatible_kernels(engine, "a", 0, kernels, 4, &count));
    cr_assert_eq(count, 2);
    cr_expect_str_eq(kernels[0].artifact_id, "high");
    cr_expect_str_eq(kernels[1].artifact_id, "low");
    for (size_t i = 0; i < count; ++i)
        kas_cached_kernel_finish(&kernels[i]);
    ok(kas_engine_compatible_kernels(engine, "a", 1e-6, kernels, 4, &count));
    cr_expect_eq(count, 0, "none of so little memory");
    expect_failure(kas_engine_compatible_kernels(engine, "nobody", 0, kernels, 4, &count), KAS_NOT_FOUND,
                   "nobody");
    kas_engine_destroy(engine);
    remove_folder();
}

Test(engine_reading, weights_come_back_as_they_were_given)
{
    kas_engine *engine = open_engine(NULL);
    create_layer(engine, "a", 1, 2, 0.5f);
    create_layer(engine, "b", 1, 1, 0);
    void *bytes;
    size_t size;
    ok(kas_engine_weights(engine, "a", &bytes, &size));
    kas_request request = request_of(KAS_REQUEST_SET_WEIGHTS, "b", 0);
    request.set_weights.bytes = bytes;
    request.set_weights.size_bytes = size;
    must_call(engine, &request);
    kas_release(bytes);
    expect_line(engine, "b", 2, 0.5);
    cr_expect_str_eq(layer_of(engine, "a").weights_sha256, layer_of(engine, "b").weights_sha256);
    kas_engine_destroy(engine);
}

Test(engine_reading, devices_statistics_and_words)
{
    kas_engine *engine = open_engine(NULL);
    create_layer(engine, "a", 2, 1, 0);
    put_kernel(engine, "triple", onnx_product(FEATURES, 3, 0));
    load(engine, "a", 1, "triple", 0.5f);
    expect_line(engine, "a", 2, 0);
    kas_device_report devices[KAS_DEVICES_MAX];
    size_t count = kas_engine_list_devices(engine, devices, KAS_DEVICES_MAX);
    cr_assert_gt(count, 0);
    cr_expect_str_eq(devices[count - 1].id, "host:0");
    cr_expect_str_eq(devices[count - 1].kind, "cpu");
    cr_expect_eq(devices[count - 1].layers, 1);
    cr_expect(devices[count - 1].opened && devices[count - 1].memory_used_bytes > 0);
    kas_layer_stats total = {.size = sizeof total};
    kas_engine_total_stats(engine, &total);
    cr_expect_eq(total.forward_calls, 1);
    cr_expect_eq(total.rows, 2);
    cr_expect_eq(total.kernel_executions, 1);
    kas_layer_info layer;
    kas_seed_info seeds[1] = {{.size = sizeof *seeds}};
    layer.size = sizeof layer;
    ok(kas_engine_layer_seeds(engine, "a", &layer, seeds, 1));
    cr_expect_eq(layer.num_seeds, 2);
    cr_expect_eq(layer.active_seeds, 1);
    cr_expect_eq(seeds[0].lifecycle_state, KAS_SEED_DORMANT);
    cr_expect(kas_forward_is_small(engine, "a", 1));
    cr_expect_str_eq(kas_lifecycle_name(KAS_SEED_ERROR_RECOVERY), "ERROR_RECOVERY");
    cr_expect_str_eq(kas_error_type_name(KAS_ERROR_CIRCUIT_BREAKER), "circuit_breaker");
    cr_expect_str_eq(kas_error_type_name(KAS_ERROR_NONE), "");
    cr_expect_str_eq(kas_operation_state_name(KAS_OPERATION_QUEUED), "queued");
    cr_expect_str_eq(kas_stage_name(KAS_STAGE_LOOKUP), "lookup");
    cr_expect_str_eq(kas_tier_name(KAS_TIER_DEVICE), "device");
    cr_expect_str_eq(kas_change_name(KAS_CHANGE_LOAD), "load");
    kas_engine_destroy(engine);
}

/* ---- engines that cannot be ---- */

Test(engine_reading, engines_that_cannot_be)
{
    kas_engine *engine;
    kas_engine_options options = {.size = 4};
    expect_failure(kas_engine_create(&options, &engine), KAS_INVALID_ARGUMENT, "set it to its sizeof");
    options = (kas_engine_options){.size = sizeof options, .device = "host:0", .loaders = 1000};
    expect_failure(kas_engine_create(&options, &engine), KAS_INVALID_ARGUMENT, "1000 loader threads");
    options.loaders = 0;
    options.data_dir = "/dev/null/nothing";
    expect_failure(kas_engine_create(&options, &engine), KAS_IO, "/dev/null/nothing");
}
