/* Passes that are handed over in pieces: what comes of them is what comes of them as a whole, and a deadline
 * that passes leaves the rest undone. Run once for each device; one that works only while it is waited for
 * knows no pieces, and must behave alike. */
#include <criterion/criterion.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/devices/device_under_test.h"

enum { VALUES = ROWS * WIDTH };

static void in_small_pieces(void)
{
    kas_use_piece_ns(1); /* less than any launch takes */
}

static void in_whole(void)
{
    kas_use_piece_ns(KAS_PIECE_NS);
}

TestSuite(pieces, .timeout = 60, .init = in_small_pieces);

static void expect_values(const float *got, const float *x, size_t launches)
{
    for (size_t i = 0; i < VALUES; ++i) {
        float want = x[i];
        for (size_t n = 0; n < launches; ++n)
            want = 3 * want - 1;
        cr_assert_eq(got[i], want, "[%zu] of %zu launches", i, launches);
    }
}

static void count_up(float *x, float start)
{
    for (size_t i = 0; i < VALUES; ++i)
        x[i] = start + (float)i;
}

/* Uploads, lists of several launches and downloads in turn, all of them enqueued before any is waited for. */
static void run_mixed(const rig *r, float results[3][VALUES], kas_progress *progress)
{
    static float x[3][VALUES];
    kas_list *list = chain(r, 2);
    for (size_t place = 0; place < PLACES; ++place) {
        kas_submission submission = at_place(r, place);
        const size_t at = submission.slots[KAS_SLOT_X].offset_bytes;
        count_up(x[place], (float)place);
        submission.list = list;
        ok(kas_queue_upload(r->queue, r->arena, at, x[place], sizeof x[place]));
        ok(kas_queue_submit(r->queue, &submission, 1, ROWS));
        ok(kas_queue_submit(r->queue, &submission, 1, ROWS));
        ok(kas_queue_download(r->queue, r->arena, at, results[place], sizeof x[place]));
        ok(kas_queue_fill(r->queue, r->arena, at, 0, sizeof x[place]));
    }
    ok(kas_queue_wait(r->queue, KAS_NEVER, progress));
    for (size_t place = 0; place < PLACES; ++place)
        expect_values(results[place], x[place], 4);
    kas_list_release(list);
}

Test(pieces, what_is_computed_and_told_is_the_same)
{
    static float whole[PLACES][VALUES], cut[PLACES][VALUES];
    kas_progress progress;
    rig r;
    open_rig_under_test(&r);
    in_whole();
    run_mixed(&r, whole, &progress);
    cr_expect_eq(progress.completed, 2u * PLACES);
    in_small_pieces();
    for (int again = 0; again < 2; ++again) {
        run_mixed(&r, cut, &progress);
        cr_expect_arr_eq(cut, whole, sizeof whole);
        cr_expect_eq(progress.completed, 2u * PLACES);
        for (uint32_t i = 0; i < progress.completed; ++i)
            cr_expect_gt(progress.elapsed_ns[i], 0u, "submission %u", i);
    }
    close_rig(&r);
}

/* A queue takes as many submissions as ever, though each of them is several pieces. */
Test(pieces, there_may_be_more_of_them_than_submissions)
{
    static kas_submission all[KAS_SUBMISSIONS_MAX];
    static float x[VALUES], y[VALUES];
    kas_progress progress;
    rig r;
    open_rig_under_test(&r);
    kas_list *list = chain(&r, 2);
    for (size_t i = 0; i < KAS_SUBMISSIONS_MAX; ++i)
        all[i] = at_place(&r, 0), all[i].list = list;
    const size_t at = all[0].slots[KAS_SLOT_X].offset_bytes;
    for (size_t i = 0; i < VALUES; ++i)
        x[i] = 0.5f; /* 3 x − 1 = x */
    ok(kas_queue_upload(r.queue, r.arena, at, x, sizeof x));
    ok(kas_queue_submit(r.queue, all, KAS_SUBMISSIONS_MAX, ROWS));
    expect(kas_queue_submit(r.queue, all, 1, ROWS), KAS_INVALID_ARGUMENT, "are there");
    ok(kas_queue_download(r.queue, r.arena, at, y, sizeof y));
    ok(kas_queue_wait(r.queue, KAS_NEVER, &progress));
    cr_expect_eq(progress.completed, (uint32_t)KAS_SUBMISSIONS_MAX);
    cr_expect_arr_eq(y, x, sizeof x);
    kas_list_release(list);
    close_rig(&r);
}

/* The deadline has passed when the first piece is done, if not before. */
Test(pieces, what_has_not_begun_at_the_deadline_never_runs)
{
    static float x[VALUES], y[VALUES];
    kas_progress progress;
    rig r;
    open_rig_under_test(&r);
    const kas_submission each[] = {at_place(&r, 0), at_place(&r, 1), at_place(&r, 2)};
    const size_t last = each[2].slots[KAS_SLOT_Y].offset_bytes;
    ok(kas_queue_fill(r.queue, r.arena, last, 0x42280000 /* 42 */, sizeof y));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    ok(kas_queue_submit(r.queue, each, 3, ROWS));
    expect(kas_queue_wait(r.queue, 0, &progress), KAS_DEADLINE, "queue \"rig\"");
    cr_expect_leq(progress.completed, 1u);
    while (!kas_queue_idle(r.queue))
        usleep(1000);
    ok(kas_queue_download(r.queue, r.arena, last, y, sizeof y));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    for (size_t i = 0; i < VALUES; ++i)
        cr_assert_eq(y[i], 42, "[%zu]", i);
    count_up(x, 3);
    cr_expect(pass_is_right(&r, r.queue, 2, 3), "the queue may be used again");
    close_rig(&r);
}

/* ---- when memory is out ---- */

/* Whatever allocation fails, what was enqueued before runs, and the queue takes the submission once there is
 * memory again. */
Test(pieces, memory_that_is_out_refuses_a_submission_and_nothing_else)
{
    static float x[VALUES], y[VALUES];
    kas_progress progress;
    rig r;
    open_rig_under_test(&r);
    const kas_submission other = at_place(&r, 1), before[] = {other, other, other, other, other};
    kas_submission submission = at_place(&r, 0);
    const size_t at = submission.slots[KAS_SLOT_X].offset_bytes;
    bool refused = true;
    for (uint64_t nth = 1; refused; ++nth) {
        cr_assert_lt(nth, 1000u);
        submission.list = chain(&r, 6); /* whose launches nobody has asked for yet */
        count_up(x, (float)nth);
        ok(kas_queue_upload(r.queue, r.arena, at, x, sizeof x));
        ok(kas_queue_submit(r.queue, before, 5, ROWS));
        kas_alloc_fail_at(nth);
        kas_status status = kas_queue_submit(r.queue, &submission, 1, ROWS);
        kas_alloc_fail_at(0);
        refused = status != NULL;
        if (refused) expect(status, KAS_OUT_OF_MEMORY, "");
        ok(kas_queue_download(r.queue, r.arena, at, y, sizeof y));
        ok(kas_queue_wait(r.queue, KAS_NEVER, &progress));
        cr_expect_eq(progress.completed, refused ? 5u : 6u);
        expect_values(y, x, refused ? 0 : 6);
        kas_list_release(submission.list);
    }
    close_rig(&r);
}
