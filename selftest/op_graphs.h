/* Graphs of one operator each: shapes of one element, with tails, of prime sizes and large, every attribute,
 * operands that are constants or depend on the input. */
#ifndef KAS_SELFTEST_OP_GRAPHS_H
#define KAS_SELFTEST_OP_GRAPHS_H

#include "engine/graph/graph.h"

/* The graph of a variant, counted from 0, checked; NULL past the last. */
typedef kas_graph *op_graph_fn(size_t variant);

op_graph_fn op_linear, op_linear_act, op_matmul, op_conv, op_pool;          /* op_products.c */
op_graph_fn op_unary, op_binary, op_select, op_softmax, op_norm, op_reduce; /* op_elements.c */
op_graph_fn op_strided, op_concat, op_gather, op_pad;                       /* op_layout.c */

#endif
