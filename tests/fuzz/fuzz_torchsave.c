/* Any bytes as the data.pkl of a torch.save archive that is otherwise in order: every storage that the pickle
 * names has a record of the size it asks for. So mutations get past the checksums, to tensors, state dicts
 * and blocks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/artifact/pickle.h"
#include "tests/artifact/zip_build.h"
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { KEY_BYTES = 48, STORAGE_MAX_BYTES = 1 << 16, VISITS_MAX = 2000 };

typedef struct archive {
    zip_part parts[ZIP_MAX_PARTS];
    char names[ZIP_MAX_PARTS][KEY_BYTES];
    size_t count;
    int visits;
} archive;

static uint8_t numbers[STORAGE_MAX_BYTES];

static void add_storage(archive *to, const kas_pickle_storage *storage)
{
    const uint64_t unit = kas_torch_dtype_bytes(storage->dtype);
    if (to->count == ZIP_MAX_PARTS || storage->elements > STORAGE_MAX_BYTES / unit) return;
    char *name = to->names[to->count];
    if (snprintf(name, KEY_BYTES, "a/data/%.*s", KAS_SPAN_ARGS(storage->key)) >= KEY_BYTES) return;
    for (size_t i = 0; i < to->count; ++i)
        if (strcmp(to->names[i], name) == 0) return;
    to->parts[to->count++] =
        (zip_part){.name = name, .bytes = numbers, .size = (size_t)(storage->elements * unit)};
}

static void add_storages(archive *to, const kas_pickle_value *value)
{
    if (--to->visits < 0) return;
    if (value->kind == KAS_PICKLE_TENSOR) add_storage(to, value->tensor->storage);
    if (value->kind != KAS_PICKLE_DICT) return;
    for (size_t i = 0; i < value->items.count; ++i)
        add_storages(to, value->items.at[i]);
}

static void find_storages(archive *to, const uint8_t *bytes, size_t size)
{
    kas_arena arena;
    const kas_pickle_value *value;
    kas_arena_init(&arena, fuzz_limits.memory_bytes);
    kas_status status = kas_pickle_read((kas_span){bytes, size}, KAS_PICKLE_OPAQUE, &arena, &value);
    if (!status) add_storages(to, value);
    kas_status_free(status);
    kas_arena_finish(&arena);
}

/* Small values of either sign, whatever type they are read as. */
static void fill_numbers(void)
{
    for (size_t i = 0; i < sizeof numbers; ++i)
        numbers[i] = (uint8_t)(i % 4 == 3 ? 0x3c + (i / 4 % 2) * 0x80 : i * 37 % 251);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    archive archive = {
        .parts = {{.name = "a/data.pkl", .bytes = bytes, .size = size}}, .count = 1, .visits = VISITS_MAX};
    if (!numbers[3]) fill_numbers();
    find_storages(&archive, bytes, size);
    zip_image image = zip_build(archive.parts, archive.count, ZIP_64 | ZIP_DESCRIPTORS);
    if (image.bytes) fuzz_decode(image.bytes, image.size, "fuzz.pt");
    zip_image_free(&image);
    return 0;
}
