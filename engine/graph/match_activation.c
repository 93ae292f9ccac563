/* Activations that exporters spell out: GELU in both forms, SiLU, Mish, softplus and its threshold, hard
 * sigmoid and hard swish, softsign. A gated activation is a product of x and a gate, a function of x; the
 * constant factors may stand anywhere in the product, so only what they come to is compared. */
#include <math.h>

#include "engine/graph/match.h"
#include "engine/graph/rules.h"
#include "engine/graph/shape.h"

static bool same_shape(const kas_rewrite *rewrite, int a, int b)
{
    return kas_shape_equal(&kas_rewrite_tensor(rewrite, a)->shape, &kas_rewrite_tensor(rewrite, b)->shape);
}

/* 1/√x: a reciprocal of a root or a root of a reciprocal. */
kas_status kas_match_root(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_UNARY) return NULL;
    int x = -1;
    if (node->act == KAS_ACT_RECIPROCAL) x = kas_match_unary(rewrite, node->inputs[0], KAS_ACT_SQRT);
    if (node->act == KAS_ACT_SQRT) x = kas_match_unary(rewrite, node->inputs[0], KAS_ACT_RECIPROCAL);
    if (x >= 0) kas_rewrite_by_act(rewrite, index, KAS_ACT_RSQRT, 0, 0, x);
    return NULL;
}

/* The x of 1 + exp(−x), or -1. */
static int match_one_plus_exp(const kas_rewrite *rewrite, int tensor, double sign)
{
    kas_scaled sum = kas_match_affine(rewrite, tensor);
    int exponent = kas_match_unary(rewrite, sum.core, KAS_ACT_EXP);
    if (exponent < 0 || sum.a != 1 || sum.b != 1) return -1;
    if (sign > 0) return exponent;
    kas_scaled inner = {.a = 1, .b = 0, .core = exponent};
    if (!kas_match_affine_step(rewrite, &inner) || inner.a != -1 || inner.b != 0) return -1;
    return inner.core;
}

kas_status kas_match_sigmoid(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_UNARY || node->act != KAS_ACT_RECIPROCAL) return NULL;
    int x = match_one_plus_exp(rewrite, node->inputs[0], -1);
    if (x >= 0) kas_rewrite_by_act(rewrite, index, KAS_ACT_SIGMOID, 0, 0, x);
    return NULL;
}

kas_status kas_match_softplus(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_UNARY || node->act != KAS_ACT_LOG) return NULL;
    int x = match_one_plus_exp(rewrite, node->inputs[0], 1);
    if (x >= 0) kas_rewrite_by_act(rewrite, index, KAS_ACT_SOFTPLUS, 0, 0, x);
    return NULL;
}

/* βx > 20 ? x : softplus(βx)/β, as PyTorch writes it: from about 15 on the two differ by less than float32
 * holds. */
kas_status kas_match_threshold(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_SELECT) return NULL;
    int x = node->inputs[1], curve = node->inputs[2];
    const kas_node *greater = kas_match_binary(rewrite, node->inputs[0], KAS_GREATER);
    kas_scaled outer = kas_match_affine(rewrite, curve);
    int inside = kas_match_unary(rewrite, outer.core, KAS_ACT_SOFTPLUS);
    if (!greater || inside < 0 || !same_shape(rewrite, node->output, curve)) return NULL;
    const kas_tensor *threshold = kas_rewrite_tensor(rewrite, greater->inputs[1]);
    if (!threshold->constant || threshold->elements != 1 || threshold->constant[0] < 15) return NULL;
    double compared[4], argument[4];
    bool fits = kas_match_cubic(rewrite, greater->inputs[0], x, compared) &&
                kas_match_cubic(rewrite, inside, x, argument) && outer.b == 0 &&
                kas_match_near(outer.a * argument[1], 1) && argument[1] > 0;
    for (int i = 0; fits && i < 4; ++i)
        fits = i == 1 ? kas_match_near(compared[i], argument[i]) : compared[i] == 0 && argument[i] == 0;
    if (fits) kas_rewrite_alias(rewrite, index, curve);
    return NULL;
}

/* clip(a·x + b, 0, top) / top */
kas_status kas_match_hard_sigmoid(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_UNARY) return NULL;
    kas_scaled outer = kas_match_affine(rewrite, node->output);
    const kas_node *clip = kas_match_unary_node(rewrite, outer.core, KAS_ACT_CLIP);
    if (!clip || clip->act_a != 0 || clip->act_b <= 0 || outer.b != 0) return NULL;
    double top = (double)clip->act_b;
    kas_scaled inner = {.a = 1, .b = 0, .core = clip->inputs[0]};
    if (!kas_match_near(outer.a * top, 1) || !kas_match_affine_step(rewrite, &inner)) return NULL;
    float a = (float)(inner.a / top), b = (float)(inner.b / top);
    if (isfinite(a) && isfinite(b))
        kas_rewrite_by_act(rewrite, index, KAS_ACT_HARD_SIGMOID, a, b, inner.core);
    return NULL;
}

/* x / (1 + exp(−x)) and x / (1 + |x|) */
kas_status kas_match_quotient(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_BINARY || node->binary != KAS_DIV || node->act != KAS_ACT_NONE) return NULL;
    int x = node->inputs[0];
    if (!same_shape(rewrite, x, node->output)) return NULL;
    if (match_one_plus_exp(rewrite, node->inputs[1], -1) == x) {
        kas_rewrite_by_act(rewrite, index, KAS_ACT_SILU, 0, 0, x);
        return NULL;
    }
    kas_scaled sum = kas_match_affine(rewrite, node->inputs[1]);
    if (sum.a == 1 && sum.b == 1 && kas_match_unary(rewrite, sum.core, KAS_ACT_ABS) == x)
        kas_rewrite_by_act(rewrite, index, KAS_ACT_SOFTSIGN, 0, 0, x);
    return NULL;
}

static bool is_cubic(const kas_rewrite *rewrite, int tensor, int x, const double expected[4])
{
    double c[4];
    if (!kas_match_cubic(rewrite, tensor, x, c)) return false;
    for (int i = 0; i < 4; ++i)
        if (!kas_match_near(c[i], expected[i])) return false;
    return true;
}

/* (1 + erf(x/√2)) and (1 + tanh(√(2/π)·(x + 0.044715·x³))), times the gate's factor */
static kas_act match_gelu(const kas_rewrite *rewrite, kas_scaled gate, int x, double *factor)
{
    static const double erf_argument[4] = {0, M_SQRT1_2, 0, 0};
    static const double tanh_argument[4] = {0, 0.79788456080286536, 0, 0.79788456080286536 * 0.044715};
    if (gate.b == 0 || !kas_match_near(gate.a, gate.b)) return KAS_ACT_NONE;
    *factor = 2 * gate.a;
    int inside = kas_match_unary(rewrite, gate.core, KAS_ACT_ERF);
    if (inside >= 0 && is_cubic(rewrite, inside, x, erf_argument)) return KAS_ACT_GELU;
    inside = kas_match_unary(rewrite, gate.core, KAS_ACT_TANH);
    if (inside >= 0 && is_cubic(rewrite, inside, x, tanh_argument)) return KAS_ACT_GELU_TANH;
    return KAS_ACT_NONE;
}

static bool match_hard_gate(const kas_rewrite *rewrite, kas_scaled gate, int x, double *factor)
{
    const kas_node *hard = kas_match_unary_node(rewrite, gate.core, KAS_ACT_HARD_SIGMOID);
    if (hard)
        return hard->inputs[0] == x && kas_match_near((double)hard->act_a, 1.0 / 6) && hard->act_b == 0.5f;
    const kas_node *clip = kas_match_unary_node(rewrite, gate.core, KAS_ACT_CLIP);
    if (!clip || clip->act_a != 0 || clip->act_b <= 0) return false;
    double top = (double)clip->act_b;
    *factor *= top;
    return is_cubic(rewrite, clip->inputs[0], x, (const double[4]){top / 2, top / 6, 0, 0});
}

/* Which activation x times this gate is, and the factor that stands before it. */
static kas_act match_gate(const kas_rewrite *rewrite, kas_scaled gate, int x, double *factor)
{
    if (gate.b != 0) return match_gelu(rewrite, gate, x, factor);
    *factor = gate.a;
    if (kas_match_unary(rewrite, gate.core, KAS_ACT_SIGMOID) == x) return KAS_ACT_SILU;
    int inside = kas_match_unary(rewrite, gate.core, KAS_ACT_TANH);
    if (inside >= 0 && kas_match_unary(rewrite, inside, KAS_ACT_SOFTPLUS) == x) return KAS_ACT_MISH;
    return match_hard_gate(rewrite, gate, x, factor) ? KAS_ACT_HARD_SWISH : KAS_ACT_NONE;
}

/* Tries every x that `side` is a multiple of. */
static bool replace_gated(kas_rewrite *rewrite, int index, int side, kas_scaled gate, double factor)
{
    int output = kas_rewrite_node(rewrite, index)->output;
    kas_scaled x = {.a = 1, .b = 0, .core = side};
    for (int step = 0; step < KAS_MATCH_STEPS_MAX; ++step) {
        double within = 0;
        kas_act act = x.b == 0 ? match_gate(rewrite, gate, x.core, &within) : KAS_ACT_NONE;
        if (act != KAS_ACT_NONE && kas_match_near(factor * x.a * within, 1) &&
            same_shape(rewrite, x.core, output)) {
            kas_rewrite_by_act(rewrite, index, act, 0, 0, x.core);
            return true;
        }
        if (!kas_match_affine_step(rewrite, &x)) break;
    }
    return false;
}

kas_status kas_match_gated(kas_rewrite *rewrite, int index)
{
    const kas_node *node = kas_rewrite_node(rewrite, index);
    if (node->op != KAS_OP_UNARY && node->op != KAS_OP_BINARY) return NULL;
    kas_scaled outer = kas_match_affine(rewrite, node->output);
    const kas_node *product = kas_match_binary(rewrite, outer.core, KAS_MUL);
    if (!product || outer.b != 0) return NULL;
    int left = product->inputs[0], right = product->inputs[1];
    if (!replace_gated(rewrite, index, left, kas_match_affine(rewrite, right), outer.a))
        (void)replace_gated(rewrite, index, right, kas_match_affine(rewrite, left), outer.a);
    return NULL;
}
