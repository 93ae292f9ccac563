/* Devices of several platforms and of several ages of OpenCL: PoCL, and a second vendor that hands on to it.
 */
#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

#include "tests/opencl/vendors.h"
#include "tests/unit/affine_rig.h"

TestSuite(platforms, .fini = forget_vendors, .timeout = 60);

/* ---- which is which ---- */

static void expect_order(const char *first, const char *second)
{
    kas_device_info listed[2];
    size_t count;
    ok(kas_driver_list(driver_named("opencl"), listed, 2, &count));
    cr_assert_eq(count, 2u);
    cr_expect_str_eq(listed[0].id, "opencl:0");
    cr_expect_str_eq(listed[1].id, "opencl:1");
    cr_expect(strstr(listed[0].name, first), "%s", listed[0].name);
    cr_expect(strstr(listed[1].name, second), "%s", listed[1].name);
    for (size_t i = 0; i < 2; ++i) { /* opened by that id, it is that one */
        kas_device *device;
        kas_device_info info;
        ok(kas_device_open(listed[i].id, &device));
        kas_device_get_info(device, &info);
        cr_expect_str_eq(info.name, listed[i].name);
        kas_device_release(device);
    }
}

Test(platforms, are_in_the_order_of_their_names)
{
    vendor_control *second = use_vendors(true);
    second->platform_name = "AAA";
    expect_order("(AAA)", "(P");
}

Test(platforms, are_in_the_order_of_their_names_whatever_the_loader_finds_first)
{
    vendor_control *second = use_vendors(true);
    second->platform_name = "ZZZ";
    expect_order("(P", "(ZZZ)");
}

Test(platforms, processors_come_last_and_auto_passes_them_over)
{
    kas_device_info listed[2];
    kas_device *device;
    size_t count;
    vendor_control *second = use_vendors(true);
    second->platform_name = "ZZZ";
    second->type = 1ul << 2; /* CL_DEVICE_TYPE_GPU */
    expect_order("(ZZZ)", "(P");
    ok(kas_driver_list(driver_named("opencl"), listed, 2, &count));
    cr_expect_not(listed[0].software);
    cr_expect(listed[1].software);
    ok(kas_device_open("auto", &device));
    cr_expect_str_neq(kas_device_id(device), "opencl:1");
    cr_expect_str_neq(kas_device_id(device), "host:0");
    kas_device_release(device);
}

/* ---- two at once ---- */

typedef struct worker {
    rig rig;
    unsigned wrong;
} worker;

static void *work(void *argument)
{
    worker *self = argument;
    for (int i = 0; i < 30; ++i)
        self->wrong += !pass_is_right(&self->rig, self->rig.queue, (size_t)i % PLACES, (float)i);
    return NULL;
}

Test(platforms, compute_at_once_and_do_not_meet)
{
    static const char *const ids[] = {"opencl:0", "opencl:1"};
    vendor_control *second = use_vendors(true);
    worker workers[2] = {0};
    pthread_t threads[2];
    for (size_t i = 0; i < 2; ++i)
        open_rig(&workers[i].rig, ids[i]);
    cr_expect_neq(workers[0].rig.device, workers[1].rig.device);
    for (size_t i = 0; i < 2; ++i)
        cr_assert_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    for (size_t i = 0; i < 2; ++i) {
        pthread_join(threads[i], NULL);
        cr_expect_eq(workers[i].wrong, 0u);
    }
    cr_expect_gt(objects_of(second), 0u);
    for (size_t i = 0; i < 2; ++i)
        close_rig(&workers[i].rig);
    expect_no_objects(second, "closing");
    cr_expect_eq(second->strangers, 0u);
}

Test(platforms, a_buffer_of_one_is_refused_by_the_other)
{
    rig one, other;
    use_vendors(true);
    open_rig(&one, "opencl:0");
    open_rig(&other, "opencl:1");
    kas_submission mixed = at_place(&one, 0);
    mixed.slots[KAS_SLOT_X] = at_place(&other, 0).slots[KAS_SLOT_X];
    expect(kas_queue_submit(one.queue, &mixed, 1, ROWS), KAS_INVALID_ARGUMENT, "a buffer of another device");
    close_rig(&one);
    close_rig(&other);
}

/* ---- versions ---- */

static kas_device_limits limits_of(const char *version)
{
    rig r;
    vendor_control *second = use_vendors(false);
    second->version = version;
    open_rig(&r, "opencl:0");
    kas_device_limits limits = *kas_device_get_limits(r.device);
    cr_expect(pass_is_right(&r, r.queue, 0, 1));
    close_rig(&r);
    cr_expect_eq(second->strangers, 0u);
    return limits;
}

/* The second vendor has nothing beyond 1.2: calling it would crash. */
Test(platforms, a_driver_of_1_2_is_enough)
{
    cr_expect_not(limits_of("OpenCL 1.2 of another vendor").subgroups);
}

static void expect_refusal(const char *version, const char *part)
{
    kas_device *device;
    vendor_control *second = use_vendors(false);
    second->version = version;
    expect(kas_device_open("opencl:0", &device), KAS_UNSUPPORTED, part);
    expect_no_objects(second, "a refusal");
}

Test(platforms, a_driver_of_1_1_is_refused)
{
    expect_refusal("OpenCL 1.1", "offers OpenCL 1.1; 1.2 is the least");
}

Test(platforms, a_driver_that_does_not_say_its_version_is_refused)
{
    expect_refusal("anything", "1.2 is the least");
}
