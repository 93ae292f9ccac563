/* Every scalar function over one set of arguments, for each kernel that ends in one. */
#include <math.h>

#include "engine/graph/reference.h"
#include "tests/conformance/runner.h"

enum { COUNT = 259 };

static void choose_arguments(float x[COUNT])
{
    for (int i = 0; i < COUNT - 5; ++i)
        x[i] = (float)(i - 128) / 16.0f;
    x[COUNT - 5] = 60.0f;
    x[COUNT - 4] = -60.0f;
    x[COUNT - 3] = INFINITY;
    x[COUNT - 2] = -INFINITY;
    x[COUNT - 1] = NAN;
}

/* Functions whose limit at an infinity is a product of 0 and infinity: NaN or the limit, as it comes. */
static bool is_undecided(float x, int act)
{
    return isinf(x) && act != KAS_ACT_RELU && act != KAS_ACT_CLIP && act != KAS_ACT_ABS && act != KAS_ACT_NEG;
}

void conformance_every_activation(conformance_runner *runner, conformance_apply_act *apply)
{
    float x[COUNT], y[COUNT];
    choose_arguments(x);
    for (int act = 0; act < KAS_ACT_COUNT; ++act) {
        float a = act == KAS_ACT_CLIP ? -1.5f : 0.75f, b = 1.25f;
        apply(runner, act, a, b, x, y, COUNT);
        for (size_t i = 0; i < COUNT; ++i) {
            if (is_undecided(x[i], act)) continue;
            double want = kas_reference_act((kas_act)act, a, b, x[i]);
            double least =
                act == KAS_ACT_GELU || act == KAS_ACT_GELU_TANH ? 1e-9 : 1e-30; /* a vanishing tail */
            conformance_compare(runner, kas_act_name((kas_act)act), i, y[i], want, 4e-6 * fabs(want) + least);
        }
    }
}
