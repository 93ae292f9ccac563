/* TensorProto.DataType: names, and how elements are stored. */
#include "engine/artifact/onnx_tensor.h"

static const kas_onnx_storage storages[] = {
    [KAS_ONNX_UNDEFINED] = {"undefined", 0, 0, ""},
    [KAS_ONNX_FLOAT] = {"float", 32, KAS_ONNX_FLOAT_DATA, "float_data"},
    [KAS_ONNX_UINT8] = {"uint8", 8, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_INT8] = {"int8", 8, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_UINT16] = {"uint16", 16, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_INT16] = {"int16", 16, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_INT32] = {"int32", 32, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_INT64] = {"int64", 64, KAS_ONNX_INT64_DATA, "int64_data"},
    [KAS_ONNX_STRING] = {"string", 0, 0, ""},
    [KAS_ONNX_BOOL] = {"bool", 8, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_FLOAT16] = {"float16", 16, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_DOUBLE] = {"double", 64, KAS_ONNX_DOUBLE_DATA, "double_data"},
    [KAS_ONNX_UINT32] = {"uint32", 32, KAS_ONNX_UINT64_DATA, "uint64_data"},
    [KAS_ONNX_UINT64] = {"uint64", 64, KAS_ONNX_UINT64_DATA, "uint64_data"},
    [KAS_ONNX_COMPLEX64] = {"complex64", 0, 0, ""},
    [KAS_ONNX_COMPLEX128] = {"complex128", 0, 0, ""},
    [KAS_ONNX_BFLOAT16] = {"bfloat16", 16, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_FLOAT8E4M3FN] = {"float8e4m3fn", 8, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_FLOAT8E4M3FNUZ] = {"float8e4m3fnuz", 8, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_FLOAT8E5M2] = {"float8e5m2", 8, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_FLOAT8E5M2FNUZ] = {"float8e5m2fnuz", 8, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_UINT4] = {"uint4", 4, KAS_ONNX_INT32_DATA, "int32_data"},
    [KAS_ONNX_INT4] = {"int4", 4, KAS_ONNX_INT32_DATA, "int32_data"},
};

const kas_onnx_storage *kas_onnx_storage_of(int32_t type)
{
    static const kas_onnx_storage unknown = {"unknown", 0, 0, ""};
    const bool known = type >= 0 && (size_t)type < sizeof storages / sizeof *storages;
    return known ? &storages[type] : &unknown;
}

const char *kas_onnx_type_name(int32_t type)
{
    return kas_onnx_storage_of(type)->name;
}

bool kas_onnx_type_is_float(int32_t type)
{
    return type == KAS_ONNX_FLOAT || type == KAS_ONNX_FLOAT16 || type == KAS_ONNX_DOUBLE ||
           type == KAS_ONNX_BFLOAT16 || kas_onnx_type_is_float8(type);
}

bool kas_onnx_type_is_float8(int32_t type)
{
    return type >= KAS_ONNX_FLOAT8E4M3FN && type <= KAS_ONNX_FLOAT8E5M2FNUZ;
}

bool kas_onnx_type_is_integer(int32_t type)
{
    return kas_onnx_storage_of(type)->bits != 0 && !kas_onnx_type_is_float(type);
}
