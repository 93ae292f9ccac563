#include "engine/artifact/torch_dtype.h"

static const struct {
    const char *name, *storage; /* storage "": it has no class of its own */
    unsigned bytes;
    kas_element element; /* KAS_ELEMENT_COUNT: no number */
} dtypes[KAS_TORCH_DTYPE_COUNT] = {
    [KAS_TORCH_FLOAT32] = {"float32", "FloatStorage", 4, KAS_ELEMENT_F32},
    [KAS_TORCH_FLOAT64] = {"float64", "DoubleStorage", 8, KAS_ELEMENT_F64},
    [KAS_TORCH_FLOAT16] = {"float16", "HalfStorage", 2, KAS_ELEMENT_F16},
    [KAS_TORCH_BFLOAT16] = {"bfloat16", "BFloat16Storage", 2, KAS_ELEMENT_BF16},
    [KAS_TORCH_FLOAT8_E4M3FN] = {"float8_e4m3fn", "", 1, KAS_ELEMENT_F8_E4M3FN},
    [KAS_TORCH_FLOAT8_E5M2] = {"float8_e5m2", "", 1, KAS_ELEMENT_F8_E5M2},
    [KAS_TORCH_FLOAT8_E4M3FNUZ] = {"float8_e4m3fnuz", "", 1, KAS_ELEMENT_F8_E4M3FNUZ},
    [KAS_TORCH_FLOAT8_E5M2FNUZ] = {"float8_e5m2fnuz", "", 1, KAS_ELEMENT_F8_E5M2FNUZ},
    [KAS_TORCH_INT64] = {"int64", "LongStorage", 8, KAS_ELEMENT_I64},
    [KAS_TORCH_INT32] = {"int32", "IntStorage", 4, KAS_ELEMENT_I32},
    [KAS_TORCH_INT16] = {"int16", "ShortStorage", 2, KAS_ELEMENT_I16},
    [KAS_TORCH_INT8] = {"int8", "CharStorage", 1, KAS_ELEMENT_I8},
    [KAS_TORCH_UINT8] = {"uint8", "ByteStorage", 1, KAS_ELEMENT_U8},
    [KAS_TORCH_UINT16] = {"uint16", "", 2, KAS_ELEMENT_U16},
    [KAS_TORCH_UINT32] = {"uint32", "", 4, KAS_ELEMENT_U32},
    [KAS_TORCH_UINT64] = {"uint64", "", 8, KAS_ELEMENT_U64},
    [KAS_TORCH_BOOL] = {"bool", "BoolStorage", 1, KAS_ELEMENT_BOOL},
    [KAS_TORCH_COMPLEX64] = {"complex64", "ComplexFloatStorage", 8, KAS_ELEMENT_COUNT},
    [KAS_TORCH_COMPLEX128] = {"complex128", "ComplexDoubleStorage", 16, KAS_ELEMENT_COUNT},
    [KAS_TORCH_QINT8] = {"qint8", "QInt8Storage", 1, KAS_ELEMENT_COUNT},
    [KAS_TORCH_QUINT8] = {"quint8", "QUInt8Storage", 1, KAS_ELEMENT_COUNT},
    [KAS_TORCH_QINT32] = {"qint32", "QInt32Storage", 4, KAS_ELEMENT_COUNT},
};

const char *kas_torch_dtype_name(kas_torch_dtype dtype)
{
    return dtypes[dtype].name;
}

unsigned kas_torch_dtype_bytes(kas_torch_dtype dtype)
{
    return dtypes[dtype].bytes;
}

bool kas_torch_dtype_is_float(kas_torch_dtype dtype)
{
    return dtype <= KAS_TORCH_FLOAT8_E5M2FNUZ;
}

bool kas_torch_dtype_is_number(kas_torch_dtype dtype)
{
    return dtype <= KAS_TORCH_BOOL;
}

bool kas_torch_dtype_parse(kas_span name, kas_torch_dtype *out)
{
    for (int i = 0; i < KAS_TORCH_DTYPE_COUNT; ++i)
        if (kas_span_is(name, dtypes[i].name)) {
            *out = (kas_torch_dtype)i;
            return true;
        }
    return false;
}

bool kas_torch_dtype_of_storage(kas_span name, kas_torch_dtype *out)
{
    for (int i = 0; i < KAS_TORCH_DTYPE_COUNT; ++i)
        if (dtypes[i].storage[0] && kas_span_is(name, dtypes[i].storage)) {
            *out = (kas_torch_dtype)i;
            return true;
        }
    return false;
}

kas_element kas_torch_dtype_element(kas_torch_dtype dtype)
{
    return dtypes[dtype].element;
}
