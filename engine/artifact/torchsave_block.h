/* The blocks that an ir_metadata describes, from its numbers and the state dict's tensors to a graph. */
#ifndef KAS_ARTIFACT_TORCHSAVE_BLOCK_H
#define KAS_ARTIFACT_TORCHSAVE_BLOCK_H

#include "engine/artifact/artifact.h"
#include "engine/artifact/torchsave_state.h"

/* type "linear": Linear(input_size, hidden_size), ReLU, Linear(hidden_size, output_size), keys 0.* and 2.*.
 * type "conv": the row as input_shape = [in_channels, height, width], Conv2d(in_channels, out_channels,
 * kernel_size), ReLU, mean over all positions, keys 0.*. A reader as onnx.h describes it. */
kas_status kas_torch_block_read(const kas_pickle_value *ir, const kas_torch_state *state,
                                const kas_artifact_limits *limits, kas_artifact *out) KAS_MUST_USE;

#endif
