/* TensorProto: its description. */
#include "engine/artifact/onnx_tensor.h"

#include "base/alloc.h"
#include "engine/artifact/refuse.h"

enum {
    TENSOR_DIMS = 1,
    TENSOR_TYPE = 2,
    TENSOR_SEGMENT = 3,
    TENSOR_NAME = 8,
    TENSOR_RAW_DATA = 9,
    TENSOR_EXTERNAL_DATA = 13,
    TENSOR_LOCATION = 14,
};

static kas_status read_dims(const kas_onnx_source *source, const kas_wire_field *field, kas_onnx_tensor *out)
{
    kas_wire_values values;
    uint64_t value;
    bool more;
    KAS_TRY(kas_wire_values_of(source->file, field, KAS_WIRE_VARINT, "dims", &values));
    for (;;) {
        KAS_TRY(kas_wire_values_next(&values, &value, &more));
        if (!more) return NULL;
        if (out->rank == KAS_ONNX_MAX_RANK)
            return kas_refuse(KAS_REASON_LIMIT, "dims: the rank is over the limit of %d",
                              (int)KAS_ONNX_MAX_RANK);
        if ((int64_t)value < 0)
            return kas_refuse(KAS_REASON_SHAPE, "dims: the negative dimension %lld", (long long)value);
        out->dims[out->rank++] = (int64_t)value;
    }
}

static kas_status read_tensor_field(const kas_onnx_source *source, const kas_wire_field *field,
                                    kas_onnx_tensor *out)
{
    switch (field->number) {
    case TENSOR_DIMS:
        return read_dims(source, field, out);
    case TENSOR_TYPE:
        KAS_TRY(kas_wire_expect(field, KAS_WIRE_VARINT, "data_type"));
        out->type = field->value > INT32_MAX ? -1 : (int32_t)field->value;
        return NULL;
    case TENSOR_RAW_DATA:
        KAS_TRY(kas_wire_expect(field, KAS_WIRE_BYTES, "raw_data"));
        out->raw = field->bytes;
        out->has_raw = true;
        return NULL;
    case TENSOR_LOCATION:
        KAS_TRY(kas_wire_expect(field, KAS_WIRE_VARINT, "data_location"));
        if (field->value == 0) return NULL;
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "the data is external, in a file of its own; an artifact must hold "
                          "its weights");
    case TENSOR_EXTERNAL_DATA:
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "the data is external, in a file of its own; an artifact must hold "
                          "its weights");
    case TENSOR_SEGMENT:
        return kas_refuse(KAS_REASON_UNSUPPORTED, "the tensor is a segment of another");
    default:
        return NULL;
    }
}

static kas_status count_elements(kas_onnx_tensor *out)
{
    out->elements = 1;
    for (int i = 0; i < out->rank; ++i) {
        if (out->dims[i] == 0 && out->rank > 1)
            return kas_refuse(KAS_REASON_SHAPE, "dims: dimension %d is zero, the tensor is empty", i);
        if (!kas_mul(out->elements, (size_t)out->dims[i], &out->elements) ||
            out->elements > KAS_GRAPH_MAX_ELEMENTS)
            return kas_refuse(KAS_REASON_LIMIT,
                              "dims: the size is over the limit of %llu elements (dimension %d is "
                              "%lld)",
                              (unsigned long long)KAS_GRAPH_MAX_ELEMENTS, i, (long long)out->dims[i]);
    }
    return NULL;
}

static kas_status check_raw(const kas_onnx_tensor *tensor)
{
    const kas_onnx_storage *kind = kas_onnx_storage_of(tensor->type);
    if (kind->bits == 0)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "the data type %d (%s) is not supported", (int)tensor->type,
                          kind->name);
    const size_t expected = (tensor->elements * kind->bits + 7) / 8;
    if (tensor->has_raw && tensor->raw.size != expected)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "raw_data has a length of %zu bytes, expected %zu for %zu elements of "
                          "%s",
                          tensor->raw.size, expected, tensor->elements, kind->name);
    return NULL;
}

/* Before anything else, so that refusals can tell it: writers put the dimensions first. */
static kas_status find_name(const kas_onnx_source *source, kas_span bytes, kas_span *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) return NULL;
        if (field.number != TENSOR_NAME) continue;
        KAS_TRY(kas_wire_expect(&field, KAS_WIRE_BYTES, "tensor name"));
        *out = field.bytes;
    }
}

kas_status kas_onnx_read_tensor(const kas_onnx_source *source, kas_span bytes, kas_onnx_tensor *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    *out = (kas_onnx_tensor){.message = bytes};
    KAS_TRY(find_name(source, bytes, &out->name));
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) break;
        KAS_TRY(read_tensor_field(source, &field, out));
    }
    KAS_TRY(count_elements(out));
    return check_raw(out);
}
