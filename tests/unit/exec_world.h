/* A world around an executor, for tests: kernels of a few features whose outputs are known by hand, layers
 * made of them, and passes. Every call asserts that it went well unless it says otherwise. */
#ifndef KAS_TESTS_EXEC_WORLD_H
#define KAS_TESTS_EXEC_WORLD_H

#include <stdatomic.h>

#include "engine/exec/exec.h"

enum { FEATURES = 6, WORLD_RESOURCES = 32, PROBE_ROWS = 96 };

typedef struct exec_world {
    kas_device *device;
    kas_queue *queue; /* for uploads */
    kas_exec *exec;
    kas_segment *segments[WORLD_RESOURCES]; /* of resource i + 1; NULL: drained, or dropped by the test */
    uint32_t resource_count;
    atomic_uint drained[WORLD_RESOURCES];
    atomic_uint wakes; /* calls of results_wait */
} exec_world;

/* On this device (taken over; NULL: host:0). */
exec_world *exec_world_open(kas_device *device, const kas_exec_options *options);
void exec_world_close(exec_world *w);

/* Kernels and bases, [FEATURES] → [FEATURES]. */
kas_resource make_product(exec_world *w, float diagonal, float bias); /* diagonal·x + bias, one product */
kas_resource make_affine(exec_world *w, float scale, float shift);    /* the same, without a product */
kas_resource make_sqrt(exec_world *w);                                /* NaN for a negative element */
kas_resource make_network(exec_world *w,
                          uint64_t seed); /* two dense products with a GELU between: every bit counts */

/* A layer with this base and nothing else: generation 1, in service. */
kas_published_layer a_layer(const char *name, uint64_t uid, kas_resource base);
/* Adds a contribution; its binding is its kernel's number. */
void add_seed(kas_published_layer *layer, uint32_t seed, kas_resource kernel, float alpha);
void add_ramp(kas_published_layer *layer, uint32_t seed, kas_resource kernel, float to, uint32_t passes);
void add_fossil(kas_published_layer *layer, uint32_t seed, kas_resource kernel, float alpha);

kas_status compose(exec_world *w, const kas_published_layer *layer, kas_plan **out);       /* may fail */
kas_status compose_whole(exec_world *w, const kas_published_layer *layer, kas_plan **out); /* may fail */
void publish(exec_world *w, const kas_published_layer *layer);
void publish_two(exec_world *w, uint32_t epoch, const kas_published_layer *a, const kas_published_layer *b);
void unpublish(exec_world *w, uint64_t uid);

/* A pass with its memory; its request points into it. */
typedef struct probe {
    float x[PROBE_ROWS * FEATURES], y[PROBE_ROWS * FEATURES];
    uint64_t failed_rows[PROBE_ROWS];
    kas_forward_request request;
    kas_forward_result result;
} probe;

/* Input: random within ±2, from `seed`; rows with an odd number negative in every element, the others
 * positive. */
void probe_init(probe *p, const char *layer, uint32_t rows, uint64_t seed);
kas_status probe_run(exec_world *w, probe *p); /* may fail */
void probe_ok(exec_world *w, probe *p);

void ok(kas_status status);
void expect_failure(kas_status status, kas_code code, const char *part); /* frees it */
/* y[row][e] must be what `of` makes of x[row][e], to the last bits of single precision. */
void expect_row(const probe *p, uint32_t row, double (*of)(double x));
void expect_same_bits(const probe *got, uint32_t row, const probe *want, uint32_t want_row);
size_t take_results(exec_world *w, kas_pass_result *out, size_t capacity); /* all must fit */

#endif
