/* Functions of two where one is the same number everywhere, to functions of one: x + 3, x / √2, x ^ 2, max(x,
 * 0). */
#include <math.h>

#include "engine/graph/match.h"
#include "engine/graph/rules.h"
#include "engine/graph/shape.h"

static bool is_uniform(const kas_tensor *tensor, double *value)
{
    if (!tensor->constant || tensor->elements > KAS_FOLD_UNIFORM_MAX) return false;
    for (size_t i = 1; i < tensor->elements; ++i)
        if (tensor->constant[i] != tensor->constant[0]) return false;
    *value = (double)tensor->constant[0];
    return true;
}

/* x ∘ c as a·x + b. */
static bool affine_right(kas_binary function, double c, double *a, double *b)
{
    *a = 1;
    *b = 0;
    if (function == KAS_ADD) *b = c;
    if (function == KAS_SUB) *b = -c;
    if (function == KAS_MUL) *a = c;
    if (function == KAS_DIV) *a = 1 / c;
    bool affine = function == KAS_ADD || function == KAS_SUB || function == KAS_MUL || function == KAS_DIV;
    /* A divisor too small or too large has no reciprocal in float32. */
    return affine && (function != KAS_DIV || isnormal((float)*a));
}

/* c ∘ x as a·x + b. */
static bool affine_left(kas_binary function, double c, double *a, double *b)
{
    if (function != KAS_SUB) return function != KAS_DIV && affine_right(function, c, a, b);
    *a = -1;
    *b = c;
    return true;
}

static void fold_right(kas_rewrite *rewrite, int index, int x, double c)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    double a, b;
    if (affine_right(node->binary, c, &a, &b))
        kas_rewrite_by_act(rewrite, index, KAS_ACT_AFFINE, a, b, x);
    else if (node->binary == KAS_POW)
        kas_rewrite_by_act(rewrite, index, KAS_ACT_POW, c, 0, x);
    else if (node->binary == KAS_MAX && c == 0)
        kas_rewrite_by_act(rewrite, index, KAS_ACT_RELU, 0, 0, x);
}

static void fold_left(kas_rewrite *rewrite, int index, int x, double c)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    double a, b;
    if (affine_left(node->binary, c, &a, &b))
        kas_rewrite_by_act(rewrite, index, KAS_ACT_AFFINE, a, b, x);
    else if (node->binary == KAS_DIV && c == 1)
        kas_rewrite_by_act(rewrite, index, KAS_ACT_RECIPROCAL, 0, 0, x);
    else if (node->binary == KAS_MAX && c == 0)
        kas_rewrite_by_act(rewrite, index, KAS_ACT_RELU, 0, 0, x);
}

kas_status kas_fold_uniform_operand(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_BINARY || node->act != KAS_ACT_NONE) return NULL;
    const kas_tensor *x = kas_rewrite_tensor(rewrite, node->inputs[0]);
    const kas_tensor *y = kas_rewrite_tensor(rewrite, node->inputs[1]);
    const kas_shape *output = &kas_rewrite_tensor(rewrite, node->output)->shape;
    double c;
    if (kas_shape_equal(&x->shape, output) && is_uniform(y, &c))
        fold_right(rewrite, index, node->inputs[0], c);
    else if (kas_shape_equal(&y->shape, output) && is_uniform(x, &c))
        fold_left(rewrite, index, node->inputs[1], c);
    return NULL;
}

kas_status kas_fold_same_operand(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_BINARY || node->act != KAS_ACT_NONE || node->inputs[0] != node->inputs[1])
        return NULL;
    if (node->binary == KAS_MUL)
        kas_rewrite_by_act(rewrite, index, KAS_ACT_SQUARE, 0, 0, node->inputs[0]);
    else if (node->binary == KAS_ADD)
        kas_rewrite_by_act(rewrite, index, KAS_ACT_AFFINE, 2, 0, node->inputs[0]);
    return NULL;
}

kas_status kas_fold_power(kas_rewrite *rewrite, int index)
{
    static const struct {
        float exponent;
        kas_act act;
        double a;
    } known[] = {
        {2, KAS_ACT_SQUARE, 0},      {1, KAS_ACT_AFFINE, 1},    {0.5f, KAS_ACT_SQRT, 0},
        {-1, KAS_ACT_RECIPROCAL, 0}, {-0.5f, KAS_ACT_RSQRT, 0},
    };
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_UNARY || node->act != KAS_ACT_POW) return NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; ++i)
        if (known[i].exponent == node->act_a) {
            kas_rewrite_by_act(rewrite, index, known[i].act, known[i].a, 0, node->inputs[0]);
            return NULL;
        }
    return NULL;
}

/* Functions that only bound x: clamp(x, low, high), either of which may be infinite. */
typedef struct bounds {
    int x;
    double low, high;
} bounds;

static bool bounds_of_binary(const kas_rewrite *rewrite, const kas_node *node, bounds *out)
{
    if (node->act != KAS_ACT_NONE || (node->binary != KAS_MIN && node->binary != KAS_MAX)) return false;
    const kas_tensor *output = kas_rewrite_tensor(rewrite, node->output);
    for (int i = 0; i < 2; ++i) {
        double c;
        if (!is_uniform(kas_rewrite_tensor(rewrite, node->inputs[1 - i]), &c) ||
            !kas_shape_equal(&kas_rewrite_tensor(rewrite, node->inputs[i])->shape, &output->shape))
            continue;
        bool least = node->binary == KAS_MAX;
        *out = (bounds){node->inputs[i], least ? c : -INFINITY, least ? INFINITY : c};
        return true;
    }
    return false;
}

static bool bounds_of(const kas_rewrite *rewrite, const kas_node *node, bounds *out)
{
    if (node->op == KAS_OP_BINARY) return bounds_of_binary(rewrite, node, out);
    if (node->op != KAS_OP_UNARY) return false;
    if (node->act == KAS_ACT_RELU)
        *out = (bounds){node->inputs[0], 0, INFINITY};
    else if (node->act == KAS_ACT_CLIP)
        *out = (bounds){node->inputs[0], (double)node->act_a, (double)node->act_b};
    else
        return false;
    return out->low <= out->high;
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Two in a row become one, where there is a function for the result. */
kas_status kas_fold_bounds(kas_rewrite *rewrite, int index)
{
    bounds outer, inner;
    if (!bounds_of(rewrite, kas_rewrite_node(rewrite, index), &outer)) return NULL;
    int before = rewrite->producer[outer.x];
    if (before < 0 || !bounds_of(rewrite, kas_rewrite_node(rewrite, before), &inner)) return NULL;
    double low = clamp(inner.low, outer.low, outer.high), high = clamp(inner.high, outer.low, outer.high);
    if (isfinite(low) && isfinite(high))
        kas_rewrite_by_act(rewrite, index, KAS_ACT_CLIP, low, high, inner.x);
    else if (low == 0)
        kas_rewrite_by_act(rewrite, index, KAS_ACT_RELU, 0, 0, inner.x);
    return NULL;
}

/* a·(c·x + d) + b, unless the summands nearly cancel: then float32 needs them apart. */
kas_status kas_fold_affine_pair(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_UNARY || (node->act != KAS_ACT_AFFINE && node->act != KAS_ACT_NEG)) return NULL;
    kas_scaled pair = {.a = 1, .b = 0, .core = node->output};
    if (!kas_match_affine_step(rewrite, &pair)) return NULL;
    double own = pair.b;
    int between = pair.core;
    if (rewrite->reads[between] != 1 || !kas_match_affine_step(rewrite, &pair)) return NULL;
    if (fabs(pair.b - own) > KAS_FOLD_SUMMAND_MAX || !isfinite((float)pair.b)) return NULL;
    if (pair.a != 0 && !isnormal((float)pair.a)) return NULL;
    kas_rewrite_by_act(rewrite, index, KAS_ACT_AFFINE, pair.a, pair.b, pair.core);
    return NULL;
}
