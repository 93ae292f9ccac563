/* What the rules of kas_graph_check share: the node under examination, and refusals that name it.
 *
 * A rule may assume that the node's indices lie in the graph, that its inputs are there before it and that
 * all shapes are within the limits; check.c has seen to that. */
#ifndef KAS_GRAPH_CHECK_H
#define KAS_GRAPH_CHECK_H

#include "engine/graph/graph.h"

typedef struct kas_check {
    const kas_graph *graph;
    const kas_node *node;
    size_t index; /* of the node */
} kas_check;

/* A refusal, "node 3 (linear, makes "y"): …", with the reason: "shape", "limit", "malformed" or "not_finite".
 */
kas_status kas_check_refuse(const kas_check *check, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4))) KAS_MUST_USE;

/* The tensor of an input, NULL where it is left out. */
const kas_tensor *kas_check_input(const kas_check *check, int input);
const kas_tensor *kas_check_output(const kas_check *check);

/* Refuses an output that does not have the shape that its operator gives it. */
kas_status kas_check_output_shape(const kas_check *check, const kas_shape *expected) KAS_MUST_USE;

/* Text of a tensor for a message: `"w" [5, 4]`. */
typedef struct kas_check_text {
    char text[192];
} kas_check_text;
kas_check_text kas_check_describe(const kas_tensor *tensor);

/* One rule for each operator. */
kas_status kas_check_linear(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_matmul(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_unary(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_binary(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_select(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_softmax(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_norm(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_reduce(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_conv(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_pool(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_strided(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_concat(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_gather(const kas_check *check) KAS_MUST_USE;
kas_status kas_check_pad(const kas_check *check) KAS_MUST_USE;

#endif
