/* Any bytes as a zip: what it opens can be found and read, and lies where it says. */
#include <stdlib.h>

#include "engine/artifact/zip.h"
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_entry(const kas_zip *zip, kas_zip_entry *entry)
{
    kas_span content, again;
    if (kas_zip_find(zip, entry->name) != entry) abort();
    if (entry->end > zip->bytes.size || entry->begin + entry->stored.size > entry->end) abort();
    kas_status status = kas_zip_read(zip, entry, &content);
    if (status) {
        expect_refusal(status);
        return;
    }
    if (content.size != entry->size_bytes) abort();
    if (kas_zip_read(zip, entry, &again) || again.data != content.data) abort();
}

static kas_status open_and_read(const uint8_t *bytes, size_t size, kas_arena *arena)
{
    kas_zip zip;
    KAS_TRY(kas_zip_open(bytes, size, arena, &zip));
    for (size_t i = 0; i < zip.count; ++i)
        read_entry(&zip, &zip.entries[i]);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    kas_arena arena;
    kas_arena_init(&arena, fuzz_limits.memory_bytes);
    kas_status status = open_and_read(bytes, size, &arena);
    kas_arena_finish(&arena);
    if (status) expect_refusal(status);
    if (kas_artifact_sniff(bytes, size, "fuzz.pt") != KAS_FORMAT_UNKNOWN) fuzz_decode(bytes, size, "fuzz.pt");
    return 0;
}
