/* Normalisations that exporters spell out: LayerNorm up to opset 16, RMSNorm up to 22. The scale and the
 * shift that follow are folded in by fold_channels.c. */
#include <math.h>

#include "engine/graph/match.h"
#include "engine/graph/rules.h"
#include "engine/graph/shape.h"

/* The tensor whose mean over its last `*axes` dimensions this is, or -1. Several dimensions: a mean of means.
 */
static int match_mean(const kas_rewrite *rewrite, int tensor, int *axes)
{
    int rank = kas_rewrite_tensor(rewrite, tensor)->shape.rank;
    unsigned seen = 0;
    *axes = 0;
    const kas_node *mean = kas_rewrite_producer(rewrite, tensor, KAS_OP_REDUCE);
    while (mean && mean->reduce == KAS_REDUCE_MEAN && !(seen & (1u << mean->axis))) {
        seen |= 1u << mean->axis;
        ++*axes;
        tensor = mean->inputs[0];
        mean = kas_rewrite_producer(rewrite, tensor, KAS_OP_REDUCE);
    }
    unsigned last = ((1u << *axes) - 1) << (rank - *axes);
    return *axes > 0 && seen == last ? tensor : -1;
}

/* What is below the line of d/√(mean(d²) + ε): the square, ε and the dimensions of the mean. */
typedef struct deviation {
    int squared; /* d */
    int axes;
    double epsilon;
} deviation;

static bool match_deviation(const kas_rewrite *rewrite, int under_root, deviation *out)
{
    kas_scaled sum = kas_match_affine(rewrite, under_root);
    int square = match_mean(rewrite, sum.core, &out->axes);
    if (square < 0 || sum.a != 1 || sum.b < 0) return false;
    out->squared = kas_match_unary(rewrite, square, KAS_ACT_SQUARE);
    out->epsilon = sum.b;
    return out->squared >= 0;
}

/* The same tensor, or the same difference written twice. */
static bool same_value(const kas_rewrite *rewrite, int a, int b)
{
    if (a == b) return true;
    const kas_node *left = kas_match_binary(rewrite, a, KAS_SUB),
                   *right = kas_match_binary(rewrite, b, KAS_SUB);
    return left && right && left->inputs[0] == right->inputs[0] && left->inputs[1] == right->inputs[1];
}

/* The x of d = x − mean(x) over these dimensions, or -1. */
static int match_centred(const kas_rewrite *rewrite, int d, int axes)
{
    const kas_node *difference = kas_match_binary(rewrite, d, KAS_SUB);
    int mean_axes;
    if (!difference || match_mean(rewrite, difference->inputs[1], &mean_axes) != difference->inputs[0])
        return -1;
    return mean_axes == axes ? difference->inputs[0] : -1;
}

static bool replace_by_norm(kas_rewrite *rewrite, int index, int d, int under_root)
{
    deviation below;
    if (under_root < 0 || !match_deviation(rewrite, under_root, &below) ||
        !same_value(rewrite, d, below.squared))
        return false;
    int x = match_centred(rewrite, d, below.axes);
    kas_node norm = {.op = KAS_OP_NORM,
                     .inputs = {x >= 0 ? x : d},
                     .input_count = 1,
                     .axis = below.axes,
                     .centred = x >= 0,
                     .epsilon = (float)below.epsilon};
    const kas_tensor *read = kas_rewrite_tensor(rewrite, norm.inputs[0]);
    if (!kas_shape_equal(&read->shape,
                         &kas_rewrite_tensor(rewrite, kas_rewrite_node(rewrite, index)->output)->shape))
        return false;
    kas_rewrite_replace(rewrite, index, &norm);
    return true;
}

kas_status kas_match_norm(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_BINARY || node->act != KAS_ACT_NONE) return NULL;
    int left = node->inputs[0], right = node->inputs[1];
    if (node->binary == KAS_DIV) {
        (void)replace_by_norm(rewrite, index, left, kas_match_unary(rewrite, right, KAS_ACT_SQRT));
    } else if (node->binary == KAS_MUL) {
        if (!replace_by_norm(rewrite, index, left, kas_match_unary(rewrite, right, KAS_ACT_RSQRT)))
            (void)replace_by_norm(rewrite, index, right, kas_match_unary(rewrite, left, KAS_ACT_RSQRT));
    }
    return NULL;
}
