/* What the glue to every driver of devices must do; see driver_glue.h. */
#include "tests/unit/driver_glue.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/core/fault.h"
#include "base/clock.h"
#include "tests/unit/affine_rig.h"

kas_device_info glue_first_device(const glue_driver *driver)
{
    kas_device_info info;
    size_t count;
    ok(kas_driver_list(driver_named(driver->name), &info, 1, &count));
    if (count == 0) cr_skip_test("no %s device on this machine", driver->name);
    return info;
}

static void open_first(const glue_driver *driver, rig *r)
{
    (void)glue_first_device(driver);
    open_rig(r, driver->device);
}

/* ---- listing ---- */

static bool is_mapped(const char *library)
{
    char line[4096];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    cr_assert_not_null(maps);
    while (fgets(line, sizeof line, maps))
        found = found || strstr(line, library);
    fclose(maps);
    return found;
}

void glue_listing_wakes_no_driver(const glue_driver *driver)
{
    kas_device_info info = glue_first_device(driver), again;
    size_t count;
    cr_expect_str_eq(info.id, driver->device);
    cr_expect_str_eq(info.kind, driver->name);
    cr_expect_gt(strlen(info.name), 0u);
    cr_expect_gt(info.memory_total_bytes, 0u);
    cr_expect_not(is_mapped(driver->library));
    kas_device *device;
    ok(kas_device_open(driver->device, &device));
    cr_expect(is_mapped(driver->library));
    ok(kas_driver_list(driver_named(driver->name), &again, 1, &count));
    cr_expect_str_eq(again.name, info.name);
    cr_expect_eq(again.memory_total_bytes, info.memory_total_bytes);
    kas_device_release(device);
}

void glue_without_a_vendor_there_are_no_devices(const glue_driver *driver)
{
    size_t count = 7;
    kas_device *device;
    driver->use_vendor(NULL);
    ok(kas_driver_list(driver_named(driver->name), NULL, 0, &count));
    cr_expect_eq(count, 0u);
    expect(kas_device_open(driver->device, &device), KAS_NOT_FOUND, "host:0");
    driver->forget_vendor();
}

void glue_a_vendor_that_crashes_takes_nobody_along(const glue_driver *driver)
{
    size_t count = 7;
    driver->use_vendor(KASMINA_CRASHING_VENDOR);
    for (int again = 0; again < 2; ++again)
        expect(kas_driver_list(driver_named(driver->name), NULL, 0, &count), KAS_UNAVAILABLE, driver->name);
    cr_expect_eq(count, 0u);
    driver->forget_vendor();
}

void glue_a_device_beyond_the_last_is_refused_with_what_there_is(const glue_driver *driver)
{
    char beyond[KAS_DEVICE_ID_SIZE];
    snprintf(beyond, sizeof beyond, "%s:63", driver->name);
    kas_device *device;
    (void)glue_first_device(driver);
    expect(kas_device_open(beyond, &device), KAS_NOT_FOUND, driver->device);
}

/* ---- passes ---- */

void glue_slots_may_be_any_part_of_a_buffer(const glue_driver *driver)
{
    rig r;
    open_first(driver, &r);
    for (size_t place = 0; place < PLACES; ++place)
        cr_expect(pass_is_right(&r, r.queue, place, 100 * (float)place));
    kas_submission crooked = at_place(&r, 0);
    crooked.slots[KAS_SLOT_Y].offset_bytes += sizeof(float);
    expect(kas_queue_submit(r.queue, &crooked, 1, ROWS), KAS_INVALID_ARGUMENT, "slot Y: unaligned");
    crooked.slots[KAS_SLOT_Y] = (kas_slot){.host = &crooked};
    expect(kas_queue_submit(r.queue, &crooked, 1, ROWS), KAS_INVALID_ARGUMENT, "no host memory");
    close_rig(&r);
}

void glue_as_many_submissions_as_promised(const glue_driver *driver)
{
    static kas_submission all[KAS_SUBMISSIONS_MAX];
    static kas_progress progress;
    rig r;
    open_first(driver, &r);
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

void glue_queues_of_several_threads_do_not_meet(const glue_driver *driver)
{
    rig r;
    pthread_t threads[PLACES];
    worker workers[PLACES];
    open_first(driver, &r);
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

/* ---- failures ---- */

void glue_memory_that_cannot_be_had_is_refused_and_nothing_else(const glue_driver *driver)
{
    rig r;
    open_first(driver, &r);
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

void glue_a_lost_device_stays_lost_until_it_is_opened_anew(const glue_driver *driver)
{
    rig r, anew;
    open_first(driver, &r);
    kas_submission submission = at_place(&r, 0);
    kas_device_info info;
    kas_buffer *buffer;
    kas_queue *queue;
    ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
    kas_fault_arm(KAS_FAULT_WAIT, 1, KAS_DEVICE_LOST);
    expect(kas_queue_wait(r.queue, KAS_NEVER, NULL), KAS_DEVICE_LOST, driver->device);
    expect(kas_queue_submit(r.queue, &submission, 1, ROWS), KAS_DEVICE_LOST, "is lost");
    expect(kas_buffer_create(r.device, 64, "late", &buffer), KAS_DEVICE_LOST, "is lost");
    expect(kas_queue_create(r.device, "late", &queue), KAS_DEVICE_LOST, "is lost");
    kas_device_get_info(r.device, &info);
    cr_expect_eq(info.state, KAS_DEVICE_IS_LOST);
    open_first(driver, &anew);
    cr_expect_neq(anew.device, r.device);
    cr_expect(pass_is_right(&anew, anew.queue, 1, 5));
    close_rig(&r);
    close_rig(&anew);
}

/* Many passes are behind their deadline as soon as they are submitted. What a device still runs must be left
 * alone. */
void glue_a_passed_deadline_keeps_the_queue_until_it_is_idle(const glue_driver *driver)
{
    static kas_submission all[KAS_SUBMISSIONS_MAX];
    kas_progress progress;
    rig r;
    open_first(driver, &r);
    for (size_t i = 0; i < KAS_SUBMISSIONS_MAX; ++i)
        all[i] = at_place(&r, i % PLACES);
    ok(kas_queue_submit(r.queue, all, KAS_SUBMISSIONS_MAX, ROWS));
    kas_status status = kas_queue_wait(r.queue, 0, &progress);
    if (!status) cr_skip_test("the device was done before the clock was read");
    expect(status, KAS_DEADLINE, "not done in time");
    cr_expect_lt(progress.completed, (uint32_t)KAS_SUBMISSIONS_MAX);
    expect(kas_queue_submit(r.queue, all, 1, ROWS), KAS_UNAVAILABLE, "still running");
    while (!kas_queue_idle(r.queue))
        usleep(1000);
    cr_expect(pass_is_right(&r, r.queue, 2, 9));
    close_rig(&r);
}
