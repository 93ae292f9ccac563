/* Operators that pick, cut and join along an axis. */
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

/* ---- Slice ---- */

kas_status kas_reader_slice(kas_reader *reader, kas_reader_value *x, int axis, int64_t begin, int64_t step,
                            int64_t size, kas_reader_value **out)
{
    int64_t stride[KAS_MAX_RANK];
    int tensor, row_axis;
    KAS_TRY(kas_reader_row_axis(x, axis, &row_axis));
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    kas_shape shape = reader->graph->tensors[tensor].shape;
    KAS_TRY(kas_reader_value_new(reader, x, out));
    (*out)->dims[axis] = size;
    kas_shape_strides(&shape, stride);
    shape.dims[row_axis] = size;
    const int64_t offset = begin * stride[row_axis];
    stride[row_axis] *= step;
    return kas_reader_emit_strided(reader, tensor, &shape, offset, stride, &(*out)->tensor);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* Python's rules: negative positions count from the end, all are clamped. */
static kas_status slice_range(int64_t dim, int64_t *begin, int64_t end, int64_t *step, int64_t *size)
{
    if (*step == 0) return kas_refuse(KAS_REASON_SHAPE, "the step is 0");
    *step = clamp(*step, -(dim + 1), dim + 1);
    if (*begin < 0) *begin += dim;
    if (end < 0) end += dim;
    *begin = *step > 0 ? clamp(*begin, 0, dim) : clamp(*begin, 0, dim - 1);
    end = *step > 0 ? clamp(end, 0, dim) : clamp(end, -1, dim - 1);
    *size = *step > 0 ? (end - *begin + *step - 1) / *step : (*begin - end - *step - 1) / -*step;
    if (*size < 0) *size = 0;
    return NULL;
}

static kas_status slice_integers(kas_reader *reader, kas_reader_value *x, int64_t begin, int64_t step,
                                 int64_t size, kas_reader_value **out)
{
    const kas_integer *integers;
    size_t count;
    KAS_TRY(kas_reader_integers(reader, x, &integers, &count));
    KAS_TRY(kas_reader_value_of_integers(reader, 1, (size_t)size, out));
    (*out)->type = x->type;
    for (int64_t i = 0; i < size; ++i)
        (*out)->integers[i] = integers[begin + i * step];
    return NULL;
}

static kas_status slice_axis(kas_reader *reader, kas_reader_value *x, int axis, int64_t begin, int64_t end,
                             int64_t step, kas_reader_value **out)
{
    bool integers;
    int64_t size;
    *out = x;
    if (axis == x->batch_axis) {
        const int64_t all = reader->fixed_batch ? reader->fixed_batch : INT32_MAX;
        if (begin == 0 && step == 1 && end >= all) return NULL;
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it cuts along axis %d, which holds the batch", axis);
    }
    KAS_TRY(slice_range(x->dims[axis], &begin, end, &step, &size));
    if (begin == 0 && step == 1 && size == x->dims[axis]) return NULL;
    KAS_TRY(kas_reader_are_integers(reader, &x, 1, &integers));
    if (integers && x->rank == 1) return slice_integers(reader, x, begin, step, size, out);
    if (size == 0)
        return kas_refuse(KAS_REASON_SHAPE, "the slice of %lld elements is empty: a size of zero",
                          (long long)x->dims[axis]);
    return kas_reader_slice(reader, x, axis, begin, step, size, out);
}

typedef struct slice_lists {
    int64_t starts[KAS_ONNX_MAX_LIST], ends[KAS_ONNX_MAX_LIST], axes[KAS_ONNX_MAX_LIST],
        steps[KAS_ONNX_MAX_LIST];
    size_t count;
} slice_lists;

static kas_status read_slice_lists(kas_onnx_call *call, slice_lists *lists)
{
    size_t ends, axes, steps;
    bool given, has_axes, has_steps;
    KAS_TRY(kas_onnx_list(call, "starts", 1, lists->starts, &lists->count, &given));
    if (!given) return kas_refuse(KAS_REASON_MALFORMED, "starts are missing");
    KAS_TRY(kas_onnx_list(call, "ends", 2, lists->ends, &ends, &given));
    KAS_TRY(kas_onnx_list(call, "axes", 3, lists->axes, &axes, &has_axes));
    KAS_TRY(kas_onnx_list(call, "steps", 4, lists->steps, &steps, &has_steps));
    if (ends != lists->count || (has_axes && axes != ends) || (has_steps && steps != ends))
        return kas_refuse(KAS_REASON_SHAPE, "%zu starts, %zu ends, %zu axes, %zu steps do not agree",
                          lists->count, ends, axes, steps);
    if (lists->count > KAS_READER_MAX_RANK)
        return kas_refuse(KAS_REASON_SHAPE, "%zu axes are sliced", lists->count);
    for (size_t i = 0; i < lists->count; ++i) {
        if (!has_axes) lists->axes[i] = (int64_t)i;
        if (!has_steps) lists->steps[i] = 1;
    }
    return NULL;
}

static kas_status lower_slice(kas_onnx_call *call)
{
    kas_reader_value *value = call->inputs[0];
    void *room;
    KAS_TRY(kas_arena_take(call->reader->source.arena, 1, sizeof(slice_lists), &room));
    slice_lists *lists = room;
    KAS_TRY(read_slice_lists(call, lists));
    for (size_t i = 0; i < lists->count; ++i) {
        int axis;
        KAS_TRY(kas_reader_axis(lists->axes[i], value->rank, &axis));
        KAS_TRY(
            slice_axis(call->reader, value, axis, lists->starts[i], lists->ends[i], lists->steps[i], &value));
    }
    KAS_TRY(kas_reader_value_alias(call->reader, value, &value));
    return kas_onnx_output(call, 0, value);
}

/* ---- Split ---- */

static kas_status split_sizes(kas_onnx_call *call, int64_t dim, int64_t *sizes, size_t *count)
{
    int64_t parts, sum = 0;
    bool given;
    KAS_TRY(kas_onnx_list(call, "split", 1, sizes, count, &given));
    KAS_TRY(kas_onnx_attribute_int(call, "num_outputs", (int64_t)call->node->output_count, &parts));
    if (!given) {
        if (parts < 1 || parts > KAS_ONNX_MAX_ARGUMENTS || parts > dim)
            return kas_refuse(KAS_REASON_SHAPE, "%lld values cannot be split into %lld parts", (long long)dim,
                              (long long)parts);
        const int64_t size = (dim + parts - 1) / parts;
        *count = (size_t)parts;
        for (int64_t i = 0; i < parts; ++i)
            sizes[i] = i + 1 < parts ? size : dim - size * (parts - 1);
    }
    for (size_t i = 0; i < *count; ++i) {
        if (sizes[i] < 1 || sizes[i] > dim)
            return kas_refuse(KAS_REASON_SHAPE, "part %zu of the split has a size of %lld, of %lld values", i,
                              (long long)sizes[i], (long long)dim);
        sum += sizes[i];
    }
    if (sum != dim || *count < call->node->output_count)
        return kas_refuse(KAS_REASON_SHAPE,
                          "the sum of the %zu split sizes is %lld, the axis has %lld (shape)", *count,
                          (long long)sum, (long long)dim);
    return NULL;
}

static kas_status lower_split(kas_onnx_call *call)
{
    kas_reader_value *x = call->inputs[0], *value;
    int64_t axis, sizes[KAS_ONNX_MAX_LIST], begin = 0;
    size_t count;
    int at;
    KAS_TRY(kas_onnx_attribute_int(call, "axis", 0, &axis));
    KAS_TRY(kas_reader_axis(axis, x->rank, &at));
    if (at == x->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it splits along axis %d, which holds the batch", at);
    KAS_TRY(split_sizes(call, x->dims[at], sizes, &count));
    for (size_t i = 0; i < call->node->output_count; ++i) {
        if (kas_onnx_has_output(call, i)) {
            KAS_TRY(slice_axis(call->reader, x, at, begin, begin + sizes[i], 1, &value));
            KAS_TRY(kas_reader_value_alias(call->reader, value, &value));
            KAS_TRY(kas_onnx_output(call, i, value));
        }
        begin += sizes[i];
    }
    return NULL;
}

/* ---- Gather ---- */

static kas_status resolve_indices(const int64_t *list, size_t count, int64_t dim, int32_t *out)
{
    for (size_t i = 0; i < count; ++i) {
        if (list[i] < -dim || list[i] >= dim)
            return kas_refuse(KAS_REASON_SHAPE, "the index %lld is out of range of %lld values",
                              (long long)list[i], (long long)dim);
        out[i] = (int32_t)(list[i] < 0 ? list[i] + dim : list[i]);
    }
    return NULL;
}

static kas_status gather_integers(kas_reader *reader, kas_reader_value *x, const int32_t *indices,
                                  size_t count, int rank, kas_reader_value **out)
{
    KAS_TRY(kas_reader_value_of_integers(reader, rank, count, out));
    (*out)->type = x->type;
    for (size_t i = 0; i < count; ++i)
        (*out)->integers[i] = x->integers[indices[i]];
    return NULL;
}

kas_status kas_reader_gather(kas_reader *reader, kas_reader_value *x, int axis, const int32_t *indices,
                             size_t count, kas_reader_value **out)
{
    kas_node node = {.op = KAS_OP_GATHER, .input_count = 1, .index_count = count};
    if (count == 1) return kas_reader_slice(reader, x, axis, indices[0], 1, 1, out);
    KAS_TRY(kas_reader_row_axis(x, axis, &node.axis));
    KAS_TRY(kas_reader_tensor_index(reader, x, &node.inputs[0]));
    KAS_TRY(kas_reader_value_new(reader, x, out));
    (*out)->dims[axis] = (int64_t)count;
    kas_shape shape = reader->graph->tensors[node.inputs[0]].shape;
    shape.dims[node.axis] = (int64_t)count;
    node.indices = kas_memdup(indices, count * sizeof *indices);
    if (!node.indices) return kas_out_of_memory();
    return kas_reader_emit(reader, &node, &shape, &(*out)->tensor);
}

/* The axis becomes the indices' own dimensions. */
static kas_status replace_axis(const kas_reader_value *x, int axis, const kas_reader_value *indices,
                               kas_reader_value *shape)
{
    if (x->rank - 1 + indices->rank > KAS_READER_MAX_RANK)
        return kas_refuse(KAS_REASON_LIMIT, "the result's rank is over the limit of %d",
                          (int)KAS_READER_MAX_RANK);
    shape->rank = 0;
    shape->batch_axis = -1;
    for (int i = 0; i < x->rank; ++i) {
        if (i == x->batch_axis) shape->batch_axis = shape->rank;
        if (i != axis) shape->dims[shape->rank++] = x->dims[i];
        for (int k = 0; i == axis && k < indices->rank; ++k)
            shape->dims[shape->rank++] = indices->dims[k];
    }
    return NULL;
}

static kas_status lower_gather(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value, *shape;
    int64_t axis, list[KAS_ONNX_MAX_LIST];
    int32_t indices[KAS_ONNX_MAX_LIST];
    size_t count;
    bool integers;
    int at;
    KAS_TRY(kas_onnx_attribute_int(call, "axis", 0, &axis));
    KAS_TRY(kas_reader_axis(axis, x->rank, &at));
    KAS_TRY(kas_reader_known_integers(reader, call->inputs[1], "the indices", list, &count));
    if (count == 0) return kas_refuse(KAS_REASON_SHAPE, "there are no indices: a size of zero");
    if (at == x->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it gathers along axis %d, which holds the batch", at);
    KAS_TRY(resolve_indices(list, count, x->dims[at], indices));
    KAS_TRY(kas_reader_are_integers(reader, &x, 1, &integers));
    if (integers && call->inputs[1]->rank <= 1) {
        KAS_TRY(gather_integers(reader, x, indices, count, call->inputs[1]->rank, &value));
        return kas_onnx_output(call, 0, value);
    }
    KAS_TRY(kas_reader_value_new(reader, x, &shape));
    KAS_TRY(replace_axis(x, at, call->inputs[1], shape));
    KAS_TRY(kas_reader_gather(reader, x, at, indices, count, &value));
    KAS_TRY(kas_reader_reshape(reader, value, shape, &value));
    return kas_onnx_output(call, 0, value);
}

/* ---- Concat ---- */

static kas_status concat_integers(kas_onnx_call *call)
{
    kas_reader_value *value;
    size_t count = 0;
    for (size_t i = 0; i < call->input_count; ++i)
        count += call->inputs[i]->integer_count;
    KAS_TRY(kas_reader_value_of_integers(call->reader, 1, count, &value));
    value->type = call->inputs[0]->type;
    count = 0;
    for (size_t i = 0; i < call->input_count; ++i) {
        const kas_reader_value *part = call->inputs[i];
        if (part->integer_count)
            memcpy(&value->integers[count], part->integers, part->integer_count * sizeof *part->integers);
        count += part->integer_count;
    }
    return kas_onnx_output(call, 0, value);
}

static kas_status check_part(const kas_onnx_call *call, const kas_reader_value *part, int axis,
                             const kas_reader_value *result)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    const bool has_batch = part->batch_axis >= 0;
    if (part->rank != result->rank)
        return kas_refuse(KAS_REASON_SHAPE, "parts of rank %d and %d", result->rank, part->rank);
    if (has_batch && part->batch_axis != result->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "the batch is at different axes of the parts");
    if (!has_batch && result->batch_axis >= 0 &&
        (call->reader->fixed_batch != 1 || part->dims[result->batch_axis] != 1))
        return kas_refuse(KAS_REASON_MIXES_ROWS, "a part of shape %s has no batch, another has",
                          kas_reader_shape_text(part, a));
    for (int i = 0; i < part->rank; ++i)
        if (i != axis && part->dims[i] != result->dims[i])
            return kas_refuse(KAS_REASON_SHAPE, "parts of shape %s and %s do not fit along axis %d",
                              kas_reader_shape_text(result, a), kas_reader_shape_text(part, b), axis);
    return NULL;
}

static kas_status concat_tensors(kas_onnx_call *call, int axis, kas_reader_value *value)
{
    kas_node node = {.op = KAS_OP_CONCAT, .input_count = (int)call->input_count};
    kas_shape shape;
    value->dims[axis] = 0;
    for (size_t i = 0; i < call->input_count; ++i) {
        KAS_TRY(check_part(call, call->inputs[i], axis, value));
        KAS_TRY(kas_reader_align(call->reader, call->inputs[i], value, &node.inputs[i]));
        value->dims[axis] += call->inputs[i]->dims[axis];
    }
    KAS_TRY(kas_reader_row_axis(value, axis, &node.axis));
    KAS_TRY(kas_reader_row_shape(value, &shape));
    return kas_reader_emit(call->reader, &node, &shape, &value->tensor);
}

static kas_status lower_concat(kas_onnx_call *call)
{
    const kas_reader_value *first = call->inputs[0];
    kas_reader_value *value;
    bool integers;
    int64_t axis;
    int at;
    for (size_t i = 0; i < call->input_count; ++i)
        if (!call->inputs[i]) return kas_refuse(KAS_REASON_MALFORMED, "the input %zu is left out", i);
    KAS_TRY(kas_onnx_attribute_int(call, "axis", 1, &axis));
    for (size_t i = 1; i < call->input_count; ++i)
        if (call->inputs[i]->batch_axis >= 0) first = call->inputs[i];
    KAS_TRY(kas_reader_axis(axis, first->rank, &at));
    KAS_TRY(kas_reader_are_integers(call->reader, call->inputs, call->input_count, &integers));
    if (integers) return concat_integers(call);
    if (at == first->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it joins along axis %d, which holds the batch", at);
    KAS_TRY(kas_reader_value_new(call->reader, first, &value));
    KAS_TRY(concat_tensors(call, at, value));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_index[] = {
    {"Concat", lower_concat, "axis", 1, KAS_ONNX_MAX_ARGUMENTS, 0},
    {"Gather", lower_gather, "axis", 2, 2, 0},
    {"Slice", lower_slice, "starts ends axes", 1, 5, 0},
    {"Split", lower_split, "axis split num_outputs", 1, 2, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
