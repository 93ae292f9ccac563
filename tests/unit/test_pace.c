/* What launches are estimated to cost, and how expected times follow those that were seen. */
#include <criterion/criterion.h>
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/cost.h"
#include "backends/core/pace.h"
#include "base/clock.h"
#include "tests/unit/affine_rig.h"
#include "tests/unit/remote_device.h"

static void expect_operations(const kas_launch *launch, uint32_t rows, double wanted)
{
    double operations = kas_launch_operations(launch, rows);
    cr_expect_float_eq(operations, wanted, 1e-9 * wanted, "%u rows: %g, not %g", rows, operations, wanted);
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
    const double row = (2.0 * 1024 + 8) * 512;
    kas_launch launch = linear(1024, 512, 1);
    expect_operations(&launch, 128, 128 * row);
    expect_operations(&launch, 1, 64 * row); /* a tile has 64 rows, whatever is in them */
    expect_operations(&launch, 65, 128 * row);
    launch = linear(1024, 512, 64);
    expect_operations(&launch, 3, 3 * 64 * row);
    launch = linear(1024, 450, 1); /* columns fill their last tile */
    expect_operations(&launch, 64, 64 * row);
}

Test(pace, products_that_blend_read_contributions_too)
{
    kas_launch launch = linear(100, 64, 1);
    struct linear_args args;
    memcpy(&args, launch.args, sizeof args);
    args.contributions = 3;
    memcpy(launch.args, &args, sizeof args);
    launch.kernel = KAS_KERNEL_linear_blend;
    expect_operations(&launch, 64, 64 * (2.0 * 100 + 8 + 3 * 8) * 64);
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
    expect_operations(&launch, 5, 5 * (2.0 * 16 * 9 + 8) * 32 * 64);
}

/* A float that is read or written is four bytes, of two operations each. */
Test(pace, what_only_moves_costs_its_traffic)
{
    const struct strided_args lines = {
        .form = LINES_LONG, .inner = 100, .lines_per_row = 4, .lines_per_group = 10};
    kas_launch launch = {.kernel = KAS_KERNEL_strided,
                         .grid_x = {.per_row = 4, .divisor = 10},
                         .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &lines, sizeof lines);
    expect_operations(&launch, 25, 25 * 400 * 2 * 8.0);
    const struct reduce_args reduce = {.size = 10, .inner = 64};
    launch = (kas_launch){.kernel = KAS_KERNEL_reduce_across,
                          .grid_x = {.per_row = 2, .divisor = 1},
                          .grid_y = {.fixed = 1, .divisor = 1}};
    memcpy(launch.args, &reduce, sizeof reduce);
    expect_operations(&launch, 7, 7 * 2 * 10 * 64 * 8.0);
}

Test(pace, every_kernel_costs_something)
{
    for (int kernel = 0; kernel < KAS_KERNEL_COUNT; ++kernel) {
        kas_launch launch = {.kernel = (kas_kernel)kernel,
                             .grid_x = {.per_row = 1, .divisor = 1},
                             .grid_y = {.fixed = 1, .divisor = 1}};
        for (size_t i = 0; i < sizeof launch.args / sizeof *launch.args; ++i)
            launch.args[i] = 1;
        double one = kas_launch_operations(&launch, 1);
        cr_expect_gt(one, 0, "%s", kas_kernel_get_info(launch.kernel)->name);
        expect_operations(&launch, 1000, 1000 * one);
    }
}

/* ---- pace ---- */

/* Rows of r->list that take so many operations, about. */
static uint32_t rows_of(const rig *r, double operations)
{
    const uint32_t many = 1 << 20;
    return (uint32_t)(operations / kas_launch_operations(r->list->launches, many) * many);
}

static void expect_ns(kas_list *list, uint32_t rows, double ns)
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
    close_rig(&r);
}

Test(pace, a_list_takes_as_long_as_its_launches)
{
    rig r;
    open_unknown_rig(&r);
    kas_list *list = chain(&r, 5);
    const uint32_t rows[] = {5000, 50000, 50000, 5000};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i)
        expect_ns(list, rows[i], 5 * kas_list_expected_ns(r.list, rows[i]));
    kas_list_release(list);
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
    kas_list_took(r.list, rows_of(&r, 4e6), 3.2e6);
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
    const double expected_ns = kas_list_expected_ns(list, ROWS);
    atomic_store(&list->pace, 1000.0f);
    ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_ns(list, ROWS, 500 * expected_ns);
    kas_list_release(list);
    close_rig(&r);
}
