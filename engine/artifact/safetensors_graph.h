/* The graph of a kernel as JSON, in a safetensors file's __metadata__. The format stands in
 * docs/artifacts.md; it is the engine's own graph, spelled out. */
#ifndef KAS_ARTIFACT_SAFETENSORS_GRAPH_H
#define KAS_ARTIFACT_SAFETENSORS_GRAPH_H

#include "engine/artifact/artifact.h"
#include "engine/artifact/safetensors_file.h"

#define KAS_SAFETENSORS_GRAPH "kasmina.graph" /* the member of __metadata__ */

/* `text`: the JSON as a string. A reader as onnx.h describes it. */
kas_status kas_safetensors_graph(const kas_safetensors_file *file, const json_t *text,
                                 const kas_artifact_limits *limits, kas_artifact *out) KAS_MUST_USE;

#endif
