/* Convolutions and pooling over one or two spatial dimensions. */
#include <string.h>

#include "engine/artifact/onnx_reader.h"
#include "engine/artifact/refuse.h"

static const kas_shape *shape_of(const kas_reader *reader, int tensor)
{
    return &reader->graph->tensors[tensor].shape;
}

/* [batch, channels, one or two dimensions] */
static kas_status check_image(const kas_reader_value *x, int *spatial)
{
    char text[KAS_READER_SHAPE_TEXT];
    if (x->batch_axis != 0 || x->dims[0] != 1)
        return kas_refuse(KAS_REASON_MIXES_ROWS, "the input %s does not begin with the batch",
                          kas_reader_shape_text(x, text));
    *spatial = x->rank - 2;
    if (*spatial == 1 || *spatial == 2) return NULL;
    return kas_refuse(KAS_REASON_UNSUPPORTED,
                      "the input has shape %s; one or two spatial dimensions are supported",
                      kas_reader_shape_text(x, text));
}

static kas_status window_list(const kas_onnx_call *call, const char *name, int count, int64_t least,
                              int64_t absent, int64_t *out)
{
    const int64_t *ints;
    size_t given;
    KAS_TRY(kas_onnx_attribute_ints(call, name, &ints, &given));
    if (ints && given != (size_t)count)
        return kas_refuse(KAS_REASON_SHAPE, "%s has %zu values, not %d", name, given, count);
    for (int i = 0; i < count; ++i) {
        out[i] = ints ? ints[i] : absent;
        if (out[i] < least || out[i] > KAS_READER_WINDOW_MAX)
            return kas_refuse(KAS_REASON_LIMIT, "%s has the value %lld; %lld to %d are supported", name,
                              (long long)out[i], (long long)least, (int)KAS_READER_WINDOW_MAX);
    }
    return NULL;
}

static kas_status read_padding(const kas_onnx_call *call, const kas_reader_value *x, kas_window *window)
{
    kas_span mode;
    int64_t pads[4];
    const int spatial = window->spatial;
    KAS_TRY(kas_onnx_attribute_text(call, "auto_pad", "NOTSET", &mode));
    KAS_TRY(window_list(call, "pads", 2 * spatial, 0, 0, pads));
    const bool upper = kas_span_is(mode, "SAME_UPPER"), lower = kas_span_is(mode, "SAME_LOWER");
    const bool valid = kas_span_is(mode, "VALID");
    if (!upper && !lower && !valid && !kas_span_is(mode, "NOTSET") && mode.size)
        return kas_refuse(KAS_REASON_UNSUPPORTED, "auto_pad \"%.*s\" is not known", KAS_SPAN_ARGS(mode));
    for (int i = 0; i < spatial; ++i) {
        window->before[i] = valid ? 0 : pads[i];
        window->after[i] = valid ? 0 : pads[spatial + i];
        if (!upper && !lower) continue;
        const int64_t dim = x->dims[2 + i], out = (dim + window->stride[i] - 1) / window->stride[i];
        const int64_t total = (out - 1) * window->stride[i] + kas_reader_window_extent(window, i) - dim;
        const int64_t smaller = total > 0 ? total / 2 : 0, greater = total > 0 ? total - total / 2 : 0;
        window->before[i] = upper ? smaller : greater;
        window->after[i] = upper ? greater : smaller;
    }
    return NULL;
}

/* ---- Conv ---- */

static kas_status check_kernel_shape(const kas_reader_value *w, const kas_window *window)
{
    char text[KAS_READER_SHAPE_TEXT];
    for (int i = 0; i < window->spatial; ++i)
        if (window->kernel[i] != w->dims[2 + i])
            return kas_refuse(KAS_REASON_SHAPE, "kernel_shape and the weight's shape %s differ",
                              kas_reader_shape_text(w, text));
    return NULL;
}

static kas_status read_conv_window(kas_onnx_call *call, const kas_reader_value *x, const kas_reader_value *w,
                                   kas_window *window)
{
    for (int i = 0; i < window->spatial; ++i)
        window->kernel[i] = w->rank == x->rank ? w->dims[2 + i] : 0;
    if (kas_onnx_attribute_find(call, "kernel_shape"))
        KAS_TRY(window_list(call, "kernel_shape", window->spatial, 1, 1, window->kernel));
    KAS_TRY(window_list(call, "strides", window->spatial, 1, 1, window->stride));
    KAS_TRY(window_list(call, "dilations", window->spatial, 1, 1, window->dilation));
    KAS_TRY(kas_onnx_attribute_int(call, "group", 1, &window->groups));
    KAS_TRY(kas_reader_check_conv(x, w, kas_onnx_input(call, 2), window->groups));
    KAS_TRY(check_kernel_shape(w, window));
    return read_padding(call, x, window);
}

static kas_status lower_conv(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *w = call->inputs[1], *value;
    kas_node node = {.op = KAS_OP_CONV, .input_count = kas_onnx_input(call, 2) ? 3 : 2};
    kas_shape shape;
    bool extended;
    KAS_TRY(check_image(x, &node.window.spatial));
    KAS_TRY(read_conv_window(call, x, w, &node.window));
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    value->dims[1] = w->dims[0];
    KAS_TRY(kas_reader_window_dims(x, false, &node.window, &extended, value));
    KAS_TRY(kas_reader_tensor_index(reader, x, &node.inputs[0]));
    KAS_TRY(kas_reader_constant_index(reader, w, "weight", &node.inputs[1]));
    KAS_TRY(kas_reader_constant_index(reader, kas_onnx_input(call, 2), "bias", &node.inputs[2]));
    KAS_TRY(kas_reader_row_shape(value, &shape));
    KAS_TRY(kas_reader_emit(reader, &node, &shape, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

/* ---- pooling ---- */

enum { POOL_MAX = 0, POOL_AVERAGE = 1 };

static kas_status read_pool_window(kas_onnx_call *call, const kas_reader_value *x, kas_window *window)
{
    int64_t count_padding;
    if (!kas_onnx_attribute_find(call, "kernel_shape"))
        return kas_refuse(KAS_REASON_MALFORMED, "the attribute kernel_shape is missing");
    KAS_TRY(window_list(call, "kernel_shape", window->spatial, 1, 1, window->kernel));
    KAS_TRY(window_list(call, "strides", window->spatial, 1, 1, window->stride));
    KAS_TRY(window_list(call, "dilations", window->spatial, 1, 1, window->dilation));
    KAS_TRY(kas_onnx_attribute_int(call, "count_include_pad", 0, &count_padding));
    window->average = call->op->variant == POOL_AVERAGE;
    window->count_padding = count_padding != 0;
    window->groups = 1;
    return read_padding(call, x, window);
}

static kas_status lower_pool(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value;
    kas_node node = {.op = KAS_OP_POOL, .input_count = 1};
    kas_shape shape;
    int64_t ceil_mode;
    bool extended;
    KAS_TRY(check_image(x, &node.window.spatial));
    KAS_TRY(read_pool_window(call, x, &node.window));
    KAS_TRY(kas_onnx_attribute_int(call, "ceil_mode", 0, &ceil_mode));
    if (kas_onnx_has_output(call, 1))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "the output Indices is not supported");
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    KAS_TRY(kas_reader_window_dims(x, ceil_mode != 0, &node.window, &extended, value));
    if (extended && node.window.average && node.window.count_padding)
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "ceil_mode with count_include_pad needs windows of unequal size");
    KAS_TRY(kas_reader_tensor_index(reader, x, &node.inputs[0]));
    KAS_TRY(kas_reader_row_shape(value, &shape));
    KAS_TRY(kas_reader_emit(reader, &node, &shape, &value->tensor));
    return kas_onnx_output(call, 0, value);
}

/* Over all positions: [c, d…] to [c, 1…] */
static kas_status lower_global_pool(kas_onnx_call *call)
{
    kas_reader *reader = call->reader;
    kas_reader_value *x = call->inputs[0], *value;
    int tensor;
    if (x->batch_axis != 0 || x->dims[0] != 1 || x->rank < 3)
        return kas_refuse(KAS_REASON_MIXES_ROWS,
                          "the input must begin with the batch, then have channels and positions");
    KAS_TRY(kas_reader_tensor_index(reader, x, &tensor));
    const kas_shape row = *shape_of(reader, tensor);
    const kas_shape flat = {
        .rank = 2, .dims = {row.dims[0], (int64_t)reader->graph->tensors[tensor].elements / row.dims[0]}};
    KAS_TRY(kas_reader_emit_view(reader, tensor, &flat, &tensor));
    KAS_TRY(kas_reader_emit_reduce(
        reader, call->op->variant == POOL_AVERAGE ? KAS_REDUCE_MEAN : KAS_REDUCE_MAX, tensor, 1, &tensor));
    KAS_TRY(kas_reader_value_new(reader, x, &value));
    for (int i = 2; i < value->rank; ++i)
        value->dims[i] = 1;
    KAS_TRY(kas_reader_settle(reader, tensor, value));
    return kas_onnx_output(call, 0, value);
}

#define WINDOW_ATTRIBUTES "auto_pad kernel_shape pads strides dilations "

const kas_onnx_op kas_onnx_ops_pool[] = {
    {"AveragePool", lower_pool, WINDOW_ATTRIBUTES "ceil_mode count_include_pad", 1, 1, POOL_AVERAGE},
    {"Conv", lower_conv, WINDOW_ATTRIBUTES "group", 2, 3, 0},
    {"GlobalAveragePool", lower_global_pool, "", 1, 1, POOL_AVERAGE},
    {"GlobalMaxPool", lower_global_pool, "", 1, 1, POOL_MAX},
    {"MaxPool", lower_pool, WINDOW_ATTRIBUTES "ceil_mode storage_order", 1, 1, POOL_MAX},
    {NULL, NULL, NULL, 0, 0, 0},
};
