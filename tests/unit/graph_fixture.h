/* What tests ask of graphs, built with selftest/graph_builder.h: every call asserts that it went well. */
#ifndef GRAPH_FIXTURE_H
#define GRAPH_FIXTURE_H

#include "selftest/graph_builder.h"

/* Simplifies, checks what comes out and that it computes the same for random rows within ±4. */
void simplify_keeping_function(kas_graph *graph);

/* Ends the test as crashed when memory was leaked, where the address sanitizer is there to tell. Test
 * programs run each test in a process of its own that ends without the sanitizer's usual check, so suites
 * call this as their .fini. */
void expect_no_leaks(void);

/* Asserts a failure with this reason whose message holds `part`, and frees it. */
void expect_refusal(kas_status status, const char *reason, const char *part);

#endif
