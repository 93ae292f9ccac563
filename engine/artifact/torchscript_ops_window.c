/* Convolutions and pooling over one or two spatial dimensions. */
#include <string.h>

#include "engine/artifact/refuse.h"
#include "engine/artifact/torchscript_reader.h"

/* [batch, channels, one or two dimensions] */
static kas_status read_image(const kas_script_call *call, kas_reader_value **x, int *spatial)
{
    char text[KAS_READER_SHAPE_TEXT];
    KAS_TRY(kas_script_tensor_at(call, 0, x));
    *spatial = (*x)->rank - 2;
    if (*spatial != 1 && *spatial != 2)
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "the input has the shape %s; a batch, channels and one or two spatial "
                          "dimensions are supported",
                          kas_reader_shape_text(*x, text));
    if ((*x)->batch_axis == 0 && (*x)->dims[0] == 1) return NULL;
    return kas_refuse(KAS_REASON_MIXES_ROWS, "the input %s does not begin with the batch",
                      kas_reader_shape_text(*x, text));
}

/* One value for each spatial dimension, or one for all. */
static kas_status window_list(const kas_script_call *call, int index, int spatial, int64_t least,
                              int64_t absent, int64_t *out)
{
    int64_t given[KAS_READER_MAX_RANK];
    size_t count;
    KAS_TRY(kas_script_ints_at(call, index, KAS_READER_MAX_RANK, given, &count));
    if (count > 1 && count != (size_t)spatial)
        return kas_refuse(KAS_REASON_SHAPE, "%zu values for %d spatial dimensions", count, spatial);
    for (int i = 0; i < spatial; ++i) {
        out[i] = count == 0 ? absent : given[count == 1 ? 0 : i];
        if (out[i] < least || out[i] > KAS_READER_WINDOW_MAX)
            return kas_refuse(KAS_REASON_LIMIT, "a window's value of %lld; %lld to %d are supported",
                              (long long)out[i], (long long)least, (int)KAS_READER_WINDOW_MAX);
    }
    return NULL;
}

/* Emits the node, whose inputs are set, as the value. */
static kas_status give_window(kas_script_call *call, kas_node *node, kas_reader_value *value)
{
    kas_shape shape;
    KAS_TRY(kas_reader_row_shape(value, &shape));
    KAS_TRY(kas_reader_emit(call->lower, node, &shape, &value->tensor));
    return kas_script_give(call, value);
}

/* ---- convolutions ---- */

/* Padding in numbers, "valid" or "same": as much as keeps the size, the odd one behind. */
static kas_status read_padding(const kas_script_call *call, int index, kas_window *window)
{
    kas_span mode;
    if (!call->arguments[index] || call->arguments[index]->kind != KAS_SCRIPT_VALUE_TEXT) {
        KAS_TRY(window_list(call, index, window->spatial, 0, 0, window->before));
        memcpy(window->after, window->before, sizeof window->after);
        return NULL;
    }
    KAS_TRY(kas_script_text_at(call, index, "", &mode));
    if (kas_span_is(mode, "valid")) return NULL;
    for (int i = 0; i < window->spatial; ++i) {
        const int64_t total = kas_reader_window_extent(window, i) - 1;
        if (!kas_span_is(mode, "same") || window->stride[i] != 1)
            return kas_refuse(KAS_REASON_UNSUPPORTED, "padding \"%.*s\" with a stride of %lld",
                              KAS_SPAN_ARGS(mode), (long long)window->stride[i]);
        window->before[i] = total / 2;
        window->after[i] = total - total / 2;
    }
    return NULL;
}

/* `groups` is the index of that argument; stride, padding and dilation are 3 to 5. */
static kas_status convolve(kas_script_call *call, int groups)
{
    kas_node node = {.op = KAS_OP_CONV};
    kas_reader_value *x, *w, *bias, *value;
    bool extended;
    KAS_TRY(read_image(call, &x, &node.window.spatial));
    KAS_TRY(kas_script_tensor_at(call, 1, &w));
    KAS_TRY(kas_script_optional_tensor(call, 2, &bias));
    KAS_TRY(window_list(call, 3, node.window.spatial, 1, 1, node.window.stride));
    KAS_TRY(window_list(call, 5, node.window.spatial, 1, 1, node.window.dilation));
    KAS_TRY(kas_script_int_at(call, groups, 1, &node.window.groups));
    KAS_TRY(kas_reader_check_conv(x, w, bias, node.window.groups));
    for (int i = 0; i < node.window.spatial; ++i)
        node.window.kernel[i] = w->dims[2 + i];
    KAS_TRY(read_padding(call, 4, &node.window));
    KAS_TRY(kas_reader_value_new(call->lower, x, &value));
    value->dims[1] = w->dims[0];
    KAS_TRY(kas_reader_window_dims(x, false, &node.window, &extended, value));
    KAS_TRY(kas_reader_tensor_index(call->lower, x, &node.inputs[0]));
    KAS_TRY(kas_reader_constant_index(call->lower, w, "weight", &node.inputs[1]));
    KAS_TRY(kas_reader_constant_index(call->lower, bias, "bias", &node.inputs[2]));
    node.input_count = bias ? 3 : 2;
    return give_window(call, &node, value);
}

static kas_status check_rank(const kas_script_call *call, int rank)
{
    kas_reader_value *x;
    KAS_TRY(kas_script_tensor_at(call, 0, &x));
    if (rank == 0 || x->rank == rank) return NULL; /* 0: any */
    return kas_refuse(KAS_REASON_SHAPE, "the input has the rank %d, not %d", x->rank, rank);
}

static kas_status lower_conv(kas_script_call *call)
{
    KAS_TRY(check_rank(call, call->op->variant));
    return convolve(call, 6);
}

/* What tracing writes for all of them but those whose padding is a word. */
static kas_status lower_convolution(kas_script_call *call)
{
    bool transposed;
    KAS_TRY(kas_script_bool_at(call, 6, false, &transposed));
    if (transposed) return kas_refuse(KAS_REASON_UNSUPPORTED, "a transposed convolution is not supported");
    return convolve(call, 8);
}

/* ---- pooling ---- */

static kas_status give_pool(kas_script_call *call, kas_node *node, kas_reader_value *x, bool ceil_mode)
{
    kas_reader_value *value;
    bool extended;
    KAS_TRY(kas_reader_value_new(call->lower, x, &value));
    for (int i = 0; i < node->window.spatial; ++i)
        if (node->window.before[i] > node->window.kernel[i] / 2)
            return kas_refuse(KAS_REASON_SHAPE, "the padding %lld is more than half of the window",
                              (long long)node->window.before[i]);
    KAS_TRY(kas_reader_window_dims(x, ceil_mode, &node->window, &extended, value));
    if (extended && node->window.average && node->window.count_padding)
        return kas_refuse(KAS_REASON_UNSUPPORTED,
                          "ceil_mode with count_include_pad needs windows of unequal size");
    KAS_TRY(kas_reader_tensor_index(call->lower, x, &node->inputs[0]));
    return give_window(call, node, value);
}

/* An empty or absent stride is the window's size. */
static kas_status read_pool(const kas_script_call *call, kas_node *node, kas_reader_value **x)
{
    kas_window *window = &node->window;
    node->op = KAS_OP_POOL;
    node->input_count = 1;
    window->groups = 1;
    KAS_TRY(check_rank(call, call->op->variant));
    KAS_TRY(read_image(call, x, &window->spatial));
    KAS_TRY(window_list(call, 1, window->spatial, 1, 1, window->kernel));
    KAS_TRY(window_list(call, 2, window->spatial, 0, 0, window->stride));
    KAS_TRY(window_list(call, 3, window->spatial, 0, 0, window->before));
    memcpy(window->after, window->before, sizeof window->after);
    for (int i = 0; i < window->spatial; ++i) {
        window->dilation[i] = 1;
        if (window->stride[i] == 0) window->stride[i] = window->kernel[i];
    }
    return NULL;
}

static kas_status lower_max_pool(kas_script_call *call)
{
    kas_node node = {0};
    kas_reader_value *x;
    bool ceil_mode;
    KAS_TRY(read_pool(call, &node, &x));
    KAS_TRY(window_list(call, 4, node.window.spatial, 1, 1, node.window.dilation));
    KAS_TRY(kas_script_bool_at(call, 5, false, &ceil_mode));
    return give_pool(call, &node, x, ceil_mode);
}

static kas_status lower_avg_pool(kas_script_call *call)
{
    kas_node node = {.window = {.average = true}};
    kas_reader_value *x;
    bool ceil_mode;
    KAS_TRY(read_pool(call, &node, &x));
    KAS_TRY(kas_script_bool_at(call, 4, false, &ceil_mode));
    KAS_TRY(kas_script_bool_at(call, 5, true, &node.window.count_padding));
    if (kas_script_given(call, 6))
        return kas_refuse(KAS_REASON_UNSUPPORTED, "divisor_override is not supported");
    return give_pool(call, &node, x, ceil_mode);
}

/* As many windows as asked for; where they would not all be of one size it is refused. None keeps a
 * dimension. */
static kas_status read_adaptive_sizes(const kas_script_call *call, const kas_reader_value *x,
                                      kas_window *window)
{
    const kas_script_list *list;
    const bool single = call->arguments[1]->kind == KAS_SCRIPT_VALUE_INT;
    if (!single) KAS_TRY(kas_script_list_at(call, 1, &list));
    if (!single && list->count != (size_t)window->spatial)
        return kas_refuse(KAS_REASON_SHAPE, "%zu sizes for %d spatial dimensions", list->count,
                          window->spatial);
    for (int i = 0; i < window->spatial; ++i) {
        const kas_script_value *size = single ? call->arguments[1] : &list->items[i];
        const int64_t dim = x->dims[2 + i];
        int64_t wanted = dim;
        if (size->kind == KAS_SCRIPT_VALUE_INT && size->integer.kind == KAS_INTEGER_KNOWN)
            wanted = size->integer.value;
        else if (size->kind != KAS_SCRIPT_VALUE_NONE)
            return kas_refuse(KAS_REASON_UNSUPPORTED, "a size that is no known integer");
        if (wanted < 1 || dim % wanted)
            return kas_refuse(KAS_REASON_UNSUPPORTED,
                              "%lld elements do not divide into %lld windows of one size", (long long)dim,
                              (long long)wanted);
        window->kernel[i] = window->stride[i] = dim / wanted;
        window->dilation[i] = 1;
    }
    return NULL;
}

static kas_status lower_adaptive_pool(kas_script_call *call)
{
    kas_node node = {.op = KAS_OP_POOL, .input_count = 1, .window = {.groups = 1, .average = true}};
    kas_reader_value *x;
    KAS_TRY(check_rank(call, call->op->variant));
    KAS_TRY(read_image(call, &x, &node.window.spatial));
    KAS_TRY(read_adaptive_sizes(call, x, &node.window));
    return give_pool(call, &node, x, false);
}

const kas_script_op kas_script_ops_window[] = {
    {"torch._convolution", lower_convolution,
     "input weight bias stride padding dilation transposed output_padding groups benchmark deterministic "
     "cudnn_enabled allow_tf32?",
     0, false},
    {"torch._convolution_mode", lower_conv, "input weight bias stride padding dilation groups", 0, false},
    {"torch.adaptive_avg_pool1d", lower_adaptive_pool, "self output_size", 3, false},
    {"torch.adaptive_avg_pool2d", lower_adaptive_pool, "self output_size", 4, false},
    {"torch.avg_pool1d", lower_avg_pool, "self kernel_size stride? padding? ceil_mode? count_include_pad?", 3,
     false},
    {"torch.avg_pool2d", lower_avg_pool,
     "self kernel_size stride? padding? ceil_mode? count_include_pad? divisor_override?", 4, false},
    {"torch.conv1d", lower_conv, "input weight bias? stride? padding? dilation? groups?", 3, false},
    {"torch.conv2d", lower_conv, "input weight bias? stride? padding? dilation? groups?", 4, false},
    {"torch.max_pool1d", lower_max_pool, "self kernel_size stride? padding? dilation? ceil_mode?", 3, false},
    {"torch.max_pool2d", lower_max_pool, "self kernel_size stride? padding? dilation? ceil_mode?", 4, false},
    {NULL, NULL, NULL, 0, false},
};
