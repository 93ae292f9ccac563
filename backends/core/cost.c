#include "backends/core/cost.h"

#include <string.h>

#include "backends/core/backend.h"

#define OPERATIONS_OF_A_BYTE   2.0
#define OPERATIONS_OF_A_FLOAT  (4 * OPERATIONS_OF_A_BYTE)
#define OPERATIONS_OF_A_SCALAR 32.0 /* an exponential, or what an activation takes at most */
#define ROWS_AT_ONCE_OF_A_TILE ((double)LINEAR_TILE_ROWS)
#define RESULTS_OF_A_TILE      (ROWS_AT_ONCE_OF_A_TILE * LINEAR_TILE_COLUMNS)

static double greater(double a, double b)
{
    return a > b ? a : b;
}

/* ---- operations of a group, by kernel ---- */

static double of_linear(const kas_launch *launch, bool blends)
{
    struct linear_args args;
    memcpy(&args, launch->args, sizeof args);
    double contributions = blends ? OPERATIONS_OF_A_FLOAT * args.contributions : 0;
    return RESULTS_OF_A_TILE * (2.0 * args.k + OPERATIONS_OF_A_FLOAT + contributions);
}

static double of_judge(const kas_launch *launch)
{
    struct judge_args args;
    memcpy(&args, launch->args, sizeof args);
    return OPERATIONS_OF_A_FLOAT * (args.k + (double)args.contributions * args.n);
}

static double of_blend(const kas_launch *launch)
{
    struct blend_args args;
    memcpy(&args, launch->args, sizeof args);
    return OPERATIONS_OF_A_FLOAT * BLEND_GROUP * (args.contributions + 2.0);
}

/* Elements that a group takes of tensors that it walks over in lines; the launch's arguments have the form
 * in front or behind an activation. */
static double line_elements(int form, int inner, int lines_per_group)
{
    if (form != LINES_LONG || inner >= LINES_TILE) return LINES_TILE;
    return (double)inner * lines_per_group;
}

static double of_binary(const kas_launch *launch)
{
    struct binary_args args;
    memcpy(&args, launch->args, sizeof args);
    return greater(OPERATIONS_OF_A_SCALAR, 3 * OPERATIONS_OF_A_FLOAT) *
           line_elements(args.form, args.inner, args.lines_per_group);
}

static double of_where(const kas_launch *launch)
{
    struct where_args args;
    memcpy(&args, launch->args, sizeof args);
    return 4 * OPERATIONS_OF_A_FLOAT * line_elements(args.form, args.inner, args.lines_per_group);
}

static double of_strided(const kas_launch *launch)
{
    struct strided_args args;
    memcpy(&args, launch->args, sizeof args);
    return 2 * OPERATIONS_OF_A_FLOAT * line_elements(args.form, args.inner, args.lines_per_group);
}

static double of_matmul(const kas_launch *launch)
{
    struct matmul_args args;
    memcpy(&args, launch->args, sizeof args);
    return (double)MATMUL_ROWS * MATMUL_COLUMNS * (2.0 * args.k + OPERATIONS_OF_A_FLOAT);
}

/* A line is read twice or three times and written twice. */
static double of_softmax(const kas_launch *launch, double lines)
{
    struct softmax_args args;
    memcpy(&args, launch->args, sizeof args);
    return lines * args.size * (OPERATIONS_OF_A_SCALAR + 5 * OPERATIONS_OF_A_FLOAT);
}

static double of_reduce(const kas_launch *launch, double lines)
{
    struct reduce_args args;
    memcpy(&args, launch->args, sizeof args);
    return lines * args.size * OPERATIONS_OF_A_FLOAT;
}

static double of_layernorm(const kas_launch *launch)
{
    struct layernorm_args args;
    memcpy(&args, launch->args, sizeof args);
    return args.size * OPERATIONS_OF_A_FLOAT * (3.0 + args.centred + args.has_scale + args.has_shift);
}

static double of_conv(const kas_launch *launch)
{
    struct conv_args args;
    memcpy(&args, launch->args, sizeof args);
    double taps = (double)args.group_inputs * args.kernel_height * args.kernel_width;
    return (double)CONV_GROUP * CONV_CHANNELS * (2.0 * taps + OPERATIONS_OF_A_FLOAT);
}

static double of_pool(const kas_launch *launch)
{
    struct pool_args args;
    memcpy(&args, launch->args, sizeof args);
    return SCATTER_GROUP * OPERATIONS_OF_A_FLOAT * (1.0 + (double)args.kernel_height * args.kernel_width);
}

static double of_group(const kas_launch *launch)
{
    switch (launch->kernel) {
    case KAS_KERNEL_linear:
    case KAS_KERNEL_linear_f16:
    case KAS_KERNEL_linear_bf16:
        return of_linear(launch, false);
    case KAS_KERNEL_linear_blend:
    case KAS_KERNEL_linear_blend_f16:
    case KAS_KERNEL_linear_blend_bf16:
        return of_linear(launch, true);
    case KAS_KERNEL_judge:
        return of_judge(launch);
    case KAS_KERNEL_blend:
        return of_blend(launch);
    case KAS_KERNEL_unary:
        return OPERATIONS_OF_A_SCALAR * LINES_TILE;
    case KAS_KERNEL_binary:
        return of_binary(launch);
    case KAS_KERNEL_where:
        return of_where(launch);
    case KAS_KERNEL_strided:
        return of_strided(launch);
    case KAS_KERNEL_matmul:
        return of_matmul(launch);
    case KAS_KERNEL_softmax:
        return of_softmax(launch, 1);
    case KAS_KERNEL_softmax_across:
        return of_softmax(launch, ACROSS_GROUP);
    case KAS_KERNEL_reduce:
        return of_reduce(launch, 1);
    case KAS_KERNEL_reduce_across:
        return of_reduce(launch, ACROSS_GROUP);
    case KAS_KERNEL_layernorm:
        return of_layernorm(launch);
    case KAS_KERNEL_conv:
    case KAS_KERNEL_conv_f16:
    case KAS_KERNEL_conv_bf16:
        return of_conv(launch);
    case KAS_KERNEL_pool:
        return of_pool(launch);
    case KAS_KERNEL_gather:
    case KAS_KERNEL_pad:
        return 2 * OPERATIONS_OF_A_FLOAT * SCATTER_GROUP;
    case KAS_KERNEL_COUNT:
        break;
    }
    __builtin_unreachable(); /* kas_list_create has checked it */
}

double kas_launch_operations(const kas_launch *launch, uint32_t rows)
{
    double x = kas_grid_groups(&launch->grid_x, rows), y = kas_grid_groups(&launch->grid_y, rows);
    return x * y * of_group(launch);
}
