#include "tests/artifact/manifest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static const char *const expectations[] = {
    [EXPECT_LOAD] = "load",
    [EXPECT_REFUSE] = "refuse",
    [EXPECT_LOAD_OR_REFUSE] = "load_or_refuse",
    [EXPECT_LOAD_FAIL_RUN] = "load_fail_run",
    [EXPECT_REFUSE_OR_FAIL_RUN] = "refuse_or_fail_run",
};

static manifest_expectation read_expectation(const json_t *object)
{
    const char *text = json_string_value(json_object_get(object, "expect"));
    for (size_t i = 0; text && i < sizeof expectations / sizeof *expectations; ++i)
        if (strcmp(text, expectations[i]) == 0) return (manifest_expectation)i;
    cr_assert(false, "the manifest expects \"%s\", which this test does not know", text ? text : "");
    return EXPECT_REFUSE;
}

static kas_shape read_shape(const json_t *array)
{
    kas_shape shape = {.rank = (int)json_array_size(array)};
    cr_assert_leq(shape.rank, KAS_MAX_RANK);
    for (int i = 0; i < shape.rank; ++i)
        shape.dims[i] = json_integer_value(json_array_get(array, (size_t)i));
    return shape;
}

static void read_run(const json_t *object, manifest_entry *out)
{
    const json_t *reference = json_object_get(object, "reference");
    const json_t *run = reference ? reference : json_object_get(object, "run_failure");
    if (!run) return;
    out->run_input = json_string_value(json_object_get(run, "input"));
    out->rows = (size_t)json_integer_value(json_object_get(run, "rows"));
    out->reference_output = json_string_value(json_object_get(run, "output"));
    out->nonfinite_rows = (size_t)json_integer_value(json_object_get(run, "nonfinite_rows"));
    out->atol = json_number_value(json_object_get(run, "atol"));
    out->rtol = json_number_value(json_object_get(run, "rtol"));
}

static manifest_entry read_entry(const json_t *object)
{
    const json_t *reasons = json_object_get(object, "reason_contains");
    manifest_entry entry = {
        .id = json_string_value(json_object_get(object, "id")),
        .path = json_string_value(json_object_get(object, "path")),
        .format = json_string_value(json_object_get(object, "format")),
        .expect = read_expectation(object),
        .input = read_shape(json_object_get(object, "input_shape")),
        .output = read_shape(json_object_get(object, "output_shape")),
        .artifact = json_string_value(json_object_get(object, "artifact")),
        .parameter_count = (size_t)json_integer_value(json_object_get(object, "parameter_count")),
        .reason_count = json_array_size(reasons),
    };
    cr_assert(entry.id && entry.path && entry.format);
    cr_assert_leq(entry.reason_count, MANIFEST_MAX_REASONS, "%s", entry.id);
    for (size_t i = 0; i < entry.reason_count; ++i)
        entry.reasons[i] = json_string_value(json_array_get(reasons, i));
    read_run(object, &entry);
    return entry;
}

kas_bytes manifest_read(const manifest_file *manifest, const char *path)
{
    char full[4096];
    kas_bytes bytes;
    snprintf(full, sizeof full, "%s/data/%s", manifest->folder, path);
    kas_status status = kas_file_read(full, SIZE_MAX, &bytes);
    cr_assert_null(status, "%s", kas_status_message(status));
    return bytes;
}

manifest_file manifest_open(void)
{
    char path[4096];
    json_error_t error;
    manifest_file manifest = {.folder = getenv("KASMINA_SHARED")};
    if (!manifest.folder) cr_skip_test("KASMINA_SHARED is not set: no shared data to test with");
    snprintf(path, sizeof path, "%s/data/manifest.json", manifest.folder);
    FILE *file = fopen(path, "r");
    if (!file) cr_skip_test("%s is not there: no shared data to test with", path);
    manifest.root = json_loadf(file, 0, &error);
    fclose(file);
    cr_assert(json_is_array(manifest.root), "%s: line %d: %s", path, error.line, error.text);
    manifest.count = json_array_size(manifest.root);
    manifest.entries = kas_calloc(manifest.count, sizeof *manifest.entries);
    cr_assert_not_null(manifest.entries);
    for (size_t i = 0; i < manifest.count; ++i)
        manifest.entries[i] = read_entry(json_array_get(manifest.root, i));
    return manifest;
}

void manifest_close(manifest_file *manifest)
{
    json_decref(manifest->root);
    kas_free(manifest->entries);
}
