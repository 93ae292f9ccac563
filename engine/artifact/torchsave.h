/* What torch.save writes since PyTorch 1.6: a state dict, alone or beside the ir_metadata that says what it
 * belongs to. */
#ifndef KAS_ARTIFACT_TORCHSAVE_H
#define KAS_ARTIFACT_TORCHSAVE_H

#include "engine/artifact/artifact.h"

/* Tells archives of torch.save and torch.jit.save apart, by the names in the zip's directory;
 * KAS_FORMAT_UNKNOWN where there is no zip. */
kas_format kas_torch_sniff(const void *bytes, size_t size_bytes);

/* As a kernel: the block of ir_metadata, or without one a single LINEAR of the keys weight and bias. A reader
 * as onnx.h describes it. */
kas_status kas_torchsave_read(const void *bytes, size_t size_bytes, const kas_artifact_limits *limits,
                              kas_artifact *out) KAS_MUST_USE;

/* As the weights of a layer: the keys weight [outputs, inputs] and, where there is one, bias [outputs]. The
 * digest is not set. */
kas_status kas_torchsave_layer(const void *bytes, size_t size_bytes, kas_layer_weights *out) KAS_MUST_USE;

#endif
