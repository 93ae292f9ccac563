/* Protocol Buffers' wire format, read in place: nothing is copied, nothing recurses, and every length is
 * checked against what is really there. Fields that a message's reader does not know are skipped, as the
 * format wants it. */
#ifndef KAS_ONNX_WIRE_H
#define KAS_ONNX_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "engine/artifact/span.h"

typedef enum kas_wire_type {
    KAS_WIRE_VARINT = 0,
    KAS_WIRE_FIXED64 = 1,
    KAS_WIRE_BYTES = 2,
    KAS_WIRE_FIXED32 = 5,
} kas_wire_type;

typedef struct kas_wire {
    const uint8_t *file; /* the artifact's first byte: positions in messages count from it */
    const uint8_t *at, *end;
} kas_wire;

typedef struct kas_wire_field {
    uint32_t number;
    kas_wire_type type;
    uint64_t value; /* VARINT, FIXED32, FIXED64: its bits */
    kas_span bytes; /* BYTES */
    size_t offset;  /* of the field in the artifact */
} kas_wire_field;

kas_wire kas_wire_of(const uint8_t *file, kas_span message);

/* The next field; *more is false at the end of the message. */
kas_status kas_wire_next(kas_wire *wire, kas_wire_field *field, bool *more) KAS_MUST_USE;

/* Refuses a known field that comes with another wire type than its own. */
kas_status kas_wire_expect(const kas_wire_field *field, kas_wire_type type, const char *name) KAS_MUST_USE;

/* How many fields of this number a message has, wherever they stand. */
kas_status kas_wire_count(const uint8_t *file, kas_span message, uint32_t number, size_t *out) KAS_MUST_USE;

/* Reads values of a repeated scalar, packed or not, one after the other. Start with {0}, hand it each field
 * of the number in turn, and take values while there are some. */
typedef struct kas_wire_values {
    kas_wire_type type; /* of one value */
    kas_wire rest;
    bool single;
    uint64_t value;
} kas_wire_values;

kas_status kas_wire_values_of(const uint8_t *file, const kas_wire_field *field, kas_wire_type type,
                              const char *name, kas_wire_values *out) KAS_MUST_USE;
kas_status kas_wire_values_next(kas_wire_values *values, uint64_t *out, bool *more) KAS_MUST_USE;

#endif
