/* What backends/opencl asks a driver for it gives back: after a layer's passes, after every case of a layer's
 * kernels, and after each call that may fail has failed in turn. The second vendor counts. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/opencl/symbols.h"
#include "base/clock.h"
#include "tests/conformance/runner.h"
#include "tests/devices/doubling_rig.h"
#include "tests/opencl/vendors.h"
#include "tests/unit/exec_world.h"

static char cache[] = "/tmp/kasmina-objects-XXXXXX"; /* a folder for programs, which a test may use */
static bool starts_empty;                            /* it is before each life */
static vendor_control *vendor;

static void start(void)
{
    vendor = use_vendors(false);
    vendor->version = "OpenCL 3.0"; /* with sub-groups, so that these are asked for */
    vendor->subgroup_size = 16;
    cr_assert_not_null(mkdtemp(cache));
}

static void empty_cache(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -f %s/*", cache);
    cr_assert_eq(system(command), 0);
}

static void end(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", cache);
    cr_expect_eq(system(command), 0);
    forget_vendors();
}

TestSuite(objects, .init = start, .fini = end, .timeout = 110);

/* ---- all is well ---- */

static void serve_layer(void)
{
    kas_device *device;
    probe p;
    ok(kas_device_open("opencl:0", &device));
    exec_world *w = exec_world_open(device, NULL);
    kas_published_layer layer = a_layer("a", 1, make_network(w, 1));
    publish(w, &layer);
    add_seed(&layer, 0, make_network(w, 2), 0.25f);
    add_seed(&layer, 3, make_sqrt(w), 0.25f);
    add_fossil(&layer, 7, make_affine(w, 3, -1), 0.125f);
    for (uint32_t rows = 1; rows <= PROBE_ROWS; rows *= 3) {
        probe_init(&p, "a", rows, rows);
        probe_ok(w, &p);
        publish(w, &layer);
    }
    exec_world_close(w);
}

Test(objects, of_a_layer_are_released)
{
    serve_layer();
    expect_no_objects(vendor, "a layer's passes");
    vendor->commands = VENDOR_HAS_COMMANDS;
    serve_layer();
    cr_expect_gt(atomic_load(&vendor->replayed), 0u);
    expect_no_objects(vendor, "a layer's recorded passes");
}

Test(objects, of_the_cases_of_a_layer_s_kernels_are_released)
{
    static const char *const kernels[] = {"linear", "linear_blend", "judge", "blend"};
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; ++i) {
        conformance_runner runner = {0};
        conformance_device_runner(&runner, "opencl:0");
        cr_assert(conformance_run_cases(&runner, kernels[i]));
        cr_expect_eq(runner.failures, 0u, "%s", kernels[i]);
        conformance_device_runner_finish(&runner);
        expect_no_objects(vendor, kernels[i]);
    }
}

/* ---- faults ---- */

enum { CALLS_MAX = 400, POLLS = 8 };

/* Y is a part of a buffer. */
static kas_status run_within(rig *r, uint32_t rows)
{
    const size_t offset = kas_device_get_limits(r->device)->buffer_alignment;
    kas_submission submission = rig_submission(r);
    kas_buffer *whole;
    KAS_TRY(kas_buffer_create(r->device, offset + sizeof r->out, "whole", &whole));
    submission.slots[KAS_SLOT_Y] = (kas_slot){.buffer = whole, .offset_bytes = offset};
    kas_status status = kas_queue_submit(r->queue, &submission, 1, rows);
    status = kas_join(status, kas_queue_wait(r->queue, KAS_NEVER, NULL));
    kas_buffer_release(whole);
    return status;
}

static kas_status use_device(rig *r)
{
    const kas_program *with_subgroups;
    KAS_TRY(rig_open(r, "opencl:0", 4));
    KAS_TRY(kas_device_program(r->device, KAS_KERNEL_softmax, &with_subgroups));
    KAS_TRY(rig_run(r, 2, KAS_NEVER, NULL));
    cr_expect(rig_is_doubled(r, 2));
    return run_within(r, 2);
}

static bool is_lost(const rig *r)
{
    kas_device_info info = {0};
    if (r->device) kas_device_get_info(r->device, &info);
    return info.state == KAS_DEVICE_IS_LOST;
}

/* Opens, runs and closes once; the status of what failed first. What a lost device's driver gave is not given
 * back, as it might wait for what never ends. */
static kas_status live_once(const char *what)
{
    rig r;
    if (starts_empty) empty_cache();
    kas_status status = use_device(&r);
    const bool lost = is_lost(&r);
    rig_close(&r);
    if (!lost) expect_no_objects(vendor, what);
    for (size_t i = 0; i < VENDOR_KINDS; ++i)
        atomic_store(&vendor->objects[i], 0);
    return status;
}

/* Calls whose failure costs something, but fails nobody: what the device says of itself, how long a pass
 * took, what was stored, sub-groups, and what recording needs. */
static bool may_be_swallowed(const char *call)
{
    static const char *const calls[] = {
        "clGetPlatformInfo", "clGetDeviceInfo",           "clGetEventProfilingInfo",   "clGetEventInfo",
        "clGetProgramInfo",  "clCreateProgramWithBinary", "clCreateProgramWithSource", "clBuildProgram",
        "clCreateKernel",    "clGetKernelSubGroupInfo"};
    static const char *const recording[] = {"clSetKernelArg", "clCreateSubBuffer"};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i)
        if (!strcmp(calls[i], call)) return true;
    for (size_t i = 0; i < sizeof recording / sizeof *recording; ++i)
        if (!strcmp(recording[i], call)) return vendor->commands == VENDOR_HAS_COMMANDS;
    return false;
}

/* How often a wait asks is the clock's affair. */
static bool is_polled(const char *call)
{
    return !strcmp(call, "clGetEventInfo");
}

/* Each call of an entry point, or of those that begin so, fails in turn, alone or with all that come after
 * it: the failure is told and nothing is left. */
static void fail_each_call(const char *call, bool and_later_ones)
{
    for (unsigned nth = 1; nth < CALLS_MAX; ++nth) {
        char what[96];
        snprintf(what, sizeof what, "failure %u%s of %s", nth, and_later_ones ? " and later" : "", call);
        vendor->failing_call = call;
        vendor->failing_on = and_later_ones;
        vendor->failed = false;
        atomic_store(&vendor->failing, nth);
        kas_status status = live_once(what);
        atomic_store(&vendor->failing, 0);
        cr_expect(status || !vendor->failed || may_be_swallowed(call), "%s went unnoticed", what);
        cr_expect(vendor->failed || !status, "%s: %s", what, kas_status_message(status));
        kas_status_free(status);
        if (!vendor->failed || (is_polled(call) && nth == POLLS)) return;
    }
    cr_assert_fail("%s: there is no end of calls", call);
}

static const char *const all_calls[] = {
#define NAME(name) #name,
    KAS_OPENCL_SYMBOLS(NAME) "clGetKernelSubGroupInfo"
#undef NAME
};

static void fail_all(void)
{
    for (size_t i = 0; i < sizeof all_calls / sizeof *all_calls; ++i)
        fail_each_call(all_calls[i], false);
    ok(live_once("a whole life"));
}

Test(objects, each_call_fails_in_turn)
{
    fail_all();
}

/* As where memory is out and stays so. */
Test(objects, each_call_and_later_ones_fail_in_turn)
{
    fail_each_call("clCreate", true);
    fail_each_call("clEnqueue", true);
    ok(live_once("a whole life"));
}

/* A submission breaks off at its third launch, and what stands for the first two cannot be enqueued. */
Test(objects, what_nobody_can_wait_for_loses_the_device)
{
    rig r;
    ok(rig_open(&r, "opencl:0", 4));
    vendor->failing_call = "clEnqueue";
    vendor->failing_on = true;
    atomic_store(&vendor->failing, 5); /* an upload, a fill, two launches */
    expect_failure(rig_run(&r, 2, KAS_NEVER, NULL), KAS_DEVICE_LOST, "clEnqueueMarkerWithWaitList");
    rig_close(&r);
}

Test(objects, each_call_of_storing_programs_fails_in_turn)
{
    ok(kas_device_use_cache_directory(cache));
    starts_empty = true;
    fail_each_call("clGetProgramInfo", false);
    fail_each_call("clBuildProgram", false);
    starts_empty = false;
    ok(live_once("filling the folder"));
    fail_each_call("clCreateProgramWithBinary", false);
    fail_each_call("clBuildProgram", false);
}

Test(objects, each_call_fails_in_turn_where_lists_are_recorded)
{
    vendor->commands = VENDOR_HAS_COMMANDS;
    fail_all();
    cr_expect_gt(atomic_load(&vendor->replayed), 0u);
}
