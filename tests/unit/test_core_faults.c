/* backends/core over the host device: deadlines that pass, injected faults, a lost device, memory that is
 * out. */
#include <criterion/criterion.h>

#include "backends/core/backend.h"
#include "backends/core/fault.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "tests/unit/core_checks.h"

Test(core_faults, a_passed_deadline_leaves_the_queue_usable)
{
    rig r;
    kas_progress progress;
    ok(rig_open(&r, "host:0", 1));
    kas_submission s = rig_submission(&r);
    ok(kas_queue_submit(r.queue, &s, 1, RIG_ROWS));
    expect(kas_queue_wait(r.queue, kas_monotonic_ns() - 1, &progress), KAS_DEADLINE, "double");
    cr_expect_eq(progress.completed, 0);
    cr_expect(kas_queue_idle(r.queue));
    ok(run_rig(&r, &progress));
    expect_doubled(&r);
    rig_close(&r);
}

Test(core_faults, injected_faults_hit_once_and_where_asked)
{
    rig r;
    kas_progress progress;
    ok(rig_open(&r, "host:0", 1));
    kas_buffer *buffer;
    kas_device_info before, after;
    kas_device_get_info(r.device, &before);
    kas_fault_arm(KAS_FAULT_ALLOCATION, 1, KAS_OUT_OF_MEMORY);
    expect(kas_buffer_create(r.device, 8, "victim", &buffer), KAS_OUT_OF_MEMORY, "victim");
    cr_expect(kas_fault_fired(KAS_FAULT_ALLOCATION));
    kas_device_get_info(r.device, &after);
    cr_expect_eq(after.memory_used_bytes, before.memory_used_bytes);
    kas_fault_arm(KAS_FAULT_SUBMISSION, 2, KAS_INTERNAL);
    ok(run_rig(&r, NULL));
    cr_expect_not(kas_fault_fired(KAS_FAULT_SUBMISSION));
    expect(run_rig(&r, NULL), KAS_INTERNAL, "double");
    ok(run_rig(&r, NULL));
    kas_fault_arm(KAS_FAULT_WAIT, 1, KAS_UNAVAILABLE);
    expect(run_rig(&r, &progress), KAS_UNAVAILABLE, "rig");
    cr_expect_eq(progress.completed, 0);
    ok(run_rig(&r, &progress));
    cr_expect_eq(progress.completed, 1);
    rig_close(&r);
}

Test(core_faults, a_lost_device_stays_lost_until_it_is_opened_anew)
{
    rig r, fresh;
    kas_device_info info;
    const kas_program *program;
    kas_list *list;
    kas_queue *queue;
    kas_buffer *buffer;
    ok(rig_open(&r, "host:0", 1));
    kas_fault_arm(KAS_FAULT_WAIT, 1, KAS_DEVICE_LOST);
    expect(run_rig(&r, NULL), KAS_DEVICE_LOST, "injected");
    expect(run_rig(&r, NULL), KAS_DEVICE_LOST, "injected");
    expect(kas_queue_wait(r.queue, KAS_NEVER, NULL), KAS_DEVICE_LOST, "host:0 is lost");
    expect(kas_queue_fill(r.queue, r.x, 0, 0, 4), KAS_DEVICE_LOST, "host:0 is lost");
    expect(kas_buffer_create(r.device, 8, "x", &buffer), KAS_DEVICE_LOST, "host:0 is lost");
    expect(kas_list_create(r.device, &r.launch, 1, "x", &list), KAS_DEVICE_LOST, "host:0 is lost");
    expect(kas_queue_create(r.device, "x", &queue), KAS_DEVICE_LOST, "host:0 is lost");
    expect(kas_device_program(r.device, KAS_KERNEL_blend, &program), KAS_DEVICE_LOST, "host:0 is lost");
    kas_device_get_info(r.device, &info);
    cr_expect_eq(info.state, KAS_DEVICE_IS_LOST);
    ok(rig_open(&fresh, "host:0", 1));
    cr_expect_neq(fresh.device, r.device);
    ok(run_rig(&fresh, NULL));
    expect_doubled(&fresh);
    rig_close(&r);
    rig_close(&fresh);
}

/* Whatever allocation fails, the failure is reported and nothing is left behind. */
Test(core_faults, every_allocation_fails_in_turn)
{
    bool failed = true;
    for (uint64_t nth = 1; failed; ++nth) {
        rig r;
        kas_alloc_fail_at(nth);
        kas_status status = rig_open(&r, "host:0", 1);
        if (!status) status = run_rig(&r, NULL);
        kas_alloc_fail_at(0);
        failed = status != NULL;
        if (failed) expect(status, KAS_OUT_OF_MEMORY, "memory");
        if (!failed) expect_doubled(&r);
        if (!failed) cr_expect_gt(nth, 10);
        kas_device *device = r.device ? kas_device_retain(r.device) : NULL;
        rig_close(&r);
        if (!device) continue;
        kas_device_info info;
        kas_device_get_info(device, &info);
        cr_expect_eq(info.memory_used_bytes, 0);
        kas_device_release(device);
    }
}
