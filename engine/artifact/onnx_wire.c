#include "engine/artifact/onnx_wire.h"

#include <string.h>

#include "engine/artifact/refuse.h"

enum { VARINT_MAX_BYTES = 10, WIRE_GROUP_START = 3, WIRE_GROUP_END = 4 };

kas_wire kas_wire_of(const uint8_t *file, kas_span message)
{
    return (kas_wire){.file = file, .at = message.data, .end = message.data + message.size};
}

static size_t offset_of(const kas_wire *wire)
{
    return (size_t)(wire->at - wire->file);
}

static kas_status read_varint(kas_wire *wire, uint64_t *out)
{
    const size_t start = offset_of(wire);
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_MAX_BYTES; ++i) {
        if (wire->at == wire->end)
            return kas_refuse(KAS_REASON_MALFORMED, "byte %zu: a varint goes beyond the end of its message",
                              start);
        const uint8_t byte = *wire->at++;
        if (i == VARINT_MAX_BYTES - 1 && byte > 1) break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (!(byte & 0x80)) {
            *out = value;
            return NULL;
        }
    }
    return kas_refuse(KAS_REASON_MALFORMED, "byte %zu: a malformed varint, overlong or over 64 bits", start);
}

static kas_status read_fixed(kas_wire *wire, size_t size, uint64_t *out)
{
    if ((size_t)(wire->end - wire->at) < size)
        return kas_refuse(KAS_REASON_MALFORMED,
                          "byte %zu: a value of %zu bytes goes beyond the end of its message",
                          offset_of(wire), size);
    uint64_t value = 0;
    for (size_t i = 0; i < size; ++i)
        value |= (uint64_t)wire->at[i] << (8 * i);
    wire->at += size;
    *out = value;
    return NULL;
}

static kas_status read_bytes(kas_wire *wire, kas_span *out)
{
    uint64_t length;
    const size_t start = offset_of(wire);
    KAS_TRY(read_varint(wire, &length));
    const size_t left = (size_t)(wire->end - wire->at);
    if (length > left)
        return kas_refuse(
            KAS_REASON_MALFORMED,
            "byte %zu: a length of %llu bytes goes beyond the end, %zu bytes are left (truncated?)", start,
            (unsigned long long)length, left);
    *out = (kas_span){.data = wire->at, .size = (size_t)length};
    wire->at += length;
    return NULL;
}

static kas_status read_payload(kas_wire *wire, unsigned type, kas_wire_field *field)
{
    field->type = (kas_wire_type)type;
    switch (type) {
    case KAS_WIRE_VARINT:
        return read_varint(wire, &field->value);
    case KAS_WIRE_FIXED64:
        return read_fixed(wire, 8, &field->value);
    case KAS_WIRE_BYTES:
        return read_bytes(wire, &field->bytes);
    case KAS_WIRE_FIXED32:
        return read_fixed(wire, 4, &field->value);
    case WIRE_GROUP_START:
    case WIRE_GROUP_END:
        return kas_refuse(KAS_REASON_MALFORMED, "byte %zu: field %u is a group, which ONNX does not use",
                          field->offset, (unsigned)field->number);
    default:
        return kas_refuse(KAS_REASON_MALFORMED,
                          "byte %zu: field %u has the wire type %u, which does not exist", field->offset,
                          (unsigned)field->number, type);
    }
}

kas_status kas_wire_next(kas_wire *wire, kas_wire_field *field, bool *more)
{
    *field = (kas_wire_field){.offset = offset_of(wire)};
    *more = wire->at < wire->end;
    if (!*more) return NULL;
    uint64_t tag;
    KAS_TRY(read_varint(wire, &tag));
    if (tag >> 3 == 0 || tag > UINT32_MAX)
        return kas_refuse(KAS_REASON_MALFORMED, "byte %zu: the tag %llu has no valid field number",
                          field->offset, (unsigned long long)tag);
    field->number = (uint32_t)(tag >> 3);
    return read_payload(wire, (unsigned)(tag & 7), field);
}

kas_status kas_wire_expect(const kas_wire_field *field, kas_wire_type type, const char *name)
{
    if (field->type == type) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "byte %zu: field %u (%s) has wire type %d, not %d", field->offset,
                      (unsigned)field->number, name, (int)field->type, (int)type);
}

kas_status kas_wire_count(const uint8_t *file, kas_span message, uint32_t number, size_t *out)
{
    kas_wire wire = kas_wire_of(file, message);
    kas_wire_field field;
    bool more;
    *out = 0;
    for (;;) {
        KAS_TRY(kas_wire_next(&wire, &field, &more));
        if (!more) return NULL;
        if (field.number == number) ++*out;
    }
}

kas_status kas_wire_values_of(const uint8_t *file, const kas_wire_field *field, kas_wire_type type,
                              const char *name, kas_wire_values *out)
{
    if (field->type == KAS_WIRE_BYTES) {
        *out = (kas_wire_values){.type = type, .rest = kas_wire_of(file, field->bytes)};
        return NULL;
    }
    KAS_TRY(kas_wire_expect(field, type, name));
    *out = (kas_wire_values){.type = type, .single = true, .value = field->value};
    return NULL;
}

kas_status kas_wire_values_next(kas_wire_values *values, uint64_t *out, bool *more)
{
    if (values->single) {
        values->single = false;
        *out = values->value;
        *more = true;
        return NULL;
    }
    *more = values->rest.at < values->rest.end;
    if (!*more) return NULL;
    if (values->type == KAS_WIRE_VARINT) return read_varint(&values->rest, out);
    return read_fixed(&values->rest, values->type == KAS_WIRE_FIXED64 ? 8 : 4, out);
}
