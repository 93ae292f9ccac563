/* Building small graphs in tests: every call asserts that it went well. */
#ifndef GRAPH_FIXTURE_H
#define GRAPH_FIXTURE_H

#include "engine/graph/graph.h"

/* SHAPE(3, 64); SHAPE() has rank 0. */
#define SHAPE(...)                                                                                           \
    ((kas_shape){.rank = (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), .dims = {__VA_ARGS__}})

/* A graph with the input "x". */
kas_graph *graph_new(kas_shape input);
kas_shape shape_of(const kas_graph *graph, int tensor);

/* Constants: of these values, of one value, of random values within ±limit. */
int constant_of(kas_graph *graph, kas_shape shape, const float *values);
int constant_filled(kas_graph *graph, kas_shape shape, float value);
int constant_random(kas_graph *graph, kas_shape shape, float limit);
int scalar(kas_graph *graph, float value);

/* Appends a node and gives its output, a new tensor of that shape. */
int append(kas_graph *graph, kas_node node, kas_shape output);
int unary(kas_graph *graph, kas_act act, float a, float b, int x);
int binary(kas_graph *graph, kas_binary function, int x, int y);
int linear(kas_graph *graph, int x, int w, int b); /* b -1: none */
int matmul(kas_graph *graph, int a, int b);
int reduce(kas_graph *graph, kas_reduce function, int x, int axis);
int reshape(kas_graph *graph, int x, kas_shape shape);
int conv(kas_graph *graph, int x, int w, int b, int64_t padding);

/* Random numbers within ±limit, from one sequence for the whole program. */
float random_within(float limit);
uint32_t random_below(uint32_t bound);
void random_restart(uint64_t seed);

/* Marks the output and checks the graph. */
void finish(kas_graph *graph, int output);

/* Simplifies, checks what comes out and that it computes the same for random rows within ±4. */
void simplify_keeping_function(kas_graph *graph);

/* Ends the test as crashed when memory was leaked, where the address sanitizer is there to tell. Test
 * programs run each test in a process of its own that ends without the sanitizer's usual check, so suites
 * call this as their .fini. */
void expect_no_leaks(void);

/* Asserts a failure with this reason whose message holds `part`, and frees it. */
void expect_refusal(kas_status status, const char *reason, const char *part);

#endif
