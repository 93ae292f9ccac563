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

void conformance_list_cases(FILE *out)
{
    for (size_t i = 0; i < sizeof all_cases / sizeof *all_cases; ++i)
        fprintf(out, "%s\n", all_cases[i].name);
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

void conformance_compare(conformance_runner *runner, const char *what, size_t index, double got, double want,
                         double tolerance)
{
    bool same = got == want || (isnan(got) && isnan(want)) || fabs(got - want) <= tolerance;
    if (same) return;
    if (runner->failures++ < PRINTED_MAX)
        fprintf(stderr, "%s: %s [%zu]: %.9g, expected %.9g ± %.2g\n", runner->name, what, index, got, want,
                tolerance);
}
