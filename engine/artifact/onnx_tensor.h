/* The data of an ONNX tensor, wherever the writer put it (raw_data or one of the typed fields), as numbers. */
#ifndef KAS_ONNX_TENSOR_H
#define KAS_ONNX_TENSOR_H

#include "engine/artifact/onnx_model.h"

/* Any type that holds real numbers, to float32 (quantised integers exactly, float64 rounded). `out` has room for
 * tensor->elements. Refuses values that are not finite; but a single infinite one, which
 * is what masks are filled with and no weight, becomes the greatest finite number. */
kas_status kas_onnx_tensor_floats(const uint8_t *file, const kas_onnx_tensor *tensor, float *out) KAS_MUST_USE;

/* Integers and booleans. */
kas_status kas_onnx_tensor_integers(const uint8_t *file, const kas_onnx_tensor *tensor, int64_t *out) KAS_MUST_USE;

#endif
