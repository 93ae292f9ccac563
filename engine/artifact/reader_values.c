/* Full shapes with their batch, and the row tensors that belong to them. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/onnx_tensor.h"
#include "engine/artifact/reader.h"
#include "engine/artifact/refuse.h"

kas_status kas_reader_value_new(kas_reader *reader, const kas_reader_value *like, kas_reader_value **out)
{
    void *room;
    KAS_TRY(kas_arena_take(reader->source.arena, 1, sizeof(kas_reader_value), &room));
    kas_reader_value *value = room;
    value->type = like ? like->type : KAS_ONNX_FLOAT;
    value->rank = like ? like->rank : 0;
    if (like) memcpy(value->dims, like->dims, sizeof value->dims);
    value->batch_axis = like ? like->batch_axis : -1;
    value->tensor = -1;
    *out = value;
    return NULL;
}

kas_status kas_reader_value_alias(kas_reader *reader, kas_reader_value *value, kas_reader_value **out)
{
    int tensor;
    if (value->initializer && kas_onnx_type_is_float(value->initializer->type))
        KAS_TRY(kas_reader_tensor_index(reader, value, &tensor)); /* one constant, however many names */
    KAS_TRY(kas_reader_value_new(reader, value, out));
    kas_reader_value *copy = *out;
    copy->tensor = value->tensor;
    copy->integers = value->integers;
    copy->integer_count = value->integer_count;
    copy->items = value->items;
    copy->item_count = value->item_count;
    if (value->tensor < 0) copy->initializer = value->initializer;
    copy->counted = value->counted && value->tensor < 0;
    return NULL;
}

const char *kas_reader_shape_text(const kas_reader_value *value, char out[KAS_READER_SHAPE_TEXT])
{
    size_t at = 0;
    at += (size_t)snprintf(out, KAS_READER_SHAPE_TEXT, "[");
    for (int i = 0; i < value->rank && at < KAS_READER_SHAPE_TEXT - 32; ++i) {
        const char *comma = i ? ", " : "";
        const long long dim = (long long)value->dims[i];
        int n;
        if (i != value->batch_axis)
            n = snprintf(out + at, KAS_READER_SHAPE_TEXT - at, "%s%lld", comma, dim);
        else if (dim == 1)
            n = snprintf(out + at, KAS_READER_SHAPE_TEXT - at, "%sbatch", comma);
        else
            n = snprintf(out + at, KAS_READER_SHAPE_TEXT - at, "%s%lld*batch", comma, dim);
        at += (size_t)n;
    }
    snprintf(out + at, KAS_READER_SHAPE_TEXT - at, "]");
    return out;
}

static bool drops_axis(const kas_reader_value *value)
{
    return value->batch_axis >= 0 && value->dims[value->batch_axis] == 1;
}

static kas_status shape_without(const kas_reader_value *value, int dropped, kas_shape *out)
{
    *out = (kas_shape){0};
    for (int i = 0; i < value->rank; ++i) {
        if (i == dropped) continue;
        if (out->rank == KAS_MAX_RANK)
            return kas_refuse(KAS_REASON_LIMIT, "the rank %d is over the limit of %d dimensions of a row",
                              value->rank, (int)KAS_MAX_RANK);
        out->dims[out->rank++] = value->dims[i];
    }
    return NULL;
}

kas_status kas_reader_row_shape(const kas_reader_value *value, kas_shape *out)
{
    return shape_without(value, drops_axis(value) ? value->batch_axis : -1, out);
}

kas_status kas_reader_kept_shape(const kas_reader_value *value, kas_shape *out)
{
    return shape_without(value, -1, out);
}

kas_status kas_reader_row_axis(const kas_reader_value *value, int axis, int *out)
{
    if (axis == value->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS,
                          "it works along axis %d, which holds the batch: rows would depend on "
                          "each other",
                          axis);
    *out = axis - (drops_axis(value) && axis > value->batch_axis);
    return NULL;
}

/* ---- constants ---- */

static kas_status load_initializer(kas_reader *reader, kas_reader_value *value)
{
    const kas_onnx_tensor *tensor = value->initializer;
    kas_shape shape;
    float *values;
    KAS_TRY(kas_reader_row_shape(value, &shape));
    if (tensor->elements == 0) return kas_refuse(KAS_REASON_SHAPE, "it is empty: its size is zero");
    KAS_TRY(kas_reader_emit_constant_room(reader, tensor->elements, &values));
    kas_status status = kas_onnx_tensor_floats(reader->file, tensor, values);
    if (status) {
        kas_free(values);
        return status;
    }
    char name[KAS_SPAN_SHOWN + 1];
    snprintf(name, sizeof name, "%.*s", KAS_SPAN_ARGS(value->name));
    KAS_TRY(kas_reader_emit_constant(reader, name, &shape, values, &value->tensor));
    if (value->counted && tensor->rank > 0) reader->parameter_count += tensor->elements;
    if (reader->parameter_count <= reader->limits->parameters) return NULL;
    return kas_refuse(KAS_REASON_LIMIT, "with it there are %llu parameters, over the limit of %llu",
                      (unsigned long long)reader->parameter_count,
                      (unsigned long long)reader->limits->parameters);
}

static kas_status floats_of_integers(kas_reader *reader, kas_reader_value *value)
{
    kas_shape shape;
    float *values;
    KAS_TRY(kas_reader_row_shape(value, &shape));
    for (size_t i = 0; i < value->integer_count; ++i)
        if (value->integers[i].kind != KAS_INTEGER_KNOWN)
            return kas_refuse(KAS_REASON_MIXES_ROWS, "a value depends on the size of the batch");
    KAS_TRY(kas_reader_emit_constant_room(reader, value->integer_count, &values));
    for (size_t i = 0; i < value->integer_count; ++i)
        values[i] = (float)value->integers[i].value;
    return kas_reader_emit_constant(reader, NULL, &shape, values, &value->tensor);
}

kas_status kas_reader_tensor_index(kas_reader *reader, kas_reader_value *value, int *out)
{
    kas_status status = NULL;
    if (value->tensor < 0) {
        if (value->initializer)
            status = load_initializer(reader, value);
        else if (value->integers)
            status = floats_of_integers(reader, value);
        else
            status = kas_refuse(KAS_REASON_UNSUPPORTED, "a sequence stands where a tensor is needed");
    }
    *out = value->tensor;
    return kas_annotate(status, "\"%.*s\"", KAS_SPAN_ARGS(value->name));
}

const float *kas_reader_constant(const kas_reader *reader, const kas_reader_value *value, size_t *count)
{
    if (value->tensor < 0) return NULL;
    const kas_tensor *tensor = &reader->graph->tensors[value->tensor];
    *count = tensor->elements;
    return tensor->constant;
}

kas_status kas_reader_scalar(kas_reader *reader, kas_reader_value *value, const char *what, float *out)
{
    int tensor;
    size_t count;
    KAS_TRY(kas_reader_tensor_index(reader, value, &tensor));
    const float *values = kas_reader_constant(reader, value, &count);
    if (!values) return kas_refuse(KAS_REASON_UNSUPPORTED, "%s must be a constant", what);
    if (count != 1) return kas_refuse(KAS_REASON_SHAPE, "%s has %zu values, it must have one", what, count);
    *out = values[0];
    return NULL;
}

/* ---- broadcasting ---- */

static kas_status find_batch_axis(kas_reader_value *const *operands, size_t count, kas_reader_value *result)
{
    result->batch_axis = -1;
    for (size_t i = 0; i < count; ++i) {
        const kas_reader_value *operand = operands[i];
        if (operand->batch_axis < 0) continue;
        const int axis = result->rank - operand->rank + operand->batch_axis;
        if (result->batch_axis >= 0 && result->batch_axis != axis)
            return kas_refuse(KAS_REASON_MIXES_ROWS,
                              "the batch is at different axes of the operands: every row would "
                              "meet every other");
        result->batch_axis = axis;
    }
    return NULL;
}

static kas_status broadcast_dims(const kas_reader_value *operand, kas_reader_value *result)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    const int lead = result->rank - operand->rank;
    for (int i = 0; i < operand->rank; ++i) {
        int64_t *dim = &result->dims[lead + i];
        const bool at_batch = lead + i == result->batch_axis, has_batch = i == operand->batch_axis;
        if (at_batch && !has_batch && operand->dims[i] != 1)
            return kas_refuse(KAS_REASON_MIXES_ROWS,
                              "a constant of shape %s has %lld rows of its own where the batch "
                              "is: it does not broadcast to any batch",
                              kas_reader_shape_text(operand, a), (long long)operand->dims[i]);
        if (operand->dims[i] == *dim || (operand->dims[i] == 1 && !has_batch)) continue;
        if (*dim != 1 || at_batch)
            return kas_refuse(KAS_REASON_SHAPE,
                              "shapes do not broadcast: %s has %lld where another has %lld (%s)",
                              kas_reader_shape_text(operand, a), (long long)operand->dims[i], (long long)*dim,
                              kas_reader_shape_text(result, b));
        *dim = operand->dims[i];
    }
    return NULL;
}

/* An operand without batch has 1 where the row has no axis: that axis goes. */
kas_status kas_reader_align(kas_reader *reader, kas_reader_value *operand, const kas_reader_value *result,
                            int *out)
{
    KAS_TRY(kas_reader_tensor_index(reader, operand, out));
    const int axis = result->batch_axis - (result->rank - operand->rank);
    if (!drops_axis(result) || operand->batch_axis >= 0 || axis < 0) return NULL;
    kas_shape shape;
    KAS_TRY(shape_without(operand, axis, &shape));
    return kas_reader_emit_view(reader, *out, &shape, out);
}

kas_status kas_reader_broadcast(kas_reader *reader, kas_reader_value *const *operands, size_t count,
                                int *tensors, kas_reader_value *result)
{
    result->rank = 0;
    for (size_t i = 0; i < count; ++i)
        if (operands[i]->rank > result->rank) result->rank = operands[i]->rank;
    result->type = operands[0]->type;
    for (int i = 0; i < result->rank; ++i)
        result->dims[i] = 1;
    KAS_TRY(find_batch_axis(operands, count, result));
    for (size_t i = 0; i < count; ++i) /* the batch's own size first: all must agree on it */
        if (operands[i]->batch_axis >= 0)
            result->dims[result->batch_axis] = operands[i]->dims[operands[i]->batch_axis];
    for (size_t i = 0; i < count; ++i)
        KAS_TRY(broadcast_dims(operands[i], result));
    for (size_t i = 0; i < count; ++i)
        KAS_TRY(kas_reader_align(reader, operands[i], result, &tensors[i]));
    return NULL;
}

kas_status kas_reader_settle(kas_reader *reader, int tensor, kas_reader_value *value)
{
    kas_shape shape;
    KAS_TRY(kas_reader_row_shape(value, &shape));
    return kas_reader_emit_view(reader, tensor, &shape, &value->tensor);
}
