/* Random graphs of every operator: what is built passes the check, and simplifying keeps the function. */
#include <criterion/criterion.h>

#include "tests/unit/random_graph.h"

TestSuite(graph_random, .fini = expect_no_leaks);

enum { GRAPHS = 10000 };

Test(graph_random, simplifying_keeps_the_function)
{
    size_t before = 0, after = 0;
    for (uint64_t seed = 1; seed <= GRAPHS; ++seed) {
        random_restart(seed);
        kas_graph *graph = random_graph();
        before += graph->node_count;
        simplify_keeping_function(graph);
        after += graph->node_count;
        kas_graph_destroy(graph);
    }
    cr_expect_lt(after, before / 2, "%zu nodes before, %zu after", before, after);
}

Test(graph_random, simplifying_twice_changes_nothing_more)
{
    for (uint64_t seed = 1; seed <= GRAPHS / 10; ++seed) {
        random_restart(seed);
        kas_graph *graph = random_graph();
        simplify_keeping_function(graph);
        size_t nodes = graph->node_count;
        simplify_keeping_function(graph);
        cr_expect_eq(graph->node_count, nodes, "seed %llu: %zu, then %zu nodes", (unsigned long long)seed,
                     nodes, graph->node_count);
        kas_graph_destroy(graph);
    }
}
