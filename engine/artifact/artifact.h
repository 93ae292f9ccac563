/* From bytes to a graph. Nothing that comes with an artifact is ever executed; every size is bounded; a
 * refusal says what is wrong and where, in words stable enough to test.
 *
 * All calls are pure functions of their arguments: no I/O, no clock, any thread. Refusals:
 * KAS_INVALID_ARTIFACT (kas_status_reason: "malformed", "unsupported_operator", "unsupported", "mixes_rows",
 * "limit", "shape", "not_finite", "statistics", "checksum", "signature", "metadata"), KAS_TOO_LARGE beyond
 * limits->file_bytes. */
#ifndef KAS_ARTIFACT_H
#define KAS_ARTIFACT_H

#include "base/hash.h"
#include "engine/graph/graph.h"

typedef enum kas_format {
    KAS_FORMAT_UNKNOWN = 0,
    KAS_FORMAT_ONNX,
    KAS_FORMAT_SAFETENSORS,
    KAS_FORMAT_TORCHSAVE,
    KAS_FORMAT_TORCHSCRIPT,
} kas_format;

const char *kas_format_name(kas_format format); /* "onnx" … */

typedef struct kas_artifact_limits { /* zero: the default */
    size_t file_bytes;               /* 256 MiB */
    uint64_t parameters;             /* 10,000,000 */
    uint64_t memory_bytes;           /* 64 MiB beyond twice the file: what decoding may allocate at once */
    uint32_t nodes;                  /* KAS_GRAPH_MAX_NODES */
    uint32_t nesting;                /* 32 */
} kas_artifact_limits;

enum { KAS_ARTIFACT_MAX_OPERATORS = 64 };

typedef struct kas_artifact {
    kas_format format;
    kas_sha256 checksum;
    size_t size_bytes;
    kas_graph *graph;  /* decoded, checked and simplified; owned */
    char producer[64]; /* printable; "" if not said */
    uint64_t parameter_count;
    size_t memory_bytes; /* of the constants, in float32 */
    const char *
        operators[KAS_ARTIFACT_MAX_OPERATORS]; /* names in the artifact's own terms, sorted, static storage */
    size_t operator_count;
} kas_artifact;

/* Guesses the format from the bytes; `name` (may be NULL) helps by its extension. */
kas_format kas_artifact_sniff(const void *bytes, size_t size_bytes, const char *name);

kas_status kas_artifact_decode(const void *bytes, size_t size_bytes, const char *name,
                               const kas_artifact_limits *limits, kas_artifact *out) KAS_MUST_USE;
void kas_artifact_finish(kas_artifact *artifact); /* accepts empty */

/* ---- metadata (a registry's claim) ---- */

enum { KAS_ARTIFACT_ID_SIZE = 129, KAS_TEXT_SIZE = 128 };

typedef struct kas_metadata { /* absent texts are "", absent numbers as said; arrays by count */
    char kernel_id[KAS_ARTIFACT_ID_SIZE];
    char blueprint_id[KAS_TEXT_SIZE];
    char name[KAS_TEXT_SIZE];
    char compilation_target[32];
    char compatibility_version[32];
    char created_at[40];
    kas_shape input_shape, output_shape; /* rank 0: absent */
    bool has_parameter_count, has_memory, has_checksum;
    uint64_t parameter_count;
    double memory_footprint_mb;
    kas_sha256 checksum;
    char device_requirements[8][16];
    size_t device_requirement_count;
    char *optimization_flags;  /* JSON text, owned; "{}" where absent */
    char *performance_profile; /* JSON text, owned; "{}" where absent */
    double confidence;         /* of the profile; 0.5 where absent */
    double score;              /* of the profile; 0 where absent */
} kas_metadata;

#define KAS_METADATA_ABSENT ((kas_metadata){.confidence = 0.5}) /* of an artifact that comes without any */

/* Parses a registry's metadata object. KAS_INVALID_ARTIFACT, reason "metadata", naming the member. Bounded
 * nesting. */
kas_status kas_metadata_parse(const char *json, size_t size_bytes, kas_metadata *out) KAS_MUST_USE;
/* Fills what is absent from the artifact; refuses where the claim disagrees with the bytes (shapes, parameter
 * count — which may lie between the artifact's parameter_count and its constants —, checksum). artifact_id
 * fills kernel_id. */
kas_status kas_metadata_complete(kas_metadata *metadata, const kas_artifact *artifact,
                                 const char *artifact_id) KAS_MUST_USE;
void kas_metadata_finish(kas_metadata *metadata); /* accepts empty */

/* ---- weights of layers ---- */

typedef struct kas_layer_weights {
    size_t inputs, outputs;
    float *weight;     /* [outputs, inputs], owned */
    float *bias;       /* [outputs], owned; NULL where absent */
    kas_sha256 sha256; /* over W then b (b only where the layer has one) as little-endian float32 */
} kas_layer_weights;

/* Reads bare little-endian float32: the weight [outputs, inputs], then the bias [outputs] if the size says
 * that there is one. The digest is set. */
kas_status kas_weights_from_raw(const void *bytes, size_t size_bytes, size_t inputs, size_t outputs,
                                kas_layer_weights *out) KAS_MUST_USE;
/* A layer's file: safetensors or a state dict of torch.save with `weight` [outputs, inputs] and optional
 * `bias` [outputs], of any floating-point type, or raw. has_bias: the layer's; a bias for a layer without is
 * refused, one left out is zero. The digest is set. */
kas_status kas_weights_from_file(const void *bytes, size_t size_bytes, size_t inputs, size_t outputs,
                                 bool has_bias, kas_layer_weights *out) KAS_MUST_USE;
/* y = x·Wᵀ + b as a graph. Takes over weight and bias, also when it fails; *out is then NULL. */
kas_status kas_weights_to_graph(kas_layer_weights *weights, kas_graph **out) KAS_MUST_USE;
kas_status kas_weights_to_safetensors(const kas_layer_weights *weights, void **bytes,
                                      size_t *size_bytes) KAS_MUST_USE;
/* PyTorch's Linear initialisation (Kaiming uniform with a = √5: U(−1/√k, 1/√k) for both) from a seed. */
kas_status kas_weights_init(size_t inputs, size_t outputs, bool has_bias, uint64_t seed,
                            kas_layer_weights *out) KAS_MUST_USE;
void kas_layer_weights_finish(kas_layer_weights *weights); /* accepts empty */

#endif
