/* Every allocation of a decoding fails in turn: each ends as out of memory, and leaves nothing behind. Those
 * that Jansson makes do not fail here: it does not survive it (2.14 writes beyond a buffer that could not
 * grow). */
#include <criterion/criterion.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/artifact.h"
#include "tests/artifact/live_memory.h"
#include "tests/artifact/manifest.h"

TestSuite(artifact_memory);

typedef kas_status decoder(const kas_bytes *bytes, const char *path);

static kas_status decode_kernel(const kas_bytes *bytes, const char *path)
{
    kas_artifact artifact;
    KAS_TRY(kas_artifact_decode(bytes->data, bytes->size, path, NULL, &artifact));
    kas_artifact_finish(&artifact);
    return NULL;
}

static kas_status decode_metadata(const kas_bytes *bytes, const char *path)
{
    (void)path;
    kas_metadata metadata;
    KAS_TRY(kas_metadata_parse((const char *)bytes->data, bytes->size, &metadata));
    kas_metadata_finish(&metadata);
    return NULL;
}

static kas_status decode_layer(const kas_bytes *bytes, const char *path)
{
    (void)path;
    kas_layer_weights weights;
    KAS_TRY(kas_weights_from_file(bytes->data, bytes->size, 64, 10, true, &weights));
    kas_layer_weights_finish(&weights);
    return NULL;
}

/* Out of memory; or as it usually is refused, where the message could not be completed. */
static void expect_good_end(kas_status status, kas_status usual, const char *path, size_t nth)
{
    const bool same = usual && strcmp(kas_status_reason(status), kas_status_reason(usual)) == 0;
    cr_expect(kas_status_code(status) == KAS_OUT_OF_MEMORY || same, "%s: allocation %zu: %s", path, nth,
              kas_status_message(status));
}

/* How many allocations failed before the decoding made no more. */
static size_t fail_each(const kas_bytes *bytes, const char *path, decoder *decode)
{
    kas_status usual = decode(bytes, path);
    const size_t before = live_memory_bytes();
    for (size_t nth = 1;; ++nth) {
        const uint64_t made = kas_alloc_count();
        kas_alloc_fail_at(nth);
        kas_status status = decode(bytes, path);
        kas_alloc_fail_at(0);
        const bool reached = kas_alloc_count() - made >= nth;
        if (reached) expect_good_end(status, usual, path, nth);
        kas_status_free(status);
        cr_assert_eq(live_memory_bytes(), before, "%s: allocation %zu: memory is left behind", path, nth);
        if (reached) continue;
        kas_status_free(usual);
        return nth - 1;
    }
}

static void check(const char *path, decoder *decode, size_t least)
{
    live_memory_watch_jansson();
    manifest_file manifest = manifest_open();
    kas_bytes bytes = manifest_read(&manifest, path);
    const size_t failures = fail_each(&bytes, path, decode);
    cr_expect_geq(failures, least, "%s: only %zu allocations", path, failures);
    kas_bytes_free(&bytes);
    manifest_close(&manifest);
}

Test(artifact_memory, onnx_with_attention)
{
    check("kernels/attention.onnx", decode_kernel, 60);
}
Test(artifact_memory, onnx_with_slices_of_shapes)
{
    check("kernels/chunk-slice-17.onnx", decode_kernel, 30);
}
Test(artifact_memory, onnx_with_convolutions)
{
    check("kernels/conv2d-64-10.onnx", decode_kernel, 30);
}
Test(artifact_memory, onnx_with_functions)
{
    check("onnx/functions-local.onnx", decode_kernel, 20);
}
Test(artifact_memory, onnx_with_branches)
{
    check("onnx/if-from-script.onnx", decode_kernel, 15);
}
Test(artifact_memory, onnx_with_sequences)
{
    check("onnx/not-optimised-dynamo.onnx", decode_kernel, 30);
}
Test(artifact_memory, onnx_quantised)
{
    check("onnx/qdq-int8-per-channel.onnx", decode_kernel, 30);
}
Test(artifact_memory, onnx_refused)
{
    check("hostile/onnx-split-sum.onnx", decode_kernel, 5);
}
Test(artifact_memory, safetensors)
{
    check("safetensors/layer-33-17-mixed.safetensors", decode_kernel, 5);
}
Test(artifact_memory, torchsave)
{
    check("torchsave/ir-linear-64-10.pt", decode_kernel, 10);
}
Test(artifact_memory, torchsave_with_opaque_objects)
{
    check("torchsave/ir-linear-with-compiled-module.pt", decode_kernel, 10);
}
Test(artifact_memory, torchsave_convolution)
{
    check("torchsave/ir-conv.pt", decode_kernel, 15);
}
Test(artifact_memory, torchsave_refused)
{
    check("hostile/pickle-weight-is-text.pt", decode_kernel, 3);
}
Test(artifact_memory, zip_inflating)
{
    check("hostile/zip-inflate-short.pt", decode_kernel, 3);
}
Test(artifact_memory, layer_torchsave)
{
    check("torchsave/state-checkpoint.pt", decode_layer, 3);
}
Test(artifact_memory, layer)
{
    check("digits/base.safetensors", decode_layer, 3);
}
Test(artifact_memory, layer_raw)
{
    check("raw/layer-64-10.f32", decode_layer, 2);
}
Test(artifact_memory, torchscript_with_convolutions)
{
    check("torchscript/conv-scripted.pt", decode_kernel, 50);
}
Test(artifact_memory, torchscript_with_an_example)
{
    check("torchscript/attention-traced.pt", decode_kernel, 40);
}
Test(artifact_memory, torchscript_with_constants)
{
    check("torchscript/attention-for-inference.pt", decode_kernel, 40);
}
Test(artifact_memory, torchscript_refused)
{
    check("torchscript/training-mlp-scripted.pt", decode_kernel, 20);
}
Test(artifact_memory, metadata)
{
    check("digits/good.json", decode_metadata, 2);
}
