/* Recognising what a chain of operators computes, looking backwards from a tensor. Nothing here changes the
 * graph. */
#ifndef KAS_GRAPH_MATCH_H
#define KAS_GRAPH_MATCH_H

#include "engine/graph/rewrite.h"

/* Patterns have two or three affine steps in a row; a chain of thousands is not followed to its end. */
enum { KAS_MATCH_STEPS_MAX = 8 };

/* A tensor as an affine function of another: a·core + b. */
typedef struct kas_scaled {
    double a, b;
    int core;
} kas_scaled;

/* One step back through an affine function of one; false where there is none. */
bool kas_match_affine_step(const kas_rewrite *rewrite, kas_scaled *at);
/* As many steps as there are, KAS_MATCH_STEPS_MAX at most. */
kas_scaled kas_match_affine(const kas_rewrite *rewrite, int tensor);

/* The tensor that this function of one was applied to, -1 where the tensor is made otherwise. */
int kas_match_unary(const kas_rewrite *rewrite, int tensor, kas_act act);
/* As above, with the node, for its parameters. */
const kas_node *kas_match_unary_node(const kas_rewrite *rewrite, int tensor, kas_act act);
/* The function of two without activation that makes a tensor, or NULL. */
const kas_node *kas_match_binary(const kas_rewrite *rewrite, int tensor, kas_binary function);

/* Whether a tensor is c[0] + c[1]·x + c[2]·x² + c[3]·x³, spelled out with powers, products and sums. */
bool kas_match_cubic(const kas_rewrite *rewrite, int tensor, int x, double c[4]);

/* Equal but for the rounding of constants to float32. */
bool kas_match_near(double value, double expected);

#endif
