/* The doubles as a test has them: in its own process, by dlsym, so that they are the libraries that the
 * backend opens. */
#ifndef CUDA_DOUBLES_H
#define CUDA_DOUBLES_H

#include "tests/cuda/double.h"

#define DOUBLE_FUNCTIONS(X)                                                                                  \
    X(fail)                                                                                                  \
    X(fired)                                                                                                 \
    X(hang)                                                                                                  \
    X(run_on)                                                                                                \
    X(release)                                                                                               \
    X(without_pools)                                                                                         \
    X(refuse_modules)                                                                                        \
    X(limit_memory)                                                                                          \
    X(reset)                                                                                                 \
    X(count)

#define DOUBLE_MEMBER(name) __typeof__(double_##name) *name;
extern struct doubles {
    DOUBLE_FUNCTIONS(DOUBLE_MEMBER)
} doubles;
#undef DOUBLE_MEMBER

/* A suite's init: the backend opens the doubles of the driver, of cuBLASLt and of NVRTC, and `doubles` is
 * theirs. */
void use_doubles(void);
double_counts counts(void);

#endif
