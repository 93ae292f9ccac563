/* What products, elementwise operators, normalisations and reductions demand of their tensors. */
#include <inttypes.h>
#include <math.h>

#include "engine/graph/check.h"
#include "engine/graph/shape.h"

static int64_t last(const kas_shape *shape, int back)
{
    return shape->dims[shape->rank - back];
}

static kas_status check_bias(const kas_check *check, const kas_tensor *bias, int64_t count)
{
    if (!bias) return NULL;
    if (!bias->constant)
        return kas_check_refuse(check, "malformed", "the bias %s must be a constant",
                                kas_check_describe(bias).text);
    if (bias->shape.rank == 1 && bias->shape.dims[0] == count) return NULL;
    return kas_check_refuse(check, "shape", "the bias %s should have shape [%" PRId64 "]",
                            kas_check_describe(bias).text, count);
}

kas_status kas_check_linear(const kas_check *check)
{
    const kas_tensor *x = kas_check_input(check, 0), *w = kas_check_input(check, 1);
    if (!w->constant)
        return kas_check_refuse(check, "malformed", "the weight %s must be a constant",
                                kas_check_describe(w).text);
    if (x->shape.rank < 1 || w->shape.rank != 2)
        return kas_check_refuse(check, "shape",
                                "the input %s and the weight %s should be [..., k] and [n, k]",
                                kas_check_describe(x).text, kas_check_describe(w).text);
    if (last(&x->shape, 1) != w->shape.dims[1])
        return kas_check_refuse(
            check, "shape", "the input %s has rows of %" PRId64 ", the weight %s takes %" PRId64,
            kas_check_describe(x).text, last(&x->shape, 1), kas_check_describe(w).text, w->shape.dims[1]);
    KAS_TRY(check_bias(check, kas_check_input(check, 2), w->shape.dims[0]));
    kas_shape expected = x->shape;
    expected.dims[expected.rank - 1] = w->shape.dims[0];
    return kas_check_output_shape(check, &expected);
}

kas_status kas_check_matmul(const kas_check *check)
{
    const kas_tensor *a = kas_check_input(check, 0), *b = kas_check_input(check, 1);
    bool fits = a->shape.rank >= 2 && b->shape.rank >= 2 && last(&a->shape, 1) == last(&b->shape, 2);
    kas_shape left = a->shape, right = b->shape, expected = {0};
    left.rank -= 2;
    right.rank -= 2;
    if (!fits || !kas_shape_broadcast(&left, &right, &expected))
        return kas_check_refuse(check, "shape", "%s and %s should be [..., m, k] and [..., k, n]",
                                kas_check_describe(a).text, kas_check_describe(b).text);
    expected.dims[expected.rank++] = last(&a->shape, 2);
    expected.dims[expected.rank++] = last(&b->shape, 1);
    return kas_check_output_shape(check, &expected);
}

kas_status kas_check_unary(const kas_check *check)
{
    return kas_check_output_shape(check, &kas_check_input(check, 0)->shape);
}

kas_status kas_check_binary(const kas_check *check)
{
    const kas_tensor *x = kas_check_input(check, 0), *y = kas_check_input(check, 1);
    if ((unsigned)check->node->binary >= KAS_BINARY_COUNT)
        return kas_check_refuse(check, "malformed", "function %d of two is not known",
                                (int)check->node->binary);
    kas_shape expected;
    if (!kas_shape_broadcast(&x->shape, &y->shape, &expected))
        return kas_check_refuse(check, "shape", "%s and %s do not broadcast", kas_check_describe(x).text,
                                kas_check_describe(y).text);
    return kas_check_output_shape(check, &expected);
}

kas_status kas_check_select(const kas_check *check)
{
    const kas_tensor *condition = kas_check_input(check, 0);
    const kas_tensor *x = kas_check_input(check, 1), *y = kas_check_input(check, 2);
    kas_shape expected;
    if (!kas_shape_broadcast(&x->shape, &y->shape, &expected) ||
        !kas_shape_broadcast(&condition->shape, &expected, &expected))
        return kas_check_refuse(check, "shape", "the condition %s, %s and %s do not broadcast",
                                kas_check_describe(condition).text, kas_check_describe(x).text,
                                kas_check_describe(y).text);
    return kas_check_output_shape(check, &expected);
}

static kas_status check_axis(const kas_check *check, const kas_tensor *x)
{
    if (check->node->axis >= 0 && check->node->axis < x->shape.rank) return NULL;
    return kas_check_refuse(check, "shape", "axis %d does not lie in the input %s", check->node->axis,
                            kas_check_describe(x).text);
}

kas_status kas_check_softmax(const kas_check *check)
{
    const kas_tensor *x = kas_check_input(check, 0);
    KAS_TRY(check_axis(check, x));
    return kas_check_output_shape(check, &x->shape);
}

static kas_status check_norm_parameter(const kas_check *check, const char *what, const kas_tensor *parameter)
{
    if (!parameter) return NULL;
    const kas_tensor *x = kas_check_input(check, 0);
    int axes = check->node->axis;
    bool fits = parameter->shape.rank == axes;
    for (int d = 0; fits && d < axes; ++d)
        fits = parameter->shape.dims[d] == x->shape.dims[x->shape.rank - axes + d];
    if (fits) return NULL;
    return kas_check_refuse(check, "shape", "the %s %s should have the last %d dimensions of the input %s",
                            what, kas_check_describe(parameter).text, axes, kas_check_describe(x).text);
}

kas_status kas_check_norm(const kas_check *check)
{
    const kas_tensor *x = kas_check_input(check, 0);
    if (check->node->axis < 1 || check->node->axis > x->shape.rank)
        return kas_check_refuse(check, "shape", "it cannot span the last %d dimensions of the input %s",
                                check->node->axis, kas_check_describe(x).text);
    if (!isfinite(check->node->epsilon) || check->node->epsilon < 0)
        return kas_check_refuse(check, isfinite(check->node->epsilon) ? "malformed" : "not_finite",
                                "epsilon is %g; it must be finite and not negative",
                                (double)check->node->epsilon);
    KAS_TRY(check_norm_parameter(check, "scale", kas_check_input(check, 1)));
    KAS_TRY(check_norm_parameter(check, "shift", kas_check_input(check, 2)));
    return kas_check_output_shape(check, &x->shape);
}

kas_status kas_check_reduce(const kas_check *check)
{
    const kas_tensor *x = kas_check_input(check, 0);
    if ((unsigned)check->node->reduce > KAS_REDUCE_PROD)
        return kas_check_refuse(check, "malformed", "reduction %d is not known", (int)check->node->reduce);
    KAS_TRY(check_axis(check, x));
    kas_shape expected = x->shape;
    expected.dims[check->node->axis] = 1;
    return kas_check_output_shape(check, &expected);
}
