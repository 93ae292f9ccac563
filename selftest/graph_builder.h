/* Building small graphs for tests: every call ends the program, with a message, where it fails. Not
 * thread-safe: the random numbers are one sequence for the whole program. */
#ifndef KAS_SELFTEST_GRAPH_BUILDER_H
#define KAS_SELFTEST_GRAPH_BUILDER_H

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

#endif
