/* Which reader takes an artifact, and what every artifact goes through after it: check, simplify, check
 * again. */
#include "engine/artifact/artifact.h"

#include <string.h>
#include <strings.h>

#include "engine/artifact/onnx.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/safetensors.h"
#include "engine/artifact/torchsave.h"
#include "engine/artifact/torchscript.h"

enum {
    DEFAULT_FILE_BYTES = 256 << 20,
    DEFAULT_PARAMETERS = 10000000,
    DEFAULT_MEMORY_BYTES = 64 << 20,
    DEFAULT_NESTING = 32,
    ONNX_FIRST_BYTE = 0x08, /* ir_version, a varint: what every writer puts first */
    SAFETENSORS_LENGTH = 8,
};

typedef struct format_entry {
    kas_format format;
    const char *name;
    const char *extension; /* without the dot; NULL: told by its bytes */
    kas_status (*read)(const void *bytes, size_t size_bytes, const kas_artifact_limits *limits,
                       kas_artifact *out);
} format_entry;

static const format_entry formats[] = {
    {KAS_FORMAT_ONNX, "onnx", "onnx", kas_onnx_read},
    {KAS_FORMAT_SAFETENSORS, "safetensors", "safetensors", kas_safetensors_read},
    {KAS_FORMAT_TORCHSAVE, "torchsave", NULL, kas_torchsave_read},
    {KAS_FORMAT_TORCHSCRIPT, "torchscript", NULL, kas_torchscript_read},
};

static const format_entry *find_format(kas_format format)
{
    for (size_t i = 0; i < sizeof formats / sizeof *formats; ++i)
        if (formats[i].format == format) return &formats[i];
    return NULL;
}

const char *kas_format_name(kas_format format)
{
    const format_entry *entry = find_format(format);
    return entry ? entry->name : "unknown";
}

kas_format kas_artifact_sniff(const void *bytes, size_t size_bytes, const char *name)
{
    const unsigned char *at = bytes;
    const char *dot = name ? strrchr(name, '.') : NULL;
    for (size_t i = 0; dot && i < sizeof formats / sizeof *formats; ++i)
        if (formats[i].extension && strcasecmp(dot + 1, formats[i].extension) == 0) return formats[i].format;
    if (size_bytes > SAFETENSORS_LENGTH && at[SAFETENSORS_LENGTH] == '{' && at[SAFETENSORS_LENGTH - 1] == 0)
        return KAS_FORMAT_SAFETENSORS;
    if (size_bytes > 0 && at[0] == ONNX_FIRST_BYTE) return KAS_FORMAT_ONNX;
    return kas_torch_sniff(bytes, size_bytes);
}

static kas_artifact_limits with_defaults(const kas_artifact_limits *limits)
{
    kas_artifact_limits filled = limits ? *limits : (kas_artifact_limits){0};
    if (!filled.file_bytes) filled.file_bytes = DEFAULT_FILE_BYTES;
    if (!filled.parameters) filled.parameters = DEFAULT_PARAMETERS;
    if (!filled.memory_bytes) filled.memory_bytes = DEFAULT_MEMORY_BYTES;
    if (!filled.nodes || filled.nodes > KAS_GRAPH_MAX_NODES) filled.nodes = KAS_GRAPH_MAX_NODES;
    if (!filled.nesting || filled.nesting > DEFAULT_NESTING) filled.nesting = DEFAULT_NESTING;
    return filled;
}

static size_t constant_bytes(const kas_graph *graph)
{
    size_t elements = 0; /* each constant is in memory already: no overflow */
    for (size_t i = 0; i < graph->tensor_count; ++i)
        if (graph->tensors[i].constant) elements += graph->tensors[i].elements;
    return elements * sizeof(float);
}

static kas_status decode(const format_entry *format, const void *bytes, size_t size_bytes,
                         const kas_artifact_limits *limits, kas_artifact *out)
{
    KAS_TRY(format->read(bytes, size_bytes, limits, out));
    KAS_TRY(kas_graph_check(out->graph));
    KAS_TRY(kas_graph_simplify(out->graph));
    KAS_TRY(kas_graph_check(out->graph));
    out->graph->parameter_count = out->parameter_count;
    out->memory_bytes = constant_bytes(out->graph);
    return NULL;
}

kas_status kas_artifact_decode(const void *bytes, size_t size_bytes, const char *name,
                               const kas_artifact_limits *limits, kas_artifact *out)
{
    const kas_artifact_limits filled = with_defaults(limits);
    *out = (kas_artifact){.size_bytes = size_bytes};
    if (size_bytes == 0) return kas_refuse(KAS_REASON_MALFORMED, "the artifact is empty: a size of 0 bytes");
    if (size_bytes > filled.file_bytes)
        return kas_fail(KAS_TOO_LARGE, CALLER, "the artifact has %zu bytes, the limit is %zu", size_bytes,
                        filled.file_bytes);
    out->format = kas_artifact_sniff(bytes, size_bytes, name);
    const format_entry *format = find_format(out->format);
    if (!format)
        return kas_refuse(
            KAS_REASON_MALFORMED,
            "the format is not known: by its bytes it is neither ONNX nor safetensors nor a zip of "
            "PyTorch (since 1.6; files of torch.save before were bare pickles)");
    out->checksum = kas_sha256_of(bytes, size_bytes);
    kas_status status = decode(format, bytes, size_bytes, &filled, out);
    if (!status) return NULL;
    status = kas_annotate(status, "%s", format->name);
    kas_artifact_finish(out);
    return status;
}

void kas_artifact_finish(kas_artifact *artifact)
{
    kas_graph_destroy(artifact->graph);
    *artifact = (kas_artifact){0};
}
