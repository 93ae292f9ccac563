/* The rules of kas_graph_simplify, by the file that holds them. Each is a kas_rewrite_rule. */
#ifndef KAS_GRAPH_RULES_H
#define KAS_GRAPH_RULES_H

#include "engine/graph/rewrite.h"

/* Summands up to this size are folded ahead of time. Where a larger one would cancel against another, float32
 * needs the two apart: rounding a summand of 16 costs about 1e-6, a tenth of what results may be off by. */
#define KAS_FOLD_SUMMAND_MAX 16.0

/* Larger constants are not searched for being the same everywhere, so that thousands of nodes that share one
 * do not search it thousands of times. */
enum { KAS_FOLD_UNIFORM_MAX = 4096 };

kas_status kas_fold_constant(kas_rewrite *rewrite, int node) KAS_MUST_USE; /* fold_constant.c */

/* fold_scalar.c: x + 3 and the like to a function of one */
kas_status kas_fold_uniform_operand(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_fold_same_operand(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_fold_power(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_fold_bounds(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_fold_affine_pair(kas_rewrite *rewrite, int node) KAS_MUST_USE;

/* fold_identity.c */
kas_status kas_fold_identity(kas_rewrite *rewrite, int node) KAS_MUST_USE;

/* fold_layout.c */
kas_status kas_fold_gather(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_fold_strided_pair(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_fold_reshape(kas_rewrite *rewrite, int node) KAS_MUST_USE;

/* fold_product.c */
kas_status kas_fold_matmul(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_fold_padding(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_fold_activation(kas_rewrite *rewrite, int node) KAS_MUST_USE;

/* fold_channels.c: factors and summands of each channel into the product or normalisation next to them */
kas_status kas_fold_channels_after(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_fold_channels_before(kas_rewrite *rewrite, int node) KAS_MUST_USE;

/* match_activation.c, match_norm.c: what chains of primitive operators spell out */
kas_status kas_match_root(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_match_sigmoid(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_match_softplus(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_match_threshold(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_match_hard_sigmoid(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_match_quotient(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_match_gated(kas_rewrite *rewrite, int node) KAS_MUST_USE;
kas_status kas_match_norm(kas_rewrite *rewrite, int node) KAS_MUST_USE;

#endif
