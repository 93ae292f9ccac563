/* Changing a graph in place, one step at a time, each of which leaves it computing the same function.
 *
 * Nodes are visited in order (kas_rewrite_scan). A rule looks backwards from the node it is called for, at
 * nodes already visited, and may replace that node, keeping its output, or let its readers read another
 * tensor. What nobody reads any more goes at once; tensors and nodes keep their numbers until
 * kas_rewrite_finish. */
#ifndef KAS_GRAPH_REWRITE_H
#define KAS_GRAPH_REWRITE_H

#include "engine/graph/graph.h"

typedef struct kas_rewrite {
    kas_graph *graph;
    int *producer;        /* by tensor: the node that makes it, -1: none */
    int *reads;           /* by tensor: how often live nodes read it, one more for the graph's output */
    int *forward;         /* by tensor: what to read instead; itself where nothing */
    bool *dead;           /* by node */
    uint64_t work_budget; /* multiply-adds that may still be spent on constants */
    uint64_t copy_budget; /* elements of constants that may still be stored a second time */
    bool changed;         /* since the caller last cleared it */
} kas_rewrite;

/* A rule looks at one live node. It fails only when memory is out. */
typedef kas_status (*kas_rewrite_rule)(kas_rewrite *rewrite, int node);

kas_status kas_rewrite_begin(kas_rewrite *rewrite, kas_graph *graph) KAS_MUST_USE;
kas_status kas_rewrite_scan(kas_rewrite *rewrite, const kas_rewrite_rule *rules, size_t count) KAS_MUST_USE;
/* Drops what is dead and numbers the rest anew; also after a failure. Allocates nothing. */
void kas_rewrite_finish(kas_rewrite *rewrite);

/* Puts `replacement` in the place of a node. It reads what was there before that node and makes the same
 * output. */
void kas_rewrite_replace(kas_rewrite *rewrite, int node, const kas_node *replacement);

/* The same for a function of one; its parameters are rounded to float32. */
void kas_rewrite_by_act(kas_rewrite *rewrite, int node, kas_act act, double a, double b, int x);

/* Lets all who read the node's output read `target`, of the same shape, instead. The graph's output cannot be
 * a constant: there, a copy of it stands in the node's place. */
void kas_rewrite_alias(kas_rewrite *rewrite, int node, int target);

/* Makes the node's output a constant (takes over `values`); where it is the graph's output, a copy of one. */
kas_status kas_rewrite_make_constant(kas_rewrite *rewrite, int node, float *values) KAS_MUST_USE;

/* Whether so many constants may still be added. */
bool kas_rewrite_has_room(const kas_rewrite *rewrite, size_t tensors);

/* Ask before computing new constants, so that an artifact cannot make simplifying slow or large: `each`
 * multiply-adds for each of `count` elements; or one for each element of a constant that is about to be
 * replaced for one of its readers, and stays if it has others. False, and nothing spent, where it would be
 * too much. */
bool kas_rewrite_spend(kas_rewrite *rewrite, uint64_t each, size_t count);
bool kas_rewrite_spend_on(kas_rewrite *rewrite, int constant);

/* The live node that makes a tensor, if it is of that operator; else NULL. */
const kas_node *kas_rewrite_producer(const kas_rewrite *rewrite, int tensor, kas_op op);

static inline const kas_tensor *kas_rewrite_tensor(const kas_rewrite *rewrite, int tensor)
{
    return &rewrite->graph->tensors[tensor];
}

static inline const kas_node *kas_rewrite_node(const kas_rewrite *rewrite, int node)
{
    return &rewrite->graph->nodes[node];
}

#endif
