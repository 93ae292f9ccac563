/* backends/core over the host device: lists, submissions and traffic of a queue, in order, and what is
 * refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "backends/core/backend.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "tests/unit/core_checks.h"

/* ---- traffic ---- */

Test(core_submissions, traffic_stays_within_bounds)
{
    rig r;
    char bytes[RIG_ROWS * RIG_WIDTH * 4 + 8] = {0};
    ok(rig_open(&r, "host:0", 1));
    size_t size = kas_buffer_size(r.x);
    expect(kas_queue_upload(r.queue, r.x, 0, bytes, size + 1), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_upload(r.queue, r.x, size, bytes, 1), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_upload(r.queue, r.x, SIZE_MAX, bytes, 2), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_download(r.queue, r.x, 4, bytes, size), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_fill(r.queue, r.x, 0, 0, size + 4), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_fill(r.queue, r.x, 0, 0, 3), KAS_INVALID_ARGUMENT, "whole words");
    ok(kas_queue_upload(r.queue, r.x, size, bytes, 0));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    rig_close(&r);
}

Test(core_submissions, traffic_and_submissions_run_in_order)
{
    rig r;
    float before[RIG_ROWS * RIG_WIDTH], after[RIG_ROWS * RIG_WIDTH];
    ok(rig_open(&r, "host:0", 1));
    kas_submission submission = rig_submission(&r);
    ok(kas_queue_submit(r.queue, &submission, 1, RIG_ROWS));
    ok(kas_queue_download(r.queue, r.y, 0, before, sizeof before));
    ok(kas_queue_fill(r.queue, r.x, 0, 0x40400000, sizeof before)); /* 3.0 */
    ok(kas_queue_submit(r.queue, &submission, 1, RIG_ROWS));
    ok(kas_queue_download(r.queue, r.y, 0, after, sizeof after));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    cr_expect_eq(before[21], 42.0f);
    cr_expect_eq(after[21], 6.0f);
    rig_close(&r);
}

Test(core_submissions, a_list_that_runs_at_once_comes_after_what_was_submitted)
{
    rig r;
    float out[RIG_ROWS * RIG_WIDTH] = {0};
    ok(rig_open(&r, "host:0", 1));
    kas_submission submission = rig_submission(&r);
    void *slots[KAS_SLOT_COUNT] = {0};
    for (size_t s = 0; s < KAS_SLOT_COUNT; ++s)
        if (submission.slots[s].buffer) slots[s] = kas_buffer_host(submission.slots[s].buffer);
    slots[KAS_SLOT_Y] = out;
    ok(kas_queue_submit(r.queue, &submission, 1, RIG_ROWS));
    ok(kas_queue_run(r.queue, r.list, slots, RIG_ROWS, KAS_NEVER));
    cr_expect_eq(out[21], 42.0f);
    expect_doubled(&r);
    cr_expect(kas_queue_idle(r.queue));
    rig_close(&r);
}

/* ---- lists ---- */

static void refused(rig *r, const kas_launch *launch, const char *why)
{
    kas_list *list;
    expect(kas_list_create(r->device, launch, 1, "crooked", &list), KAS_INVALID_ARGUMENT, why);
    cr_expect_null(list);
}

Test(core_submissions, crooked_launches_are_refused)
{
    rig r;
    ok(rig_open(&r, "host:0", 1));
    kas_launch launch = r.launch;
    launch.kernel = KAS_KERNEL_COUNT;
    refused(&r, &launch, "no such kernel");
    launch = r.launch;
    launch.grid_x.divisor = 0;
    refused(&r, &launch, "divisor");
    launch = r.launch;
    launch.grid_y.fixed = UINT32_MAX;
    refused(&r, &launch, "groups");
    launch = r.launch;
    launch.bindings[0].slot = KAS_SLOT_X;
    refused(&r, &launch, "parameter block");
    launch = r.launch;
    launch.bindings[2].slot = KAS_SLOT_COUNT;
    refused(&r, &launch, "no such slot");
    launch = r.launch;
    launch.bindings[2].offset_bytes = 4;
    refused(&r, &launch, "not aligned");
    launch = r.launch;
    launch.bindings[2].slot = KAS_SLOT_FIXED;
    refused(&r, &launch, "without a buffer");
    launch.bindings[2].buffer = r.x;
    launch.bindings[2].offset_bytes = 256;
    refused(&r, &launch, "beyond its buffer");
    rig_close(&r);
}

Test(core_submissions, grids_are_rules_of_rows)
{
    kas_grid_rule rule = {.per_row = 3, .fixed = 2, .divisor = 4};
    cr_expect_eq(kas_grid_groups(&rule, 1), 2);
    cr_expect_eq(kas_grid_groups(&rule, 2), 2);
    cr_expect_eq(kas_grid_groups(&rule, 3), 3);
    rule = (kas_grid_rule){.per_row = 0, .fixed = 0, .divisor = 64};
    cr_expect_eq(kas_grid_groups(&rule, 9), 1);
    rule = (kas_grid_rule){.per_row = UINT32_MAX, .fixed = UINT32_MAX, .divisor = 1};
    cr_expect_eq(kas_grid_groups(&rule, UINT32_MAX), 0);
}

/* ---- submissions ---- */

Test(core_submissions, a_pass)
{
    rig r;
    kas_progress progress;
    ok(rig_open(&r, "host:0", 1));
    cr_expect(kas_queue_idle(r.queue));
    ok(run_rig(&r, &progress));
    expect_doubled(&r);
    cr_expect_eq(progress.completed, 1);
    cr_expect_gt(progress.elapsed_ns[0], 0);
    cr_expect_eq(kas_list_length(r.list), 1);
    rig_close(&r);
}

Test(core_submissions, a_pass_allocates_nothing)
{
    rig r;
    ok(rig_open(&r, "host:0", 1));
    ok(run_rig(&r, NULL)); /* the first one makes room */
    uint64_t before = kas_alloc_count();
    for (int i = 0; i < 3; ++i)
        ok(run_rig(&r, NULL));
    cr_expect_eq(kas_alloc_count(), before);
    rig_close(&r);
}

Test(core_submissions, crooked_submissions_are_refused)
{
    rig r;
    kas_buffer *small;
    ok(rig_open(&r, "host:0", 1));
    ok(kas_buffer_create(r.device, 64, "small", &small));
    kas_submission s = rig_submission(&r);
    expect(kas_queue_submit(r.queue, &s, 1, 0), KAS_INVALID_ARGUMENT, "0 rows");
    expect(kas_queue_submit(r.queue, &s, KAS_SUBMISSIONS_MAX + 1, 1), KAS_INVALID_ARGUMENT, "submissions");
    s.slots[KAS_SLOT_X].buffer = NULL;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "slot X: nothing is bound");
    s = rig_submission(&r);
    s.slots[KAS_SLOT_Y].offset_bytes = 4;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "slot Y: unaligned");
    s = rig_submission(&r);
    s.slots[KAS_SLOT_Y].buffer = small;
    s.slots[KAS_SLOT_Y].offset_bytes = 64;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "ends before");
    s = rig_submission(&r);
    s.slots[KAS_SLOT_X].host = &s;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "host memory and a buffer");
    s.slots[KAS_SLOT_X].buffer = NULL;
    s.slots[KAS_SLOT_X].host = (char *)&s + 1;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "not aligned");
    ok(run_rig(&r, NULL));
    expect_doubled(&r);
    kas_buffer_release(small);
    rig_close(&r);
}

Test(core_submissions, slots_may_be_any_floats_of_the_caller)
{
    rig r;
    float memory[2 * RIG_ROWS * RIG_WIDTH + 3];
    ok(rig_open(&r, "host:0", 1));
    kas_submission s = rig_submission(&r);
    float *x = memory + 1, *y = x + RIG_ROWS * RIG_WIDTH + 1; /* at odd places of a vector */
    memcpy(x, kas_buffer_host(r.x), RIG_ROWS * RIG_WIDTH * sizeof *x);
    s.slots[KAS_SLOT_X] = (kas_slot){.host = x};
    s.slots[KAS_SLOT_Y] = (kas_slot){.host = y};
    ok(kas_queue_submit(r.queue, &s, 1, RIG_ROWS));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    for (size_t i = 0; i < RIG_ROWS * RIG_WIDTH; ++i)
        cr_expect_eq(y[i], 2.0f * (float)i);
    rig_close(&r);
}

Test(core_submissions, work_in_flight_keeps_lists_and_buffers)
{
    rig r;
    ok(rig_open(&r, "host:0", 1));
    kas_submission s = rig_submission(&r);
    float y[RIG_ROWS * RIG_WIDTH];
    ok(kas_queue_submit(r.queue, &s, 1, RIG_ROWS));
    ok(kas_queue_download(r.queue, r.y, 0, y, sizeof y));
    kas_list_release(r.list);
    kas_buffer_release(r.x);
    kas_buffer_release(r.y);
    r.list = NULL;
    r.x = r.y = NULL;
    cr_expect_not(kas_queue_idle(r.queue));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    cr_expect_eq(y[17], 34.0f);
    rig_close(&r);
}

Test(core_submissions, a_list_keeps_what_it_fixes)
{
    rig r;
    ok(rig_open(&r, "host:0", 1));
    r.launch.bindings[1] = (kas_binding){.slot = KAS_SLOT_FIXED, .buffer = r.x};
    kas_list_release(r.list);
    ok(kas_list_create(r.device, &r.launch, 1, "fixed", &r.list));
    kas_submission s = rig_submission(&r);
    kas_buffer_release(r.x);
    r.x = NULL;
    s.slots[KAS_SLOT_X].buffer = NULL;
    s.slots[KAS_SLOT_BLEND].buffer = r.y;
    ok(kas_queue_submit(r.queue, &s, 1, RIG_ROWS));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_doubled(&r);
    rig_close(&r);
}

Test(core_submissions, as_many_submissions_as_promised)
{
    rig r;
    kas_submission all[KAS_SUBMISSIONS_MAX];
    kas_progress progress;
    ok(rig_open(&r, "host:0", 1));
    for (size_t i = 0; i < KAS_SUBMISSIONS_MAX; ++i)
        all[i] = rig_submission(&r);
    ok(kas_queue_submit(r.queue, all, KAS_SUBMISSIONS_MAX, RIG_ROWS));
    expect(kas_queue_submit(r.queue, all, 1, RIG_ROWS), KAS_INVALID_ARGUMENT, "160");
    for (size_t i = 0; i < 200; ++i) /* beyond what the queue was made for */
        ok(kas_queue_fill(r.queue, r.x, 0, 0, 4));
    ok(kas_queue_wait(r.queue, KAS_NEVER, &progress));
    cr_expect_eq(progress.completed, KAS_SUBMISSIONS_MAX);
    rig_close(&r);
}
