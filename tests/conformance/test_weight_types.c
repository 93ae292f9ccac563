/* Artifacts made in float16 and bfloat16, on every device: stored in 16 bits they take about half the memory
 * that they take as float32, to the byte as the device counts it, and give the same bits. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "backends/core/backend.h"
#include "base/alloc.h"
#include "engine/artifact/artifact.h"
#include "selftest/batches.h"
#include "tests/artifact/manifest.h"
#include "tests/conformance/devices.h"

static const struct {
    const char *path;
    kas_weight_type type; /* of its products */
} files[] = {
    {"onnx/f16-exported.onnx", KAS_WEIGHT_F16},       {"onnx/f16-weights-cast.onnx", KAS_WEIGHT_F16},
    {"torchsave/ir-linear-f16.pt", KAS_WEIGHT_F16},   {"onnx/bf16-weights-cast.onnx", KAS_WEIGHT_BF16},
    {"torchsave/ir-linear-bf16.pt", KAS_WEIGHT_BF16},
};
enum { FILES = sizeof files / sizeof *files };

static struct {
    manifest_file manifest;
    struct {
        kas_artifact artifact;
        kas_bytes x;
    } kernels[FILES];
} corpus;

static const char *input_of(const char *path)
{
    for (size_t i = 0; i < corpus.manifest.count; ++i)
        if (strcmp(corpus.manifest.entries[i].path, path) == 0) return corpus.manifest.entries[i].run_input;
    cr_assert_fail("%s is not in the manifest", path);
    return NULL;
}

static void open_corpus(void)
{
    corpus.manifest = manifest_open();
    for (size_t i = 0; i < FILES; ++i) {
        kas_bytes bytes = manifest_read(&corpus.manifest, files[i].path);
        kas_status status =
            kas_artifact_decode(bytes.data, bytes.size, files[i].path, NULL, &corpus.kernels[i].artifact);
        cr_assert_null(status, "%s: %s", files[i].path, kas_status_message(status));
        kas_bytes_free(&bytes);
        corpus.kernels[i].x = manifest_read(&corpus.manifest, input_of(files[i].path));
    }
}

static void close_corpus(void)
{
    for (size_t i = 0; i < FILES; ++i) {
        kas_artifact_finish(&corpus.kernels[i].artifact);
        kas_bytes_free(&corpus.kernels[i].x);
    }
    manifest_close(&corpus.manifest);
}

typedef struct outcome {
    float *y;
    size_t outputs, used_bytes, weight_bytes;
    uint32_t weights; /* segment_runner's */
} outcome;

static outcome run_kernel(segment_runner *runner, size_t i)
{
    kas_device_info device;
    segment_runner_load(runner, corpus.kernels[i].artifact.graph, BATCH_ROWS, files[i].path);
    const kas_segment_info *info = kas_segment_get_info(runner->segment);
    cr_assert_eq(corpus.kernels[i].x.size, BATCH_ROWS * info->inputs * sizeof(float));
    outcome result = {.y = kas_alloc_array(BATCH_ROWS * info->outputs, sizeof(float)),
                      .outputs = BATCH_ROWS * info->outputs,
                      .weight_bytes = info->weight_bytes,
                      .weights = runner->weights};
    cr_assert_not_null(result.y);
    segment_runner_run(runner, (const float *)(const void *)corpus.kernels[i].x.data, BATCH_ROWS, result.y);
    kas_device_get_info(runner->device, &device);
    result.used_bytes = device.memory_used_bytes - kas_buffer_size(runner->work);
    segment_runner_unload(runner);
    return result;
}

static void compare(const outcome *narrow, const outcome *wide, size_t i, const char *label)
{
    cr_expect(narrow->weights >> files[i].type & 1, "%s on %s: stored as another type", files[i].path, label);
    cr_expect_eq(wide->weights & ~1u, 0u);
    cr_expect_eq(memcmp(narrow->y, wide->y, wide->outputs * sizeof *wide->y), 0, "%s on %s", files[i].path,
                 label);
    cr_expect_lt((double)narrow->weight_bytes, 0.56 * (double)wide->weight_bytes,
                 "%s on %s: %zu of %zu bytes", files[i].path, label, narrow->weight_bytes,
                 wide->weight_bytes);
    cr_expect_eq(wide->used_bytes - narrow->used_bytes, wide->weight_bytes - narrow->weight_bytes);
}

static void run_on(const char *device_id, const char *label)
{
    segment_runner runner;
    segment_runner_open(&runner, device_id);
    kas_device_limits *limits = &runner.device->limits;
    const bool stores = limits->fp16 && limits->bf16;
    cr_expect_eq(stores, !runner.device->ops->pack, "%s: what has no layout of its own stores 16 bits",
                 label);
    for (size_t i = 0; i < FILES && stores; ++i) {
        outcome narrow = run_kernel(&runner, i);
        limits->fp16 = limits->bf16 = false;
        outcome wide = run_kernel(&runner, i);
        limits->fp16 = limits->bf16 = true;
        compare(&narrow, &wide, i, label);
        kas_free(narrow.y);
        kas_free(wide.y);
    }
    segment_runner_close(&runner);
    fprintf(stderr, "weights of 16 bits on %s: %s\n", label, stores ? "stored" : "as float32");
}

Test(weight_types, every_device)
{
    open_corpus();
    conformance_on_every_device(run_on);
    conformance_at_the_least(run_on);
    close_corpus();
}
