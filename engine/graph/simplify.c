/* The order of rewriting. Operators are first brought to the form that patterns are written in (x + 3 as an
 * affine function of one), then chains are recognised as what they spell out, and only what is left over then
 * goes into the products next to it: folding earlier would tear the chains apart. Activations go into
 * products at the very end. */
#include "engine/graph/rules.h"

#define COUNT(rules) (sizeof(rules) / sizeof *(rules))

/* Each round but the last removes a node or brings one closer to its final form; real graphs need two or
 * three. */
enum { ROUNDS_MAX = 16 };

static const kas_rewrite_rule normal_form[] = {
    kas_fold_constant, kas_fold_uniform_operand, kas_fold_same_operand, kas_fold_power,  kas_fold_bounds,
    kas_fold_identity, kas_fold_gather,          kas_fold_strided_pair, kas_fold_matmul,
};

static const kas_rewrite_rule patterns[] = {
    kas_match_root,         kas_match_sigmoid,  kas_match_softplus, kas_match_threshold,
    kas_match_hard_sigmoid, kas_match_quotient, kas_match_gated,    kas_match_norm,
};

static const kas_rewrite_rule neighbours[] = {
    kas_fold_reshape,         kas_fold_affine_pair, kas_fold_channels_after,
    kas_fold_channels_before, kas_fold_padding,
};

static const kas_rewrite_rule last[] = {kas_fold_activation};

static kas_status simplify(kas_rewrite *rewrite)
{
    rewrite->changed = true;
    for (int round = 0; rewrite->changed && round < ROUNDS_MAX; ++round) {
        rewrite->changed = false;
        KAS_TRY(kas_rewrite_scan(rewrite, normal_form, COUNT(normal_form)));
        KAS_TRY(kas_rewrite_scan(rewrite, patterns, COUNT(patterns)));
        KAS_TRY(kas_rewrite_scan(rewrite, neighbours, COUNT(neighbours)));
    }
    return kas_rewrite_scan(rewrite, last, COUNT(last));
}

kas_status kas_graph_simplify(kas_graph *graph)
{
    kas_rewrite rewrite;
    KAS_TRY(kas_rewrite_begin(&rewrite, graph));
    kas_status status = simplify(&rewrite);
    kas_rewrite_finish(&rewrite);
    return status;
}
