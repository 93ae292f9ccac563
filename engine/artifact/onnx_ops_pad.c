/* Padding: with a constant, with what stands at the edge, or with its reflection. Negative amounts cut. */
#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

typedef struct pad_amounts {
    int64_t before[KAS_READER_MAX_RANK], after[KAS_READER_MAX_RANK];
} pad_amounts;

static kas_status read_pads(kas_onnx_call *call, int rank, pad_amounts *out)
{
    int64_t pads[KAS_ONNX_MAX_LIST], axes[KAS_ONNX_MAX_LIST];
    size_t count, axis_count = (size_t)rank;
    bool given, has_axes = false;
    KAS_TRY(kas_onnx_list(call, "pads", 1, pads, &count, &given));
    if (kas_onnx_input(call, 3)) {
        has_axes = true;
        KAS_TRY(kas_reader_known_integers(call->reader, kas_onnx_input(call, 3), "axes", axes, &axis_count));
    }
    if (!given || count != 2 * axis_count)
        return kas_refuse(KAS_REASON_SHAPE, "%zu pads for %zu axes", given ? count : (size_t)0, axis_count);
    for (size_t i = 0; i < axis_count; ++i) {
        int axis = (int)i;
        const int64_t before = pads[i], after = pads[axis_count + i], limit = (int64_t)KAS_GRAPH_MAX_ELEMENTS;
        if (has_axes) KAS_TRY(kas_reader_axis(axes[i], rank, &axis));
        if (before < -limit || before > limit || after < -limit || after > limit)
            return kas_refuse(KAS_REASON_LIMIT, "pads of %lld and %lld are over the limit of %lld",
                              (long long)before, (long long)after, (long long)limit);
        out->before[axis] = before;
        out->after[axis] = after;
    }
    return NULL;
}

/* Negative amounts cut off. */
static kas_status crop(kas_reader *reader, pad_amounts *pads, kas_reader_value **value)
{
    for (int i = 0; i < (*value)->rank; ++i) {
        const int64_t before = pads->before[i] < 0 ? -pads->before[i] : 0;
        const int64_t after = pads->after[i] < 0 ? -pads->after[i] : 0;
        if (before + after == 0) continue;
        if (before + after >= (*value)->dims[i])
            return kas_refuse(KAS_REASON_SHAPE, "%lld of %lld values are cut off: nothing is left",
                              (long long)(before + after), (long long)(*value)->dims[i]);
        KAS_TRY(kas_reader_slice(reader, *value, i, before, 1, (*value)->dims[i] - before - after, value));
        if (pads->before[i] < 0) pads->before[i] = 0;
        if (pads->after[i] < 0) pads->after[i] = 0;
    }
    return NULL;
}

/* Which element stands at position `at` beside an axis of `dim`; reflect does not repeat the edge. */
static int64_t mirrored(int64_t at, int64_t dim, bool reflect)
{
    if (at < 0) return reflect ? -at : 0;
    if (at >= dim) return reflect ? 2 * dim - 2 - at : dim - 1;
    return at;
}

static kas_status pad_by_index(kas_reader *reader, kas_reader_value *x, const pad_amounts *pads, bool reflect,
                               kas_reader_value **out)
{
    int32_t indices[KAS_ONNX_MAX_LIST];
    *out = x;
    for (int i = 0; i < x->rank; ++i) {
        const int64_t dim = x->dims[i], count = pads->before[i] + dim + pads->after[i];
        if (pads->before[i] == 0 && pads->after[i] == 0) continue;
        if (count > KAS_ONNX_MAX_LIST || (reflect && (pads->before[i] >= dim || pads->after[i] >= dim)))
            return kas_refuse(KAS_REASON_LIMIT, "padding of %lld and %lld beside %lld values",
                              (long long)pads->before[i], (long long)pads->after[i], (long long)dim);
        if (i == x->batch_axis) return kas_refuse(KAS_REASON_MIXES_ROWS, "it pads the batch, axis %d", i);
        for (int64_t k = 0; k < count; ++k)
            indices[k] = (int32_t)mirrored(k - pads->before[i], dim, reflect);
        KAS_TRY(kas_reader_gather(reader, *out, i, indices, (size_t)count, out));
    }
    return NULL;
}

static kas_status pad_with(kas_reader *reader, kas_reader_value *x, const pad_amounts *pads, float with,
                           kas_reader_value **out)
{
    kas_node node = {.op = KAS_OP_PAD, .value = with, .input_count = 1};
    KAS_TRY(kas_reader_tensor_index(reader, x, &node.inputs[0]));
    KAS_TRY(kas_reader_value_new(reader, x, out));
    kas_shape shape = reader->graph->tensors[node.inputs[0]].shape;
    bool any = false;
    for (int i = 0; i < x->rank; ++i) {
        int axis;
        if (pads->before[i] == 0 && pads->after[i] == 0) continue;
        KAS_TRY(kas_reader_row_axis(x, i, &axis));
        any = true;
        node.before[axis] = pads->before[i];
        shape.dims[axis] += pads->before[i] + pads->after[i];
        (*out)->dims[i] = shape.dims[axis];
    }
    (*out)->tensor = node.inputs[0];
    return any ? kas_reader_emit(reader, &node, &shape, &(*out)->tensor) : NULL;
}

static kas_status lower_pad(kas_onnx_call *call)
{
    kas_reader_value *value = call->inputs[0], *with_value = kas_onnx_input(call, 2);
    pad_amounts pads = {{0}, {0}};
    kas_span mode;
    float with;
    KAS_TRY(kas_onnx_attribute_text(call, "mode", "constant", &mode));
    KAS_TRY(kas_onnx_attribute_float(call, "value", 0, &with));
    if (with_value) KAS_TRY(kas_reader_scalar(call->reader, with_value, "constant_value", &with));
    KAS_TRY(read_pads(call, value->rank, &pads));
    KAS_TRY(crop(call->reader, &pads, &value));
    if (kas_span_is(mode, "constant"))
        KAS_TRY(pad_with(call->reader, value, &pads, with, &value));
    else if (kas_span_is(mode, "reflect") || kas_span_is(mode, "edge"))
        KAS_TRY(pad_by_index(call->reader, value, &pads, kas_span_is(mode, "reflect"), &value));
    else
        return kas_refuse(KAS_REASON_UNSUPPORTED, "the mode \"%.*s\" is not supported", KAS_SPAN_ARGS(mode));
    KAS_TRY(kas_reader_value_alias(call->reader, value, &value));
    return kas_onnx_output(call, 0, value);
}

const kas_onnx_op kas_onnx_ops_pad[] = {
    {"Pad", lower_pad, "mode pads value", 1, 4, 0},
    {NULL, NULL, NULL, 0, 0, 0},
};
