/* Operators that pick, cut and join along an axis. */
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

kas_status kas_script_part(kas_script_call *call, kas_reader_value *x, int axis, int64_t begin, int64_t size,
                           kas_reader_value **out)
{
    *out = x;
    if (axis == x->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it cuts along axis %d, which holds the batch", axis);
    if (begin == 0 && size == x->dims[axis]) return NULL;
    return kas_reader_slice(call->lower, x, axis, begin, 1, size, out);
}

/* ---- parts ---- */

enum { PARTS_MAX = 1024 };

/* Appends x[…, begin : begin + size, …] to the result. */
static kas_status append_part(kas_script_call *call, kas_reader_value *x, int axis, int64_t begin,
                              int64_t size)
{
    kas_reader_value *part;
    kas_script_value item;
    if (call->result.list->count == PARTS_MAX)
        return kas_refuse(KAS_REASON_LIMIT, "more than the limit of %d parts", (int)PARTS_MAX);
    KAS_TRY(kas_script_part(call, x, axis, begin, size, &part));
    KAS_TRY(kas_script_of_tensor(call->reader, part, true, &item));
    return kas_script_list_append(call->reader, call->result.list, item);
}

/* Parts of `size`, the last as many as are left. */
static kas_status give_parts(kas_script_call *call, kas_reader_value *x, int axis, int64_t size)
{
    if (axis == x->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it cuts along axis %d, which holds the batch", axis);
    if (size < 1) return kas_refuse(KAS_REASON_SHAPE, "parts of %lld elements", (long long)size);
    for (int64_t begin = 0, dim = x->dims[axis]; begin < dim; begin += size)
        KAS_TRY(append_part(call, x, axis, begin, size < dim - begin ? size : dim - begin));
    return NULL;
}

static kas_status begin_parts(kas_script_call *call, int dim_index, kas_reader_value **x, int *axis)
{
    KAS_TRY(kas_script_tensor_at(call, 0, x));
    KAS_TRY(kas_script_axis_at(call, dim_index, 0, (*x)->rank, axis));
    return kas_script_list_new(call->reader, KAS_SCRIPT_VALUE_LIST, 0, &call->result);
}

static kas_status lower_chunk(kas_script_call *call)
{
    kas_reader_value *x;
    int64_t chunks;
    int axis;
    KAS_TRY(begin_parts(call, 2, &x, &axis));
    KAS_TRY(kas_script_int_at(call, 1, 0, &chunks));
    if (chunks < 1) return kas_refuse(KAS_REASON_SHAPE, "into %lld chunks", (long long)chunks);
    return give_parts(call, x, axis, x->dims[axis] / chunks + (x->dims[axis] % chunks != 0));
}

static kas_status split_by_sizes(kas_script_call *call, kas_reader_value *x, int axis,
                                 const kas_script_list *sizes)
{
    int64_t begin = 0;
    const int64_t dim = x->dims[axis];
    for (size_t i = 0; i < sizes->count; ++i) {
        const kas_script_value *item = &sizes->items[i];
        if (item->kind != KAS_SCRIPT_VALUE_INT || item->integer.kind != KAS_INTEGER_KNOWN)
            return kas_refuse(KAS_REASON_UNSUPPORTED, "a size that is no known integer");
        const int64_t size = item->integer.value;
        if (size < 1 || size > dim - begin)
            return kas_refuse(KAS_REASON_SHAPE, "a part of %lld elements at %lld of %lld", (long long)size,
                              (long long)begin, (long long)dim);
        KAS_TRY(append_part(call, x, axis, begin, size));
        begin += size;
    }
    if (begin == dim) return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "the sizes' sum is %lld, the axis has %lld", (long long)begin,
                      (long long)dim);
}

static kas_status lower_split(kas_script_call *call)
{
    kas_reader_value *x;
    const kas_script_list *sizes;
    int64_t size;
    int axis;
    KAS_TRY(begin_parts(call, 2, &x, &axis));
    if (call->arguments[1]->kind == KAS_SCRIPT_VALUE_INT) {
        KAS_TRY(kas_script_int_at(call, 1, 0, &size));
        return give_parts(call, x, axis, size);
    }
    KAS_TRY(kas_script_list_at(call, 1, &sizes));
    return split_by_sizes(call, x, axis, sizes);
}

/* x without the axis, of which `index` is taken. */
static kas_status select(kas_script_call *call, kas_reader_value *x, int axis, int64_t index,
                         kas_reader_value **out)
{
    kas_reader_value *part, *shape;
    KAS_TRY(kas_script_part(call, x, axis, index, 1, &part));
    KAS_TRY(kas_reader_value_new(call->lower, part, &shape));
    shape->rank = 0;
    for (int i = 0; i < part->rank; ++i) {
        if (i == part->batch_axis) shape->batch_axis = shape->rank;
        if (i != axis) shape->dims[shape->rank++] = part->dims[i];
    }
    return kas_reader_reshape(call->lower, part, shape, out);
}

static kas_status lower_select(kas_script_call *call)
{
    kas_reader_value *x, *value;
    int64_t index;
    int axis;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_axis_at(call, 1, 0, x->rank, &axis));
    KAS_TRY(kas_script_int_at(call, 2, 0, &index));
    if (axis == x->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it picks one row of axis %d, which holds the batch", axis);
    if (index < -x->dims[axis] || index >= x->dims[axis])
        return kas_refuse(KAS_REASON_SHAPE, "the index %lld is out of range of %lld elements",
                          (long long)index, (long long)x->dims[axis]);
    KAS_TRY(select(call, x, axis, index < 0 ? index + x->dims[axis] : index, &value));
    return kas_script_give(call, value);
}

static kas_status lower_unbind(kas_script_call *call)
{
    kas_reader_value *x, *value;
    kas_script_value item;
    int axis;
    KAS_TRY(begin_parts(call, 1, &x, &axis));
    if (axis == x->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it takes axis %d apart, which holds the batch", axis);
    if (x->dims[axis] > PARTS_MAX)
        return kas_refuse(KAS_REASON_LIMIT, "more than the limit of %d parts", (int)PARTS_MAX);
    for (int64_t i = 0; i < x->dims[axis]; ++i) {
        KAS_TRY(select(call, x, axis, i, &value));
        KAS_TRY(kas_script_of_tensor(call->reader, value, true, &item));
        KAS_TRY(kas_script_list_append(call->reader, call->result.list, item));
    }
    return NULL;
}

/* ---- slices ---- */

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* All of the batch may be sliced, and nothing less. */
static kas_status slice_batch(kas_script_call *call, int64_t start, int64_t end, int64_t step)
{
    kas_reader_value *x;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    if (start != 0 || end < INT32_MAX || step != 1)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "it cuts along the axis that holds the batch");
    return kas_script_give(call, x);
}

/* Python's rules: negative positions count from the end, all are clamped; nothing may be left. */
static void clamp_range(int64_t dim, int64_t *start, int64_t *end)
{
    *start = clamp(*start < 0 ? *start + dim : *start, 0, dim);
    *end = clamp(*end < 0 ? *end + dim : *end, 0, dim);
}

/* Of a list: it has no dimension, so start, end and step are the first to third. */
static kas_status slice_list(kas_script_call *call)
{
    const kas_script_list *list = call->arguments[0]->list;
    int64_t start, end, step;
    KAS_TRY(kas_script_int_at(call, 1, 0, &start));
    KAS_TRY(kas_script_int_at(call, 2, INT64_MAX, &end));
    KAS_TRY(kas_script_int_at(call, 3, 1, &step));
    if (step != 1)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "of a list, with a step of %lld", (long long)step);
    clamp_range((int64_t)list->count, &start, &end);
    KAS_TRY(kas_script_spend(call->reader, list->count));
    KAS_TRY(kas_script_list_new(call->reader, call->arguments[0]->kind, 0, &call->result));
    for (int64_t i = start; i < end; ++i)
        KAS_TRY(kas_script_list_append(call->reader, call->result.list, list->items[i]));
    return NULL;
}

static kas_status lower_slice(kas_script_call *call)
{
    kas_reader_value *x, *value;
    int64_t start, end, step;
    int axis;
    const kas_script_value_kind kind = call->arguments[0]->kind;
    if (kind == KAS_SCRIPT_VALUE_LIST || kind == KAS_SCRIPT_VALUE_TUPLE) return slice_list(call);
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_axis_at(call, 1, 0, x->rank, &axis));
    KAS_TRY(kas_script_int_at(call, 2, 0, &start));
    KAS_TRY(kas_script_int_at(call, 3, INT64_MAX, &end));
    KAS_TRY(kas_script_int_at(call, 4, 1, &step));
    if (axis == x->batch_axis) return slice_batch(call, start, end, step);
    const int64_t dim = x->dims[axis];
    clamp_range(dim, &start, &end);
    if (step < 1) return kas_refuse(KAS_REASON_SHAPE, "the step is %lld", (long long)step);
    if (start >= end)
        return kas_refuse(KAS_REASON_SHAPE, "the slice of %lld elements is empty", (long long)dim);
    step = clamp(step, 1, dim);
    const int64_t size = (end - start + step - 1) / step;
    if (start == 0 && step == 1 && size == dim) return kas_script_give(call, x);
    KAS_TRY(kas_reader_slice(call->lower, x, axis, start, step, size, &value));
    return kas_script_give(call, value);
}

static kas_status lower_narrow(kas_script_call *call)
{
    kas_reader_value *x, *value;
    int64_t start, length;
    int axis;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_axis_at(call, 1, 0, x->rank, &axis));
    KAS_TRY(kas_script_int_at(call, 2, 0, &start));
    KAS_TRY(kas_script_int_at(call, 3, 0, &length));
    const int64_t dim = x->dims[axis];
    if (start < 0 && start >= -dim) start += dim;
    if (start < 0 || start > dim || length < 1 || length > dim - start)
        return kas_refuse(KAS_REASON_SHAPE, "%lld elements at %lld of %lld", (long long)length,
                          (long long)start, (long long)dim);
    KAS_TRY(kas_script_part(call, x, axis, start, length, &value));
    return kas_script_give(call, value);
}

/* The first half times the sigmoid of the second. */
static kas_status lower_glu(kas_script_call *call)
{
    kas_reader_value *x, *first, *second, *value;
    int axis;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_axis_at(call, 1, -1, x->rank, &axis));
    const int64_t half = x->dims[axis] / 2;
    if (x->dims[axis] % 2)
        return kas_refuse(KAS_REASON_SHAPE, "%lld elements have no halves", (long long)x->dims[axis]);
    KAS_TRY(kas_script_part(call, x, axis, 0, half, &first));
    KAS_TRY(kas_script_part(call, x, axis, half, half, &second));
    KAS_TRY(kas_script_unary(call, KAS_ACT_SIGMOID, 0, 0, second, &second));
    KAS_TRY(kas_script_binary(call, KAS_MUL, first, second, &value));
    return kas_script_give(call, value);
}

/* ---- cat and stack ---- */

static kas_status check_part(const kas_reader_value *part, int axis, const kas_reader_value *first)
{
    char a[KAS_READER_SHAPE_TEXT], b[KAS_READER_SHAPE_TEXT];
    if (part->batch_axis != first->batch_axis)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "parts of shape %s and %s do not have the batch in common",
                          kas_reader_shape_text(first, a), kas_reader_shape_text(part, b));
    bool fits = part->rank == first->rank;
    for (int i = 0; fits && i < part->rank; ++i)
        fits = i == axis || part->dims[i] == first->dims[i];
    if (fits) return NULL;
    return kas_refuse(KAS_REASON_SHAPE, "parts of shape %s and %s do not fit along axis %d",
                      kas_reader_shape_text(first, a), kas_reader_shape_text(part, b), axis);
}

static kas_status join(kas_script_call *call, kas_reader_value *const *parts, size_t count, int axis,
                       kas_reader_value **out)
{
    kas_node node = {.op = KAS_OP_CONCAT, .input_count = (int)count};
    kas_shape shape;
    KAS_TRY(kas_reader_value_new(call->lower, parts[0], out));
    KAS_TRY(kas_reader_row_axis(parts[0], axis, &node.axis));
    (*out)->dims[axis] = 0;
    for (size_t i = 0; i < count; ++i) {
        KAS_TRY(check_part(parts[i], axis, parts[0]));
        KAS_TRY(kas_reader_tensor_index(call->lower, parts[i], &node.inputs[i]));
        (*out)->dims[axis] += parts[i]->dims[axis];
    }
    KAS_TRY(kas_reader_row_shape(*out, &shape));
    return kas_reader_emit(call->lower, &node, &shape, &(*out)->tensor);
}

static kas_status read_parts(kas_script_call *call, kas_reader_value **parts, size_t *count)
{
    const kas_script_list *list;
    KAS_TRY(kas_script_list_at(call, 0, &list));
    if (list->count < 1 || list->count > KAS_MAX_NODE_INPUTS)
        return kas_refuse(KAS_REASON_LIMIT, "of %zu tensors; 1 to %d are supported", list->count,
                          (int)KAS_MAX_NODE_INPUTS);
    for (size_t i = 0; i < list->count; ++i) {
        if (list->items[i].kind != KAS_SCRIPT_VALUE_TENSOR)
            return kas_refuse(KAS_REASON_UNSUPPORTED, "item %zu is %s, not a tensor", i,
                              kas_script_kind_name(list->items[i].kind));
        parts[i] = list->items[i].tensor->value;
    }
    *count = list->count;
    return NULL;
}

static kas_status lower_cat(kas_script_call *call)
{
    kas_reader_value *parts[KAS_MAX_NODE_INPUTS], *value;
    size_t count;
    int axis;
    KAS_TRY(read_parts(call, parts, &count));
    KAS_TRY(kas_script_axis_at(call, 1, 0, parts[0]->rank, &axis));
    KAS_TRY(join(call, parts, count, axis, &value));
    return kas_script_give(call, value);
}

/* A new axis of one element for each, then as cat. */
static kas_status lower_stack(kas_script_call *call)
{
    kas_reader_value *parts[KAS_MAX_NODE_INPUTS], *shape, *value;
    size_t count;
    int axis;
    KAS_TRY(read_parts(call, parts, &count));
    KAS_TRY(kas_script_axis_at(call, 1, 0, parts[0]->rank + 1, &axis));
    for (size_t i = 0; i < count; ++i) {
        const kas_reader_value *part = parts[i];
        if (part->rank == KAS_READER_MAX_RANK || axis > part->rank)
            return kas_refuse(KAS_REASON_SHAPE, "a part of rank %d", part->rank);
        KAS_TRY(kas_reader_value_new(call->lower, part, &shape));
        shape->rank = part->rank + 1;
        shape->batch_axis = part->batch_axis < 0 ? -1 : part->batch_axis + (part->batch_axis >= axis);
        for (int d = 0; d < shape->rank; ++d)
            shape->dims[d] = d == axis ? 1 : part->dims[d - (d > axis)];
        KAS_TRY(kas_reader_reshape(call->lower, parts[i], shape, &parts[i]));
    }
    KAS_TRY(join(call, parts, count, axis, &value));
    return kas_script_give(call, value);
}

/* Along each axis as often as said. */
static kas_status lower_repeat(kas_script_call *call)
{
    kas_reader_value *x, *parts[KAS_MAX_NODE_INPUTS];
    int64_t times[KAS_READER_MAX_RANK];
    size_t count;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_ints_at(call, 1, KAS_READER_MAX_RANK, times, &count));
    if (count != (size_t)x->rank)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "%zu axes for rank %d", count, x->rank);
    for (int axis = 0; axis < x->rank; ++axis) {
        if (times[axis] == 1) continue;
        if (times[axis] < 1 || times[axis] > KAS_MAX_NODE_INPUTS)
            return kas_refuse(KAS_REASON_LIMIT, "%lld times; 1 to %d are supported", (long long)times[axis],
                              (int)KAS_MAX_NODE_INPUTS);
        for (int64_t i = 0; i < times[axis]; ++i)
            parts[i] = x;
        KAS_TRY(join(call, parts, (size_t)times[axis], axis, &x));
    }
    return kas_script_give(call, x);
}

/* The unsafe ones promise that no part is changed in place. */
const kas_script_op kas_script_ops_index[] = {
    {"torch.cat", lower_cat, "tensors dim?", 0, false},
    {"torch.chunk", lower_chunk, "self chunks dim?", 0, true},
    {"torch.concat", lower_cat, "tensors dim?", 0, false},
    {"torch.glu", lower_glu, "self dim?", 0, false},
    {"torch.narrow", lower_narrow, "self dim start length", 0, true},
    {"torch.repeat", lower_repeat, "self repeats", 0, false},
    {"torch.select", lower_select, "self dim index", 0, true},
    {"torch.slice", lower_slice, "self dim? start? end? step?", 0, true},
    {"torch.split", lower_split, "self split_size dim?", 0, true},
    {"torch.split_with_sizes", lower_split, "self split_sizes dim?", 0, true},
    {"torch.stack", lower_stack, "tensors dim?", 0, false},
    {"torch.unbind", lower_unbind, "self dim?", 0, true},
    {"torch.unsafe_chunk", lower_chunk, "self chunks dim?", 0, true},
    {"torch.unsafe_split", lower_split, "self split_size dim?", 0, true},
    {NULL, NULL, NULL, 0, false},
};
