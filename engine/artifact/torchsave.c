#include "engine/artifact/torchsave.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/arena.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/torchsave_block.h"
#include "engine/artifact/torchsave_state.h"
#include "engine/artifact/zip_directory.h"

#define LAYER_MEMORY_BYTES ((size_t)64 << 20)

/* ---- which of the two ---- */

static bool holds(kas_span bytes, const char *text)
{
    return memmem(bytes.data, bytes.size, text, strlen(text)) != NULL;
}

kas_format kas_torch_sniff(const void *bytes, size_t size_bytes)
{
    kas_zip_directory where;
    if (size_bytes < 4 || (memcmp(bytes, "PK\3\4", 4) != 0 && memcmp(bytes, "PK\5\6", 4) != 0))
        return KAS_FORMAT_UNKNOWN;
    kas_status status = kas_zip_find_directory((kas_span){bytes, size_bytes}, &where);
    if (status) {
        kas_status_free(status);
        return KAS_FORMAT_TORCHSAVE; /* whose reader says what is wrong with it */
    }
    const kas_span directory = {(const uint8_t *)bytes + where.offset, (size_t)where.size_bytes};
    return holds(directory, "/code/") || holds(directory, "/constants.pkl") ? KAS_FORMAT_TORCHSCRIPT
                                                                            : KAS_FORMAT_TORCHSAVE;
}

/* ---- a single linear map ---- */

static kas_status read_linear(const kas_torch_state *state, kas_layer_weights *out)
{
    static const char *const with_bias[] = {"weight", "bias", NULL}, *const without_bias[] = {"weight", NULL};
    const bool has_bias = kas_torch_state_has(state, "bias");
    kas_shape weight;
    KAS_TRY(kas_torch_state_expect(state, has_bias ? with_bias : without_bias,
                                   "a single linear map, and no ir_metadata says what other graph it is of"));
    KAS_TRY(kas_torch_state_shape(state, "weight", &weight));
    if (weight.rank != 2 || weight.dims[0] < 1 || weight.dims[1] < 1)
        return kas_refuse(KAS_REASON_SHAPE,
                          "the weight's shape has rank %d or is empty; [outputs, inputs] is needed",
                          weight.rank);
    const kas_shape bias = {.rank = 1, .dims = {weight.dims[0]}};
    out->outputs = (size_t)weight.dims[0];
    out->inputs = (size_t)weight.dims[1];
    KAS_TRY(kas_torch_state_floats(state, "weight", &weight, "[outputs, inputs]", &out->weight));
    return has_bias ? kas_torch_state_floats(state, "bias", &bias, "[outputs]", &out->bias) : NULL;
}

static kas_status linear_graph(const kas_torch_state *state, const kas_artifact_limits *limits,
                               kas_artifact *out)
{
    kas_layer_weights weights = {0};
    kas_status status = read_linear(state, &weights);
    if (!status) {
        out->parameter_count = weights.outputs * weights.inputs + (weights.bias ? weights.outputs : 0);
        if (out->parameter_count > limits->parameters)
            status =
                kas_refuse(KAS_REASON_LIMIT, "%llu parameters are over the limit of %llu",
                           (unsigned long long)out->parameter_count, (unsigned long long)limits->parameters);
    }
    if (!status) status = kas_weights_to_graph(&weights, &out->graph);
    if (!status) out->operators[out->operator_count++] = "linear";
    kas_layer_weights_finish(&weights);
    return status;
}

/* ---- all of it ---- */

/* The archive's state dict, and what was saved as a whole. */
static kas_status open_state(const void *bytes, size_t size_bytes, kas_arena *arena,
                             kas_torch_archive *archive, const kas_pickle_value **root,
                             kas_torch_state *state)
{
    KAS_TRY(kas_torch_archive_open(bytes, size_bytes, arena, archive));
    KAS_TRY(kas_torch_archive_unpickle(archive, "data.pkl", KAS_PICKLE_OPAQUE, root));
    return kas_torch_state_find(archive, *root, state);
}

static kas_status read_all(const void *bytes, size_t size_bytes, kas_arena *arena,
                           const kas_artifact_limits *limits, kas_artifact *out)
{
    kas_torch_archive archive;
    kas_torch_state state;
    const kas_pickle_value *root;
    KAS_TRY(open_state(bytes, size_bytes, arena, &archive, &root, &state));
    const kas_pickle_value *ir = kas_pickle_get(root, "ir_metadata");
    snprintf(out->producer, sizeof out->producer, "pytorch");
    return ir ? kas_torch_block_read(ir, &state, limits, out) : linear_graph(&state, limits, out);
}

kas_status kas_torchsave_read(const void *bytes, size_t size_bytes, const kas_artifact_limits *limits,
                              kas_artifact *out)
{
    kas_arena arena;
    kas_arena_init_for_file(&arena, size_bytes, limits->memory_bytes);
    kas_status status = read_all(bytes, size_bytes, &arena, limits, out);
    kas_arena_finish(&arena);
    return status;
}

static kas_status read_layer(const void *bytes, size_t size_bytes, kas_arena *arena, kas_layer_weights *out)
{
    kas_torch_archive archive;
    kas_torch_state state;
    const kas_pickle_value *root;
    KAS_TRY(open_state(bytes, size_bytes, arena, &archive, &root, &state));
    return read_linear(&state, out);
}

kas_status kas_torchsave_layer(const void *bytes, size_t size_bytes, kas_layer_weights *out)
{
    kas_arena arena;
    *out = (kas_layer_weights){0};
    kas_arena_init_for_file(&arena, size_bytes, LAYER_MEMORY_BYTES);
    kas_status status = read_layer(bytes, size_bytes, &arena, out);
    kas_arena_finish(&arena);
    if (status) kas_layer_weights_finish(out);
    return kas_annotate(status, "torchsave");
}
