/* Element types of PyTorch's tensors and storages, as their pickles name them. */
#ifndef KAS_ARTIFACT_TORCH_DTYPE_H
#define KAS_ARTIFACT_TORCH_DTYPE_H

#include <stdbool.h>

#include "engine/artifact/elements.h"
#include "engine/artifact/span.h"

typedef enum kas_torch_dtype {
    KAS_TORCH_FLOAT32 = 0,
    KAS_TORCH_FLOAT64,
    KAS_TORCH_FLOAT16,
    KAS_TORCH_BFLOAT16,
    KAS_TORCH_FLOAT8_E4M3FN,
    KAS_TORCH_FLOAT8_E5M2,
    KAS_TORCH_FLOAT8_E4M3FNUZ,
    KAS_TORCH_FLOAT8_E5M2FNUZ,
    KAS_TORCH_INT64,
    KAS_TORCH_INT32,
    KAS_TORCH_INT16,
    KAS_TORCH_INT8,
    KAS_TORCH_UINT8,
    KAS_TORCH_UINT16,
    KAS_TORCH_UINT32,
    KAS_TORCH_UINT64,
    KAS_TORCH_BOOL,
    KAS_TORCH_COMPLEX64, /* from here on: sizes are known, values have no float32 */
    KAS_TORCH_COMPLEX128,
    KAS_TORCH_QINT8,
    KAS_TORCH_QUINT8,
    KAS_TORCH_QINT32,
    KAS_TORCH_DTYPE_COUNT
} kas_torch_dtype;

const char *kas_torch_dtype_name(kas_torch_dtype dtype); /* "float32" … */
unsigned kas_torch_dtype_bytes(kas_torch_dtype dtype);   /* of an element */
bool kas_torch_dtype_is_float(kas_torch_dtype dtype);    /* real floating point of any width */
bool kas_torch_dtype_is_number(
    kas_torch_dtype dtype); /* has a value in float32: all but complex and quantised ones */

/* "float8_e4m3fn", of the global torch.float8_e4m3fn; false: not known. */
bool kas_torch_dtype_parse(kas_span name, kas_torch_dtype *out);
/* "FloatStorage", of the global torch.FloatStorage; false: not known. */
bool kas_torch_dtype_of_storage(kas_span name, kas_torch_dtype *out);

/* The dtype is a number. */
kas_element kas_torch_dtype_element(kas_torch_dtype dtype);

#endif
