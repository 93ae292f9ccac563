/* backends/vulkan while its driver does not say that work is done: nothing of that work is touched. The
 * validation layer knows what is in flight by the same answers. Skipped, loudly, where there is no Vulkan
 * device. */
#include <criterion/criterion.h>

#include "backends/vulkan/vulkan.h"
#include "base/clock.h"
#include "tests/unit/affine_rig.h"

static PFN_vkGetFenceStatus real_status;
static PFN_vkFreeMemory real_free;
static bool held;
static VkResult untold; /* what asking for a fence's state fails with; VK_SUCCESS: it does not */
static size_t freed;    /* allocations */

static VKAPI_ATTR VkResult VKAPI_CALL status_or_held(VkDevice device, VkFence fence)
{
    if (untold != VK_SUCCESS) return untold;
    return held ? VK_NOT_READY : real_status(device, fence);
}

static VKAPI_ATTR void VKAPI_CALL count_and_free(VkDevice device, VkDeviceMemory memory,
                                                 const VkAllocationCallbacks *with)
{
    ++freed;
    real_free(device, memory, with);
}

static VKAPI_ATTR VkResult VKAPI_CALL no_fence(VkDevice device, const VkFenceCreateInfo *info,
                                               const VkAllocationCallbacks *with, VkFence *out)
{
    (void)device, (void)info, (void)with, (void)out;
    return VK_ERROR_OUT_OF_HOST_MEMORY;
}

static VKAPI_ATTR VkResult VKAPI_CALL no_reset(VkDevice device, uint32_t count, const VkFence *fences)
{
    (void)device, (void)count, (void)fences;
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
}

static kas_vulkan_symbols *symbols_of(const rig *r)
{
    return (kas_vulkan_symbols *)kas_vulkan_device_of(r->device)->vk;
}

static void open_held_rig(rig *r)
{
    size_t count;
    ok(kas_driver_list(driver_named("vulkan"), NULL, 0, &count));
    if (count == 0) cr_skip_test("no Vulkan device on this machine");
    open_rig(r, "vulkan:0");
    kas_vulkan_symbols *vk = symbols_of(r);
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

/* ---- a driver that does not tell what is under way ---- */

static void submit_both(const rig *r)
{
    const kas_submission both[] = {at_place(r, 0), at_place(r, 1)};
    ok(kas_queue_submit(r->queue, both, 2, ROWS));
}

/* Closes what may be at work, and finds that nothing of its memory was freed. */
static void expect_left_alone(rig *r)
{
    kas_vulkan_symbols *vk = symbols_of(r);
    cr_expect(kas_device_is_lost(r->device));
    cr_expect_not(kas_queue_idle(r->queue));
    real_free = vk->vkFreeMemory;
    vk->vkFreeMemory = count_and_free;
    close_rig(r);
    cr_expect_eq(freed, 0u);
}

Test(vulkan_waits, work_of_which_nothing_is_told_is_left_alone)
{
    rig r;
    open_held_rig(&r);
    submit_both(&r);
    untold = VK_ERROR_OUT_OF_HOST_MEMORY;
    expect(kas_queue_wait(r.queue, KAS_NEVER, NULL), KAS_DEVICE_LOST, "Vulkan error");
    expect_left_alone(&r);
}

Test(vulkan_waits, late_work_of_which_nothing_is_told_has_not_come_back)
{
    rig r;
    open_held_rig(&r);
    submit_two_and_give_up(&r);
    held = false;
    untold = VK_ERROR_OUT_OF_HOST_MEMORY;
    cr_expect_not(kas_queue_idle(r.queue));
    cr_expect_not(kas_queue_idle(r.queue));
    untold = VK_SUCCESS;
    while (!kas_queue_idle(r.queue)) {
    }
    close_rig(&r);
}

/* It would tell of the next work that it is done. */
Test(vulkan_waits, a_fence_that_stays_signalled_is_not_used_again)
{
    rig r;
    open_held_rig(&r);
    submit_both(&r);
    symbols_of(&r)->vkResetFences = no_reset;
    expect(kas_queue_wait(r.queue, KAS_NEVER, NULL), KAS_DEVICE_LOST, "vkResetFences");
    expect_left_alone(&r);
}

Test(vulkan_waits, a_late_queue_whose_fences_stay_signalled_does_not_come_back)
{
    rig r;
    open_held_rig(&r);
    submit_two_and_give_up(&r);
    held = false;
    symbols_of(&r)->vkResetFences = no_reset;
    for (int i = 0; i < 100; ++i)
        cr_assert_not(kas_queue_idle(r.queue));
    kas_queue_give_up(r.queue);
    expect_left_alone(&r);
}

/* Submissions are under way when the traffic after them cannot be handed over. */
Test(vulkan_waits, what_cannot_be_handed_over_does_not_hide_what_was)
{
    rig r;
    open_held_rig(&r);
    submit_both(&r);
    ok(kas_queue_fill(r.queue, r.arena, 0, 0, 4));
    symbols_of(&r)->vkCreateFence = no_fence;
    expect(kas_queue_wait(r.queue, KAS_NEVER, NULL), KAS_DEVICE_LOST, "vkCreateFence");
    expect_left_alone(&r);
}
