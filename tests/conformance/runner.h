/* One suite of cases for every kernel, run on whatever can run kernels: any device, or the race checker.
 *
 * A case makes up inputs, has the runner launch the kernel, and compares with float64. Cases of kernels that
 * are alike stand in one cases_*.c; the table below is all that has to be told of them. */
#ifndef KAS_TESTS_CONFORMANCE_RUNNER_H
#define KAS_TESTS_CONFORMANCE_RUNNER_H

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
    /* Weights of products as this runner's linear kernels of a type want them; to be freed with kas_free. */
    void *(*pack)(conformance_runner *runner, kas_weight_type type, const float *weight, size_t inputs,
                  size_t outputs, size_t *size_bytes);
    kas_device *device; /* NULL for the race checker */
    kas_queue *queue;
    unsigned failures;
};

/* Each runs all cases of a kernel and counts failures in the runner. One line a kernel. */
#define CONFORMANCE_CASES(X)                                                                                 \
    X(linear)                                                                                                \
    X(linear_f16)                                                                                            \
    X(linear_bf16)                                                                                           \
    X(linear_blend)                                                                                          \
    X(linear_blend_f16)                                                                                      \
    X(linear_blend_bf16)                                                                                     \
    X(judge)                                                                                                 \
    X(blend)                                                                                                 \
    X(unary)                                                                                                 \
    X(binary)                                                                                                \
    X(where)                                                                                                 \
    X(strided)                                                                                               \
    X(matmul)                                                                                                \
    X(softmax)                                                                                               \
    X(softmax_across)                                                                                        \
    X(reduce)                                                                                                \
    X(reduce_across)                                                                                         \
    X(layernorm)                                                                                             \
    X(conv)                                                                                                  \
    X(conv_f16)                                                                                              \
    X(conv_bf16)                                                                                             \
    X(pool)                                                                                                  \
    X(gather)                                                                                                \
    X(pad)

#define DECLARE_CASES(name) void cases_##name(conformance_runner *runner);
CONFORMANCE_CASES(DECLARE_CASES)
#undef DECLARE_CASES

/* Runs the cases of the kernel of this name, of all for NULL; false when there are none of that name. */
bool conformance_run_cases(conformance_runner *runner, const char *kernel);

/* exits when the device cannot be opened */
void conformance_device_runner(conformance_runner *runner, const char *device_id);
void conformance_device_runner_finish(conformance_runner *runner);

/* ---- for cases ---- */

/* Runs a launch whose grid is of x alone; its parameter block says its rows and nothing else. */
void conformance_run_x(conformance_runner *runner, conformance_launch *launch);

/* Memory that is never NULL, of just this size. */
void *conformance_alloc(size_t count, size_t size_bytes);
/* Seeded by what the case chooses: uniform in [-1, 1), multiples of 2⁻²³. */
void conformance_fill(float *out, size_t count, uint64_t seed);
/* As above, freshly allocated. */
float *conformance_random(size_t count, uint64_t seed);
/* One comparison: equal, both NaN, or within the tolerance. Prints and counts what is not, a few of a launch.
 */
void conformance_compare(conformance_runner *runner, const char *what, size_t index, double got, double want,
                         double tolerance);

/* y = act(x), by way of a kernel that ends in a scalar function. */
typedef void conformance_apply_act(conformance_runner *runner, int act, float a, float b, float *x, float *y,
                                   size_t count);
/* Every scalar function, for many arguments. */
void conformance_every_activation(conformance_runner *runner, conformance_apply_act *apply);

#endif
