#include "engine/artifact/torchsave_block.h"

#include "engine/artifact/refuse.h"

enum { DIM_MAX = 1 << 24 };

typedef struct torch_block {
    const kas_pickle_value *ir;
    const kas_torch_state *state;
    const kas_artifact_limits *limits;
    kas_artifact *out;
} torch_block;

/* ---- numbers of ir_metadata ---- */

static kas_status read_dim(const kas_pickle_value *value, const char *name, int64_t *out)
{
    if (!value) return kas_refuse(KAS_REASON_METADATA, "%s is missing", name);
    if (value->kind != KAS_PICKLE_INT || value->integer < 1 || value->integer > DIM_MAX)
        return kas_refuse(KAS_REASON_METADATA, "%s is no integer from 1 to %d", name, (int)DIM_MAX);
    *out = value->integer;
    return NULL;
}

static kas_status member(const torch_block *block, const char *name, int64_t *out)
{
    return read_dim(kas_pickle_get(block->ir, name), name, out);
}

/* A number that may be left out, and must be `only` where it is said. */
static kas_status expect_number(const torch_block *block, const char *name, int64_t only)
{
    const kas_pickle_value *value = kas_pickle_get(block->ir, name);
    if (!value || (value->kind == KAS_PICKLE_INT && value->integer == only)) return NULL;
    return kas_refuse(KAS_REASON_METADATA, "%s is not %lld, as it has to be", name, (long long)only);
}

static kas_status expect_relu(const torch_block *block)
{
    const kas_pickle_value *value = kas_pickle_get(block->ir, "activation");
    if (!value || (value->kind == KAS_PICKLE_TEXT && kas_span_is(value->text, "relu"))) return NULL;
    return kas_refuse(KAS_REASON_METADATA, "activation is not \"relu\", as it has to be");
}

/* "input_shape": a list or tuple of this many dimensions. */
static kas_status read_dims(const torch_block *block, const char *name, size_t count, int64_t *out)
{
    const kas_pickle_value *value = kas_pickle_get(block->ir, name);
    if (!value || (value->kind != KAS_PICKLE_LIST && value->kind != KAS_PICKLE_TUPLE) ||
        value->items.count != count)
        return kas_refuse(KAS_REASON_METADATA, "%s is no list of %zu integers", name, count);
    for (size_t i = 0; i < count; ++i)
        KAS_TRY(read_dim(value->items.at[i], name, &out[i]));
    return NULL;
}

/* ---- nodes ---- */

static kas_status add_weight(torch_block *block, const char *name, const kas_shape *shape,
                             const char *meaning, int *out)
{
    size_t elements;
    float *values;
    if (!kas_shape_elements(shape, &elements) ||
        elements > block->limits->parameters - block->out->parameter_count)
        return kas_refuse(KAS_REASON_LIMIT, "tensor \"%s\": the parameters are over the limit of %llu", name,
                          (unsigned long long)block->limits->parameters);
    KAS_TRY(kas_torch_state_floats(block->state, name, shape, meaning, &values));
    block->out->parameter_count += elements;
    return kas_graph_add_constant(block->out->graph, name, shape, values, out);
}

static kas_status add_node(torch_block *block, kas_node *node, int input, const kas_shape *shape, int *out)
{
    node->inputs[0] = input;
    if (!node->input_count) node->input_count = 1;
    KAS_TRY(kas_graph_add_tensor(block->out->graph, NULL, shape, out));
    node->output = *out;
    return kas_graph_add_node(block->out->graph, node);
}

/* The same elements in the same order under another shape. */
static kas_status add_view(torch_block *block, int input, const kas_shape *shape, int *out)
{
    kas_node node = {.op = KAS_OP_STRIDED};
    int64_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; --i) {
        node.stride[i] = stride;
        stride *= shape->dims[i];
    }
    return add_node(block, &node, input, shape, out);
}

static kas_status begin_graph(torch_block *block, int64_t inputs)
{
    const kas_shape row = {.rank = 1, .dims = {inputs}};
    KAS_TRY(kas_graph_create(&block->out->graph));
    return kas_graph_add_tensor(block->out->graph, "input", &row, &block->out->graph->input);
}

/* ---- linear ---- */

typedef struct linear {
    const char *weight, *bias, *weight_meaning, *bias_meaning;
    int64_t inputs, outputs;
    kas_act act;
} linear;

static kas_status add_linear(torch_block *block, const linear *what, int input, int *out)
{
    const kas_shape weight = {.rank = 2, .dims = {what->outputs, what->inputs}};
    const kas_shape row = {.rank = 1, .dims = {what->outputs}};
    kas_node node = {.op = KAS_OP_LINEAR, .act = what->act, .input_count = 3};
    KAS_TRY(add_weight(block, what->weight, &weight, what->weight_meaning, &node.inputs[1]));
    KAS_TRY(add_weight(block, what->bias, &row, what->bias_meaning, &node.inputs[2]));
    return add_node(block, &node, input, &row, out);
}

static kas_status read_linear(torch_block *block)
{
    static const char *const names[] = {"0.weight", "0.bias", "2.weight", "2.bias", NULL};
    int64_t inputs, hidden, outputs;
    int between;
    KAS_TRY(member(block, "input_size", &inputs));
    KAS_TRY(member(block, "hidden_size", &hidden));
    KAS_TRY(member(block, "output_size", &outputs));
    KAS_TRY(kas_torch_state_expect(block->state, names, "a block of type \"linear\""));
    KAS_TRY(begin_graph(block, inputs));
    const linear first = {"0.weight", "0.bias",    "[hidden_size, input_size]", "[hidden_size]", inputs,
                          hidden,     KAS_ACT_RELU};
    const linear second = {"2.weight", "2.bias",    "[output_size, hidden_size]", "[output_size]", hidden,
                           outputs,    KAS_ACT_NONE};
    kas_artifact *out = block->out;
    KAS_TRY(add_linear(block, &first, out->graph->input, &between));
    KAS_TRY(add_linear(block, &second, between, &out->graph->output));
    out->operators[out->operator_count++] = "linear";
    out->operators[out->operator_count++] = "relu";
    return NULL;
}

/* ---- conv ---- */

enum { CHANNELS, HEIGHT, WIDTH, IMAGE_RANK };

typedef struct convolution {
    int64_t image[IMAGE_RANK], outputs, kernel[2];
} convolution;

static kas_status read_kernel(const torch_block *block, int64_t kernel[2])
{
    const kas_pickle_value *value = kas_pickle_get(block->ir, "kernel_size");
    if (value && value->kind != KAS_PICKLE_INT) return read_dims(block, "kernel_size", 2, kernel);
    KAS_TRY(read_dim(value, "kernel_size", &kernel[0]));
    kernel[1] = kernel[0];
    return NULL;
}

static kas_status check_image(const torch_block *block, const convolution *what)
{
    KAS_TRY(expect_number(block, "in_channels", what->image[CHANNELS]));
    KAS_TRY(
        expect_number(block, "input_size", what->image[CHANNELS] * what->image[HEIGHT] * what->image[WIDTH]));
    KAS_TRY(expect_number(block, "output_size", what->outputs));
    KAS_TRY(expect_number(block, "stride", 1));
    KAS_TRY(expect_number(block, "padding", 0));
    KAS_TRY(expect_number(block, "dilation", 1));
    KAS_TRY(expect_number(block, "groups", 1));
    if (what->kernel[0] <= what->image[HEIGHT] && what->kernel[1] <= what->image[WIDTH]) return NULL;
    return kas_refuse(KAS_REASON_METADATA, "kernel_size is larger than the image of input_shape");
}

static kas_status read_convolution(const torch_block *block, convolution *out)
{
    size_t elements;
    KAS_TRY(read_dims(block, "input_shape", IMAGE_RANK, out->image));
    const kas_shape image = {.rank = IMAGE_RANK,
                             .dims = {out->image[CHANNELS], out->image[HEIGHT], out->image[WIDTH]}};
    if (!kas_shape_elements(&image, &elements))
        return kas_refuse(KAS_REASON_LIMIT, "input_shape is too large");
    KAS_TRY(member(block, "out_channels", &out->outputs));
    KAS_TRY(read_kernel(block, out->kernel));
    return check_image(block, out);
}

static kas_status add_convolution(torch_block *block, const convolution *what, int input,
                                  const kas_shape *shape, int *out)
{
    const kas_shape weight = {
        .rank = 4, .dims = {what->outputs, what->image[CHANNELS], what->kernel[0], what->kernel[1]}};
    const kas_shape bias = {.rank = 1, .dims = {what->outputs}};
    kas_node node = {.op = KAS_OP_CONV,
                     .act = KAS_ACT_RELU,
                     .input_count = 3,
                     .window = {.spatial = 2,
                                .kernel = {what->kernel[0], what->kernel[1]},
                                .stride = {1, 1},
                                .dilation = {1, 1},
                                .groups = 1}};
    KAS_TRY(add_weight(block, "0.weight", &weight, "[out_channels, in_channels, kernel_size, kernel_size]",
                       &node.inputs[1]));
    KAS_TRY(add_weight(block, "0.bias", &bias, "[out_channels]", &node.inputs[2]));
    return add_node(block, &node, input, shape, out);
}

/* Of all positions of a channel, as a row of channels. */
static kas_status add_mean(torch_block *block, int input, int64_t channels, int64_t positions, int *out)
{
    const kas_shape flat = {.rank = 2, .dims = {channels, positions}},
                    mean = {.rank = 2, .dims = {channels, 1}};
    const kas_shape row = {.rank = 1, .dims = {channels}};
    kas_node node = {.op = KAS_OP_REDUCE, .reduce = KAS_REDUCE_MEAN, .axis = 1};
    int at;
    KAS_TRY(add_view(block, input, &flat, &at));
    KAS_TRY(add_node(block, &node, at, &mean, &at));
    return add_view(block, at, &row, out);
}

static kas_status read_conv(torch_block *block)
{
    static const char *const names[] = {"0.weight", "0.bias", NULL};
    convolution what;
    kas_artifact *out = block->out;
    int at;
    KAS_TRY(read_convolution(block, &what));
    KAS_TRY(kas_torch_state_expect(block->state, names, "a block of type \"conv\""));
    const int64_t height = what.image[HEIGHT] - what.kernel[0] + 1,
                  width = what.image[WIDTH] - what.kernel[1] + 1;
    const kas_shape image = {.rank = IMAGE_RANK,
                             .dims = {what.image[CHANNELS], what.image[HEIGHT], what.image[WIDTH]}};
    const kas_shape positions = {.rank = IMAGE_RANK, .dims = {what.outputs, height, width}};
    KAS_TRY(begin_graph(block, what.image[CHANNELS] * what.image[HEIGHT] * what.image[WIDTH]));
    KAS_TRY(add_view(block, out->graph->input, &image, &at));
    KAS_TRY(add_convolution(block, &what, at, &positions, &at));
    KAS_TRY(add_mean(block, at, what.outputs, height * width, &out->graph->output));
    out->operators[out->operator_count++] = "conv2d";
    out->operators[out->operator_count++] = "mean";
    out->operators[out->operator_count++] = "relu";
    return NULL;
}

/* ---- either ---- */

static kas_status read_block(torch_block *block)
{
    char text[KAS_PICKLE_DESCRIBED];
    if (block->ir->kind != KAS_PICKLE_DICT)
        return kas_refuse(KAS_REASON_METADATA, "it is %s, not a dict",
                          kas_pickle_describe(block->ir, text, sizeof text));
    const kas_pickle_value *type = kas_pickle_get(block->ir, "type");
    if (!type || type->kind != KAS_PICKLE_TEXT)
        return kas_refuse(KAS_REASON_METADATA, "its type is missing, or no string");
    KAS_TRY(expect_relu(block));
    if (kas_span_is(type->text, "linear")) return read_linear(block);
    if (kas_span_is(type->text, "conv")) return read_conv(block);
    return kas_refuse(KAS_REASON_UNSUPPORTED, "the type \"%.*s\"; linear and conv are known",
                      KAS_SPAN_ARGS(type->text));
}

kas_status kas_torch_block_read(const kas_pickle_value *ir, const kas_torch_state *state,
                                const kas_artifact_limits *limits, kas_artifact *out)
{
    torch_block block = {.ir = ir, .state = state, .limits = limits, .out = out};
    return kas_annotate(read_block(&block), "ir_metadata");
}
