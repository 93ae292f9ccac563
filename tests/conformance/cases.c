#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/random.h"
#include "tests/conformance/runner.h"

enum { PRINTED_MAX = 20 };

static const struct {
    const char *name;
    void (*run)(conformance_runner *);
} all_cases[] = {
#define ENTRY(name) {#name, cases_##name},
    CONFORMANCE_CASES(ENTRY)
#undef ENTRY
};

bool conformance_run_cases(conformance_runner *runner, const char *kernel)
{
    bool found = false;
    for (size_t i = 0; i < sizeof all_cases / sizeof *all_cases; ++i) {
        if (kernel && strcmp(kernel, all_cases[i].name) != 0) continue;
        all_cases[i].run(runner);
        found = true;
    }
    return found;
}

void *conformance_alloc(size_t count, size_t size_bytes)
{
    void *block = kas_calloc(count, size_bytes);
    if (block) return block;
    fprintf(stderr, "out of memory for a test's buffers\n");
    exit(2);
}

void conformance_fill(float *out, size_t count, uint64_t seed)
{
    kas_rng rng = kas_rng_make(seed, 1);
    for (size_t i = 0; i < count; ++i)
        out[i] = 2.0f * kas_rng_unit(&rng) - 1.0f;
}

float *conformance_random(size_t count, uint64_t seed)
{
    float *out = conformance_alloc(count, sizeof *out);
    conformance_fill(out, count, seed);
    return out;
}

void conformance_run_x(conformance_runner *runner, conformance_launch *launch)
{
    uint32_t params[PARAMS_HEAD] = {launch->rows};
    launch->buffers[0].data = params;
    launch->buffers[0].size_bytes = sizeof params;
    launch->grid_y = (kas_grid_rule){.fixed = 1, .divisor = 1};
    runner->run(runner, launch);
}

void conformance_compare(conformance_runner *runner, const char *what, size_t index, double got, double want,
                         double tolerance)
{
    bool same = got == want || (isnan(got) && isnan(want)) || fabs(got - want) <= tolerance;
    if (same) return;
    if (runner->failures++ < PRINTED_MAX)
        fprintf(stderr, "%s: %s [%zu]: %.9g, expected %.9g ± %.2g\n", runner->name, what, index, got, want,
                tolerance);
}
