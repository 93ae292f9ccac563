/* What the patterns of activations and norms are made of. */
#include "engine/graph/match.h"

#include <math.h>
#include <string.h>

bool kas_match_near(double value, double expected)
{
    return fabs(value - expected) <= 2e-6 * fabs(expected); /* constants have gone through a few roundings */
}

const kas_node *kas_match_unary_node(const kas_rewrite *rewrite, int tensor, kas_act act)
{
    const kas_node *node = kas_rewrite_producer(rewrite, tensor, KAS_OP_UNARY);
    return node && node->act == act ? node : NULL;
}

int kas_match_unary(const kas_rewrite *rewrite, int tensor, kas_act act)
{
    const kas_node *node = kas_match_unary_node(rewrite, tensor, act);
    return node ? node->inputs[0] : -1;
}

const kas_node *kas_match_binary(const kas_rewrite *rewrite, int tensor, kas_binary function)
{
    const kas_node *node = kas_rewrite_producer(rewrite, tensor, KAS_OP_BINARY);
    return node && node->binary == function && node->act == KAS_ACT_NONE ? node : NULL;
}

bool kas_match_affine_step(const kas_rewrite *rewrite, kas_scaled *at)
{
    const kas_node *node = kas_rewrite_producer(rewrite, at->core, KAS_OP_UNARY);
    if (!node || (node->act != KAS_ACT_AFFINE && node->act != KAS_ACT_NEG)) return false;
    bool affine = node->act == KAS_ACT_AFFINE;
    at->b += at->a * (affine ? (double)node->act_b : 0);
    at->a *= affine ? (double)node->act_a : -1;
    at->core = node->inputs[0];
    return true;
}

kas_scaled kas_match_affine(const kas_rewrite *rewrite, int tensor)
{
    kas_scaled result = {.a = 1, .b = 0, .core = tensor};
    for (int step = 0; step < KAS_MATCH_STEPS_MAX && kas_match_affine_step(rewrite, &result); ++step)
        continue;
    return result;
}

/* Depth of the longest spelling of a cubic, with room; bounds the work where a chain only looks like one. */
enum { CUBIC_DEPTH = 8 };

static bool multiply(const double a[4], const double b[4], double c[4])
{
    double product[7] = {0};
    for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 4; ++j)
            product[i + j] += a[i] * b[j];
    memcpy(c, product, 4 * sizeof *c);
    return product[4] == 0 && product[5] == 0 && product[6] == 0;
}

static bool cubic(const kas_rewrite *rewrite, int tensor, int x, double c[4], int depth);

static bool cubic_of_unary(const kas_rewrite *rewrite, const kas_node *node, int x, double c[4], int depth)
{
    double a[4];
    if (!cubic(rewrite, node->inputs[0], x, a, depth)) return false;
    if (node->act == KAS_ACT_SQUARE) return multiply(a, a, c);
    if (node->act == KAS_ACT_POW && node->act_a == 3) {
        double square[4];
        return multiply(a, a, square) && multiply(square, a, c);
    }
    if (node->act != KAS_ACT_AFFINE && node->act != KAS_ACT_NEG) return false;
    double factor = node->act == KAS_ACT_NEG ? -1 : (double)node->act_a;
    for (int i = 0; i < 4; ++i)
        c[i] = factor * a[i];
    if (node->act == KAS_ACT_AFFINE) c[0] += (double)node->act_b;
    return true;
}

static bool cubic_of_binary(const kas_rewrite *rewrite, const kas_node *node, int x, double c[4], int depth)
{
    double a[4], b[4];
    if (node->act != KAS_ACT_NONE) return false;
    if (node->binary != KAS_ADD && node->binary != KAS_SUB && node->binary != KAS_MUL) return false;
    if (!cubic(rewrite, node->inputs[0], x, a, depth) || !cubic(rewrite, node->inputs[1], x, b, depth))
        return false;
    if (node->binary == KAS_MUL) return multiply(a, b, c);
    for (int i = 0; i < 4; ++i)
        c[i] = node->binary == KAS_ADD ? a[i] + b[i] : a[i] - b[i];
    return true;
}

static bool cubic(const kas_rewrite *rewrite, int tensor, int x, double c[4], int depth)
{
    if (tensor == x) {
        memcpy(c, (const double[4]){0, 1, 0, 0}, 4 * sizeof *c);
        return true;
    }
    if (!depth) return false;
    const kas_node *unary = kas_rewrite_producer(rewrite, tensor, KAS_OP_UNARY);
    if (unary) return cubic_of_unary(rewrite, unary, x, c, depth - 1);
    const kas_node *binary = kas_rewrite_producer(rewrite, tensor, KAS_OP_BINARY);
    return binary && cubic_of_binary(rewrite, binary, x, c, depth - 1);
}

bool kas_match_cubic(const kas_rewrite *rewrite, int tensor, int x, double c[4])
{
    return cubic(rewrite, tensor, x, c, CUBIC_DEPTH);
}
