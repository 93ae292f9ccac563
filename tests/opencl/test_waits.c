/* Whether backends/opencl knows of every command that it is over before it says so: the second vendor counts.
 */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "tests/opencl/vendors.h"
#include "tests/unit/affine_rig.h"

static vendor_control *vendor;

static void open_vendor_rig(rig *r)
{
    vendor = use_vendors(false);
    open_rig(r, "opencl:0");
}

TestSuite(opencl_waits, .fini = forget_vendors, .timeout = 60);

static void expect_all_seen(const char *after)
{
    cr_expect_eq(atomic_load(&vendor->seen), atomic_load(&vendor->enqueued), "after %s", after);
}

Test(opencl_waits, a_wait_is_for_every_command)
{
    rig r;
    float word = 1;
    open_vendor_rig(&r);
    const kas_submission one = at_place(&r, 0);
    expect_all_seen("opening");
    ok(kas_queue_upload(r.queue, r.arena, 0, &word, sizeof word));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_all_seen("an upload");
    ok(kas_queue_fill(r.queue, r.arena, 0, 0, sizeof word));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_all_seen("a fill");
    ok(kas_queue_submit(r.queue, &one, 1, ROWS));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_all_seen("a submission");
    ok(kas_queue_submit(r.queue, &one, 1, ROWS));
    ok(kas_queue_download(r.queue, r.arena, 0, &word, sizeof word));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_all_seen("a download");
    close_rig(&r);
}

Test(opencl_waits, what_is_left_of_a_submission_that_failed_is_waited_for)
{
    rig r;
    open_vendor_rig(&r);
    kas_submission submission = at_place(&r, 0);
    submission.list = chain(&r, 3);
    vendor->failing_call = "clEnqueueNDRangeKernel";
    atomic_store(&vendor->failing, 3);
    expect(kas_queue_submit(r.queue, &submission, 1, ROWS), KAS_OUT_OF_MEMORY, "clEnqueueNDRangeKernel");
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_all_seen("a submission that failed");
    kas_list_release(submission.list);
    close_rig(&r);
}

Test(opencl_waits, nothing_is_over_while_the_driver_has_not_said_so)
{
    rig r;
    kas_progress progress;
    open_vendor_rig(&r);
    const kas_submission both[] = {at_place(&r, 0), at_place(&r, 1)};
    atomic_store(&vendor->holds, true);
    ok(kas_queue_submit(r.queue, both, 2, ROWS));
    expect(kas_queue_wait(r.queue, 0, &progress), KAS_DEADLINE, "submission 1 of 2");
    cr_expect_eq(progress.completed, 0u);
    cr_expect_not(kas_queue_idle(r.queue));
    atomic_store(&vendor->holds, false);
    while (!kas_queue_idle(r.queue)) {
    }
    expect_all_seen("the queue was idle");
    cr_expect(pass_is_right(&r, r.queue, 2, 4));
    close_rig(&r);
}
