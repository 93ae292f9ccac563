/* Casts. Everything is computed in float32: a cast to another type of floats keeps the value, one to integers
 * truncates it; integers about shapes stay what they are. */
#include <math.h>

#include "base/alloc.h"
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

static kas_status truncate_constant(kas_reader *reader, const float *from, size_t count,
                                    kas_reader_value *value)
{
    float *values;
    kas_shape shape;
    KAS_TRY(kas_reader_row_shape(value, &shape));
    KAS_TRY(kas_reader_emit_constant_room(reader, count, &values));
    for (size_t i = 0; i < count; ++i)
        values[i] = value->type == KAS_ONNX_BOOL ? (float)(from[i] != 0) : truncf(from[i]);
    KAS_TRY(kas_reader_emit_constant(reader, NULL, &shape, values, &value->tensor));
    if (count > KAS_ONNX_MAX_LIST || value->rank > 1) return NULL;
    void *room;
    KAS_TRY(kas_arena_take(reader->source.arena, count, sizeof(kas_integer), &room));
    value->integers = room;
    value->integer_count = count;
    for (size_t i = 0; i < count; ++i)
        value->integers[i].value = fabsf(from[i]) < 1e18f ? (int64_t)from[i] : 0;
    return NULL;
}

/* From float to an integer type. */
static kas_status cast_down(kas_reader *reader, kas_reader_value *x, kas_reader_value *value)
{
    int tensor;
    size_t count;
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    const float *constant = kas_reader_constant(reader, x, &count);
    if (constant) return truncate_constant(reader, constant, count, value);
    if (value->type != KAS_ONNX_BOOL) return kas_reader_emit_truncate(reader, tensor, &value->tensor);
    KAS_TRY(kas_reader_emit_unary(reader, KAS_ACT_NOT, 0, 0, tensor, &tensor));
    return kas_reader_emit_unary(reader, KAS_ACT_NOT, 0, 0, tensor, &value->tensor);
}

static kas_status cast_integers(kas_reader *reader, const kas_integer *integers, size_t count, int64_t type,
                                kas_reader_value *value)
{
    void *room;
    KAS_TRY(kas_arena_take(reader->source.arena, count, sizeof(kas_integer), &room));
    value->integers = room;
    value->integer_count = count;
    for (size_t i = 0; i < count; ++i) {
        value->integers[i] = integers[i];
        if (type == KAS_ONNX_BOOL && integers[i].kind == KAS_INTEGER_KNOWN)
            value->integers[i].value = integers[i].value != 0;
    }
    return NULL;
}

static kas_status cast_to(kas_onnx_call *call, int64_t type)
{
    kas_reader_value *x = call->inputs[0], *value;
    const kas_integer *integers;
    size_t count;
    const bool known = type > 0 && type <= INT32_MAX && !kas_onnx_type_is_float8((int32_t)type) &&
                       (kas_onnx_type_is_float((int32_t)type) || kas_onnx_type_is_integer((int32_t)type));
    if (!known)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "casting to the type %lld (%s) is not supported",
                          (long long)type,
                          type > 0 && type < INT32_MAX ? kas_onnx_type_name((int32_t)type) : "unknown");
    KAS_TRY(kas_reader_integers(call->reader, x, &integers, &count));
    const bool to_integer = kas_onnx_type_is_integer((int32_t)type);
    if (kas_onnx_type_is_float(x->type) && to_integer) {
        KAS_TRY(kas_reader_value_new(call->reader, x, &value));
        value->type = (int32_t)type;
        if (integers)
            KAS_TRY(cast_integers(call->reader, integers, count, type, value));
        else
            KAS_TRY(cast_down(call->reader, x, value));
        return kas_onnx_output(call, 0, value);
    }
    KAS_TRY(kas_reader_value_alias(call->reader, x, &value));
    value->type = (int32_t)type;
    if (integers) KAS_TRY(cast_integers(call->reader, integers, count, type, value));
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_cast(kas_onnx_call *call)
{
    int64_t type;
    if (!kas_onnx_attribute_find(call, "to"))
        return kas_refuse(KAS_REASON_MALFORMED, "the attribute to is missing");
    KAS_TRY(kas_onnx_attribute_int(call, "to", 0, &type));
    return cast_to(call, type);
}

static kas_status lower_cast_like(kas_onnx_call *call)
{
    return cast_to(call, call->inputs[1]->type);
}

const kas_onnx_op kas_onnx_ops_cast[] = {
    {"Cast", lower_cast, "to saturate round_mode", 1, 1, 0},
    {"CastLike", lower_cast_like, "saturate round_mode", 2, 2, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
