/* Factors and summands of each channel (BatchNorm, biases, scales) into the product or normalisation next to
 * them.
 *
 * Behind a product y = W·x + b, s·y + t is (s·W)·x + (s·b + t). Before it, W·(s·x + t) + b is (W·s)·x + (b +
 * W·t); there, a summand that is large compared with what comes out would cancel against W·x, which float32
 * cannot do well, so such a one stays where it is. Sums are made in float64 and rounded once. */
#include <math.h>

#include "base/alloc.h"
#include "engine/graph/match.h"
#include "engine/graph/rules.h"
#include "engine/graph/shape.h"

/* y = scale∘x + shift; both vary along the dimensions from `first` to `last` (not counted) of x alone. */
typedef struct channels {
    int x;
    int first, last;
    size_t count;
    double *scale; /* one allocation: `count` factors, then `count` summands */
    double *shift;
} channels;

/* The constant of a node that adds to or multiplies x; -1 where both or neither are constant. */
static int constant_operand(const kas_rewrite *rewrite, const kas_node *node, int *x)
{
    bool left = kas_rewrite_tensor(rewrite, node->inputs[0])->constant != NULL;
    bool right = kas_rewrite_tensor(rewrite, node->inputs[1])->constant != NULL;
    if (left == right) return -1;
    *x = node->inputs[left ? 1 : 0];
    return node->inputs[left ? 0 : 1];
}

/* The strides of a constant over the channels, if it does not vary along other dimensions. */
static bool channel_strides(const kas_shape *constant, const kas_shape *x, const channels *map,
                            int64_t strides[KAS_MAX_RANK])
{
    kas_shape_broadcast_strides(constant, x, strides);
    for (int d = 0; d < x->rank; ++d)
        if (strides[d] && (d < map->first || d >= map->last)) return false;
    return true;
}

static void fill(channels *map, const kas_node *node, bool constant_left, const float *values,
                 kas_cursor cursor, const kas_shape *block)
{
    for (size_t i = 0; i < map->count; ++i) {
        double c = (double)values[cursor.offset];
        bool sum = node->binary == KAS_ADD || node->binary == KAS_SUB;
        map->scale[i] = sum ? (node->binary == KAS_SUB && constant_left ? -1 : 1) : c;
        if (node->binary == KAS_DIV) map->scale[i] = 1 / c;
        map->shift[i] = sum ? (node->binary == KAS_SUB && !constant_left ? -c : c) : 0;
        kas_cursor_next(&cursor, block);
    }
}

static bool allocate(channels *map, const kas_shape *x)
{
    map->count = 1;
    for (int d = map->first; d < map->last; ++d)
        map->count *= (size_t)x->dims[d];
    map->scale = kas_alloc_array(map->count, 2 * sizeof *map->scale);
    map->shift = map->scale ? map->scale + map->count : NULL;
    return map->scale != NULL;
}

static kas_status channels_of_binary(const kas_rewrite *rewrite, const kas_node *node, channels *map,
                                     bool *found)
{
    bool fits = node->act == KAS_ACT_NONE && (node->binary == KAS_ADD || node->binary == KAS_SUB ||
                                              node->binary == KAS_MUL || node->binary == KAS_DIV);
    int operand = fits ? constant_operand(rewrite, node, &map->x) : -1;
    if (operand < 0) return NULL;
    const kas_shape *x = &kas_rewrite_tensor(rewrite, map->x)->shape;
    const kas_tensor *constant = kas_rewrite_tensor(rewrite, operand);
    bool left = operand == node->inputs[0];
    kas_cursor cursor = {0};
    int64_t strides[KAS_MAX_RANK];
    if (!kas_shape_equal(x, &kas_rewrite_tensor(rewrite, node->output)->shape) ||
        (left && node->binary == KAS_DIV) || !channel_strides(&constant->shape, x, map, strides))
        return NULL;
    if (!allocate(map, x)) return kas_out_of_memory();
    kas_shape block = {.rank = map->last - map->first};
    for (int d = 0; d < block.rank; ++d) {
        block.dims[d] = x->dims[map->first + d];
        cursor.stride[d] = strides[map->first + d];
    }
    fill(map, node, left, constant->constant, cursor, &block);
    *found = true;
    return NULL;
}

/* map->first and map->last are given. Where *found, the caller frees map->scale. */
static kas_status channels_of(const kas_rewrite *rewrite, const kas_node *node, channels *map, bool *found)
{
    *found = false;
    if (node->op == KAS_OP_BINARY) return channels_of_binary(rewrite, node, map, found);
    kas_scaled step = {.a = 1, .b = 0, .core = node->output};
    if (node->op != KAS_OP_UNARY || !kas_match_affine_step(rewrite, &step)) return NULL;
    map->x = step.core;
    if (!allocate(map, &kas_rewrite_tensor(rewrite, map->x)->shape)) return kas_out_of_memory();
    for (size_t i = 0; i < map->count; ++i) {
        map->scale[i] = step.a;
        map->shift[i] = step.b;
    }
    *found = true;
    return NULL;
}

/* The constants that a node being changed gets; those that stay are NULL. */
typedef struct parameters {
    float *weight; /* or the norm's scale */
    float *bias;   /* or its shift */
} parameters;

static void free_parameters(const parameters *values)
{
    kas_free(values->weight);
    kas_free(values->bias);
}

static bool make_room(parameters *values, size_t weights, size_t biases)
{
    values->weight = weights ? kas_alloc_array(weights, sizeof *values->weight) : NULL;
    values->bias = kas_alloc_array(biases, sizeof *values->bias);
    if (values->bias && (values->weight || !weights)) return true;
    free_parameters(values);
    return false;
}

static bool all_finite(const float *values, const kas_shape *shape)
{
    size_t count;
    if (!kas_shape_elements(shape, &count)) return false;
    for (size_t i = 0; i < count; ++i)
        if (!isfinite(values[i])) return false;
    return true;
}

static const char *name_of(const kas_rewrite *rewrite, int tensor)
{
    return tensor >= 0 ? kas_rewrite_tensor(rewrite, tensor)->name : NULL;
}

/* Takes the values over. Where some are not finite nothing is changed. */
static kas_status put_parameters(kas_rewrite *rewrite, int index, kas_node node, parameters values,
                                 const kas_shape *weight_shape, const kas_shape *bias_shape)
{
    if ((values.weight && !all_finite(values.weight, weight_shape)) || !all_finite(values.bias, bias_shape)) {
        free_parameters(&values);
        return NULL;
    }
    for (; node.input_count < 3; ++node.input_count)
        node.inputs[node.input_count] = -1;
    if (values.weight) {
        kas_status status =
            kas_graph_add_constant(rewrite->graph, "", weight_shape, values.weight, &node.inputs[1]);
        if (status) {
            kas_free(values.bias);
            return status;
        }
    }
    KAS_TRY(kas_graph_add_constant(rewrite->graph, name_of(rewrite, node.inputs[2]), bias_shape, values.bias,
                                   &node.inputs[2]));
    kas_rewrite_replace(rewrite, index, &node);
    return NULL;
}

static const float *constant_or_null(const kas_rewrite *rewrite, const kas_node *node, int input)
{
    if (input >= node->input_count || node->inputs[input] < 0) return NULL;
    return kas_rewrite_tensor(rewrite, node->inputs[input])->constant;
}

/* With no factor but 1 the weight stays as it is; a new one must be affordable. */
static bool is_shift(const channels *map)
{
    for (size_t i = 0; i < map->count; ++i)
        if (map->scale[i] != 1) return false;
    return true;
}

static kas_status scale_product(kas_rewrite *rewrite, int index, kas_node product, const channels *map)
{
    kas_tensor w = *kas_rewrite_tensor(rewrite, product.inputs[1]);
    const float *bias = constant_or_null(rewrite, &product, 2);
    size_t outputs = map->count, weights = is_shift(map) ? 0 : w.elements, per_output = w.elements / outputs;
    if (weights && !kas_rewrite_spend_on(rewrite, product.inputs[1])) return NULL;
    parameters values;
    if (!make_room(&values, weights, outputs)) return kas_out_of_memory();
    for (size_t i = 0; i < weights; ++i)
        values.weight[i] = (float)(map->scale[i / per_output] * (double)w.constant[i]);
    for (size_t o = 0; o < outputs; ++o)
        values.bias[o] = (float)(map->scale[o] * (bias ? (double)bias[o] : 0) + map->shift[o]);
    kas_shape bias_shape = {.rank = 1, .dims = {(int64_t)outputs}};
    return put_parameters(rewrite, index, product, values, &w.shape, &bias_shape);
}

static kas_status scale_norm(kas_rewrite *rewrite, int index, kas_node norm, const channels *map)
{
    for (int i = 1; i < norm.input_count; ++i)
        if (norm.inputs[i] >= 0 && !kas_rewrite_tensor(rewrite, norm.inputs[i])->constant) return NULL;
    if (!kas_rewrite_spend(rewrite, 1, map->count)) return NULL;
    const float *scale = constant_or_null(rewrite, &norm, 1), *shift = constant_or_null(rewrite, &norm, 2);
    const kas_shape *x = &kas_rewrite_tensor(rewrite, norm.inputs[0])->shape;
    kas_shape shape = {.rank = norm.axis};
    for (int d = 0; d < norm.axis; ++d)
        shape.dims[d] = x->dims[x->rank - norm.axis + d];
    parameters values;
    if (!make_room(&values, is_shift(map) ? 0 : map->count, map->count)) return kas_out_of_memory();
    for (size_t i = 0; values.weight && i < map->count; ++i)
        values.weight[i] = (float)(map->scale[i] * (scale ? (double)scale[i] : 1));
    for (size_t i = 0; i < map->count; ++i)
        values.bias[i] = (float)(map->scale[i] * (shift ? (double)shift[i] : 0) + map->shift[i]);
    return put_parameters(rewrite, index, norm, values, &shape, &shape);
}

/* A product or norm without activation, and the dimensions of its output that its parameters vary along. */
static bool takes_channels(const kas_rewrite *rewrite, const kas_node *node, channels *map)
{
    int rank = kas_rewrite_tensor(rewrite, node->output)->shape.rank;
    if (node->act != KAS_ACT_NONE) return false;
    *map = (channels){.first = rank - 1, .last = rank};
    if (node->op == KAS_OP_CONV) *map = (channels){.first = 0, .last = 1};
    if (node->op == KAS_OP_NORM) map->first = rank - node->axis;
    return node->op == KAS_OP_LINEAR || node->op == KAS_OP_CONV || node->op == KAS_OP_NORM;
}

/* The node that an affine function of one or with a constant was applied to, or -1. */
static int applied_to(const kas_rewrite *rewrite, const kas_node *node)
{
    int x = -1;
    if (node->op == KAS_OP_UNARY) x = node->inputs[0];
    if (node->op == KAS_OP_BINARY && constant_operand(rewrite, node, &x) < 0) return -1;
    return x >= 0 && rewrite->reads[x] == 1 ? rewrite->producer[x] : -1;
}

kas_status kas_fold_channels_after(kas_rewrite *rewrite, int index)
{
    int before = applied_to(rewrite, kas_rewrite_node(rewrite, index));
    if (before < 0 || !kas_rewrite_has_room(rewrite, 2)) return NULL;
    kas_node product = *kas_rewrite_node(rewrite, before);
    channels map;
    bool found;
    if (!takes_channels(rewrite, &product, &map)) return NULL;
    KAS_TRY(channels_of(rewrite, kas_rewrite_node(rewrite, index), &map, &found));
    if (!found) return NULL;
    kas_status status = product.op == KAS_OP_NORM ? scale_norm(rewrite, index, product, &map)
                                                  : scale_product(rewrite, index, product, &map);
    kas_free(map.scale);
    return status;
}

/* Channel i of a group of the weight, [o, c/groups, k…], is this channel of the input. */
static size_t input_channel(const kas_node *product, const kas_tensor *w, size_t output, size_t i)
{
    if (product->op == KAS_OP_LINEAR) return i;
    size_t groups = (size_t)product->window.groups;
    return output / ((size_t)w->shape.dims[0] / groups) * (size_t)w->shape.dims[1] + i;
}

/* W·s and b + W·t for one output; false where a summand is too large to be folded. */
static bool fold_output(const kas_node *product, const kas_tensor *w, const channels *map, size_t o,
                        const parameters *values)
{
    size_t inputs = (size_t)w->shape.dims[1], window = w->elements / ((size_t)w->shape.dims[0] * inputs);
    double sum = 0, square = 0;
    for (size_t i = 0; i < inputs; ++i) {
        size_t channel = input_channel(product, w, o, i);
        for (size_t k = (o * inputs + i) * window; k < (o * inputs + i + 1) * window; ++k) {
            double summand = (double)w->constant[k] * map->shift[channel];
            if (values->weight) values->weight[k] = (float)((double)w->constant[k] * map->scale[channel]);
            sum += summand;
            square += summand * summand;
        }
    }
    values->bias[o] = (float)((double)values->bias[o] + sum);
    return square <= KAS_FOLD_SUMMAND_MAX * KAS_FOLD_SUMMAND_MAX;
}

/* Padding is not shifted: with it, a summand cannot move behind the convolution. */
static bool may_shift(const kas_node *product, const channels *map)
{
    if (product->op == KAS_OP_LINEAR) return true;
    bool padded = false, shifts = false;
    for (int d = 0; d < product->window.spatial; ++d)
        padded = padded || product->window.before[d] || product->window.after[d];
    for (size_t i = 0; i < map->count; ++i)
        shifts = shifts || map->shift[i] != 0;
    return !padded || !shifts;
}

static kas_status fold_before(kas_rewrite *rewrite, int index, const channels *map)
{
    kas_node product = *kas_rewrite_node(rewrite, index);
    kas_tensor w = *kas_rewrite_tensor(rewrite, product.inputs[1]);
    const float *bias = constant_or_null(rewrite, &product, 2);
    size_t outputs = (size_t)w.shape.dims[0], weights = is_shift(map) ? 0 : w.elements;
    if (!may_shift(&product, map) || (weights && !kas_rewrite_spend_on(rewrite, product.inputs[1])) ||
        !kas_rewrite_spend(rewrite, 1, w.elements))
        return NULL;
    parameters values;
    if (!make_room(&values, weights, outputs)) return kas_out_of_memory();
    for (size_t o = 0; o < outputs; ++o) {
        values.bias[o] = bias ? bias[o] : 0;
        if (!fold_output(&product, &w, map, o, &values)) {
            free_parameters(&values);
            return NULL;
        }
    }
    product.inputs[0] = map->x;
    kas_shape bias_shape = {.rank = 1, .dims = {(int64_t)outputs}};
    return put_parameters(rewrite, index, product, values, &w.shape, &bias_shape);
}

kas_status kas_fold_channels_before(kas_rewrite *rewrite, int index)
{
    const kas_node *product = kas_rewrite_node(rewrite, index);
    if (product->op != KAS_OP_LINEAR && product->op != KAS_OP_CONV) return NULL;
    int x = product->inputs[0], rank = kas_rewrite_tensor(rewrite, x)->shape.rank;
    if (rewrite->reads[x] != 1 || rewrite->producer[x] < 0 || !kas_rewrite_has_room(rewrite, 2)) return NULL;
    channels map = {.first = rank - 1, .last = rank};
    if (product->op == KAS_OP_CONV) map = (channels){.first = 0, .last = 1};
    bool found;
    KAS_TRY(channels_of(rewrite, kas_rewrite_node(rewrite, rewrite->producer[x]), &map, &found));
    kas_status status = found ? fold_before(rewrite, index, &map) : NULL;
    if (found) kas_free(map.scale);
    return status;
}
