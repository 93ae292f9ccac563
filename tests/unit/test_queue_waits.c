/* Queues whose work hangs: what it uses stays, and the queue is left alone until the work has ended. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/affine_rig.h"
#include "tests/unit/remote_device.h"

static size_t used_bytes(const rig *r)
{
    kas_device_info info;
    kas_device_get_info(r->device, &info);
    return info.memory_used_bytes;
}

static void open_hung_rig(rig *r)
{
    kas_progress progress;
    open_rig_on(r, remote_device_open());
    const kas_submission both[] = {at_place(r, 0), at_place(r, 1)};
    remote_device_hang(1, 1);
    ok(kas_queue_submit(r->queue, both, 2, ROWS));
    expect(kas_queue_wait(r->queue, KAS_NEVER, &progress), KAS_DEADLINE, "hangs");
    cr_expect_eq(progress.completed, 1u);
}

Test(queue_waits, what_hangs_is_left_alone_until_it_ends)
{
    rig r;
    float word = 0;
    open_hung_rig(&r);
    const kas_submission one = at_place(&r, 0);
    cr_expect_not(kas_queue_idle(r.queue));
    expect(kas_queue_submit(r.queue, &one, 1, ROWS), KAS_UNAVAILABLE, "still running");
    expect(kas_queue_wait(r.queue, KAS_NEVER, NULL), KAS_UNAVAILABLE, "still running");
    expect(kas_queue_download(r.queue, r.arena, 0, &word, sizeof word), KAS_UNAVAILABLE, "still running");
    remote_device_recover();
    cr_expect(kas_queue_idle(r.queue));
    cr_expect(pass_is_right(&r, r.queue, 0, 1));
    close_rig(&r);
}

Test(queue_waits, memory_of_what_hangs_stays_until_it_ends)
{
    rig r;
    open_hung_rig(&r);
    const size_t used = used_bytes(&r);
    kas_buffer_release(r.arena);
    kas_buffer_release(r.params);
    cr_expect_not(kas_queue_idle(r.queue));
    cr_expect_eq(used_bytes(&r), used);
    remote_device_recover();
    cr_expect(kas_queue_idle(r.queue));
    cr_expect_eq(used_bytes(&r), 0u);
    r.arena = r.params = NULL;
    close_rig(&r);
}

Test(queue_waits, memory_of_what_hangs_outlives_its_queue)
{
    rig r;
    open_hung_rig(&r);
    const size_t used = used_bytes(&r);
    kas_queue_destroy(r.queue);
    r.queue = NULL;
    kas_buffer_release(r.arena);
    kas_buffer_release(r.params);
    cr_expect_eq(used_bytes(&r), used, "the device may write there at any time");
    r.arena = r.params = NULL;
    close_rig(&r);
}

/* ---- a device that does not come back ---- */

static void lose_for_good(rig *r)
{
    open_hung_rig(r);
    kas_device_use_grace(1);
    while (!kas_device_is_lost(r->device))
        cr_assert_not(kas_queue_idle(r->queue));
    kas_device_use_grace(0);
}

Test(queue_waits, who_is_late_beyond_the_grace_time_is_lost)
{
    rig r;
    open_hung_rig(&r);
    cr_expect_not(kas_queue_idle(r.queue));
    cr_expect_not(kas_device_is_lost(r.device), "it may still come back");
    cr_expect_str_empty(kas_device_lost_reason(r.device));
    kas_device_use_grace(1);
    while (!kas_device_is_lost(r.device))
        cr_assert_not(kas_queue_idle(r.queue));
    kas_device_use_grace(0);
    cr_expect_not_null(strstr(kas_device_lost_reason(r.device), "passed its deadline"));
    kas_queue *queue;
    kas_buffer *buffer;
    expect(kas_queue_create(r.device, "another", &queue), KAS_DEVICE_LOST, "has not ended");
    expect(kas_buffer_create(r.device, 16, "one", &buffer), KAS_DEVICE_LOST, "has not ended");
    close_rig(&r);
}

/* Nor are idle queues, and buffers that nothing uses: to free them a driver may wait for all its work. */
Test(queue_waits, nothing_of_it_is_given_back)
{
    rig r;
    kas_queue *other;
    kas_buffer *unused;
    open_hung_rig(&r);
    ok(kas_queue_create(r.device, "other", &other));
    ok(kas_buffer_create(r.device, 64, "unused", &unused));
    kas_queue_give_up(other);
    cr_expect_not(kas_device_is_lost(r.device), "the other one does not hang");
    kas_queue_give_up(r.queue);
    remote_device_forbid_freeing(true);
    cr_expect(kas_device_is_lost(r.device));
    const size_t used = used_bytes(&r);
    kas_buffer_release(unused);
    kas_queue_destroy(other);
    kas_device *device = kas_device_retain(r.device);
    close_rig(&r);
    kas_device_info info;
    kas_device_get_info(device, &info);
    cr_expect_eq(info.memory_used_bytes, used);
    cr_expect_eq(info.state, KAS_DEVICE_IS_LOST);
    kas_device_release(device);
}

/* It is not asked any more: what it did in the end is of no use, and it stays lost. */
Test(queue_waits, who_comes_back_later_stays_lost)
{
    rig r;
    lose_for_good(&r);
    const size_t used = used_bytes(&r);
    remote_device_recover();
    cr_expect_not(kas_queue_idle(r.queue));
    cr_expect_eq(used_bytes(&r), used);
    const kas_submission one = at_place(&r, 0);
    expect(kas_queue_submit(r.queue, &one, 1, ROWS), KAS_DEVICE_LOST, "is lost");
    close_rig(&r);
}
