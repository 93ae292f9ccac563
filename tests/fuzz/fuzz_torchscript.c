/* Any bytes as the code of a TorchScript module. What is around the code is as PyTorch would write it. */
#include "tests/artifact/script_archive.h"
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    zip_image archive = script_archive(bytes, size, size % 2);
    if (archive.bytes) fuzz_decode(archive.bytes, archive.size, "fuzz.pt");
    zip_image_free(&archive);
    return 0;
}
