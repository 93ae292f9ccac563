/* Opcodes that stand for a number or a text, and those that frame the pickle. */
#include <string.h>

#include "engine/artifact/pickle_machine.h"
#include "engine/artifact/refuse.h"

enum { PROTOCOL_MIN = 2, PROTOCOL_MAX = 5 };

kas_status kas_pickle_do_proto(kas_pickle_machine *machine, unsigned argument)
{
    uint64_t protocol;
    (void)argument;
    KAS_TRY(kas_pickle_take_number(machine, 1, &protocol));
    if (protocol >= PROTOCOL_MIN && protocol <= PROTOCOL_MAX) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED, "pickle protocol %u; %d to %d are known", (unsigned)protocol,
                      (int)PROTOCOL_MIN, (int)PROTOCOL_MAX);
}

/* Frames only help a reader to fetch ahead. */
kas_status kas_pickle_do_frame(kas_pickle_machine *machine, unsigned argument)
{
    uint64_t size;
    (void)argument;
    KAS_TRY(kas_pickle_take_number(machine, 8, &size));
    if (size <= machine->bytes.size - machine->at) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "a frame's length of %llu bytes goes beyond the end",
                      (unsigned long long)size);
}

kas_status kas_pickle_do_none(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *value;
    (void)argument;
    return kas_pickle_push_new(machine, KAS_PICKLE_NONE, &value);
}

kas_status kas_pickle_do_bool(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *value;
    KAS_TRY(kas_pickle_push_new(machine, KAS_PICKLE_BOOL, &value));
    value->boolean = argument != 0;
    return NULL;
}

/* ---- numbers ---- */

static kas_status push_integer(kas_pickle_machine *machine, int64_t integer)
{
    kas_pickle_value *value;
    KAS_TRY(kas_pickle_push_new(machine, KAS_PICKLE_INT, &value));
    value->integer = integer;
    return NULL;
}

kas_status kas_pickle_do_int(kas_pickle_machine *machine, unsigned argument)
{
    uint64_t bits;
    KAS_TRY(kas_pickle_take_number(machine, argument, &bits));
    return push_integer(machine, (int64_t)bits);
}

kas_status kas_pickle_do_binint(kas_pickle_machine *machine, unsigned argument)
{
    uint64_t bits;
    (void)argument;
    KAS_TRY(kas_pickle_take_number(machine, 4, &bits));
    return push_integer(machine, (int32_t)(uint32_t)bits);
}

/* Big-endian, alone among all literals. */
kas_status kas_pickle_do_float(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *value;
    uint64_t bits;
    (void)argument;
    KAS_TRY(kas_pickle_take_number(machine, sizeof bits, &bits));
    KAS_TRY(kas_pickle_push_new(machine, KAS_PICKLE_FLOAT, &value));
    bits = __builtin_bswap64(bits);
    memcpy(&value->number, &bits, sizeof bits);
    return NULL;
}

/* Two's complement of any length, little-endian: beyond 64 bits if a byte above them is more than their sign.
 */
static bool fits(kas_span bytes, int64_t *out)
{
    const bool negative = bytes.size && bytes.data[bytes.size - 1] & 0x80;
    uint64_t bits = negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes.size && i < 8; ++i) {
        bits &= ~((uint64_t)0xff << (8 * i));
        bits |= (uint64_t)bytes.data[i] << (8 * i);
    }
    for (size_t i = 8; i < bytes.size; ++i)
        if (bytes.data[i] != (negative ? 0xff : 0)) return false;
    *out = (int64_t)bits;
    return (*out < 0) == negative;
}

kas_status kas_pickle_do_long(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *value;
    kas_span bytes;
    uint64_t size;
    int64_t integer;
    KAS_TRY(kas_pickle_take_number(machine, argument, &size));
    if (argument == 4 && size > INT32_MAX)
        return kas_refuse(KAS_REASON_MALFORMED, "the negative length %d", (int)(int32_t)(uint32_t)size);
    KAS_TRY(kas_pickle_take(machine, size, &bytes));
    if (fits(bytes, &integer)) return push_integer(machine, integer);
    return kas_pickle_push_new(machine, KAS_PICKLE_BIG_INT, &value);
}

/* ---- texts ---- */

static kas_status push_span(kas_pickle_machine *machine, kas_pickle_kind kind, unsigned length_bytes)
{
    kas_pickle_value *value;
    uint64_t size;
    KAS_TRY(kas_pickle_take_number(machine, length_bytes, &size));
    KAS_TRY(kas_pickle_push_new(machine, kind, &value));
    return kas_pickle_take(machine, size, &value->text);
}

kas_status kas_pickle_do_text(kas_pickle_machine *machine, unsigned argument)
{
    kas_pickle_value *value;
    KAS_TRY(push_span(machine, KAS_PICKLE_TEXT, argument));
    KAS_TRY(kas_pickle_top(machine, &value));
    if (kas_span_is_utf8(value->text)) return NULL;
    return kas_refuse(KAS_REASON_MALFORMED, "a string that is not UTF-8");
}

kas_status kas_pickle_do_bytes(kas_pickle_machine *machine, unsigned argument)
{
    return push_span(machine, KAS_PICKLE_BYTES, argument);
}
