/* One suite of cases for every kernel, run on whatever can run kernels: any device, or the race checker.
 *
 * A case makes up inputs, has the runner launch the kernel, and compares with float64. Cases of a kernel are
 * in cases_<kernel>.c; the table below is all that has to be told of them. */
#ifndef KAS_TESTS_CONFORMANCE_RUNNER_H
#define KAS_TESTS_CONFORMANCE_RUNNER_H

#include <stdio.h>

#include "backends/core/device.h"

typedef struct conformance_launch {
    kas_kernel kernel;
    const void *args; /* the kernel's struct */
    uint32_t rows;
    kas_grid_rule grid_x, grid_y;
    struct {
        void *data; /* read before and written back after the launch */
        size_t size_bytes;
    } buffers[KAS_KERNEL_MAX_BUFFERS]; /* 0: the parameter block */
} conformance_launch;

typedef struct conformance_runner conformance_runner;
struct conformance_runner {
    const char *name;
    bool slow; /* items run one by one: small shapes only */
    /* Runs the launch to its end; exits the program when that fails. */
    void (*run)(conformance_runner *runner, const conformance_launch *launch);
    /* Weights of products as this runner's linear kernels want them; to be freed with kas_free. */
    void *(*pack)(conformance_runner *runner, const float *weight, size_t inputs, size_t outputs,
                  size_t *size_bytes);
    kas_device *device; /* NULL for the race checker */
    kas_queue *queue;
    unsigned failures;
};

/* Each runs all cases of a kernel and counts failures in the runner. One line a kernel. */
#define CONFORMANCE_CASES(X)                                                                                 \
    X(linear)                                                                                                \
    X(linear_blend)                                                                                          \
    X(judge)                                                                                                 \
    X(blend)

#define DECLARE_CASES(name) void cases_##name(conformance_runner *runner);
CONFORMANCE_CASES(DECLARE_CASES)
#undef DECLARE_CASES

/* Runs the cases of the kernel of this name, of all for NULL; false when there are none of that name. */
bool conformance_run_cases(conformance_runner *runner, const char *kernel);

/* The names of the kernels that have cases, one a line. */
void conformance_list_cases(FILE *out);

/* exits when the device cannot be opened */
void conformance_device_runner(conformance_runner *runner, const char *device_id);
void conformance_device_runner_finish(conformance_runner *runner);

/* ---- for cases --------------------------------------------------------------------------------------------
 */

/* Memory that is never NULL. */
void *conformance_alloc(size_t count, size_t size_bytes);
/* Seeded by what the case chooses: uniform in [-1, 1), multiples of 2⁻²³. */
void conformance_fill(float *out, size_t count, uint64_t seed);
/* One comparison: equal, both NaN, or within the tolerance. Prints and counts what is not, a few of a launch.
 */
void conformance_compare(conformance_runner *runner, const char *what, size_t index, double got, double want,
                         double tolerance);

#endif
