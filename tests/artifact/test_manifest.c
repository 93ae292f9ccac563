/* Every artifact of the manifest ends as it must. What loads is compared with the outputs that its maker
 * computed, evaluated in float64 row by row; what is refused says why, in words that the manifest asks for;
 * either way decoding stays within its memory and leaves nothing behind.
 *
 * A format is a row of `formats` and a Test(manifest, …) at the end. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/artifact.h"
#include "tests/artifact/float32.h"
#include "tests/artifact/live_memory.h"
#include "tests/artifact/manifest.h"

#define MEMORY_LIMIT_BYTES ((size_t)64 << 20)

/* ---- loading, as the engine does ---- */

/* A graph, or the refusal of one that does not fit the layer that it is offered to. */
typedef kas_status loader(const manifest_file *manifest, const manifest_entry *entry, const kas_bytes *bytes,
                          kas_graph **out);

static kas_status check_fits(const manifest_entry *entry, const kas_graph *graph)
{
    char kernel[2][128], layer[2][128];
    const kas_shape *input = &graph->tensors[graph->input].shape,
                    *output = &graph->tensors[graph->output].shape;
    kas_shape_text(input, kernel[0], sizeof kernel[0]);
    kas_shape_text(output, kernel[1], sizeof kernel[1]);
    kas_shape_text(&entry->input, layer[0], sizeof layer[0]);
    kas_shape_text(&entry->output, layer[1], sizeof layer[1]);
    if (strcmp(kernel[0], layer[0]) == 0 && strcmp(kernel[1], layer[1]) == 0) return NULL;
    return kas_fail(KAS_INCOMPATIBLE_KERNEL, KERNEL, "the kernel's shapes are %s to %s, the layer's %s to %s",
                    kernel[0], kernel[1], layer[0], layer[1]);
}

/* What its maker would tell a registry is believed. */
static void expect_claims_hold(const manifest_entry *entry, const kas_artifact *artifact)
{
    kas_metadata metadata = {.has_parameter_count = true, .parameter_count = entry->parameter_count};
    if (!entry->parameter_count) return;
    kas_status status = kas_metadata_complete(&metadata, artifact, entry->id);
    cr_expect_null(status, "%s: %s", entry->id, kas_status_message(status));
    kas_status_free(status);
    kas_metadata_finish(&metadata);
}

static kas_status load_kernel(const manifest_file *manifest, const manifest_entry *entry,
                              const kas_bytes *bytes, kas_graph **out)
{
    (void)manifest;
    kas_artifact artifact;
    KAS_TRY(kas_artifact_decode(bytes->data, bytes->size, entry->path, NULL, &artifact));
    cr_expect_str_eq(kas_format_name(artifact.format), entry->format, "%s", entry->id);
    expect_claims_hold(entry, &artifact);
    kas_status status = check_fits(entry, artifact.graph);
    if (!status) {
        *out = artifact.graph;
        artifact.graph = NULL;
    }
    kas_artifact_finish(&artifact);
    return status;
}

/* Raw files say nothing of their shape: the layer does. */
static kas_status load_raw(const manifest_file *manifest, const manifest_entry *entry, const kas_bytes *bytes,
                           kas_graph **out)
{
    (void)manifest;
    kas_layer_weights weights;
    KAS_TRY(kas_weights_from_raw(bytes->data, bytes->size, (size_t)entry->input.dims[0],
                                 (size_t)entry->output.dims[0], &weights));
    kas_status status = kas_weights_to_graph(&weights, out);
    kas_layer_weights_finish(&weights);
    return status;
}

/* What a registry claims of a kernel that is itself in order. */
static kas_status load_metadata(const manifest_file *manifest, const manifest_entry *entry,
                                const kas_bytes *bytes, kas_graph **out)
{
    kas_metadata metadata;
    kas_artifact artifact;
    KAS_TRY(kas_metadata_parse((const char *)bytes->data, bytes->size, &metadata));
    kas_bytes kernel = manifest_read(manifest, entry->artifact);
    kas_status status = kas_artifact_decode(kernel.data, kernel.size, entry->artifact, NULL, &artifact);
    cr_assert_null(status, "%s", kas_status_message(status));
    status = kas_metadata_complete(&metadata, &artifact, entry->id);
    if (!status) {
        *out = artifact.graph;
        artifact.graph = NULL;
    }
    kas_artifact_finish(&artifact);
    kas_metadata_finish(&metadata);
    kas_bytes_free(&kernel);
    return status;
}

static const struct {
    const char *name;
    loader *load;
} formats[] = {
    {"metadata", load_metadata},  {"onnx", load_kernel},      {"raw", load_raw},
    {"safetensors", load_kernel}, {"torchsave", load_kernel}, {"torchscript", load_kernel},
};

/* ---- what comes of it ---- */

static bool holds(const char *text, const char *part)
{
    return strcasestr(text, part) != NULL;
}

static void expect_refusal(const manifest_entry *entry, kas_status status)
{
    const char *message = kas_status_message(status), *reason = kas_status_reason(status);
    bool found = entry->reason_count == 0;
    for (size_t i = 0; i < entry->reason_count; ++i)
        found = found || holds(message, entry->reasons[i]) || holds(reason, entry->reasons[i]);
    cr_expect(found, "%s: the refusal says none of what it should: %s (%s)", entry->id, message, reason);
    cr_expect(kas_status_code(status) == KAS_INVALID_ARTIFACT ||
                  kas_status_code(status) == KAS_INCOMPATIBLE_KERNEL,
              "%s: code %s: %s", entry->id, kas_code_name(kas_status_code(status)), message);
    for (const char *c = message; *c; ++c)
        cr_expect(*c >= 0x20 || *c < 0, "%s: a control character in the message", entry->id);
}

static void expect_near(const manifest_entry *entry, const float *want, const double *got, size_t count)
{
    size_t wrong = 0, worst = 0;
    double excess = 0;
    for (size_t i = 0; i < count; ++i) {
        const double allowed = entry->atol + entry->rtol * fabs((double)want[i]);
        const double share = fabs(got[i] - (double)want[i]) / allowed;
        if (share <= 1) continue;
        ++wrong;
        if (!(share <= excess)) {
            excess = share;
            worst = i;
        }
    }
    cr_expect_eq(wrong, 0, "%s: %zu of %zu elements are wrong; element %zu is %.9g, not %.9g", entry->id,
                 wrong, count, worst, got[worst], (double)want[worst]);
}

static void compare(const manifest_file *manifest, const manifest_entry *entry, const kas_graph *graph,
                    const float *x)
{
    const size_t count = entry->rows * graph->tensors[graph->output].elements;
    kas_bytes want = manifest_read(manifest, entry->reference_output);
    cr_assert_eq(want.size, count * sizeof(float), "%s", entry->id);
    double *y = kas_alloc_array(count, sizeof *y);
    cr_assert_not_null(y);
    kas_status status = kas_graph_reference(graph, x, entry->rows, y);
    cr_assert_null(status, "%s: %s", entry->id, kas_status_message(status));
    expect_near(entry, (const float *)(const void *)want.data, y, count);
    kas_free(y);
    kas_bytes_free(&want);
}

static size_t rows_not_finite(const kas_graph *graph, const float *x, size_t rows)
{
    const size_t outputs = graph->tensors[graph->output].elements;
    size_t found = 0;
    double *y = kas_alloc_array(rows * outputs, sizeof *y);
    cr_assert_not_null(y);
    kas_status status = evaluate_as_float32(graph, x, rows, y);
    cr_assert_null(status, "%s", kas_status_message(status));
    for (size_t r = 0; r < rows; ++r) {
        bool finite = true;
        for (size_t i = 0; i < outputs; ++i)
            finite = finite && isfinite(y[r * outputs + i]);
        found += !finite;
    }
    kas_free(y);
    return found;
}

/* Sums are exact here: a row whose sum only overflows on the way is finite, so what fails by size alone
 * (refuse_or_fail_run) must fail, but not in as many rows. */
static void expect_failing_rows(const manifest_entry *entry, const kas_graph *graph, const float *x)
{
    const size_t found = rows_not_finite(graph, x, entry->rows);
    const size_t least = entry->expect == EXPECT_LOAD_FAIL_RUN ? entry->nonfinite_rows : 1;
    cr_expect(found >= least && found <= entry->nonfinite_rows,
              "%s: %zu rows of %zu are not finite, expected %zu", entry->id, found, entry->rows,
              entry->nonfinite_rows);
}

static void run(const manifest_file *manifest, const manifest_entry *entry, const kas_graph *graph)
{
    const size_t inputs = graph->tensors[graph->input].elements;
    kas_bytes x = manifest_read(manifest, entry->run_input);
    cr_assert_eq(x.size, entry->rows * inputs * sizeof(float), "%s", entry->id);
    const float *rows = (const float *)(const void *)x.data;
    if (entry->reference_output)
        compare(manifest, entry, graph, rows);
    else
        expect_failing_rows(entry, graph, rows);
    kas_bytes_free(&x);
}

static void expect_loaded(const manifest_file *manifest, const manifest_entry *entry, const kas_graph *graph)
{
    cr_expect_neq(entry->expect, EXPECT_REFUSE, "%s loads, and must be refused", entry->id);
    kas_status status = kas_graph_check(graph);
    cr_expect_null(status, "%s: %s", entry->id, kas_status_message(status));
    kas_status_free(status);
    if (entry->run_input) run(manifest, entry, graph);
}

static bool may_refuse(const manifest_entry *entry)
{
    return entry->expect != EXPECT_LOAD && entry->expect != EXPECT_LOAD_FAIL_RUN;
}

static void check_entry(const manifest_file *manifest, const manifest_entry *entry, loader *load)
{
    kas_bytes bytes = manifest_read(manifest, entry->path);
    kas_graph *graph = NULL;
    const size_t before = live_memory_bytes();
    live_memory_restart_peak();
    kas_status status = load(manifest, entry, &bytes, &graph);
    const size_t peak = live_memory_peak_bytes() - before;
    cr_expect_leq(peak, MEMORY_LIMIT_BYTES, "%s: decoding took %zu bytes", entry->id, peak);
    if (status)
        cr_expect(may_refuse(entry), "%s is refused, and must load: %s", entry->id,
                  kas_status_message(status));
    if (status && may_refuse(entry)) expect_refusal(entry, status);
    if (!status) expect_loaded(manifest, entry, graph);
    kas_status_free(status);
    kas_graph_destroy(graph);
    cr_expect_eq(live_memory_bytes(), before, "%s: memory is left behind", entry->id);
    kas_bytes_free(&bytes);
}

static void check_format(const char *name)
{
    loader *load = NULL;
    size_t checked = 0;
    live_memory_watch_jansson();
    for (size_t i = 0; i < sizeof formats / sizeof *formats; ++i)
        if (strcmp(formats[i].name, name) == 0) load = formats[i].load;
    cr_assert_not_null(load);
    manifest_file manifest = manifest_open();
    for (size_t i = 0; i < manifest.count; ++i) {
        if (strcmp(manifest.entries[i].format, name) != 0) continue;
        check_entry(&manifest, &manifest.entries[i], load);
        ++checked;
    }
    cr_expect_gt(checked, 0, "the manifest has no entry of the format %s", name);
    manifest_close(&manifest);
}

Test(manifest, metadata)
{
    check_format("metadata");
}
Test(manifest, onnx)
{
    check_format("onnx");
}
Test(manifest, raw)
{
    check_format("raw");
}
Test(manifest, safetensors)
{
    check_format("safetensors");
}
Test(manifest, torchsave)
{
    check_format("torchsave");
}
Test(manifest, torchscript)
{
    check_format("torchscript");
}
