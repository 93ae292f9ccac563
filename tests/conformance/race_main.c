/* race [KERNEL]: all cases under the race checker; fails when a result is wrong. race --list: the kernels
 * that have cases, one a line. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "tests/conformance/race.h"
#include "tests/conformance/weights.h"

typedef void run_item(int x, int y, void *const *buffers, const void *args);
#define DECLARE(name, buffers, args, items) run_item kas_race_kernel_##name;
KAS_KERNELS(DECLARE)
#undef DECLARE

static const race_kernel kernels[KAS_KERNEL_COUNT] = {
#define ENTRY(name, buffers, args, items) {#name, kas_race_kernel_##name, items},
    KAS_KERNELS(ENTRY)
#undef ENTRY
};

static uint32_t groups(const kas_grid_rule *rule, uint32_t rows)
{
    uint64_t items = (uint64_t)rule->per_row * rows + rule->fixed;
    uint64_t count = (items + rule->divisor - 1) / rule->divisor;
    return count ? (uint32_t)count : 1;
}

static void run(conformance_runner *runner, const conformance_launch *launch)
{
    (void)runner;
    void *buffers[KAS_KERNEL_MAX_BUFFERS];
    for (size_t b = 0; b < KAS_KERNEL_MAX_BUFFERS; ++b)
        buffers[b] = launch->buffers[b].data;
    race_run(&kernels[launch->kernel], groups(&launch->grid_x, launch->rows),
             groups(&launch->grid_y, launch->rows), buffers, launch->args);
}

static void *pack(conformance_runner *runner, kas_weight_type type, const float *weight, size_t inputs,
                  size_t outputs, size_t *size_bytes)
{
    (void)runner;
    float *out = conformance_alloc(inputs * outputs, sizeof *out);
    for (size_t k = 0; k < inputs; ++k)
        for (size_t n = 0; n < outputs; ++n)
            out[k * outputs + n] = weight[n * inputs + k];
    *size_bytes = inputs * outputs * sizeof *out;
    if (type == KAS_WEIGHT_F32) return out;
    uint32_t *pairs = conformance_pairs(out, inputs, outputs, type, size_bytes);
    kas_free(out);
    return pairs;
}

int main(int argc, char **argv)
{
    conformance_runner runner = {.name = "race checker", .slow = true, .run = run, .pack = pack};
    const char *kernel = argc > 1 ? argv[1] : NULL;
    if (!conformance_run_cases(&runner, kernel)) {
        fprintf(stderr, "race: no cases for kernel %s\n", kernel);
        return 2;
    }
    if (runner.failures) fprintf(stderr, "race: %u results are wrong\n", runner.failures);
    return runner.failures ? 1 : 0;
}
