/* Tensors of one value, and padding with one. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

/* ---- one value ---- */

/* A constant of the shape of `value`, whose batch, if it has one, has the same row everywhere. */
static kas_status give_filled(kas_script_call *call, kas_reader_value *value, double with)
{
    kas_shape row;
    size_t elements;
    float *values;
    char text[KAS_READER_SHAPE_TEXT];
    KAS_TRY(kas_reader_row_shape(value, &row));
    if (!kas_shape_elements(&row, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "the shape %s is empty or too large",
                          kas_reader_shape_text(value, text));
    KAS_TRY(kas_reader_emit_constant_room(call->lower, elements, &values));
    for (size_t i = 0; i < elements; ++i)
        values[i] = (float)with;
    KAS_TRY(kas_reader_emit_constant(call->lower, NULL, &row, values, &value->tensor));
    return kas_script_give(call, value);
}

static kas_status lower_filled_like(kas_script_call *call)
{
    kas_reader_value *x, *value;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    KAS_TRY(kas_script_check_dtype(call, 1));
    KAS_TRY(kas_reader_value_new(call->lower, x, &value));
    value->type = KAS_ONNX_FLOAT;
    return give_filled(call, value, call->op->variant);
}

/* The sizes, and after them the dtype. */
static kas_status fill_sizes(kas_script_call *call, int sizes_index, double with)
{
    kas_integer sizes[KAS_READER_MAX_RANK];
    kas_reader_value *value;
    size_t count;
    KAS_TRY(kas_script_sizes_at(call, sizes_index, KAS_READER_MAX_RANK, sizes, &count));
    KAS_TRY(kas_reader_value_new(call->lower, NULL, &value));
    KAS_TRY(kas_reader_dims_of_integers(sizes, count, value));
    return give_filled(call, value, with);
}

static kas_status lower_filled(kas_script_call *call)
{
    KAS_TRY(kas_script_check_dtype(call, 1));
    return fill_sizes(call, 0, call->op->variant);
}

static kas_status lower_full(kas_script_call *call)
{
    double with;
    KAS_TRY(kas_script_float_at(call, 1, 0, &with));
    KAS_TRY(kas_script_check_dtype(call, 2));
    return fill_sizes(call, 0, with);
}

/* ---- padding ---- */

/* Pairs of before and after, the last axis first; negative ones cut off. */
static kas_status read_pads(const kas_script_call *call, kas_reader_value **x, int64_t *before,
                            int64_t *after)
{
    int64_t pads[KAS_READER_MAX_RANK];
    size_t count;
    KAS_TRY(kas_script_ints_at(call, 1, KAS_READER_MAX_RANK, pads, &count));
    if (count % 2 || count / 2 > (size_t)(*x)->rank)
        return kas_refuse(KAS_REASON_SHAPE, "%zu amounts for rank %d", count, (*x)->rank);
    for (size_t i = 0; i < count / 2; ++i) {
        const int axis = (*x)->rank - 1 - (int)i;
        const int64_t limit = (int64_t)KAS_GRAPH_MAX_ELEMENTS;
        if (pads[2 * i] < 0 || pads[2 * i] > limit || pads[2 * i + 1] < 0 || pads[2 * i + 1] > limit)
            return kas_refuse(KAS_REASON_UNSUPPORTED, "amounts of %lld and %lld", (long long)pads[2 * i],
                              (long long)pads[2 * i + 1]);
        before[axis] = pads[2 * i];
        after[axis] = pads[2 * i + 1];
    }
    return NULL;
}

static kas_status pad(kas_script_call *call, kas_reader_value *x, const int64_t *before, const int64_t *after,
                      double with)
{
    kas_node node = {.op = KAS_OP_PAD, .value = (float)with, .input_count = 1};
    kas_reader_value *value;
    bool any = false;
    KAS_TRY(kas_reader_tensor_index(call->lower, x, &node.inputs[0]));
    KAS_TRY(kas_reader_value_new(call->lower, x, &value));
    kas_shape shape = call->lower->graph->tensors[node.inputs[0]].shape;
    for (int i = 0, axis; i < x->rank; ++i) {
        if (before[i] == 0 && after[i] == 0) continue;
        KAS_TRY(kas_reader_row_axis(x, i, &axis));
        any = true;
        node.before[axis] = before[i];
        shape.dims[axis] += before[i] + after[i];
        value->dims[i] = shape.dims[axis];
    }
    value->tensor = node.inputs[0];
    if (any) KAS_TRY(kas_reader_emit(call->lower, &node, &shape, &value->tensor));
    return kas_script_give(call, value);
}

static kas_status lower_pad(kas_script_call *call)
{
    kas_reader_value *x;
    kas_span mode;
    int64_t before[KAS_READER_MAX_RANK] = {0}, after[KAS_READER_MAX_RANK] = {0};
    double with;
    const bool has_mode = call->op->variant != 0;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    if (has_mode) {
        KAS_TRY(kas_script_text_at(call, 2, "constant", &mode));
        if (!kas_span_is(mode, "constant"))
            return kas_refuse(KAS_REASON_UNSUPPORTED, "the mode \"%.*s\"", KAS_SPAN_ARGS(mode));
    }
    KAS_TRY(kas_script_float_at(call, has_mode ? 3 : 2, 0, &with));
    if (!isfinite(with)) return kas_refuse(KAS_REASON_NOT_FINITE, "the value is not finite");
    KAS_TRY(read_pads(call, &x, before, after));
    return pad(call, x, before, after, with);
}

const kas_script_op kas_script_ops_fill[] = {
    {"torch.constant_pad_nd", lower_pad, "self pad value?", 0, false},
    {"torch.full", lower_full, "size fill_value dtype? layout? device? pin_memory?", 0, false},
    {"torch.ones", lower_filled, "size dtype? layout? device? pin_memory?", 1, false},
    {"torch.ones_like", lower_filled_like, "self dtype? layout? device? pin_memory? memory_format?", 1,
     false},
    {"torch.pad", lower_pad, "self pad mode? value?", 1, false},
    {"torch.zeros", lower_filled, "size dtype? layout? device? pin_memory?", 0, false},
    {"torch.zeros_like", lower_filled_like, "self dtype? layout? device? pin_memory? memory_format?", 0,
     false},
    {NULL, NULL, NULL, 0, false},
};
