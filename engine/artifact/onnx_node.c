/* NodeProto, AttributeProto and ValueInfoProto. */
#include <string.h>

#include "engine/artifact/onnx_model.h"
#include "engine/artifact/refuse.h"

enum {
    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OPERATOR = 4,
    NODE_ATTRIBUTE = 5,
    NODE_DOMAIN = 7,
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_S = 4,
    ATTRIBUTE_T = 5,
    ATTRIBUTE_G = 6,
    ATTRIBUTE_FLOATS = 7,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_TYPE = 20,
    ATTRIBUTE_REFERENCE = 21,
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_ELEMENT = 1,
    TENSOR_SHAPE = 2,
    SHAPE_DIMENSION = 1,
    DIMENSION_VALUE = 1,
    DIMENSION_SYMBOL = 2,
};

static float float_of_bits(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

/* Values of `floats` or `ints` into an array: the count is only known by reading, packed values being as
 * short as one byte, so room is made for the most that the bytes can hold and the limit is checked while they
 * are read. */
static kas_status read_list(const kas_onnx_source *source, kas_span message, uint32_t number, bool floats,
                            kas_onnx_attribute *out)
{
    kas_wire wire = kas_wire_of(source->file, message);
    kas_wire_field field;
    uint64_t buffer[KAS_ONNX_MAX_LIST], value;
    size_t count = 0;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number != number) continue;
        kas_wire_values values;
        KAS_TRY(kas_wire_values_of(source->file, &field, floats ? KAS_WIRE_FIXED32 : KAS_WIRE_VARINT,
                                   "attribute values", &values));
        for (;;) {
            KAS_TRY(kas_wire_values_next(&values, &value, &more));
            if (!more) break;
            if (count == KAS_ONNX_MAX_LIST)
                return kas_refuse(KAS_REASON_LIMIT, "a list of more than %d values", (int)KAS_ONNX_MAX_LIST);
            buffer[count++] = value;
        }
    }
    void *room;
    KAS_TRY(kas_arena_take(source->arena, count, floats ? sizeof(float) : sizeof(int64_t), &room));
    for (size_t i = 0; i < count; ++i)
        if (floats)
            ((float *)room)[i] = float_of_bits(buffer[i]);
        else
            ((int64_t *)room)[i] = (int64_t)buffer[i];
    if (floats) {
        out->floats = room;
        out->float_count = count;
    } else {
        out->ints = room;
        out->int_count = count;
    }
    return NULL;
}

static kas_status read_attribute_tensor(const kas_onnx_source *source, kas_span bytes,
                                        kas_onnx_attribute *out)
{
    void *room;
    KAS_TRY(kas_arena_take(source->arena, 1, sizeof(kas_onnx_tensor), &room));
    KAS_TRY(kas_onnx_read_tensor(source, bytes, room));
    out->tensor = room;
    return NULL;
}

static kas_status read_attribute_text(const kas_onnx_source *source, const kas_wire_field *field,
                                      kas_onnx_attribute *out)
{
    KAS_TRY(kas_wire_expect(field, KAS_WIRE_BYTES, "attribute"));
    switch (field->number) {
    case ATTRIBUTE_NAME:
        out->name = field->bytes;
        return NULL;
    case ATTRIBUTE_S:
        out->s = field->bytes;
        return NULL;
    case ATTRIBUTE_G:
        out->graph = field->bytes;
        return NULL;
    case ATTRIBUTE_REFERENCE:
        out->reference = field->bytes;
        return NULL;
    default:
        return read_attribute_tensor(source, field->bytes, out);
    }
}

/* Notes which value stands in the attribute, for writers that leave `type` out. */
static int32_t implied_type(uint32_t number)
{
    return number >= ATTRIBUTE_F && number <= ATTRIBUTE_INTS ? (int32_t)number - 1 : 0;
}

static kas_status read_attribute_field(const kas_onnx_source *source, const kas_wire_field *field,
                                       kas_onnx_attribute *out)
{
    switch (field->number) {
    case ATTRIBUTE_F:
        KAS_TRY(kas_wire_expect(field, KAS_WIRE_FIXED32, "attribute.f"));
        out->f = float_of_bits(field->value);
        return NULL;
    case ATTRIBUTE_I:
        KAS_TRY(kas_wire_expect(field, KAS_WIRE_VARINT, "attribute.i"));
        out->i = (int64_t)field->value;
        return NULL;
    case ATTRIBUTE_NAME:
    case ATTRIBUTE_S:
    case ATTRIBUTE_T:
    case ATTRIBUTE_G:
    case ATTRIBUTE_REFERENCE:
        return read_attribute_text(source, field, out);
    default:
        return NULL;
    }
}

static kas_status read_attribute(const kas_onnx_source *source, kas_span bytes, kas_onnx_attribute *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    int32_t implied = 0;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) break;
        if (implied_type(field.number)) implied = implied_type(field.number);
        if (field.number == ATTRIBUTE_TYPE) {
            KAS_TRY(kas_wire_expect(&field, KAS_WIRE_VARINT, "attribute.type"));
            out->type = field.value > INT32_MAX ? INT32_MAX : (int32_t)field.value;
        }
        KAS_TRY(read_attribute_field(source, &field, out));
    }
    if (out->type == KAS_ONNX_ATTRIBUTE_UNDEFINED) out->type = implied;
    if (out->type == KAS_ONNX_ATTRIBUTE_FLOATS) return read_list(source, bytes, ATTRIBUTE_FLOATS, true, out);
    if (out->type == KAS_ONNX_ATTRIBUTE_INTS) return read_list(source, bytes, ATTRIBUTE_INTS, false, out);
    return NULL;
}

kas_status kas_onnx_read_attributes(const kas_onnx_source *source, kas_span message, uint32_t field,
                                    const kas_onnx_attribute **out, size_t *count)
{
    const kas_span *texts;
    void *room;
    KAS_TRY(
        kas_onnx_read_texts(source, message, field, "attributes", KAS_ONNX_MAX_ATTRIBUTES, &texts, count));
    KAS_TRY(kas_arena_take(source->arena, *count, sizeof(kas_onnx_attribute), &room));
    kas_onnx_attribute *attributes = room;
    for (size_t i = 0; i < *count; ++i) {
        kas_status status = read_attribute(source, texts[i], &attributes[i]);
        if (status) return kas_annotate(status, "attribute \"%.*s\"", KAS_SPAN_ARGS(attributes[i].name));
        for (size_t k = 0; k < i; ++k)
            if (kas_span_equal(attributes[k].name, attributes[i].name))
                return kas_refuse(KAS_REASON_MALFORMED, "the attribute \"%.*s\" is given twice",
                                  KAS_SPAN_ARGS(attributes[i].name));
    }
    *out = attributes;
    return NULL;
}

static kas_status read_node_texts(const kas_onnx_source *source, kas_span bytes, kas_onnx_node *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) return NULL;
        if (field.number != NODE_NAME && field.number != NODE_OPERATOR && field.number != NODE_DOMAIN)
            continue;
        KAS_TRY(kas_wire_expect(&field, KAS_WIRE_BYTES, "node name, op_type or domain"));
        if (field.number == NODE_NAME) out->name = field.bytes;
        if (field.number == NODE_OPERATOR) out->operator_type = field.bytes;
        if (field.number == NODE_DOMAIN) out->domain = field.bytes;
    }
}

static kas_status read_node(const kas_onnx_source *source, kas_span bytes, kas_onnx_node *out)
{
    KAS_TRY(read_node_texts(source, bytes, out));
    KAS_TRY(kas_onnx_read_texts(source, bytes, NODE_INPUT, "inputs", KAS_ONNX_MAX_ARGUMENTS, &out->inputs,
                                &out->input_count));
    KAS_TRY(kas_onnx_read_texts(source, bytes, NODE_OUTPUT, "outputs", KAS_ONNX_MAX_ARGUMENTS, &out->outputs,
                                &out->output_count));
    return kas_onnx_read_attributes(source, bytes, NODE_ATTRIBUTE, &out->attributes, &out->attribute_count);
}

kas_status kas_onnx_read_nodes(const kas_onnx_source *source, kas_span message, uint32_t field,
                               const kas_onnx_node **out, size_t *count)
{
    const kas_span *texts;
    void *room;
    KAS_TRY(kas_onnx_read_texts(source, message, field, "nodes", source->max_nodes, &texts, count));
    KAS_TRY(kas_arena_take(source->arena, *count, sizeof(kas_onnx_node), &room));
    kas_onnx_node *nodes = room;
    for (size_t i = 0; i < *count; ++i) {
        kas_status status = read_node(source, texts[i], &nodes[i]);
        if (status)
            return kas_annotate(status, "node %zu %.*s \"%.*s\"", i, KAS_SPAN_ARGS(nodes[i].operator_type),
                                KAS_SPAN_ARGS(nodes[i].name));
    }
    *out = nodes;
    return NULL;
}

static kas_status read_dimension(const kas_onnx_source *source, kas_span bytes, kas_onnx_value_info *out)
{
    if (out->rank == KAS_ONNX_MAX_RANK)
        return kas_refuse(KAS_REASON_LIMIT, "more than %d dimensions", (int)KAS_ONNX_MAX_RANK);
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    out->dims[out->rank] = -1;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number == DIMENSION_VALUE) {
            KAS_TRY(kas_wire_expect(&field, KAS_WIRE_VARINT, "dim_value"));
            out->dims[out->rank] = (int64_t)field.value < 0 ? -1 : (int64_t)field.value;
        } else if (field.number == DIMENSION_SYMBOL) {
            KAS_TRY(kas_wire_expect(&field, KAS_WIRE_BYTES, "dim_param"));
            out->symbols[out->rank] = field.bytes;
        }
    }
    ++out->rank;
    return NULL;
}

static kas_status read_shape(const kas_onnx_source *source, kas_span bytes, kas_onnx_value_info *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    out->has_shape = true;
    out->rank = 0;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) return NULL;
        if (field.number != SHAPE_DIMENSION) continue;
        KAS_TRY(kas_wire_expect(&field, KAS_WIRE_BYTES, "dim"));
        KAS_TRY(read_dimension(source, field.bytes, out));
    }
}

static kas_status read_tensor_type(const kas_onnx_source *source, kas_span bytes, kas_onnx_value_info *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    out->is_tensor = true;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) return NULL;
        if (field.number == TENSOR_ELEMENT) {
            KAS_TRY(kas_wire_expect(&field, KAS_WIRE_VARINT, "elem_type"));
            out->type = field.value > INT32_MAX ? -1 : (int32_t)field.value;
        } else if (field.number == TENSOR_SHAPE) {
            KAS_TRY(kas_wire_expect(&field, KAS_WIRE_BYTES, "shape"));
            KAS_TRY(read_shape(source, field.bytes, out));
        }
    }
}

/* Types that are no tensors (sequences, maps, optionals) are left closed: nesting costs nothing. */
static kas_status read_type(const kas_onnx_source *source, kas_span bytes, kas_onnx_value_info *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) return NULL;
        if (field.number != TYPE_TENSOR) continue;
        KAS_TRY(kas_wire_expect(&field, KAS_WIRE_BYTES, "tensor_type"));
        KAS_TRY(read_tensor_type(source, field.bytes, out));
    }
}

kas_status kas_onnx_read_value_info(const kas_onnx_source *source, kas_span bytes, kas_onnx_value_info *out)
{
    kas_wire wire = kas_wire_of(source->file, bytes);
    kas_wire_field field;
    bool more;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) return NULL;
        if (field.number != VALUE_NAME && field.number != VALUE_TYPE) continue;
        KAS_TRY(kas_wire_expect(&field, KAS_WIRE_BYTES, "value name or type"));
        if (field.number == VALUE_NAME)
            out->name = field.bytes;
        else
            KAS_TRY(read_type(source, field.bytes, out));
    }
}
