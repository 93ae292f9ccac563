/* A world for layers that go to other devices: an engine that has those of two_devices.h, and clients that
 * ask meanwhile. As in engine_world.h, what may not fail asserts that it did not. */
#ifndef KAS_TESTS_PLACED_WORLD_H
#define KAS_TESTS_PLACED_WORLD_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/exec/plan.h"
#include "tests/engine/engine_world.h"
#include "tests/engine/two_devices.h"

extern two_devices devices; /* of the engine that was opened last */

/* The engine's own device is host:0; it knows the kernels k0, k1, k2 and "line" (2x + 1). NULL: defaults. */
kas_engine *open_two(const kas_engine_options *options);
/* With layer "a" of four seeds on host:0, two of which are active. */
kas_engine *open_with_layer(void);

kas_status try_move(kas_engine *engine, const char *device); /* layer "a"; may fail */
void move(kas_engine *engine, const char *device);
void wait_for_device(kas_engine *engine, const char *device); /* until layer "a" is there */

kas_status try_replicate(kas_engine *engine, const char *device); /* of layer "a"; NULL: none */
void replicate(kas_engine *engine, const char *device);
void wait_ready(kas_engine *engine); /* until layer "a"'s only replica has what the layer got last */
kas_plan *plan_on(kas_engine *engine, const char *device); /* of layer "a", which is or has a replica there */
/* As if so many rows of layer "a" were computed there: the other device is asked first. */
void set_in_flight(kas_engine *engine, const char *device, uint64_t rows);

kas_health health_of(kas_engine *engine);
size_t used_of_remote(kas_engine *engine); /* bytes */

void expect_same(const pass_result *a, const pass_result *b);
void expect_no_failed_calls(kas_engine *engine); /* of layer "a" */

/* Clients that ask layer "a" until they are told to stop. */
enum { CLIENTS = 3 };
typedef struct traffic {
    kas_engine *engine;
    pass_result expected;
    pthread_t clients[CLIENTS];
    atomic_bool over, may_hang; /* may_hang: an answer that tells of a passed deadline is not wrong */
    atomic_uint answers, wrong; /* wrong: failed, of other bits, or of a generation before the last one */
} traffic;

void traffic_start(traffic *all, kas_engine *engine);
void traffic_wait(traffic *all, unsigned answers); /* until there are so many more */
void traffic_stop(traffic *all);                   /* no answer was wrong */

#endif
