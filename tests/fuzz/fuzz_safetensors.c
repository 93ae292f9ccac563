/* Any bytes as safetensors: as a kernel, and as a layer's weights. */
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kas_layer_weights weights;
    fuzz_decode(bytes, size, "fuzz.safetensors");
    kas_status status = kas_weights_from_file(bytes, size, 12, 5, true, &weights);
    if (status)
        expect_refusal(status);
    else
        kas_layer_weights_finish(&weights);
    return 0;
}
