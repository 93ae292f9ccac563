/* backends/vulkan while its driver does not say that work is done: nothing of that work is touched. The
 * validation layer knows what is in flight by the same answers. Skipped, loudly, where there is no Vulkan
 * device. */
#include <criterion/criterion.h>

#include "backends/vulkan/vulkan.h"
#include "tests/unit/affine_rig.h"

static PFN_vkGetFenceStatus real_status;
static bool held;

static VKAPI_ATTR VkResult VKAPI_CALL status_or_held(VkDevice device, VkFence fence)
{
    return held ? VK_NOT_READY : real_status(device, fence);
}

static void open_held_rig(rig *r)
{
    size_t count;
    ok(kas_driver_list(driver_named("vulkan"), NULL, 0, &count));
    if (count == 0) cr_skip_test("no Vulkan device on this machine");
    open_rig(r, "vulkan:0");
    kas_vulkan_symbols *vk = (kas_vulkan_symbols *)kas_vulkan_device_of(r->device)->vk;
    if (vk->vkGetFenceStatus != status_or_held) real_status = vk->vkGetFenceStatus;
    vk->vkGetFenceStatus = status_or_held;
}

static void submit_two_and_give_up(const rig *r)
{
    const kas_submission both[] = {at_place(r, 0), at_place(r, 1)};
    kas_progress progress;
    held = true;
    ok(kas_queue_submit(r->queue, both, 2, ROWS));
    expect(kas_queue_wait(r->queue, 0, &progress), KAS_DEADLINE, "submission 1 of 2");
    cr_expect_eq(progress.completed, 0u);
    cr_expect_not(kas_queue_idle(r->queue));
}

Test(vulkan_waits, a_queue_is_used_again_once_its_work_is_done)
{
    rig r;
    open_held_rig(&r);
    submit_two_and_give_up(&r);
    held = false;
    while (!kas_queue_idle(r.queue)) {
    }
    cr_expect(pass_is_right(&r, r.queue, 2, 4));
    close_rig(&r);
}

Test(vulkan_waits, a_queue_that_is_given_up_leaves_its_work_alone)
{
    rig r, other;
    open_held_rig(&r);
    open_held_rig(&other);
    submit_two_and_give_up(&r);
    kas_queue_destroy(r.queue);
    r.queue = NULL;
    held = false;
    cr_expect(pass_is_right(&other, other.queue, 0, 3));
    close_rig(&r);
    close_rig(&other);
}
