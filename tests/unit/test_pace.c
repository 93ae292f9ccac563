/* What launches are estimated to cost, and how expected times follow those that were seen. */
#include <criterion/criterion.h>
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/pace.h"
#include "base/clock.h"
#include "tests/unit/affine_rig.h"
#include "tests/unit/remote_device.h"

static void expect_cost(const kas_launch *launch, double fixed, double per_row)
{
    kas_cost cost = kas_launch_cost(launch);
    cr_expect_float_eq(cost.fixed, fixed, 1e-6 * (1 + fixed), "fixed: %g, not %g", cost.fixed, fixed);
    cr_expect_float_eq(cost.per_row, per_row, 1e-6 * (1 + per_row), "per row: %g, not %g", cost.per_row,
                       per_row);
}

static kas_launch linear(int k, int n, int m)
{
    const struct linear_args args = {.k = k, .n = n, .m = m};
    kas_launch launch = {.kernel = KAS_KERNEL_linear,
                         .grid_x = {.fixed = (uint32_t)n, .divisor = LINEAR_TILE_COLUMNS},
                         .grid_y = {.per_row = (uint32_t)m, .divisor = LINEAR_TILE_ROWS}};
    memcpy(launch.args, &args, sizeof args);
    return launch;
}

/* ---- cost ---- */

/* Two operations a multiply-add, and a float for each result. */
Test(pace, products_cost_their_multiply_adds)
{
    kas_launch launch = linear(1024, 512, 1);
    const double row = (2.0 * 1024 + 8) * 512;
    expect_cost(&launch, 63 * row, row); /* a tile has 64 rows, whatever is in them */
    launch = linear(1024, 512, 64);
    expect_cost(&launch, 63 * row, 64 * row);
    launch = linear(1024, 450, 1); /* columns fill their last tile */
    expect_cost(&launch, 63 * row, row);
}

Test(pace, products_that_blend_read_contributions_too)
{
    kas_launch launch = linear(100, 64, 1);
    struct linear_args args;
    memcpy(&args, launch.args, sizeof args);
    args.contributions = 3;
    memcpy(launch.args, &args, sizeof args);
    launch.kernel = KAS_KERNEL_linear_blend;
    const double row = (2.0 * 100 + 8 + 3 * 8) * 64;
    expect_cost(&launch, 63 * row, row);
}

Test(pace, convolutions_cost_their_taps)
{
    const struct conv_args args = {.groups = 1,
                                   .group_inputs = 16,
                                   .group_outputs = 32,
                                   .out_height = 8,
                                   .out_width = 8,
                                   .kernel_height = 3,
                                   .kernel_width = 3};
    kas_launch launch = {.kernel = KAS_KERNEL_conv,
                         .grid_x = {.per_row = 4, .divisor = 1},
                         .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &args, sizeof args);
    expect_cost(&launch, 0, (2.0 * 16 * 9 + 8) * 32 * 64);
}

Test(pace, elementwise_work_costs_its_traffic)
{
    const struct strided_args lines = {
        .form = LINES_LONG, .inner = 100, .lines_per_row = 4, .lines_per_group = 10};
    kas_launch launch = {.kernel = KAS_KERNEL_strided,
                         .grid_x = {.per_row = 4, .divisor = 10},
                         .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &lines, sizeof lines);
    expect_cost(&launch, 16.0 * 100 * 9,
                16.0 * 400); /* reads a float and writes one; a group, but for a line */
    const struct reduce_args reduce = {.size = 10, .inner = 64};
    launch = (kas_launch){.kernel = KAS_KERNEL_reduce_across,
                          .grid_x = {.per_row = 2, .divisor = 1},
                          .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &reduce, sizeof reduce);
    expect_cost(&launch, 0, 8.0 * 2 * 10 * 64);
}

Test(pace, every_kernel_costs_something)
{
    for (int kernel = 0; kernel < KAS_KERNEL_COUNT; ++kernel) {
        kas_launch launch = {.kernel = (kas_kernel)kernel,
                             .grid_x = {.per_row = 3, .divisor = 2},
                             .grid_y = {.fixed = 1, .divisor = 1}};
        for (size_t i = 0; i < sizeof launch.args / sizeof *launch.args; ++i)
            launch.args[i] = 1;
        kas_cost cost = kas_launch_cost(&launch);
        cr_expect_gt(cost.per_row, 0, "%s", kas_kernel_get_info(launch.kernel)->name);
        cr_expect_gt(cost.fixed, 0, "%s", kas_kernel_get_info(launch.kernel)->name);
    }
}

Test(pace, a_list_costs_what_its_launches_do)
{
    rig r;
    open_rig_on(&r, remote_device_open());
    kas_list *list = chain(&r, 5);
    cr_expect_float_eq(list->cost.fixed, 5 * r.list->cost.fixed, 1e-3);
    cr_expect_float_eq(list->cost.per_row, 5 * r.list->cost.per_row, 1e-3);
    kas_list_release(list);
    close_rig(&r);
}

/* ---- pace ---- */

/* Rows of r->list that take so many operations. */
static uint32_t rows_of(const rig *r, double operations)
{
    return (uint32_t)((operations - r->list->cost.fixed) / r->list->cost.per_row);
}

static void expect_ns(const kas_list *list, uint32_t rows, double ns)
{
    double expected = kas_list_expected_ns(list, rows);
    cr_expect_float_eq(expected, ns, 0.01 * ns, "%g ns, not %g", expected, ns);
}

static void open_unknown_rig(rig *r)
{
    kas_device *device = remote_device_open();
    device->limits.product_gflops = 0;
    open_rig_on(r, device);
}

Test(pace, begins_with_what_the_device_promises)
{
    rig r;
    open_unknown_rig(&r);
    const uint32_t rows = rows_of(&r, 50e6);
    expect_ns(r.list, rows, 50e6);
    r.device->limits.product_gflops = 4;
    expect_ns(r.list, rows, 50e6 / 4);
    const kas_estimate estimate = kas_list_estimate(r.list);
    expect_ns(r.list, rows, estimate.fixed_ns + estimate.per_row_ns * rows);
    close_rig(&r);
}

Test(pace, a_slower_one_is_believed_at_once_and_a_faster_one_in_halves)
{
    rig r;
    open_unknown_rig(&r);
    const uint32_t rows = rows_of(&r, 50e6);
    kas_list_took(r.list, rows, 200e6);
    expect_ns(r.list, rows, 200e6);
    kas_list_took(r.list, rows, 1e6);
    expect_ns(r.list, rows, 100e6);
    kas_list_took(r.list, rows, 1e6);
    expect_ns(r.list, rows, 50e6);
    kas_list_took(r.list, rows, 40e6);
    expect_ns(r.list, rows, 40e6);
    close_rig(&r);
}

/* A list of its own pace leaves the device's to others. */
Test(pace, lists_that_were_not_seen_have_their_devices)
{
    rig r;
    open_unknown_rig(&r);
    const uint32_t rows = rows_of(&r, 50e6);
    kas_list *other = chain(&r, 1), *third = chain(&r, 1);
    kas_list_took(r.list, rows, 100e6);
    expect_ns(other, rows, 100e6);
    kas_list_took(other, rows, 400e6);
    expect_ns(other, rows, 400e6);
    expect_ns(third, rows, 400e6);
    expect_ns(r.list, rows, 100e6);
    kas_list_release(other);
    kas_list_release(third);
    close_rig(&r);
}

Test(pace, short_work_does_not_tell_that_it_is_slow)
{
    rig r;
    open_unknown_rig(&r);
    kas_list_took(r.list, rows_of(&r, 1e6), 4e6); /* most of it the way there and back */
    kas_list_took(r.list, 1, 900e6);              /* something else held it up */
    expect_ns(r.list, rows_of(&r, 50e6), 50e6);
    close_rig(&r);
}

Test(pace, short_work_tells_of_itself_that_it_is_fast)
{
    rig r;
    open_unknown_rig(&r);
    kas_list *other = chain(&r, 1);
    kas_list_took(r.list, rows_of(&r, 1e6), 0.8e6);
    expect_ns(r.list, rows_of(&r, 50e6), 40e6);
    expect_ns(other, rows_of(&r, 50e6), 50e6);
    kas_list_release(other);
    close_rig(&r);
}

/* ---- what is learned from passes ---- */

/* A list that goes to its device launch by launch still learns how long it takes. */
Test(pace, waits_teach_lists_that_are_cut)
{
    rig r;
    open_unknown_rig(&r);
    kas_list *list = chain(&r, 2);
    kas_submission submission = at_place(&r, 0);
    submission.list = list;
    kas_use_piece_ns(1);
    list->cost.per_row = 1e6; /* as if it were much: 70 ms */
    ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_ns(list, ROWS, 35e6);
    kas_list_release(list);
    close_rig(&r);
}
