/* TensorProto: its data as numbers. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/finite.h"
#include "base/half.h"
#include "engine/artifact/elements.h"
#include "engine/artifact/onnx_tensor.h"
#include "engine/artifact/refuse.h"

/* Hands each element's bits to `put` in order. */
typedef void (*put_element)(const kas_onnx_tensor *tensor, uint64_t bits, size_t index, void *out);

static uint64_t raw_bits(const uint8_t *raw, unsigned bits, size_t index)
{
    if (bits == 4) return (raw[index / 2] >> (index % 2 ? 4 : 0)) & 0xf;
    uint64_t value = 0;
    const size_t bytes = bits / 8;
    for (size_t i = 0; i < bytes; ++i)
        value |= (uint64_t)raw[index * bytes + i] << (8 * i);
    return value;
}

static kas_wire_type wire_type_of(uint32_t field)
{
    if (field == KAS_ONNX_FLOAT_DATA) return KAS_WIRE_FIXED32;
    return field == KAS_ONNX_DOUBLE_DATA ? KAS_WIRE_FIXED64 : KAS_WIRE_VARINT;
}

static kas_status count_fail(const kas_onnx_tensor *tensor, const kas_onnx_storage *kind, size_t got)
{
    return kas_refuse(KAS_REASON_MALFORMED, "%s has a count of %zu%s, expected %zu elements",
                      kind->field_name, got, got > tensor->elements ? " or more" : "", tensor->elements);
}

/* Elements of one typed value: 4-bit types have two in each. */
static void put_value(const kas_onnx_tensor *tensor, unsigned bits, uint64_t value, size_t *index,
                      put_element put, void *out)
{
    if (bits != 4) {
        put(tensor, value, (*index)++, out);
        return;
    }
    put(tensor, value & 0xf, (*index)++, out);
    if (*index < tensor->elements) put(tensor, (value >> 4) & 0xf, (*index)++, out);
}

static kas_status each_typed(const uint8_t *file, const kas_onnx_tensor *tensor, put_element put, void *out)
{
    const kas_onnx_storage *kind = kas_onnx_storage_of(tensor->type);
    kas_wire wire = kas_wire_of(file, tensor->message);
    kas_wire_field field;
    size_t index = 0;
    uint64_t value;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number != kind->field) continue;
        kas_wire_values values;
        KAS_TRY(kas_wire_values_of(file, &field, wire_type_of(kind->field), kind->field_name, &values));
        for (;;) {
            KAS_TRY(kas_wire_values_next(&values, &value, &more));
            if (!more) break;
            if (index == tensor->elements) return count_fail(tensor, kind, index + 1);
            put_value(tensor, kind->bits, value, &index, put, out);
        }
    }
    return index == tensor->elements ? NULL : count_fail(tensor, kind, index);
}

static kas_status refuse_both(const uint8_t *file, const kas_onnx_tensor *tensor)
{
    const kas_onnx_storage *kind = kas_onnx_storage_of(tensor->type);
    size_t typed;
    KAS_TRY(kas_wire_count(file, tensor->message, kind->field, &typed));
    if (typed == 0) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "the data stands both in raw_data and in %s", kind->field_name);
}

/* The element type of elements.h; false for those of 4 bits. */
static bool element_of(int32_t type, kas_element *out)
{
    static const kas_element elements[] = {
        [KAS_ONNX_FLOAT8E4M3FN] = KAS_ELEMENT_F8_E4M3FN,
        [KAS_ONNX_FLOAT8E4M3FNUZ] = KAS_ELEMENT_F8_E4M3FNUZ,
        [KAS_ONNX_FLOAT8E5M2] = KAS_ELEMENT_F8_E5M2,
        [KAS_ONNX_FLOAT8E5M2FNUZ] = KAS_ELEMENT_F8_E5M2FNUZ,
        [KAS_ONNX_FLOAT] = KAS_ELEMENT_F32,
        [KAS_ONNX_UINT8] = KAS_ELEMENT_U8,
        [KAS_ONNX_INT8] = KAS_ELEMENT_I8,
        [KAS_ONNX_UINT16] = KAS_ELEMENT_U16,
        [KAS_ONNX_INT16] = KAS_ELEMENT_I16,
        [KAS_ONNX_INT32] = KAS_ELEMENT_I32,
        [KAS_ONNX_INT64] = KAS_ELEMENT_I64,
        [KAS_ONNX_BOOL] = KAS_ELEMENT_BOOL,
        [KAS_ONNX_FLOAT16] = KAS_ELEMENT_F16,
        [KAS_ONNX_DOUBLE] = KAS_ELEMENT_F64,
        [KAS_ONNX_UINT32] = KAS_ELEMENT_U32,
        [KAS_ONNX_UINT64] = KAS_ELEMENT_U64,
        [KAS_ONNX_BFLOAT16] = KAS_ELEMENT_BF16,
    };
    if (kas_onnx_storage_of(type)->bits < 8 || (size_t)type >= sizeof elements / sizeof *elements)
        return false;
    *out = elements[type];
    return true;
}

/* The bytes of all elements where they lie together as raw_data does: there, or in one packed field of
 * floats. */
static kas_status find_dense(const uint8_t *file, const kas_onnx_tensor *tensor, kas_span *out)
{
    const kas_onnx_storage *kind = kas_onnx_storage_of(tensor->type);
    kas_wire wire = kas_wire_of(file, tensor->message);
    kas_wire_field field;
    bool more;
    *out = tensor->raw;
    if (tensor->has_raw) return refuse_both(file, tensor);
    size_t fields = 0;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number == kind->field && ++fields == 1 && field.type == KAS_WIRE_BYTES) *out = field.bytes;
    }
    const bool whole = fields == 1 && out->size == tensor->elements * kind->bits / 8;
    if (!whole || wire_type_of(kind->field) == KAS_WIRE_VARINT) *out = (kas_span){0};
    return NULL;
}

static kas_status each_element(const uint8_t *file, const kas_onnx_tensor *tensor, put_element put, void *out)
{
    if (!tensor->has_raw) return each_typed(file, tensor, put, out);
    KAS_TRY(refuse_both(file, tensor));
    const unsigned bits = kas_onnx_storage_of(tensor->type)->bits;
    for (size_t i = 0; i < tensor->elements; ++i)
        put(tensor, raw_bits(tensor->raw.data, bits, i), i, out);
    return NULL;
}

static int64_t integer_of_bits(int32_t type, uint64_t bits)
{
    switch (type) {
    case KAS_ONNX_UINT8:
        return (uint8_t)bits;
    case KAS_ONNX_INT8:
        return (int8_t)bits;
    case KAS_ONNX_UINT16:
        return (uint16_t)bits;
    case KAS_ONNX_INT16:
        return (int16_t)bits;
    case KAS_ONNX_INT32:
        return (int32_t)bits;
    case KAS_ONNX_UINT32:
        return (uint32_t)bits;
    case KAS_ONNX_BOOL:
        return bits != 0;
    case KAS_ONNX_UINT4:
        return (int64_t)(bits & 0xf);
    case KAS_ONNX_INT4:
        return (int64_t)((bits & 0xf) ^ 8) - 8;
    default:
        return (int64_t)bits;
    }
}

static float float_of_element(int32_t type, uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    const uint8_t byte = (uint8_t)bits;
    float single;
    double twice;
    kas_element element;
    if (kas_onnx_type_is_float8(type) && element_of(type, &element)) {
        kas_elements_to_floats(element, &byte, 1, &single);
        return single;
    }
    switch (type) {
    case KAS_ONNX_FLOAT:
        memcpy(&single, &low, sizeof single);
        return single;
    case KAS_ONNX_DOUBLE:
        memcpy(&twice, &bits, sizeof twice);
        return (float)twice;
    case KAS_ONNX_FLOAT16:
        return kas_half_to_float((uint16_t)bits);
    case KAS_ONNX_BFLOAT16:
        return kas_bfloat_to_float((uint16_t)bits);
    case KAS_ONNX_UINT64:
        return (float)bits;
    default:
        return (float)integer_of_bits(type, bits);
    }
}

static void put_float(const kas_onnx_tensor *tensor, uint64_t bits, size_t index, void *out)
{
    ((float *)out)[index] = float_of_element(tensor->type, bits);
}

static void put_integer(const kas_onnx_tensor *tensor, uint64_t bits, size_t index, void *out)
{
    ((int64_t *)out)[index] = integer_of_bits(tensor->type, bits);
}

kas_status kas_onnx_tensor_floats(const uint8_t *file, const kas_onnx_tensor *tensor, float *out)
{
    kas_element element;
    kas_span dense = {0};
    const bool known = element_of(tensor->type, &element);
    if (known) KAS_TRY(find_dense(file, tensor, &dense));
    if (dense.data)
        kas_elements_to_floats(element, dense.data, tensor->elements, out);
    else
        KAS_TRY(each_element(file, tensor, put_float, out));
    if (tensor->elements == 1 && isinf(*out)) *out = copysignf(FLT_MAX, *out);
    const size_t bad = kas_first_not_finite(out, tensor->elements);
    if (bad == tensor->elements) return NULL;
    return kas_refuse(KAS_REASON_NOT_FINITE, "element %zu of %zu is %s: weights must be finite", bad,
                      tensor->elements, isnan(out[bad]) ? "NaN" : "infinite");
}

kas_status kas_onnx_tensor_integers(const uint8_t *file, const kas_onnx_tensor *tensor, int64_t *out)
{
    if (!kas_onnx_type_is_integer(tensor->type))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "the data type is %s, integers are needed",
                          kas_onnx_type_name(tensor->type));
    return each_element(file, tensor, put_integer, out);
}
