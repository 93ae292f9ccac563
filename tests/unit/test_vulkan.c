/* backends/vulkan. Skipped, loudly, where there is no Vulkan device. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/core/device.h"
#include "base/clock.h"
#include "tests/unit/affine_rig.h"
#include "tests/unit/driver_glue.h"

/* ---- listing ---- */

/* Names the vendors' drivers that the loader of this process knows of: none, or one library. */
static void use_vendor(const char *library)
{
    static char folder[] = "/tmp/kasmina-icd-XXXXXX";
    static char path[sizeof folder + 16];
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/test.json", folder);
    if (library) {
        FILE *file = fopen(path, "w");
        cr_assert_not_null(file);
        fprintf(file,
                "{\"file_format_version\": \"1.0.0\","
                " \"ICD\": {\"library_path\": \"%s\", \"api_version\": \"1.1.0\"}}",
                library);
        fclose(file);
    }
    setenv("VK_ICD_FILENAMES", path, 1);
}

static void forget_vendor(void)
{
    char path[4096];
    snprintf(path, sizeof path, "%s", getenv("VK_ICD_FILENAMES"));
    unlink(path);
    *strrchr(path, '/') = 0;
    rmdir(path);
}

static const glue_driver driver = {.name = "vulkan",
                                   .device = "vulkan:0",
                                   .library = "libvulkan",
                                   .use_vendor = use_vendor,
                                   .forget_vendor = forget_vendor};

#define GLUE_TEST(name)                                                                                      \
    Test(vulkan, name)                                                                                       \
    {                                                                                                        \
        glue_##name(&driver);                                                                                \
    }
GLUE_TESTS(GLUE_TEST)

/* ---- passes ---- */

static void open_vulkan_rig(rig *r)
{
    (void)glue_first_device(&driver);
    open_rig(r, "vulkan:0");
}

/* ---- choice ---- */

Test(vulkan, auto_passes_over_what_only_imitates_a_gpu)
{
    kas_device_info info = glue_first_device(&driver);
    kas_device *device;
    if (!info.software) cr_skip_test("the first Vulkan device here is a real one");
    ok(kas_device_open("auto", &device));
    cr_expect_str_neq(kas_device_id(device), "vulkan:0");
    kas_device_release(device);
}

/* Uploads and downloads between submissions see what was there at their place in the queue. */
Test(vulkan, traffic_keeps_its_place_among_submissions)
{
    rig r;
    uint32_t before = 0, between = 0, after = 0, seven = 7, nine = 9;
    open_vulkan_rig(&r);
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
