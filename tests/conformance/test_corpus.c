/* Every kernel of the shared reference data, lowered, on every device: it matches its reference at 1, 7, 32
 * and 128 rows, with the same bits for a row alone, in any batch and beside rows that make NaN. Prints a line
 * a device. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "engine/artifact/artifact.h"
#include "selftest/batches.h"
#include "selftest/tolerance.h"
#include "tests/artifact/manifest.h"
#include "tests/conformance/devices.h"

enum { KERNELS_MIN = 100 }; /* what the data hold, in ONNX alone: fewer, and something has been skipped */

typedef struct corpus_kernel {
    const manifest_entry *entry;
    kas_artifact artifact;
    kas_bytes x, want; /* float32; want is empty where the pass must fail */
} corpus_kernel;

static struct {
    manifest_file manifest;
    corpus_kernel *kernels;
    size_t count;
    size_t unread;
} corpus;

/* Layers' weights, metadata and what must not load are no kernels to run. */
static bool is_kernel(const manifest_entry *entry)
{
    static const char *const formats[] = {"onnx", "torchscript", "torchsave"};
    bool is_format = false;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; ++i)
        is_format = is_format || !strcmp(entry->format, formats[i]);
    bool runs = entry->run_input && (entry->expect == EXPECT_LOAD || entry->expect == EXPECT_LOAD_OR_REFUSE ||
                                     entry->expect == EXPECT_LOAD_FAIL_RUN);
    return is_format && runs && entry->rows == BATCH_ROWS;
}

static void add_kernel(const manifest_entry *entry)
{
    corpus_kernel *kernel = &corpus.kernels[corpus.count];
    kas_bytes bytes = manifest_read(&corpus.manifest, entry->path);
    if (strcmp(kas_format_name(kas_artifact_sniff(bytes.data, bytes.size, entry->path)), entry->format) !=
        0) {
        ++corpus.unread; /* a format that this build has no reader for */
        kas_bytes_free(&bytes);
        return;
    }
    kas_status status = kas_artifact_decode(bytes.data, bytes.size, entry->path, NULL, &kernel->artifact);
    kas_bytes_free(&bytes);
    if (status && entry->expect == EXPECT_LOAD_OR_REFUSE) {
        kas_status_free(status);
        return;
    }
    cr_assert_null(status, "%s: %s", entry->path, kas_status_message(status));
    kernel->entry = entry;
    kernel->x = manifest_read(&corpus.manifest, entry->run_input);
    if (entry->reference_output) kernel->want = manifest_read(&corpus.manifest, entry->reference_output);
    ++corpus.count;
}

static void open_corpus(void)
{
    corpus.manifest = manifest_open();
    corpus.kernels = kas_calloc(corpus.manifest.count, sizeof *corpus.kernels);
    cr_assert_not_null(corpus.kernels);
    for (size_t i = 0; i < corpus.manifest.count; ++i)
        if (is_kernel(&corpus.manifest.entries[i])) add_kernel(&corpus.manifest.entries[i]);
    cr_expect_geq(corpus.count, (size_t)KERNELS_MIN);
    if (corpus.unread) fprintf(stderr, "SKIPPED: %zu files in formats without a reader\n", corpus.unread);
}

static void close_corpus(void)
{
    for (size_t i = 0; i < corpus.count; ++i) {
        kas_artifact_finish(&corpus.kernels[i].artifact);
        kas_bytes_free(&corpus.kernels[i].x);
        kas_bytes_free(&corpus.kernels[i].want);
    }
    kas_free(corpus.kernels);
    manifest_close(&corpus.manifest);
}

static void expect_near(const corpus_kernel *kernel, const float *y, size_t outputs, const char *label,
                        double *worst)
{
    const manifest_entry *entry = kernel->entry;
    const float *want = (const float *)(const void *)kernel->want.data;
    cr_assert_eq(kernel->want.size, BATCH_ROWS * outputs * sizeof *want, "%s", entry->path);
    for (size_t i = 0; i < BATCH_ROWS * outputs; ++i) {
        double tolerance = entry->atol + entry->rtol * fabs((double)want[i]);
        double share = tolerance_share(want[i], tolerance, y[i]);
        cr_expect_leq(share, 1.0, "%s on %s: [%zu] is %.9g, not %.9g", entry->path, label, i, (double)y[i],
                      (double)want[i]);
        if (share > *worst) *worst = share;
        if (share > 1) return;
    }
}

static void expect_failing_rows(const corpus_kernel *kernel, const float *y, size_t outputs,
                                const char *label)
{
    size_t failing = 0;
    for (size_t row = 0; row < BATCH_ROWS; ++row) {
        bool finite = true;
        for (size_t i = 0; i < outputs; ++i)
            finite = finite && isfinite(y[row * outputs + i]);
        failing += !finite;
    }
    cr_expect_eq(failing, kernel->entry->nonfinite_rows, "%s on %s: %zu rows are not finite, not %zu",
                 kernel->entry->path, label, failing, kernel->entry->nonfinite_rows);
}

static void run_kernel(segment_runner *runner, const corpus_kernel *kernel, const char *label, double *worst)
{
    const char *path = kernel->entry->path;
    const float *x = (const float *)(const void *)kernel->x.data;
    segment_runner_load(runner, kernel->artifact.graph, BATCH_ROWS, path);
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    cr_assert_eq(kernel->x.size, BATCH_ROWS * info->inputs * sizeof *x, "%s", path);
    float *y = kas_alloc_array(BATCH_ROWS * info->outputs, sizeof *y);
    cr_assert_not_null(y);
    segment_runner_run(runner, x, BATCH_ROWS, y);
    if (kernel->want.data)
        expect_near(kernel, y, info->outputs, label, worst);
    else
        expect_failing_rows(kernel, y, info->outputs, label);
    size_t dependent = batches_that_differ(runner, x, y), caught = neighbours_that_differ(runner, x, y);
    cr_expect_eq(dependent, 0u, "%s on %s: %zu elements depend on the batch", path, label, dependent);
    cr_expect_eq(caught, 0u, "%s on %s: %zu elements depend on NaN in other rows", path, label, caught);
    kas_free(y);
    segment_runner_unload(runner);
}

static void run_on(const char *device_id, const char *label)
{
    segment_runner runner;
    double worst = 0;
    int64_t start_ns = kas_monotonic_ns();
    segment_runner_open(&runner, device_id);
    for (size_t i = 0; i < corpus.count; ++i)
        run_kernel(&runner, &corpus.kernels[i], label, &worst);
    segment_runner_close(&runner);
    fprintf(stderr, "corpus on %-16s %zu kernels, worst share of the tolerance %.2f, %.0f ms\n", label,
            corpus.count, worst, (double)(kas_monotonic_ns() - start_ns) * 1e-6);
}

Test(corpus, every_device)
{
    open_corpus();
    conformance_on_every_device(run_on);
    conformance_at_the_least(run_on);
    close_corpus();
}
