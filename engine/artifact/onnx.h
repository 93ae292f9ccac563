/* ONNX (any producer; opsets 7 to 28 of the domain ai.onnx) to a graph of one row. */
#ifndef KAS_ARTIFACT_ONNX_H
#define KAS_ARTIFACT_ONNX_H

#include "engine/artifact/artifact.h"

/* A reader of one format: fills out->graph (made, unchecked), producer, parameter_count and operators;
 * `limits` has no zeros. On failure `out` holds whatever was made so far, to be finished by the caller. */
kas_status kas_onnx_read(const void *bytes, size_t size_bytes, const kas_artifact_limits *limits,
                         kas_artifact *out) KAS_MUST_USE;

#endif
