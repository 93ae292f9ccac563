/* The safetensors format: a header in JSON, then the tensors' bytes. */
#ifndef KAS_ARTIFACT_SAFETENSORS_H
#define KAS_ARTIFACT_SAFETENSORS_H

#include "engine/artifact/artifact.h"

/* Reads `weight` [outputs, inputs] and, where there is one, `bias` [outputs], whatever their sizes; others
 * are described in the header and left alone. The digest is not set. */
kas_status kas_safetensors_layer(const void *bytes, size_t size_bytes, kas_layer_weights *out) KAS_MUST_USE;

/* As a kernel: the graph that stands in __metadata__, or without one a single LINEAR of weight and bias. A
 * reader as onnx.h describes it. */
kas_status kas_safetensors_read(const void *bytes, size_t size_bytes, const kas_artifact_limits *limits,
                                kas_artifact *out) KAS_MUST_USE;

#endif
