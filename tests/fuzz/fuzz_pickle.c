/* Any bytes as a pickle, by both policies: what comes out is nested no deeper than it may be, and its tensors
 * lie in their storages. */
#include <stdlib.h>

#include "engine/artifact/pickle.h"
#include "tests/fuzz/decoded.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { VISITS_MAX = 20000 }; /* a few bytes make a tree of exponentially many paths */

static void check_tensor(const kas_pickle_tensor *tensor)
{
    const uint64_t bytes = tensor->storage->elements * kas_torch_dtype_bytes(tensor->storage->dtype);
    uint64_t last = tensor->offset;
    if (tensor->rank < 0 || tensor->rank > KAS_PICKLE_MAX_RANK) abort();
    if (tensor->elements == 0) return;
    for (int i = 0; i < tensor->rank; ++i)
        last += (tensor->sizes[i] - 1) * tensor->strides[i];
    if (last >= bytes / kas_torch_dtype_bytes(tensor->dtype)) abort();
}

static void visit(const kas_pickle_value *value, int depth, int *left)
{
    char text[KAS_PICKLE_DESCRIBED];
    if (!value || --*left < 0) return;
    if (depth > KAS_PICKLE_MAX_DEPTH) abort();
    (void)kas_pickle_describe(value, text, sizeof text);
    switch (value->kind) {
    case KAS_PICKLE_DICT:
        if (value->items.count % 2) abort();
        (void)kas_pickle_get(value, "state_dict");
        __attribute__((fallthrough));
    case KAS_PICKLE_TUPLE:
    case KAS_PICKLE_LIST:
    case KAS_PICKLE_SET:
        for (size_t i = 0; i < value->items.count; ++i)
            visit(value->items.at[i], depth + 1, left);
        break;
    case KAS_PICKLE_OBJECT:
        visit(value->object.args, depth + 1, left);
        visit(value->object.state, depth + 1, left);
        break;
    case KAS_PICKLE_TENSOR:
        check_tensor(value->tensor);
        break;
    default:
        break;
    }
}

static void read_by(kas_pickle_policy policy, const uint8_t *bytes, size_t size)
{
    kas_arena arena;
    const kas_pickle_value *value;
    int visits = VISITS_MAX;
    kas_arena_init(&arena, fuzz_limits.memory_bytes);
    kas_status status = kas_pickle_read((kas_span){bytes, size}, policy, &arena, &value);
    if (status)
        expect_refusal(status);
    else
        visit(value, 1, &visits);
    kas_arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    read_by(KAS_PICKLE_OPAQUE, bytes, size);
    read_by(KAS_PICKLE_CLOSED, bytes, size);
    return 0;
}
