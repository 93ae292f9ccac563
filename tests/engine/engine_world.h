/* An engine for tests of the C API: artifacts that it knows, layers with weights that are known by hand, and
 * passes. Calls that may not fail assert it. */
#ifndef KAS_TESTS_ENGINE_WORLD_H
#define KAS_TESTS_ENGINE_WORLD_H

#include <kasmina/kasmina.h>

#include "tests/engine/artifact_bytes.h"

enum { FEATURES = 8, PROBE_ROWS = 8 };

kas_engine *open_engine(const kas_engine_options *options); /* NULL: defaults. size and device are filled in:
                                                               host:0, or KASMINA_TEST_DEVICE */

/* A request with its size; a call that must succeed; the code of one that need not (its message into `text`).
 */
kas_request request_of(kas_request_kind kind, const char *layer, uint32_t seed);
kas_reply must_call(kas_engine *engine, const kas_request *request);
void must_fail(kas_engine *engine, const kas_request *request, kas_code code, const char *part);

void put_kernel(kas_engine *engine, const char *id, artifact_bytes artifact); /* frees the bytes */
/* FEATURES → FEATURES with a bias; the rest as by default. */
kas_request new_layer(const char *name);
/* FEATURES → FEATURES, y = scale·x + shift, with this many seeds. */
void create_layer(kas_engine *engine, const char *name, uint32_t seeds, float scale, float shift);
void set_weights(kas_engine *engine, const char *layer, float scale, float shift);

/* Loads and waits until it has ended: well, or with this code. */
void load(kas_engine *engine, const char *layer, uint32_t seed, const char *artifact, float alpha);
kas_code try_load(kas_engine *engine, const char *layer, uint32_t seed, const char *artifact, float alpha);
/* Loads for an epoch to come, and waits until it is ready. */
void stage_load(kas_engine *engine, const char *layer, uint32_t seed, const char *artifact, float alpha,
                uint32_t at_epoch);
kas_reply advance(kas_engine *engine, uint32_t epoch, bool skip_unready);
void set_alpha(kas_engine *engine, const char *layer, uint32_t seed, float alpha);
void unload(kas_engine *engine, const char *layer, uint32_t seed);

kas_seed_info seed_of(kas_engine *engine, const char *layer, uint32_t seed);
kas_layer_info layer_of(kas_engine *engine, const char *layer);

/* A pass over rows of x = 1, 2, 3 … per element times `sign`, whose result is returned; y[i] is asserted to
 * be scale·x[i] + shift. */
typedef struct pass_result {
    float y[PROBE_ROWS * FEATURES];
    kas_forward_result result;
    kas_status status;
} pass_result;

pass_result run_pass(kas_engine *engine, const char *layer, uint32_t rows, float sign);
void expect_line(kas_engine *engine, const char *layer, double scale, double shift);

void ok(kas_status status);
void expect_failure(kas_status status, kas_code code, const char *part); /* frees it */

#endif
