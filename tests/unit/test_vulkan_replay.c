/* backends/vulkan: recordings of lists. Skipped, loudly, where there is no Vulkan device. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/core/stored.h"
#include "backends/vulkan/queue.h"
#include "base/clock.h"
#include "engine/graph/graph.h"
#include "kernels/args.h"
#include "tests/unit/affine_rig.h"

static void open_vulkan_rig(rig *r)
{
    size_t count;
    ok(kas_driver_list(driver_named("vulkan"), NULL, 0, &count));
    if (count == 0) cr_skip_test("no Vulkan device on this machine");
    open_rig(r, "vulkan:0");
}

static size_t recordings(const rig *r)
{
    return ((const kas_vulkan_queue *)r->queue)->replays.count;
}

/* Y = 3 X + shift */
static kas_list *list_with(const rig *r, float shift)
{
    const struct unary_args args = {.elements = WIDTH, .act = KAS_ACT_AFFINE, .act_a = 3, .act_b = shift};
    kas_launch launch = {.kernel = KAS_KERNEL_unary,
                         .bindings = {{.slot = KAS_SLOT_PARAMS}, {.slot = KAS_SLOT_X}, {.slot = KAS_SLOT_Y}},
                         .grid_x = {.per_row = WIDTH, .divisor = LINES_TILE},
                         .grid_y = {.fixed = 1, .divisor = 1}};
    kas_list *list;
    memcpy(launch.args, &args, sizeof args);
    ok(kas_list_create(r->device, &launch, 1, "shifted", &list));
    return list;
}

Test(vulkan_replay, the_same_bindings_are_recorded_once)
{
    rig r;
    open_vulkan_rig(&r);
    for (int pass = 0; pass < 20; ++pass)
        for (size_t place = 0; place < PLACES; ++place)
            cr_expect(pass_is_right(&r, r.queue, place, (float)pass));
    cr_expect_eq(recordings(&r), (size_t)PLACES);
    close_rig(&r);
}

Test(vulkan_replay, what_is_in_flight_is_recorded_again)
{
    rig r;
    open_vulkan_rig(&r);
    const kas_submission one = at_place(&r, 0);
    for (int again = 0; again < 3; ++again) {
        for (int i = 0; i < 4; ++i)
            ok(kas_queue_submit(r.queue, &one, 1, ROWS));
        ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    }
    cr_expect_eq(recordings(&r), 4u);
    close_rig(&r);
}

/* Lists come and go, more than there can be recordings; their memory is used again at once. */
Test(vulkan_replay, a_list_is_never_taken_for_one_that_is_gone)
{
    enum { LISTS = KAS_VULKAN_REPLAYS_MAX + 100 };
    rig r;
    float x = 2, y = 0;
    open_vulkan_rig(&r);
    kas_submission submission = at_place(&r, 0);
    ok(kas_queue_upload(r.queue, r.arena, submission.slots[KAS_SLOT_X].offset_bytes, &x, sizeof x));
    for (size_t i = 0; i < LISTS; ++i) {
        submission.list = list_with(&r, (float)i);
        ok(kas_queue_submit(r.queue, &submission, 1, ROWS));
        ok(kas_queue_download(r.queue, r.arena, submission.slots[KAS_SLOT_Y].offset_bytes, &y, sizeof y));
        ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
        cr_assert_eq(y, 6 + (float)i);
        kas_list_release(submission.list);
    }
    cr_expect_eq(recordings(&r), (size_t)KAS_VULKAN_REPLAYS_MAX);
    cr_expect(pass_is_right(&r, r.queue, 0, 1));
    close_rig(&r);
}

Test(vulkan_replay, rows_change_without_recording_anew)
{
    static const uint32_t rows[] = {ROWS, 1, 33, ROWS, 2};
    static float y[ROWS * WIDTH];
    rig r;
    open_vulkan_rig(&r);
    const kas_submission submission = at_place(&r, 0);
    const size_t x_at = submission.slots[KAS_SLOT_X].offset_bytes,
                 y_at = submission.slots[KAS_SLOT_Y].offset_bytes;
    ok(kas_queue_fill(r.queue, r.arena, x_at, 0, sizeof y)); /* so that every result is −1 */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; ++i) {
        ok(kas_queue_upload(r.queue, r.params, 0, &rows[i], sizeof rows[i]));
        ok(kas_queue_fill(r.queue, r.arena, y_at, 0, sizeof y));
        ok(kas_queue_submit(r.queue, &submission, 1, rows[i]));
        ok(kas_queue_download(r.queue, r.arena, y_at, y, sizeof y));
        ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
        for (size_t e = 0; e < ROWS * WIDTH; ++e)
            cr_assert_eq(y[e], e < rows[i] * WIDTH ? -1.0f : 0.0f, "element %zu of %u rows", e, rows[i]);
    }
    cr_expect_eq(recordings(&r), 1u);
    close_rig(&r);
}

/* ---- pipelines on disk ---- */

static char folder[64];

static void use_new_folder(void)
{
    strcpy(folder, "/tmp/kasmina-vulkan-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    ok(kas_device_use_cache_directory(folder));
}

static void remove_folder(void)
{
    char command[128];
    ok(kas_device_use_cache_directory(NULL));
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

static void pass_once(void)
{
    rig r;
    open_vulkan_rig(&r);
    cr_expect(pass_is_right(&r, r.queue, 0, 1));
    close_rig(&r);
}

Test(vulkan_replay, a_pipeline_is_kept_on_disk)
{
    use_new_folder();
    const kas_stored_counts before = kas_stored_get_counts();
    pass_once();
    const kas_stored_counts first = kas_stored_get_counts();
    cr_expect_eq(first.hits, before.hits);
    cr_expect_eq(first.writes, before.writes + 1);
    pass_once();
    const kas_stored_counts second = kas_stored_get_counts();
    cr_expect_eq(second.hits, first.hits + 1);
    cr_expect_eq(second.writes, first.writes, "what was read need not be written");
    remove_folder();
}

/* Data that is whole on disk and still not this device's is no harm, and is replaced. */
Test(vulkan_replay, data_of_another_device_is_not_handed_to_the_driver)
{
    VkPipelineCacheHeaderVersionOne header = {.headerSize = sizeof header,
                                              .headerVersion = VK_PIPELINE_CACHE_HEADER_VERSION_ONE};
    rig r;
    use_new_folder();
    open_vulkan_rig(&r);
    const kas_vulkan_device *device = kas_vulkan_device_of(r.device);
    kas_vulkan_identity identity = device->identity;
    header.vendorID = identity.vendor;
    header.deviceID = identity.device;
    memcpy(header.pipelineCacheUUID, identity.cache_uuid, sizeof identity.cache_uuid);
    cr_expect(kas_vulkan_cache_is_ours(&identity, &header, sizeof header));
    cr_expect_not(kas_vulkan_cache_is_ours(&identity, &header, sizeof header - 1));
    header.pipelineCacheUUID[15] ^= 1;
    cr_expect_not(kas_vulkan_cache_is_ours(&identity, &header, sizeof header));
    header.pipelineCacheUUID[15] ^= 1;
    header.headerVersion = 2;
    cr_expect_not(kas_vulkan_cache_is_ours(&identity, &header, sizeof header));
    header.headerVersion = VK_PIPELINE_CACHE_HEADER_VERSION_ONE;
    ++identity.device;
    cr_expect_not(kas_vulkan_cache_is_ours(&identity, &header, sizeof header));
    close_rig(&r);
    remove_folder();
}
