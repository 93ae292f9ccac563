/* The protobuf reader by itself: what it takes, what it refuses, and that it says where. */
#include <criterion/criterion.h>
#include <string.h>

#include "engine/artifact/onnx_wire.h"
#include "tests/artifact/onnx_build.h"

TestSuite(onnx_wire);

static kas_wire wire_over(const message *m)
{
    return kas_wire_of(m->bytes, (kas_span){.data = m->bytes, .size = m->size});
}

static void expect_message(kas_status status, const char *text)
{
    cr_assert_not_null(status, "expected: %s", text);
    cr_expect_str_eq(kas_status_message(status), text);
    cr_expect_str_eq(kas_status_reason(status), "malformed");
    cr_expect_eq(kas_status_code(status), KAS_INVALID_ARTIFACT);
    kas_status_free(status);
}

/* Reads fields until one is refused. */
static void expect_refusal(message *m, const char *text)
{
    kas_wire wire = wire_over(m);
    kas_wire_field field;
    bool more = true;
    kas_status status = NULL;
    while (!status && more)
        status = kas_wire_next(&wire, &field, &more);
    expect_message(status, text);
    message_free(m);
}

Test(onnx_wire, every_wire_type)
{
    message m = {0};
    put_varint(&m, 1, UINT64_MAX);
    put_tag(&m, 2, 1);
    for (uint8_t i = 1; i <= 8; ++i)
        put_byte(&m, i);
    put_text(&m, 3, "abc");
    put_float(&m, 536870911, 1.0f); /* the greatest field number */
    kas_wire wire = wire_over(&m);
    kas_wire_field field;
    bool more;
    cr_assert_null(kas_wire_next(&wire, &field, &more));
    cr_expect(more && field.number == 1 && field.type == KAS_WIRE_VARINT && field.value == UINT64_MAX);
    cr_expect_eq(field.offset, 0);
    cr_assert_null(kas_wire_next(&wire, &field, &more));
    cr_expect(more && field.number == 2 && field.type == KAS_WIRE_FIXED64);
    cr_expect_eq(field.value, 0x0807060504030201u);
    cr_expect_eq(field.offset, 11);
    cr_assert_null(kas_wire_next(&wire, &field, &more));
    cr_expect(more && field.number == 3 && field.type == KAS_WIRE_BYTES && kas_span_is(field.bytes, "abc"));
    cr_assert_null(kas_wire_next(&wire, &field, &more));
    cr_expect(more && field.number == 536870911 && field.type == KAS_WIRE_FIXED32 &&
              field.value == 0x3f800000);
    cr_assert_null(kas_wire_next(&wire, &field, &more));
    cr_expect_not(more);
    message_free(&m);
}

Test(onnx_wire, varints_end)
{
    message m = {0};
    put_tag(&m, 1, 0);
    for (int i = 0; i < 9; ++i)
        put_byte(&m, 0x80);
    put_byte(&m, 2); /* bit 64 */
    expect_refusal(&m, "byte 1: a malformed varint, overlong or over 64 bits");
    put_tag(&m, 1, 0);
    for (int i = 0; i < 12; ++i)
        put_byte(&m, 0x80);
    expect_refusal(&m, "byte 1: a malformed varint, overlong or over 64 bits");
    put_varint(&m, 1, 5);
    put_tag(&m, 2, 0);
    put_byte(&m, 0xff);
    expect_refusal(&m, "byte 3: a varint goes beyond the end of its message");
}

Test(onnx_wire, lengths_stay_inside)
{
    message m = {0};
    put_tag(&m, 4, 2);
    put_bare_varint(&m, 4);
    put_byte(&m, 'a');
    expect_refusal(&m, "byte 1: a length of 4 bytes goes beyond the end, 1 bytes are left (truncated?)");
    put_tag(&m, 4, 2);
    put_bare_varint(&m, UINT64_MAX);
    expect_refusal(&m, "byte 1: a length of 18446744073709551615 bytes goes beyond the end, 0 bytes are left "
                       "(truncated?)");
    put_tag(&m, 4, 5);
    put_byte(&m, 1);
    expect_refusal(&m, "byte 1: a value of 4 bytes goes beyond the end of its message");
    put_tag(&m, 4, 1);
    put_byte(&m, 1);
    expect_refusal(&m, "byte 1: a value of 8 bytes goes beyond the end of its message");
}

Test(onnx_wire, tags_are_checked)
{
    message m = {0};
    put_byte(&m, 0);
    expect_refusal(&m, "byte 0: the tag 0 has no valid field number");
    put_bare_varint(&m, (uint64_t)1 << 32);
    expect_refusal(&m, "byte 0: the tag 4294967296 has no valid field number");
    put_tag(&m, 9, 3);
    expect_refusal(&m, "byte 0: field 9 is a group, which ONNX does not use");
    put_tag(&m, 9, 4);
    expect_refusal(&m, "byte 0: field 9 is a group, which ONNX does not use");
    put_tag(&m, 9, 7);
    expect_refusal(&m, "byte 0: field 9 has the wire type 7, which does not exist");
}

Test(onnx_wire, known_fields_have_their_type)
{
    message m = {0};
    put_varint(&m, 8, 3);
    kas_wire wire = wire_over(&m);
    kas_wire_field field;
    bool more;
    cr_assert_null(kas_wire_next(&wire, &field, &more));
    cr_expect_null(kas_wire_expect(&field, KAS_WIRE_VARINT, "name"));
    expect_message(kas_wire_expect(&field, KAS_WIRE_BYTES, "name"),
                   "byte 0: field 8 (name) has wire type 0, not 2");
    message_free(&m);
}

Test(onnx_wire, counting)
{
    message m = {0};
    size_t count;
    put_varint(&m, 1, 1);
    put_text(&m, 2, "x");
    put_varint(&m, 1, 2);
    cr_expect_null(kas_wire_count(m.bytes, (kas_span){.data = m.bytes, .size = m.size}, 1, &count));
    cr_expect_eq(count, 2);
    put_byte(&m, 0);
    expect_message(kas_wire_count(m.bytes, (kas_span){.data = m.bytes, .size = m.size}, 1, &count),
                   "byte 7: the tag 0 has no valid field number");
    message_free(&m);
}

static size_t sum_values(const message *m, kas_wire_type type, uint64_t *sum)
{
    kas_wire wire = wire_over(m);
    kas_wire_field field;
    kas_wire_values values;
    size_t count = 0;
    uint64_t value;
    bool more;
    *sum = 0;
    while (!kas_wire_next(&wire, &field, &more) && more) {
        cr_assert_null(kas_wire_values_of(m->bytes, &field, type, "values", &values));
        while (!kas_wire_values_next(&values, &value, &more) && more) {
            *sum += value;
            ++count;
        }
    }
    return count;
}

/* Writers may pack a repeated scalar, or not, or both in one message. */
Test(onnx_wire, repeated_scalars)
{
    message m = {0}, packed = {0};
    uint64_t sum;
    put_varint(&m, 1, 7);
    put_bare_varint(&packed, 300);
    put_bare_varint(&packed, 1);
    put_message(&m, 1, &packed);
    put_bytes(&m, 1, "", 0);
    put_varint(&m, 1, 5);
    cr_expect_eq(sum_values(&m, KAS_WIRE_VARINT, &sum), 4);
    cr_expect_eq(sum, 313);
    message_free(&m);
    put_bytes(&m, 1, "\1\0\0\0\2\0\0\0", 8);
    cr_expect_eq(sum_values(&m, KAS_WIRE_FIXED32, &sum), 2);
    cr_expect_eq(sum, 3);
    cr_expect_eq(sum_values(&m, KAS_WIRE_FIXED64, &sum), 1);
    cr_expect_eq(sum, 0x200000001);
    message_free(&m);
}

Test(onnx_wire, packed_values_end_where_their_bytes_end)
{
    message m = {0};
    kas_wire_field field;
    kas_wire_values values;
    uint64_t value;
    bool more;
    put_bytes(&m, 1, "\1\0\0\0\2", 5);
    kas_wire wire = wire_over(&m);
    cr_assert_null(kas_wire_next(&wire, &field, &more));
    cr_assert_null(kas_wire_values_of(m.bytes, &field, KAS_WIRE_FIXED32, "floats", &values));
    cr_assert_null(kas_wire_values_next(&values, &value, &more));
    expect_message(kas_wire_values_next(&values, &value, &more),
                   "byte 6: a value of 4 bytes goes beyond the end of its message");
    message_free(&m);
    put_varint(&m, 1, 1);
    wire = wire_over(&m);
    cr_assert_null(kas_wire_next(&wire, &field, &more));
    expect_message(kas_wire_values_of(m.bytes, &field, KAS_WIRE_FIXED32, "floats", &values),
                   "byte 0: field 1 (floats) has wire type 0, not 5");
    message_free(&m);
}

Test(onnx_wire, spans)
{
    const kas_span abc = {.data = (const uint8_t *)"abc", .size = 3}, nothing = {0};
    cr_expect(kas_span_is(abc, "abc") && !kas_span_is(abc, "ab") && !kas_span_is(abc, "abcd"));
    cr_expect(kas_span_is(nothing, "") && !kas_span_is(nothing, "a"));
    cr_expect(kas_span_equal(abc, abc) && kas_span_equal(nothing, nothing) && !kas_span_equal(abc, nothing));
}
