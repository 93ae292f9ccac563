/* conv: one and two dimensions, groups, strides, dilations, padding, outputs that do not fill their last
 * block. */
#include <math.h>
#include <stdio.h>

#include "base/alloc.h"
#include "engine/graph/reference.h"
#include "tests/conformance/weights.h"

static size_t outputs_of(const struct conv_args *args)
{
    return (size_t)args->groups * (size_t)args->group_outputs;
}

static size_t taps_of(const struct conv_args *args)
{
    return (size_t)args->group_inputs * (size_t)args->kernel_height * (size_t)args->kernel_width;
}

/* Weights as kernels/conv.k reads them; w is [outputs, inputs of a group, height, width]. */
static void *pack(const struct conv_args *args, const float *w, kas_weight_type type, size_t *size_bytes)
{
    size_t each = (size_t)args->group_outputs, blocks = (each + CONV_CHANNELS - 1) / CONV_CHANNELS;
    size_t taps = taps_of(args);
    size_t count = (size_t)args->groups * blocks * taps * CONV_CHANNELS;
    float *out = conformance_alloc(count, sizeof *out);
    for (size_t o = 0; o < outputs_of(args); ++o)
        for (size_t tap = 0; tap < taps; ++tap) {
            size_t block = o / each * blocks + o % each / CONV_CHANNELS;
            out[(block * taps + tap) * CONV_CHANNELS + o % each % CONV_CHANNELS] = w[o * taps + tap];
        }
    *size_bytes = count * sizeof *out;
    if (type == KAS_WEIGHT_F32) return out;
    uint32_t *pairs = conformance_pairs(out, 1, count, type, size_bytes);
    kas_free(out);
    return pairs;
}

/* The sum for one output; *size: of the terms' magnitudes. */
static double convolve(const struct conv_args *args, const float *x, const float *w, int o, int y, int x0,
                       double *size)
{
    double sum = 0;
    int first = o / args->group_outputs * args->group_inputs;
    for (int c = 0; c < args->group_inputs; ++c)
        for (int i = 0; i < args->kernel_height; ++i)
            for (int j = 0; j < args->kernel_width; ++j, ++w) {
                int row = y * args->stride_height + i * args->dilation_height - args->before_height;
                int column = x0 * args->stride_width + j * args->dilation_width - args->before_width;
                if (row < 0 || row >= args->height || column < 0 || column >= args->width) continue;
                double term = (double)*w * x[((first + c) * args->height + row) * args->width + column];
                sum += term;
                *size += fabs(term);
            }
    return sum;
}

static void check(conformance_runner *runner, const struct conv_args *args, uint32_t rows, const float *x,
                  const float *w, const float *bias, const float *got)
{
    size_t inputs = (size_t)(args->groups * args->group_inputs * args->height * args->width), at = 0;
    char what[96];
    snprintf(what, sizeof what, "conv %d×%d over %d×%d, %d groups", args->kernel_height, args->kernel_width,
             args->height, args->width, args->groups);
    for (size_t r = 0; r < rows; ++r)
        for (int o = 0; o < (int)outputs_of(args); ++o)
            for (int y = 0; y < args->out_height; ++y)
                for (int column = 0; column < args->out_width; ++column, ++at) {
                    double size = 0, b = args->has_bias ? (double)bias[o] : 0;
                    double sum =
                        convolve(args, x + r * inputs, w + (size_t)o * taps_of(args), o, y, column, &size);
                    double want = kas_reference_act((kas_act)args->act, args->act_a, args->act_b, sum + b);
                    conformance_compare(runner, what, at, got[at], want,
                                        1e-6 * (size + fabs(b) + fabs(want)) + 1e-7);
                }
}

static void one_shape(conformance_runner *runner, uint32_t rows, const struct conv_args *args,
                      kas_weight_type type)
{
    size_t inputs = (size_t)(args->groups * args->group_inputs * args->height * args->width);
    size_t positions = (size_t)(args->out_height * args->out_width), outputs = outputs_of(args), packed_bytes;
    size_t each = (size_t)args->group_outputs;
    float *x = conformance_random(rows * inputs, rows),
          *w = conformance_random(outputs * taps_of(args), inputs);
    conformance_round(w, outputs * taps_of(args), type);
    float *bias = conformance_random(outputs, 7);
    void *packed = pack(args, w, type, &packed_bytes);
    float *y = conformance_alloc(rows * outputs * positions, sizeof *y);
    size_t blocks = (size_t)args->groups * ((each + CONV_CHANNELS - 1) / CONV_CHANNELS);
    size_t strips = (positions + CONV_GROUP - 1) / CONV_GROUP;
    conformance_launch launch = {
        .kernel = kas_kernel_over(KAS_KERNEL_conv, type),
        .args = args,
        .rows = rows,
        .grid_x = {.per_row = (uint32_t)(strips * blocks), .divisor = 1},
        .buffers = {[1] = {x, rows * inputs * sizeof *x},
                    [2] = {packed, packed_bytes},
                    [3] = {bias, outputs * sizeof *bias},
                    [4] = {y, rows * outputs * positions * sizeof *y}},
    };
    conformance_run_x(runner, &launch);
    check(runner, args, rows, x, w, bias, y);
    kas_free(x);
    kas_free(w);
    kas_free(bias);
    kas_free(packed);
    kas_free(y);
}

typedef struct extent {
    int in, kernel, stride, dilation, before, after;
} extent;

static int out_of(extent e)
{
    return (e.in + e.before + e.after - e.dilation * (e.kernel - 1) - 1) / e.stride + 1;
}

static void every_shape(conformance_runner *runner, kas_weight_type type)
{
    static const struct {
        uint32_t rows;
        int groups, inputs, outputs; /* inputs and outputs: of a group */
        extent high, wide;
        int act;
        bool has_bias;
    } shapes[] = {
        {1, 1, 1, 1, {1, 1, 1, 1, 0, 0}, {1, 1, 1, 1, 0, 0}, KAS_ACT_NONE, false},
        {2, 1, 3, 5, {1, 1, 1, 1, 0, 0}, {17, 3, 1, 1, 1, 1}, KAS_ACT_RELU, true},
        {3, 2, 2, 9, {5, 3, 2, 1, 1, 0}, {7, 2, 1, 2, 0, 2}, KAS_ACT_NONE, true},
        {1, 1, 2, 8, {9, 3, 1, 1, 1, 1}, {11, 3, 1, 1, 1, 1}, KAS_ACT_TANH, true},
        {2, 4, 1, 1, {6, 3, 3, 2, 2, 1}, {5, 5, 2, 1, 4, 3}, KAS_ACT_NONE, false}, /* slow runners: until here
                                                                                    */
        {7, 1, 3, 16, {16, 3, 1, 1, 1, 1}, {16, 3, 1, 1, 1, 1}, KAS_ACT_RELU, true},
        {32, 8, 1, 1, {13, 3, 1, 1, 1, 1}, {13, 3, 1, 1, 1, 1}, KAS_ACT_NONE, true},
        {2, 1, 16, 17, {19, 5, 2, 1, 2, 2}, {23, 5, 3, 1, 2, 2}, KAS_ACT_GELU, true},
        {128, 1, 2, 3, {1, 1, 1, 1, 0, 0}, {67, 7, 1, 1, 0, 0}, KAS_ACT_NONE, false},
    };
    size_t count = runner->slow ? 5 : sizeof shapes / sizeof *shapes;
    for (size_t i = 0; i < count; ++i) {
        extent high = shapes[i].high, wide = shapes[i].wide;
        struct conv_args args = {.groups = shapes[i].groups,
                                 .group_inputs = shapes[i].inputs,
                                 .group_outputs = shapes[i].outputs,
                                 .height = high.in,
                                 .width = wide.in,
                                 .out_height = out_of(high),
                                 .out_width = out_of(wide),
                                 .kernel_height = high.kernel,
                                 .kernel_width = wide.kernel,
                                 .stride_height = high.stride,
                                 .stride_width = wide.stride,
                                 .dilation_height = high.dilation,
                                 .dilation_width = wide.dilation,
                                 .before_height = high.before,
                                 .before_width = wide.before,
                                 .act = shapes[i].act,
                                 .has_bias = shapes[i].has_bias};
        one_shape(runner, shapes[i].rows, &args, type);
    }
}

void cases_conv(conformance_runner *runner)
{
    every_shape(runner, KAS_WEIGHT_F32);
}

void cases_conv_f16(conformance_runner *runner)
{
    every_shape(runner, KAS_WEIGHT_F16);
}

void cases_conv_bf16(conformance_runner *runner)
{
    every_shape(runner, KAS_WEIGHT_BF16);
}
