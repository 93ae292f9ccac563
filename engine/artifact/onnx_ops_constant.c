/* Operators that make or rename values without computing: constants, shapes. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/onnx_tensor.h"
#include "engine/artifact/refuse.h"

kas_status kas_reader_dims_of_integers(const kas_integer *integers, size_t count, kas_reader_value *out)
{
    if (count > KAS_READER_MAX_RANK)
        return kas_refuse(KAS_REASON_LIMIT, "a shape of rank %zu is over the limit of %d dimensions", count,
                          (int)KAS_READER_MAX_RANK);
    out->rank = (int)count;
    out->batch_axis = -1;
    for (int i = 0; i < out->rank; ++i) {
        if (integers[i].kind == KAS_INTEGER_UNKNOWN)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "dimension %d of a shape is no multiple of the batch",
                              i);
        if (integers[i].kind == KAS_INTEGER_BATCH) {
            if (out->batch_axis >= 0)
                return kas_refuse(KAS_REASON_MIXES_ROWS, "the batch is in two dimensions of a shape");
            out->batch_axis = i;
        }
        out->dims[i] = integers[i].value;
    }
    return NULL;
}

/* ---- Constant ---- */

static kas_status constant_floats(kas_onnx_call *call, const float *floats, size_t count, int rank)
{
    const kas_shape shape = {.rank = rank, .dims = {(int64_t)count}};
    kas_reader_value *value;
    float *values;
    KAS_TRY(kas_reader_value_new(call->reader, NULL, &value));
    value->rank = rank;
    value->dims[0] = (int64_t)count;
    KAS_TRY(kas_reader_emit_constant_room(call->reader, count, &values));
    if (count) memcpy(values, floats, count * sizeof *values);
    KAS_TRY(kas_reader_emit_constant(call->reader, NULL, &shape, values, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

static kas_status constant_integers(kas_onnx_call *call, const int64_t *ints, size_t count, int rank)
{
    kas_reader_value *value;
    KAS_TRY(kas_reader_value_of_integers(call->reader, rank, count, &value));
    for (size_t i = 0; i < count; ++i)
        value->integers[i].value = ints[i];
    return kas_onnx_output(call, 0, value);
}

static kas_status constant_tensor(kas_onnx_call *call, const kas_onnx_tensor *tensor)
{
    kas_reader_value *value;
    if (!tensor) return kas_refuse(KAS_REASON_MALFORMED, "the attribute value holds no tensor");
    KAS_TRY(kas_reader_value_new(call->reader, NULL, &value));
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
        return kas_refuse(KAS_REASON_MALFORMED, "a constant has one attribute, not %zu",
                          call->attribute_count);
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

/* ---- ConstantOfShape ---- */

static kas_status fill_value(kas_onnx_call *call, kas_reader_value *value, float *out)
{
    const kas_onnx_attribute *attribute = kas_onnx_attribute_find(call, "value");
    *out = 0;
    if (!attribute) return NULL;
    if (!attribute->tensor || attribute->tensor->elements != 1)
        return kas_refuse(KAS_REASON_MALFORMED, "the attribute value must be a tensor of one element");
    value->type = attribute->tensor->type;
    return kas_onnx_tensor_floats(call->reader->file, attribute->tensor, out);
}

static kas_status fill(kas_onnx_call *call, kas_reader_value *value, float with, size_t output)
{
    kas_shape shape;
    size_t elements;
    float *values;
    char text[KAS_READER_SHAPE_TEXT];
    KAS_TRY(kas_reader_row_shape(value, &shape));
    if (!kas_shape_elements(&shape, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "the size of shape %s is zero or over the limit",
                          kas_shape_text(&shape, text, sizeof text));
    KAS_TRY(kas_reader_emit_constant_room(call->reader, elements, &values));
    for (size_t i = 0; i < elements; ++i)
        values[i] = with;
    KAS_TRY(kas_reader_emit_constant(call->reader, NULL, &shape, values, &value->tensor));
    return kas_onnx_output(call, output, value);
}

static kas_status lower_constant_of_shape(kas_onnx_call *call)
{
    const kas_integer *integers;
    size_t count;
    kas_reader_value *value;
    float with;
    KAS_TRY(kas_reader_integers(call->reader, call->inputs[0], &integers, &count));
    if (!integers) return kas_refuse(KAS_REASON_UNSUPPORTED, "the shape must be a constant list of integers");
    KAS_TRY(kas_reader_value_new(call->reader, NULL, &value));
    KAS_TRY(kas_reader_dims_of_integers(integers, count, value));
    KAS_TRY(fill_value(call, value, &with));
    if (!kas_onnx_type_is_integer(value->type) || value->batch_axis >= 0 || value->rank > 1)
        return fill(call, value, with, 0);
    kas_reader_value *list;
    if (value->rank == 1 && value->dims[0] < 0) return kas_refuse(KAS_REASON_SHAPE, "a negative dimension");
    KAS_TRY(kas_reader_value_of_integers(call->reader, value->rank, value->rank ? (size_t)value->dims[0] : 1,
                                         &list));
    list->type = value->type;
    for (size_t i = 0; i < list->integer_count; ++i)
        list->integers[i].value = (int64_t)with;
    return kas_onnx_output(call, 0, list);
}

/* ---- Range ---- */

/* Whether float64 holds it, and sums of such cannot overflow. */
static bool is_exact(int64_t number)
{
    return number > -((int64_t)1 << 53) && number < (int64_t)1 << 53;
}

static kas_status range_of_integers(kas_onnx_call *call)
{
    int64_t from[KAS_ONNX_MAX_LIST], to[KAS_ONNX_MAX_LIST], step[KAS_ONNX_MAX_LIST];
    size_t counts[3];
    kas_reader_value *value;
    KAS_TRY(kas_reader_known_integers(call->reader, call->inputs[0], "start", from, &counts[0]));
    KAS_TRY(kas_reader_known_integers(call->reader, call->inputs[1], "limit", to, &counts[1]));
    KAS_TRY(kas_reader_known_integers(call->reader, call->inputs[2], "delta", step, &counts[2]));
    if (counts[0] != 1 || counts[1] != 1 || counts[2] != 1 || *step == 0 || !is_exact(*from) ||
        !is_exact(*to))
        return kas_refuse(KAS_REASON_SHAPE,
                          "start, limit and delta must be single numbers in range, delta not 0");
    const double count = ceil(((double)*to - (double)*from) / (double)*step);
    KAS_TRY(kas_reader_value_of_integers(call->reader, 1, count > 0 ? (size_t)count : 0, &value));
    value->type = call->inputs[0]->type;
    for (size_t i = 0; i < value->integer_count; ++i)
        value->integers[i].value = *from + (int64_t)i * *step;
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_range(kas_onnx_call *call)
{
    float from, to, step, *values;
    kas_reader_value *value;
    if (kas_onnx_type_is_integer(call->inputs[0]->type)) return range_of_integers(call);
    KAS_TRY(kas_reader_scalar(call->reader, call->inputs[0], "start", &from));
    KAS_TRY(kas_reader_scalar(call->reader, call->inputs[1], "limit", &to));
    KAS_TRY(kas_reader_scalar(call->reader, call->inputs[2], "delta", &step));
    const double count = ceil(((double)to - (double)from) / (double)step);
    if (!(count >= 1) || count > (double)KAS_GRAPH_MAX_ELEMENTS)
        return kas_refuse(KAS_REASON_LIMIT, "a range of %g values: none, or over the limit", count);
    const kas_shape shape = {.rank = 1, .dims = {(int64_t)count}};
    KAS_TRY(kas_reader_value_new(call->reader, NULL, &value));
    value->rank = 1;
    value->dims[0] = shape.dims[0];
    KAS_TRY(kas_reader_emit_constant_room(call->reader, (size_t)count, &values));
    for (size_t i = 0; i < (size_t)count; ++i)
        values[i] = (float)((double)from + (double)i * (double)step);
    KAS_TRY(kas_reader_emit_constant(call->reader, NULL, &shape, values, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

/* ---- renaming ---- */

static kas_status lower_identity(kas_onnx_call *call)
{
    kas_reader_value *value;
    KAS_TRY(kas_reader_value_alias(call->reader, call->inputs[0], &value));
    return kas_onnx_output(call, 0, value);
}

/* The mask of a dropout that drops nothing. */
static kas_status give_full_mask(kas_onnx_call *call)
{
    kas_reader_value *mask;
    if (!kas_onnx_has_output(call, 1)) return NULL;
    KAS_TRY(kas_reader_value_new(call->reader, call->inputs[0], &mask));
    mask->type = KAS_ONNX_BOOL;
    return fill(call, mask, 1, 1);
}

static kas_status lower_dropout(kas_onnx_call *call)
{
    int64_t training = 0;
    size_t count = 1;
    int64_t list[KAS_ONNX_MAX_LIST];
    if (kas_onnx_input(call, 2)) {
        KAS_TRY(
            kas_reader_known_integers(call->reader, kas_onnx_input(call, 2), "training_mode", list, &count));
        training = count ? list[0] : 0;
    }
    if (training)
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "training_mode is true; a kernel is exported for inference");
    KAS_TRY(give_full_mask(call));
    return lower_identity(call);
}

/* ---- Shape and Size ---- */

static int clamp_to_rank(int64_t at, int rank)
{
    if (at < 0) at += rank;
    return at < 0 ? 0 : at > rank ? rank : (int)at;
}

static kas_status lower_shape(kas_onnx_call *call)
{
    const kas_reader_value *x = call->inputs[0];
    kas_reader_value *value;
    int64_t start, end;
    if (x->items) return kas_refuse(KAS_REASON_UNSUPPORTED, "a sequence has no shape");
    KAS_TRY(kas_onnx_attribute_int(call, "start", 0, &start));
    KAS_TRY(kas_onnx_attribute_int(call, "end", x->rank, &end));
    const int first = clamp_to_rank(start, x->rank), last = clamp_to_rank(end, x->rank);
    KAS_TRY(kas_reader_value_of_integers(call->reader, 1, last > first ? (size_t)(last - first) : 0, &value));
    for (int i = first; i < last; ++i)
        value->integers[i - first] = (kas_integer){
            .kind = i == x->batch_axis ? KAS_INTEGER_BATCH : KAS_INTEGER_KNOWN, .value = x->dims[i]};
    return kas_onnx_output(call, 0, value);
}

static kas_status lower_size(kas_onnx_call *call)
{
    const kas_reader_value *x = call->inputs[0];
    kas_reader_value *value;
    if (x->items) return kas_refuse(KAS_REASON_UNSUPPORTED, "a sequence has no size");
    KAS_TRY(kas_reader_value_of_integers(call->reader, 0, 1, &value));
    value->integers[0] =
        (kas_integer){.kind = x->batch_axis >= 0 ? KAS_INTEGER_BATCH : KAS_INTEGER_KNOWN, .value = 1};
    for (int i = 0; i < x->rank; ++i)
        if (__builtin_mul_overflow(value->integers[0].value, x->dims[i], &value->integers[0].value))
            return kas_refuse(KAS_REASON_LIMIT, "the size overflows");
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_constant[] = {
    {"Constant", lower_constant, "value value_float value_floats value_int value_ints", 0, 0, 0},
    {"ConstantOfShape", lower_constant_of_shape, "value", 1, 1, 0},
    {"Dropout", lower_dropout, "ratio seed", 1, 3, 0},
    {"Identity", lower_identity, "", 1, 1, 0},
    {"Range", lower_range, "", 3, 3, 0},
    {"Shape", lower_shape, "start end", 1, 1, 0},
    {"Size", lower_size, "", 1, 1, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
