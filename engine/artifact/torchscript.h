/* TorchScript archives (torch.jit.save). Called by artifact.c. */
#ifndef KAS_ARTIFACT_TORCHSCRIPT_H
#define KAS_ARTIFACT_TORCHSCRIPT_H

#include "engine/artifact/artifact.h"

/* Fills graph, producer, parameter_count and operators of `out`; what it made is left in `out` on failure. */
kas_status kas_torchscript_read(const void *bytes, size_t size_bytes, const kas_artifact_limits *limits,
                                kas_artifact *out) KAS_MUST_USE;

#endif
