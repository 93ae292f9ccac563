/* Activations over a part of a row; built once for each instruction set, one loop for each function. */
#include "kernels/dialect.h"

#include "kernels/scalar.h"

#include "kernels/act.h"

#include "backends/host/packed.h"

static inline __attribute__((always_inline)) void apply(float *y, size_t n, int act, float a, float b)
{
    for (size_t i = 0; i < n; ++i)
        y[i] = activate(y[i], act, a, b);
}

#define CASE(name)                                                                                           \
    case name:                                                                                               \
        apply(y, n, name, a, b);                                                                             \
        return

void PACKED(activate_row)(float *y, size_t n, int act, float a, float b)
{
    switch (act) {
    case ACT_NONE:
        return;
        CASE(ACT_RELU);
        CASE(ACT_GELU);
        CASE(ACT_GELU_TANH);
        CASE(ACT_SIGMOID);
        CASE(ACT_TANH);
        CASE(ACT_SILU);
        CASE(ACT_LEAKY_RELU);
        CASE(ACT_ELU);
        CASE(ACT_SELU);
        CASE(ACT_CELU);
        CASE(ACT_SOFTPLUS);
        CASE(ACT_SOFTSIGN);
        CASE(ACT_MISH);
        CASE(ACT_HARD_SIGMOID);
        CASE(ACT_HARD_SWISH);
        CASE(ACT_CLIP);
        CASE(ACT_EXP);
        CASE(ACT_ERF);
        CASE(ACT_SQUARE);
        CASE(ACT_AFFINE);
    default:
        apply(y, n, act, a, b);
    }
}
