/* Whether what comes later in a queue waits for what came before it. Run once for each device; on Vulkan the
 * validation layer looks on, on the CUDA driver's double nothing runs before it is asked for. */
#include <criterion/criterion.h>

#include "base/clock.h"
#include "tests/devices/device_under_test.h"

TestSuite(waits, .timeout = 60);

enum { VALUES = ROWS * WIDTH };

static float x[VALUES], y[VALUES];

static void upload_x(const rig *r, const kas_submission *to, float start)
{
    for (size_t i = 0; i < VALUES; ++i)
        x[i] = start + (float)i;
    ok(kas_queue_upload(r->queue, r->arena, to->slots[KAS_SLOT_X].offset_bytes, x, sizeof x));
}

/* What X has become after a chain that was run over it. */
static void expect_chained(const rig *r, const kas_submission *ran, size_t launches)
{
    ok(kas_queue_download(r->queue, r->arena, ran->slots[KAS_SLOT_X].offset_bytes, y, sizeof y));
    ok(kas_queue_wait(r->queue, KAS_NEVER, NULL));
    for (size_t i = 0; i < VALUES; ++i) {
        float want = x[i];
        for (size_t n = 0; n < launches; ++n)
            want = 3 * want - 1;
        cr_assert_eq(y[i], want, "[%zu] of %zu launches", i, launches);
    }
}

Test(waits, a_launch_waits_for_the_one_before)
{
    rig r;
    open_rig_under_test(&r);
    kas_submission submission = at_place(&r, 0);
    submission.list = chain(&r, 6);
    for (int again = 0; again < 2; ++again) {
        upload_x(&r, &submission, (float)again);
        ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
        expect_chained(&r, &submission, 6);
    }
    kas_list_release(submission.list);
    close_rig(&r);
}

Test(waits, a_submission_waits_for_the_one_before)
{
    rig r;
    open_rig_under_test(&r);
    kas_submission submission = at_place(&r, 1);
    submission.list = chain(&r, 2);
    const kas_submission three[] = {submission, submission, submission};
    upload_x(&r, &submission, 1);
    ok(kas_queue_submit(r.queue, three, 3, ROWS));
    expect_chained(&r, &submission, 6);
    kas_list_release(submission.list);
    close_rig(&r);
}

/* With no traffic beside it. */
Test(waits, a_submission_alone_is_waited_for)
{
    rig r;
    kas_progress progress;
    open_rig_under_test(&r);
    kas_submission submission = at_place(&r, 0);
    submission.list = chain(&r, 2);
    upload_x(&r, &submission, 5);
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
    ok(kas_queue_wait(r.queue, KAS_NEVER, &progress));
    cr_expect_eq(progress.completed, 1u);
    expect_chained(&r, &submission, 2);
    kas_list_release(submission.list);
    close_rig(&r);
}

/* Each upload is for the submission after it, though nobody waits between. */
Test(waits, an_upload_waits_for_what_still_reads_its_place)
{
    rig r;
    open_rig_under_test(&r);
    kas_submission submission = at_place(&r, 0);
    submission.list = chain(&r, 2);
    upload_x(&r, &submission, 7);
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    for (int again = 0; again < 3; ++again)
        ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
    static const float other[VALUES];
    ok(kas_queue_upload(r.queue, r.arena, submission.slots[KAS_SLOT_X].offset_bytes, other, sizeof other));
    ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
    for (size_t i = 0; i < VALUES; ++i)
        x[i] = 0;
    expect_chained(&r, &submission, 2);
    kas_list_release(submission.list);
    close_rig(&r);
}

/* What a download gives was there when it was enqueued, whatever comes over it before the wait. */
Test(waits, what_changes_memory_waits_for_downloads_of_it)
{
    rig r;
    open_rig_under_test(&r);
    kas_submission submission = at_place(&r, 0);
    const size_t at = submission.slots[KAS_SLOT_X].offset_bytes;
    submission.list = chain(&r, 2);
    for (int filled = 0; filled < 2; ++filled) {
        upload_x(&r, &submission, 11);
        ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
        ok(kas_queue_download(r.queue, r.arena, at, y, sizeof y));
        if (filled)
            ok(kas_queue_fill(r.queue, r.arena, at, 0, sizeof y));
        else
            ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
        ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
        cr_expect_arr_eq(y, x, sizeof x);
    }
    kas_list_release(submission.list);
    close_rig(&r);
}

/* A queue that goes while its device works takes nothing along that the device may still use. */
Test(waits, a_queue_that_is_given_up_leaves_its_work_alone)
{
    static kas_submission all[KAS_SUBMISSIONS_MAX];
    rig r, other;
    open_rig_under_test(&r);
    open_rig_under_test(&other);
    for (size_t i = 0; i < KAS_SUBMISSIONS_MAX; ++i)
        all[i] = at_place(&r, i % PLACES);
    ok(kas_queue_submit(r.queue, all, KAS_SUBMISSIONS_MAX, ROWS));
    kas_status status = kas_queue_wait(r.queue, 0, NULL);
    if (!status) cr_skip_test("the device was done before the clock was read");
    expect(status, KAS_DEADLINE, "queue \"rig\"");
    kas_queue_destroy(r.queue);
    r.queue = NULL;
    cr_expect(pass_is_right(&other, other.queue, 0, 3));
    close_rig(&r);
    close_rig(&other);
}
