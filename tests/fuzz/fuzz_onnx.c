/* Any bytes as an ONNX model. */
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    fuzz_decode(bytes, size, "fuzz.onnx");
    return 0;
}
