/* The lists that judge contributions and blend them with the base: a launch each. */
#include <string.h>

#include "engine/graph/product.h"

enum { CONTRIBUTIONS_MAX = 64, INDICES_MAX = INT32_MAX }; /* indices in kernels are ints */

static bool below_index_max(size_t a, size_t b)
{
    size_t product;
    return !__builtin_mul_overflow(a, b, &product) && product <= INDICES_MAX;
}

static kas_status check_shape(const kas_blend_shape *shape)
{
    size_t rows = shape->capacity_rows, n = shape->contributions;
    if (n < 1 || n > CONTRIBUTIONS_MAX)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "blending of %zu contributions; 1 to %d are meant", n,
                        CONTRIBUTIONS_MAX);
    if (shape->inputs == 0 || shape->outputs == 0 || rows == 0)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "blending of %zu rows of %zu inputs and %zu outputs",
                        rows, shape->inputs, shape->outputs);
    if (!below_index_max(rows, shape->inputs) || !below_index_max(rows, shape->outputs) ||
        !below_index_max(n, shape->stride_floats) || !below_index_max(rows, 2 * (n + 1) + RESULT_HEAD))
        return kas_fail(
            KAS_TOO_LARGE, ENGINE,
            "blending of %zu contributions to %zu rows of %zu outputs, %zu floats apart, is beyond what "
            "kernels can index; use fewer rows",
            n, rows, shape->outputs, shape->stride_floats);
    if (shape->stride_floats / rows < shape->outputs && n > 1)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE,
                        "contributions %zu floats apart overlap: %zu rows of %zu", shape->stride_floats, rows,
                        shape->outputs);
    return NULL;
}

static kas_binding slot(kas_slot_index index)
{
    return (kas_binding){.slot = (uint8_t)index};
}

static int coefficients(const kas_blend_shape *shape)
{
    return (int)(RESULT_HEAD * shape->capacity_rows);
}

kas_status kas_judge_list(kas_device *device, const kas_blend_shape *shape, kas_list **out)
{
    *out = NULL;
    KAS_TRY(check_shape(shape));
    const struct judge_args args = {.k = (int)shape->inputs,
                                    .n = (int)shape->outputs,
                                    .contributions = (int)shape->contributions,
                                    .k_stride = (int)shape->stride_floats,
                                    .coefficients = coefficients(shape)};
    kas_launch launch = {
        .kernel = KAS_KERNEL_judge,
        .label = "judge",
        .bindings = {slot(KAS_SLOT_PARAMS), slot(KAS_SLOT_X), slot(KAS_SLOT_BLEND), slot(KAS_SLOT_RESULT)},
        .grid_x = {.per_row = 1, .divisor = 1},
        .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &args, sizeof args);
    return kas_list_create(device, &launch, 1, "judge", out);
}

kas_status kas_blend_list(kas_device *device, const kas_blend_shape *shape, kas_list **out)
{
    *out = NULL;
    KAS_TRY(check_shape(shape));
    const struct blend_args args = {.n = (int)shape->outputs,
                                    .contributions = (int)shape->contributions,
                                    .k_stride = (int)shape->stride_floats,
                                    .coefficients = coefficients(shape)};
    kas_launch launch = {.kernel = KAS_KERNEL_blend,
                         .label = "blend",
                         .bindings = {slot(KAS_SLOT_PARAMS), slot(KAS_SLOT_WORK), slot(KAS_SLOT_BLEND),
                                      slot(KAS_SLOT_RESULT), slot(KAS_SLOT_Y)},
                         .grid_x = {.per_row = (uint32_t)shape->outputs, .divisor = BLEND_GROUP},
                         .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &args, sizeof args);
    return kas_list_create(device, &launch, 1, "blend", out);
}

kas_status kas_linear_blend_list(kas_device *device, const kas_segment *base, const kas_blend_shape *shape,
                                 kas_list **out)
{
    *out = NULL;
    KAS_TRY(check_shape(shape));
    const kas_launch *product = kas_segment_product(base);
    const kas_segment_info *info = kas_segment_get_info(base);
    if (!product)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "only a single linear can blend in its epilogue");
    if (info->inputs != shape->inputs || info->outputs != shape->outputs)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE,
                        "a base of %zu inputs and %zu outputs cannot blend %zu inputs and %zu outputs",
                        info->inputs, info->outputs, shape->inputs, shape->outputs);
    struct linear_args args;
    memcpy(&args, product->args, sizeof args);
    args.contributions = (int)shape->contributions;
    args.k_stride = (int)shape->stride_floats;
    args.coefficients = coefficients(shape);
    kas_launch launch = *product;
    launch.kernel = kas_kernel_over(KAS_KERNEL_linear_blend, kas_kernel_weight_type(product->kernel));
    launch.label = "linear_blend";
    launch.bindings[4] = slot(KAS_SLOT_BLEND);
    launch.bindings[5] = slot(KAS_SLOT_RESULT);
    launch.bindings[6] = slot(KAS_SLOT_Y);
    memcpy(launch.args, &args, sizeof args);
    return kas_list_create(device, &launch, 1, "linear_blend", out);
}

size_t kas_blend_result_bytes(uint32_t contributions, uint32_t capacity_rows)
{
    return (size_t)capacity_rows * (RESULT_HEAD + (size_t)contributions + 1) * sizeof(uint32_t);
}

size_t kas_blend_params_bytes(uint32_t contributions, uint32_t capacity_rows)
{
    return (PARAMS_HEAD + (size_t)capacity_rows * contributions) * sizeof(uint32_t);
}
