/* Operators that make or rename values without computing: constants, casts, shapes. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/onnx_tensor.h"
#include "engine/artifact/refuse.h"

kas_status kas_onnx_dims_of_integers(const kas_integer *integers, size_t count, kas_onnx_value *out)
{
    if (count > KAS_ONNX_MAX_RANK)
        return kas_refuse(KAS_REASON_LIMIT, "a shape of rank %zu is over the limit of %d dimensions", count,
                          (int)KAS_ONNX_MAX_RANK);
    out->rank = (int)count;
    out->batch_axis = -1;
    for (int i = 0; i < out->rank; ++i) {
        if (integers[i].kind == KAS_INTEGER_UNKNOWN)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "dimension %d of a shape is no multiple of the batch", i);
        if (integers[i].kind == KAS_INTEGER_BATCH) {
            if (out->batch_axis >= 0)
                return kas_refuse(KAS_REASON_MIXES_ROWS, "the batch is in two dimensions of a shape");
            out->batch_axis = i;
        }
        out->dims[i] = integers[i].value;
    }
    return NULL;
}

/* ---- Constant ----------------------------------------------------------------------------------------------- */

static kas_status constant_floats(kas_onnx_call *call, const float *floats, size_t count, int rank)
{
    const kas_shape shape = {.rank = rank, .dims = {(int64_t)count}};
    kas_onnx_value *value;
    float *values;
    KAS_TRY(kas_onnx_value_new(call->reader, NULL, &value));
    value->rank = rank;
    value->dims[0] = (int64_t)count;
    KAS_TRY(kas_onnx_constant_room(call->reader, count, &values));
    if (count) memcpy(values, floats, count * sizeof *values);
    KAS_TRY(kas_onnx_emit_constant(call->reader, NULL, &shape, values, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

static kas_status constant_integers(kas_onnx_call *call, const int64_t *ints, size_t count, int rank)
{
    kas_onnx_value *value;
    KAS_TRY(kas_onnx_value_of_integers(call->reader, rank, count, &value));
    for (size_t i = 0; i < count; ++i)
        value->integers[i].value = ints[i];
    return kas_onnx_output(call, 0, value);
}

static kas_status constant_tensor(kas_onnx_call *call, const kas_onnx_tensor *tensor)
{
    kas_onnx_value *value;
    if (!tensor) return kas_refuse(KAS_REASON_MALFORMED, "the attribute value holds no tensor");
    KAS_TRY(kas_onnx_value_new(call->reader, NULL, &value));
    value->type = tensor->type;
    value->rank = tensor->rank;
    memcpy(value->dims, tensor->dims, sizeof value->dims);
    value->initializer = tensor;
    value->counted = true;
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_constant(kas_onnx_call *call)
{
    if (call->attribute_count != 1)
        return kas_refuse(KAS_REASON_MALFORMED, "a constant has one attribute, not %zu", call->attribute_count);
    const kas_onnx_attribute *attribute = &call->attributes[0];
    switch (attribute->type) {
    case KAS_ONNX_ATTRIBUTE_TENSOR:
        return constant_tensor(call, attribute->tensor);
    case KAS_ONNX_ATTRIBUTE_FLOAT:
        return constant_floats(call, &attribute->f, 1, 0);
    case KAS_ONNX_ATTRIBUTE_FLOATS:
        return constant_floats(call, attribute->floats, attribute->float_count, 1);
    case KAS_ONNX_ATTRIBUTE_INT:
        return constant_integers(call, &attribute->i, 1, 0);
    case KAS_ONNX_ATTRIBUTE_INTS:
        return constant_integers(call, attribute->ints, attribute->int_count, 1);
    default:
        return kas_refuse(KAS_REASON_UNSUPPORTED, "a constant by the attribute \"%.*s\" is not supported",
                          KAS_SPAN_ARGS(attribute->name));
    }
}

/* ---- ConstantOfShape ---------------------------------------------------------------------------------------- */

static kas_status fill_value(kas_onnx_call *call, kas_onnx_value *value, float *out)
{
    const kas_onnx_attribute *attribute = kas_onnx_attribute_find(call, "value");
    *out = 0;
    if (!attribute) return NULL;
    if (!attribute->tensor || attribute->tensor->elements != 1)
        return kas_refuse(KAS_REASON_MALFORMED, "the attribute value must be a tensor of one element");
    value->type = attribute->tensor->type;
    return kas_onnx_tensor_floats(call->reader->file, attribute->tensor, out);
}

static kas_status fill(kas_onnx_call *call, kas_onnx_value *value, float with)
{
    kas_shape shape;
    size_t elements;
    float *values;
    char text[KAS_ONNX_SHAPE_TEXT];
    KAS_TRY(kas_onnx_row_shape(value, &shape));
    if (!kas_shape_elements(&shape, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "the size of shape %s is zero or over the limit",
                          kas_shape_text(&shape, text, sizeof text));
    KAS_TRY(kas_onnx_constant_room(call->reader, elements, &values));
    for (size_t i = 0; i < elements; ++i)
        values[i] = with;
    KAS_TRY(kas_onnx_emit_constant(call->reader, NULL, &shape, values, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_constant_of_shape(kas_onnx_call *call)
{
    const kas_integer *integers;
    size_t count;
    kas_onnx_value *value;
    float with;
    KAS_TRY(kas_onnx_integers(call->reader, call->inputs[0], &integers, &count));
    if (!integers) return kas_refuse(KAS_REASON_UNSUPPORTED, "the shape must be a constant list of integers");
    KAS_TRY(kas_onnx_value_new(call->reader, NULL, &value));
    KAS_TRY(kas_onnx_dims_of_integers(integers, count, value));
    KAS_TRY(fill_value(call, value, &with));
    if (!kas_onnx_type_is_integer(value->type) || value->batch_axis >= 0 || value->rank > 1)
        return fill(call, value, with);
    kas_onnx_value *list;
    if (value->rank == 1 && value->dims[0] < 0) return kas_refuse(KAS_REASON_SHAPE, "a negative dimension");
    KAS_TRY(kas_onnx_value_of_integers(call->reader, value->rank, value->rank ? (size_t)value->dims[0] : 1, &list));
    list->type = value->type;
    for (size_t i = 0; i < list->integer_count; ++i)
        list->integers[i].value = (int64_t)with;
    return kas_onnx_output(call, 0, list);
}

/* ---- renaming ----------------------------------------------------------------------------------------------- */

static kas_status lower_identity(kas_onnx_call *call)
{
    kas_onnx_value *value;
    KAS_TRY(kas_onnx_value_alias(call->reader, call->inputs[0], &value));
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_dropout(kas_onnx_call *call)
{
    int64_t training = 0;
    size_t count = 1;
    int64_t list[KAS_ONNX_MAX_LIST];
    if (kas_onnx_input(call, 2)) {
        KAS_TRY(kas_onnx_known_integers(call->reader, kas_onnx_input(call, 2), "training_mode", list, &count));
        training = count ? list[0] : 0;
    }
    if (training)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "training_mode is true; a kernel is exported for inference");
    return lower_identity(call);
}

/* ---- Cast --------------------------------------------------------------------------------------------------- */

static kas_status truncate_constant(kas_onnx_reader *reader, const float *from, size_t count, kas_onnx_value *value)
{
    float *values;
    kas_shape shape;
    KAS_TRY(kas_onnx_row_shape(value, &shape));
    KAS_TRY(kas_onnx_constant_room(reader, count, &values));
    for (size_t i = 0; i < count; ++i)
        values[i] = value->type == KAS_ONNX_BOOL ? (float)(from[i] != 0) : truncf(from[i]);
    KAS_TRY(kas_onnx_emit_constant(reader, NULL, &shape, values, &value->tensor));
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
static kas_status cast_down(kas_onnx_reader *reader, kas_onnx_value *x, kas_onnx_value *value)
{
    int tensor;
    size_t count;
    KAS_TRY(kas_onnx_tensor_index(reader, x, &tensor));
    const float *constant = kas_onnx_constant(reader, x, &count);
    if (constant) return truncate_constant(reader, constant, count, value);
    if (value->type != KAS_ONNX_BOOL)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "casting what depends on the input to %s is not supported",
                          kas_onnx_type_name(value->type));
    KAS_TRY(kas_onnx_emit_unary(reader, KAS_ACT_NOT, 0, 0, tensor, &tensor));
    return kas_onnx_emit_unary(reader, KAS_ACT_NOT, 0, 0, tensor, &value->tensor);
}

static kas_status cast_integers(kas_onnx_reader *reader, const kas_integer *integers, size_t count, int64_t type,
                                kas_onnx_value *value)
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
    kas_onnx_value *x = call->inputs[0], *value;
    const kas_integer *integers;
    size_t count;
    const bool known = type > 0 && type <= INT32_MAX &&
                       (kas_onnx_type_is_float((int32_t)type) || kas_onnx_type_is_integer((int32_t)type));
    if (!known)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "casting to the type %lld (%s) is not supported", (long long)type,
                          type > 0 && type < INT32_MAX ? kas_onnx_type_name((int32_t)type) : "unknown");
    KAS_TRY(kas_onnx_integers(call->reader, x, &integers, &count));
    const bool to_integer = kas_onnx_type_is_integer((int32_t)type);
    if (kas_onnx_type_is_float(x->type) && to_integer) {
        KAS_TRY(kas_onnx_value_new(call->reader, x, &value));
        value->type = (int32_t)type;
        if (integers)
            KAS_TRY(cast_integers(call->reader, integers, count, type, value));
        else
            KAS_TRY(cast_down(call->reader, x, value));
        return kas_onnx_output(call, 0, value);
    }
    KAS_TRY(kas_onnx_value_alias(call->reader, x, &value));
    value->type = (int32_t)type;
    if (integers) KAS_TRY(cast_integers(call->reader, integers, count, type, value));
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_cast(kas_onnx_call *call)
{
    int64_t type;
    if (!kas_onnx_attribute_find(call, "to")) return kas_refuse(KAS_REASON_MALFORMED, "the attribute to is missing");
    KAS_TRY(kas_onnx_attribute_int(call, "to", 0, &type));
    return cast_to(call, type);
}

static kas_status lower_cast_like(kas_onnx_call *call)
{
    return cast_to(call, call->inputs[1]->type);
}

/* ---- Shape and Size ----------------------------------------------------------------------------------------- */

static int clamp_to_rank(int64_t at, int rank)
{
    if (at < 0) at += rank;
    return at < 0 ? 0 : at > rank ? rank : (int)at;
}

static kas_status lower_shape(kas_onnx_call *call)
{
    const kas_onnx_value *x = call->inputs[0];
    kas_onnx_value *value;
    int64_t start, end;
    if (x->items) return kas_refuse(KAS_REASON_UNSUPPORTED, "a sequence has no shape");
    KAS_TRY(kas_onnx_attribute_int(call, "start", 0, &start));
    KAS_TRY(kas_onnx_attribute_int(call, "end", x->rank, &end));
    const int first = clamp_to_rank(start, x->rank), last = clamp_to_rank(end, x->rank);
    KAS_TRY(kas_onnx_value_of_integers(call->reader, 1, last > first ? (size_t)(last - first) : 0, &value));
    for (int i = first; i < last; ++i)
        value->integers[i - first] = (kas_integer){
            .kind = i == x->batch_axis ? KAS_INTEGER_BATCH : KAS_INTEGER_KNOWN, .value = x->dims[i]};
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_size(kas_onnx_call *call)
{
    const kas_onnx_value *x = call->inputs[0];
    kas_onnx_value *value;
    if (x->items) return kas_refuse(KAS_REASON_UNSUPPORTED, "a sequence has no size");
    KAS_TRY(kas_onnx_value_of_integers(call->reader, 0, 1, &value));
    value->integers[0] =
        (kas_integer){.kind = x->batch_axis >= 0 ? KAS_INTEGER_BATCH : KAS_INTEGER_KNOWN, .value = 1};
    for (int i = 0; i < x->rank; ++i)
        if (__builtin_mul_overflow(value->integers[0].value, x->dims[i], &value->integers[0].value))
            return kas_refuse(KAS_REASON_LIMIT, "the size overflows");
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_constant[] = {
    {"Cast", lower_cast, "to saturate round_mode", 1, 1, 0},
    {"CastLike", lower_cast_like, "saturate round_mode", 2, 2, 0},
    {"Constant", lower_constant, "value value_float value_floats value_int value_ints", 0, 0, 0},
    {"ConstantOfShape", lower_constant_of_shape, "value", 1, 1, 0},
    {"Dropout", lower_dropout, "ratio seed", 1, 3, 0},
    {"Identity", lower_identity, "", 1, 1, 0},
    {"Shape", lower_shape, "start end", 1, 1, 0},
    {"Size", lower_size, "", 1, 1, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
