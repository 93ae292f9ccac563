/* What every device's glue must do, whatever drives it: passes over parts of buffers, the order of work, what
 * fails and how. Run once for each device (CMakeLists.txt). */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/core/fault.h"
#include "base/clock.h"
#include "tests/devices/device_under_test.h"

TestSuite(device, .timeout = 60);

/* ---- what it says of itself ---- */

Test(device, is_what_was_listed)
{
    kas_device_info listed = listed_device(), info;
    kas_device *device;
    ok(kas_device_open(device_under_test(), &device));
    kas_device_get_info(device, &info);
    cr_expect_str_eq(info.id, device_under_test());
    cr_expect_str_eq(info.api, kas_driver_name(driver_under_test()));
    cr_expect_str_eq(info.kind, listed.kind);
    cr_expect_str_eq(info.name, listed.name);
    cr_expect_gt(strlen(info.name), 0u);
    cr_expect_gt(info.memory_total_bytes, 0u);
    cr_expect_eq(info.memory_total_bytes, listed.memory_total_bytes);
    cr_expect_eq(info.software, listed.software);
    cr_expect_eq(info.state, KAS_DEVICE_READY);
    kas_device_release(device);
}

Test(device, beyond_the_last_is_refused_with_what_there_is)
{
    char id[KAS_DEVICE_ID_SIZE];
    kas_device *device;
    listed_device();
    snprintf(id, sizeof id, "%s:63", kas_driver_name(driver_under_test()));
    expect(kas_device_open(id, &device), KAS_NOT_FOUND, device_under_test());
}

Test(device, auto_passes_over_what_only_imitates_one)
{
    kas_device_info info = listed_device();
    kas_device *device;
    ok(kas_device_open("auto", &device));
    if (info.software) cr_expect_str_neq(kas_device_id(device), info.id);
    kas_device_get_info(device, &info);
    cr_expect_not(info.software);
    kas_device_release(device);
}

/* ---- passes ---- */

Test(device, slots_may_be_any_part_of_a_buffer)
{
    rig r;
    open_rig_under_test(&r);
    for (size_t place = 0; place < PLACES; ++place)
        cr_expect(pass_is_right(&r, r.queue, place, 100 * (float)place));
    kas_submission crooked = at_place(&r, 0);
    crooked.slots[KAS_SLOT_Y].offset_bytes += sizeof(float);
    expect(kas_queue_submit(r.queue, &crooked, 1, ROWS), KAS_INVALID_ARGUMENT, "slot Y: unaligned");
    if (!kas_device_get_limits(r.device)->host_pointers) {
        crooked.slots[KAS_SLOT_Y] = (kas_slot){.host = &crooked};
        expect(kas_queue_submit(r.queue, &crooked, 1, ROWS), KAS_INVALID_ARGUMENT, "no host memory");
    }
    close_rig(&r);
}

Test(device, as_many_submissions_as_promised)
{
    static kas_submission all[KAS_SUBMISSIONS_MAX];
    static kas_progress progress;
    rig r;
    open_rig_under_test(&r);
    for (size_t i = 0; i < KAS_SUBMISSIONS_MAX; ++i)
        all[i] = at_place(&r, i % PLACES);
    for (int again = 0; again < 2; ++again) {
        ok(kas_queue_submit(r.queue, all, KAS_SUBMISSIONS_MAX, ROWS));
        ok(kas_queue_wait(r.queue, KAS_NEVER, &progress));
        cr_expect_eq(progress.completed, (uint32_t)KAS_SUBMISSIONS_MAX);
        cr_expect_gt(progress.elapsed_ns[KAS_SUBMISSIONS_MAX - 1], 0u);
    }
    close_rig(&r);
}

typedef struct worker {
    const rig *rig;
    size_t place;
    unsigned wrong;
} worker;

static void *work(void *argument)
{
    worker *self = argument;
    kas_queue *queue;
    ok(kas_queue_create(self->rig->device, "worker", &queue));
    for (int i = 0; i < 50; ++i)
        self->wrong += !pass_is_right(self->rig, queue, self->place, (float)i);
    kas_queue_destroy(queue);
    return NULL;
}

Test(device, queues_of_several_threads_do_not_meet)
{
    rig r;
    pthread_t threads[PLACES];
    worker workers[PLACES];
    open_rig_under_test(&r);
    for (size_t i = 0; i < PLACES; ++i) {
        workers[i] = (worker){.rig = &r, .place = i};
        cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < PLACES; ++i) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(workers[i].wrong, 0u);
    }
    close_rig(&r);
}

/* Uploads and downloads between submissions see what was there at their place in the queue. */
Test(device, traffic_keeps_its_place_among_submissions)
{
    rig r;
    uint32_t before = 0, between = 0, after = 0, seven = 7, nine = 9;
    open_rig_under_test(&r);
    kas_submission submission = at_place(&r, 0);
    const size_t at = submission.slots[KAS_SLOT_X].offset_bytes;
    ok(kas_queue_fill(r.queue, r.arena, at, 5, 64));
    ok(kas_queue_download(r.queue, r.arena, at, &before, sizeof before));
    ok(kas_queue_upload(r.queue, r.arena, at, &seven, sizeof seven));
    ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
    ok(kas_queue_download(r.queue, r.arena, at, &between, sizeof between));
    ok(kas_queue_upload(r.queue, r.arena, at, &nine, sizeof nine));
    ok(kas_queue_download(r.queue, r.arena, at, &after, sizeof after));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    cr_expect_eq(before, 5u);
    cr_expect_eq(between, 7u);
    cr_expect_eq(after, 9u);
    close_rig(&r);
}

/* ---- failures ---- */

Test(device, memory_that_cannot_be_had_is_refused_and_nothing_else)
{
    rig r;
    open_rig_under_test(&r);
    kas_buffer *buffer;
    kas_device_info before, after;
    kas_device_get_info(r.device, &before);
    size_t most = kas_device_get_limits(r.device)->max_buffer_bytes;
    expect(kas_buffer_create(r.device, most + 1, "huge", &buffer), KAS_OUT_OF_MEMORY, "huge");
    kas_fault_arm(KAS_FAULT_ALLOCATION, 1, KAS_OUT_OF_MEMORY);
    expect(kas_buffer_create(r.device, 64, "small", &buffer), KAS_OUT_OF_MEMORY, "small");
    kas_device_get_info(r.device, &after);
    cr_expect_eq(after.memory_used_bytes, before.memory_used_bytes);
    cr_expect(pass_is_right(&r, r.queue, 0, 1));
    close_rig(&r);
}

Test(device, a_lost_device_stays_lost_until_it_is_opened_anew)
{
    rig r, anew;
    open_rig_under_test(&r);
    kas_submission submission = at_place(&r, 0);
    kas_device_info info;
    kas_buffer *buffer;
    kas_queue *queue;
    ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
    kas_fault_arm(KAS_FAULT_WAIT, 1, KAS_DEVICE_LOST);
    expect(kas_queue_wait(r.queue, KAS_NEVER, NULL), KAS_DEVICE_LOST, device_under_test());
    expect(kas_queue_submit(r.queue, &submission, 1, ROWS), KAS_DEVICE_LOST, "is lost");
    expect(kas_buffer_create(r.device, 64, "late", &buffer), KAS_DEVICE_LOST, "is lost");
    expect(kas_queue_create(r.device, "late", &queue), KAS_DEVICE_LOST, "is lost");
    kas_device_get_info(r.device, &info);
    cr_expect_eq(info.state, KAS_DEVICE_IS_LOST);
    open_rig_under_test(&anew);
    cr_expect_neq(anew.device, r.device);
    cr_expect(pass_is_right(&anew, anew.queue, 1, 5));
    close_rig(&r);
    close_rig(&anew);
}

/* Many passes are behind their deadline as soon as they are submitted. What a device still runs must be left
 * alone; one that runs nothing but in a wait is free at once. */
Test(device, a_passed_deadline_keeps_the_queue_until_it_is_idle)
{
    static kas_submission all[KAS_SUBMISSIONS_MAX];
    kas_progress progress;
    rig r;
    open_rig_under_test(&r);
    for (size_t i = 0; i < KAS_SUBMISSIONS_MAX; ++i)
        all[i] = at_place(&r, i % PLACES);
    ok(kas_queue_submit(r.queue, all, KAS_SUBMISSIONS_MAX, ROWS));
    kas_status status = kas_queue_wait(r.queue, 0, &progress);
    if (!status) cr_skip_test("the device was done before the clock was read");
    expect(status, KAS_DEADLINE, "queue \"rig\"");
    cr_expect_lt(progress.completed, (uint32_t)KAS_SUBMISSIONS_MAX);
    if (!kas_device_get_limits(r.device)->immediate)
        expect(kas_queue_submit(r.queue, all, 1, ROWS), KAS_UNAVAILABLE, "still running");
    while (!kas_queue_idle(r.queue))
        usleep(1000);
    cr_expect(pass_is_right(&r, r.queue, 2, 9));
    close_rig(&r);
}
