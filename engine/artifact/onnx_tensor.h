/* The data of an ONNX tensor, wherever the writer put it (raw_data or one of the typed fields), as numbers.
 */
#ifndef KAS_ONNX_TENSOR_H
#define KAS_ONNX_TENSOR_H

#include "engine/artifact/onnx_model.h"

enum { /* the typed fields of a TensorProto */
       KAS_ONNX_FLOAT_DATA = 4,
       KAS_ONNX_INT32_DATA = 5,
       KAS_ONNX_INT64_DATA = 7,
       KAS_ONNX_DOUBLE_DATA = 10,
       KAS_ONNX_UINT64_DATA = 11,
};

/* How a type lies in raw_data, and which typed field may hold it instead. */
typedef struct kas_onnx_storage {
    const char *name;
    unsigned bits; /* of an element in raw_data; 0: no numbers */
    uint32_t field;
    const char *field_name;
} kas_onnx_storage;

const kas_onnx_storage *kas_onnx_storage_of(int32_t type); /* of any number: "unknown" where it is no type */

/* Any type that holds real numbers, to float32 (quantised integers exactly, float64 rounded). `out` has room
 * for tensor->elements. Refuses values that are not finite; but a single infinite one, which is what masks
 * are filled with and no weight, becomes the greatest finite number. */
kas_status kas_onnx_tensor_floats(const uint8_t *file, const kas_onnx_tensor *tensor,
                                  float *out) KAS_MUST_USE;

/* Integers and booleans. */
kas_status kas_onnx_tensor_integers(const uint8_t *file, const kas_onnx_tensor *tensor,
                                    int64_t *out) KAS_MUST_USE;

#endif
