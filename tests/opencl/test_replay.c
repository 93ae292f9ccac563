/* Longer lists as command buffers, on a vendor that offers them and counts what must not be: the same
 * results, recorded once, told what differs; and where they cannot be had, or fail, plain enqueues. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/replay.h"
#include "base/clock.h"
#include "tests/opencl/vendors.h"
#include "tests/unit/affine_rig.h"

enum { LAUNCHES = KAS_OPENCL_REPLAY_FROM + 1 }; /* an odd number ends in Y */

static vendor_control *vendor;

static void open_vendor_rig(rig *r, vendor_command_buffers commands)
{
    vendor = use_vendors(false);
    vendor->commands = commands;
    open_rig(r, "opencl:0");
}

static void close_vendor_rig(rig *r)
{
    close_rig(r);
    expect_no_objects(vendor, "closing");
    cr_expect_eq(atomic_load(&vendor->misuses), 0u);
    cr_expect_eq(atomic_load(&vendor->strangers), 0u);
}

TestSuite(replay, .fini = forget_vendors, .timeout = 60);

static float chained(float x, size_t launches)
{
    for (size_t i = 0; i < launches; ++i)
        x = 3 * x - 1;
    return x;
}

static void put(const rig *r, const kas_submission *at, float start)
{
    float x[ROWS * WIDTH];
    const kas_slot *slot = &at->slots[KAS_SLOT_X];
    for (size_t i = 0; i < ROWS * WIDTH; ++i)
        x[i] = start + (float)(i % 100);
    ok(kas_queue_upload(r->queue, slot->buffer, slot->offset_bytes, x, sizeof x));
    ok(kas_queue_wait(r->queue, KAS_NEVER, NULL));
}

/* What rows of a slot have become after so many launches. */
static void expect_chained(const rig *r, const kas_slot *slot, uint32_t rows, float start, size_t launches)
{
    float values[ROWS * WIDTH];
    size_t wrong = 0;
    ok(kas_queue_download(r->queue, slot->buffer, slot->offset_bytes, values, sizeof values));
    ok(kas_queue_wait(r->queue, KAS_NEVER, NULL));
    for (size_t i = 0; i < rows * WIDTH; ++i)
        wrong += values[i] != chained(start + (float)(i % 100), launches);
    cr_expect_eq(wrong, 0u, "%zu of %u rows after %zu launches", wrong, rows, launches);
}

static void run_list(const rig *r, const kas_submission *at, uint32_t rows, float start)
{
    kas_progress progress;
    put(r, at, start);
    ok(kas_queue_submit(r->queue, at, 1, rows));
    ok(kas_queue_wait(r->queue, KAS_NEVER, &progress));
    cr_expect_eq(progress.completed, 1u);
    expect_chained(r, &at->slots[KAS_SLOT_Y], rows, start, LAUNCHES);
}

static kas_submission longer(const rig *r, size_t place)
{
    kas_submission submission = at_place(r, place);
    submission.list = chain(r, LAUNCHES);
    return submission;
}

static void expect_counts(size_t recorded, size_t replayed, size_t changed)
{
    cr_expect_eq(atomic_load(&vendor->recorded), recorded);
    cr_expect_eq(atomic_load(&vendor->replayed), replayed);
    cr_expect_eq(atomic_load(&vendor->changed), changed);
}

Test(replay, a_longer_list_is_recorded_once)
{
    rig r;
    open_vendor_rig(&r, VENDOR_HAS_COMMANDS);
    cr_expect(pass_is_right(&r, r.queue, 0, 1));
    expect_counts(0, 0, 0);
    const kas_submission submission = longer(&r, 0);
    for (size_t i = 0; i < 3; ++i)
        run_list(&r, &submission, ROWS, (float)i);
    expect_counts(1, 3, 0);
    kas_list_release(submission.list);
    close_vendor_rig(&r);
}

Test(replay, what_differs_is_told)
{
    rig r;
    open_vendor_rig(&r, VENDOR_HAS_COMMANDS);
    kas_submission submission = longer(&r, 0);
    run_list(&r, &submission, ROWS, 1);
    submission.slots[KAS_SLOT_X] = at_place(&r, 1).slots[KAS_SLOT_X];
    submission.slots[KAS_SLOT_Y] = at_place(&r, 1).slots[KAS_SLOT_Y];
    run_list(&r, &submission, ROWS, 2);
    expect_counts(1, 2, LAUNCHES);
    run_list(&r, &submission, 3, 3); /* fewer groups */
    expect_counts(1, 3, 2 * LAUNCHES);
    run_list(&r, &submission, 3, 4);
    expect_counts(1, 4, 2 * LAUNCHES);
    run_list(&r, &submission, ROWS, 5);
    expect_counts(1, 5, 3 * LAUNCHES);
    kas_list_release(submission.list);
    close_vendor_rig(&r);
}

Test(replay, more_kernels_than_one_call_tells_of)
{
    enum { MANY = KAS_OPENCL_CHANGES_MAX + 1 };
    rig r;
    open_vendor_rig(&r, VENDOR_HAS_COMMANDS);
    kas_list *list = chain(&r, MANY);
    for (size_t place = 0; place < 2; ++place) {
        kas_submission submission = at_place(&r, place);
        submission.list = list;
        put(&r, &submission, 1);
        ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
        ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
        expect_chained(&r, &submission.slots[KAS_SLOT_Y], ROWS, 1, MANY);
    }
    expect_counts(1, 2, MANY);
    kas_list_release(list);
    close_vendor_rig(&r);
}

Test(replay, what_is_under_way_is_not_touched)
{
    rig r;
    open_vendor_rig(&r, VENDOR_HAS_COMMANDS);
    kas_submission twice[2] = {longer(&r, 0), at_place(&r, 0)};
    twice[1].list = twice[0].list;
    twice[1].slots[KAS_SLOT_X] = twice[0].slots[KAS_SLOT_Y]; /* goes on with what the first one made */
    twice[1].slots[KAS_SLOT_Y] = at_place(&r, 1).slots[KAS_SLOT_Y];
    put(&r, &twice[0], 1);
    ok(kas_queue_submit(r.queue, twice, 2, ROWS));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_counts(1, 1, 0);
    expect_chained(&r, &twice[1].slots[KAS_SLOT_Y], ROWS, 1, 2 * LAUNCHES);
    run_list(&r, &twice[0], ROWS, 1);
    expect_counts(1, 2, 0);
    kas_list_release(twice[0].list);
    close_vendor_rig(&r);
}

Test(replay, a_queue_keeps_the_lists_that_it_ran_last)
{
    enum { LISTS = KAS_OPENCL_RECORDED_MAX + 1 };
    rig r;
    kas_submission all[LISTS];
    open_vendor_rig(&r, VENDOR_HAS_COMMANDS);
    for (size_t i = 0; i < LISTS; ++i) {
        all[i] = longer(&r, 0);
        run_list(&r, &all[i], ROWS, 1);
    }
    expect_counts(LISTS, LISTS, 0);
    run_list(&r, &all[LISTS - 1], ROWS, 1);
    expect_counts(LISTS, LISTS + 1, 0);
    run_list(&r, &all[0], ROWS, 1); /* whose place was taken */
    expect_counts(LISTS + 1, LISTS + 2, 0);
    for (size_t i = 0; i < LISTS; ++i)
        kas_list_release(all[i].list);
    close_vendor_rig(&r);
}

Test(replay, what_names_a_buffer_goes_with_it)
{
    rig r;
    kas_buffer *other;
    open_vendor_rig(&r, VENDOR_HAS_COMMANDS);
    kas_submission submission = longer(&r, 0);
    kas_submission elsewhere = submission;
    ok(kas_buffer_create(r.device, r.place_bytes, "other", &other));
    elsewhere.slots[KAS_SLOT_Y] = (kas_slot){.buffer = other};
    run_list(&r, &elsewhere, ROWS, 1);
    kas_buffer_release(other);
    run_list(&r, &submission, ROWS, 2);
    expect_counts(2, 2, 0);
    kas_list_release(submission.list);
    close_vendor_rig(&r);
}

/* Create, one command a launch, finalize, enqueue. */
Test(replay, a_driver_that_fails_is_not_asked_again)
{
    for (unsigned call = 1; call <= LAUNCHES + 3; ++call) {
        rig r;
        if (call == 1) {
            open_vendor_rig(&r, VENDOR_HAS_COMMANDS);
        } else {
            open_rig(&r, "opencl:0");
        }
        const kas_submission submission = longer(&r, 0);
        const size_t replayed = atomic_load(&vendor->replayed);
        atomic_store(&vendor->failing_commands, call);
        run_list(&r, &submission, ROWS, 1);
        run_list(&r, &submission, ROWS, 2);
        cr_expect_eq(atomic_load(&vendor->failing_commands), 0u, "call %u", call);
        cr_expect_eq(atomic_load(&vendor->replayed), replayed, "call %u", call);
        kas_list_release(submission.list);
        close_vendor_rig(&r);
    }
}

Test(replay, a_change_that_fails_is_made_by_plain_enqueues)
{
    rig r;
    open_vendor_rig(&r, VENDOR_HAS_COMMANDS);
    kas_submission submission = longer(&r, 0);
    run_list(&r, &submission, ROWS, 1);
    atomic_store(&vendor->failing_commands, 2); /* after one kernel was told */
    run_list(&r, &submission, 3, 2);
    run_list(&r, &submission, ROWS, 3);
    expect_counts(1, 1, 1);
    kas_list_release(submission.list);
    close_vendor_rig(&r);
}

static void expect_plain(vendor_command_buffers commands)
{
    rig r;
    open_vendor_rig(&r, commands);
    const kas_submission submission = longer(&r, 0);
    run_list(&r, &submission, ROWS, 1);
    run_list(&r, &submission, ROWS, 2);
    expect_counts(0, 0, 0);
    kas_list_release(submission.list);
    close_vendor_rig(&r);
}

Test(replay, needs_changes)
{
    expect_plain(VENDOR_COMMANDS_DO_NOT_CHANGE);
}

Test(replay, needs_changes_of_sizes)
{
    expect_plain(VENDOR_COMMANDS_KEEP_THEIR_SIZE);
}

Test(replay, needs_a_version_that_is_known)
{
    expect_plain(VENDOR_COMMANDS_ARE_OLD);
}

Test(replay, needs_queues_in_order)
{
    expect_plain(VENDOR_COMMANDS_NEED_NO_ORDER);
}

Test(replay, needs_queues_that_profile)
{
    expect_plain(VENDOR_COMMANDS_ARE_NOT_TIMED);
}

Test(replay, needs_every_call)
{
    expect_plain(VENDOR_COMMANDS_LACK_A_CALL);
}

Test(replay, may_be_switched_off)
{
    setenv("KASMINA_OPENCL_COMMAND_BUFFERS", "0", 1);
    expect_plain(VENDOR_HAS_COMMANDS);
}
