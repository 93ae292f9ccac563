/* Any bytes as a registry's metadata, held against a kernel of 12 inputs and 5 outputs. */
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const kas_artifact *kernel(void)
{
    static kas_artifact artifact;
    kas_layer_weights weights;
    if (artifact.graph) return &artifact;
    if (kas_weights_init(12, 5, true, 1, &weights) || kas_weights_to_graph(&weights, &artifact.graph))
        abort();
    artifact.format = KAS_FORMAT_SAFETENSORS;
    artifact.parameter_count = 65;
    artifact.memory_bytes = 65 * sizeof(float);
    return &artifact;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kas_metadata metadata;
    kas_status status = kas_metadata_parse((const char *)bytes, size, &metadata);
    if (status) {
        expect_refusal(status);
        return 0;
    }
    status = kas_metadata_complete(&metadata, kernel(), "fuzz");
    if (status) expect_refusal(status);
    kas_metadata_finish(&metadata);
    return 0;
}
