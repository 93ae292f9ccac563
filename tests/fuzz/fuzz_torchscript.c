/* Any bytes as the code of a TorchScript module. What is around the code is as PyTorch would write it. */
#include "tests/artifact/script_archive.h"
#include "tests/fuzz/decoded.h"

enum { FUZZ_CODE_MAX = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static uint8_t archive[FUZZ_CODE_MAX + SCRIPT_ARCHIVE_OVERHEAD];
    if (size <= FUZZ_CODE_MAX) fuzz_decode(archive, script_archive(bytes, size, archive), "fuzz.pt");
    return 0;
}
