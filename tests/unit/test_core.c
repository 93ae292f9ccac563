/* backends/core over the host device: validation, lifetimes, accounting, faults, deadlines. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/fault.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "tests/devices/doubling_rig.h"

static void expect(kas_status status, kas_code code, const char *part)
{
    cr_expect_eq(kas_status_code(status), code, "%s, not %s: %s", kas_code_name(code),
                 kas_code_name(kas_status_code(status)), kas_status_message(status));
    cr_expect(strstr(kas_status_message(status), part), "\"%s\" is not in: %s", part,
              kas_status_message(status));
    kas_status_free(status);
}

static void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

static kas_status run_rig(rig *r, kas_progress *progress)
{
    kas_submission submission = rig_submission(r);
    KAS_TRY(kas_queue_submit(r->queue, &submission, 1, RIG_ROWS));
    return kas_queue_wait(r->queue, KAS_NEVER, progress);
}

static void expect_doubled(rig *r)
{
    const float *y = kas_buffer_host(r->y);
    for (size_t i = 0; i < RIG_ROWS * RIG_WIDTH; ++i)
        cr_expect_eq(y[i], 2.0f * (float)i);
}

/* ---- devices ---- */

Test(core, a_device_opened_twice_is_one_object)
{
    kas_device *a, *b;
    ok(kas_device_open("host:0", &a));
    ok(kas_device_open("host:0", &b));
    cr_expect_eq(a, b);
    cr_expect_str_eq(kas_device_id(a), "host:0");
    cr_expect(kas_device_get_limits(a)->host_pointers);
    cr_expect(kas_device_get_limits(a)->immediate);
    kas_device_release(a);
    kas_device_release(b);
    kas_device_release(NULL);
}

Test(core, auto_finds_a_device)
{
    kas_device *device;
    ok(kas_device_open("auto", &device));
    kas_device_release(device);
}

Test(core, unknown_devices_are_refused_with_what_there_is)
{
    static const char *const ids[] = {"",        "host",    "host:",     "host:1",
                                      "host:0x", "host:-1", "quantum:0", "host:99999999999"};
    for (size_t i = 0; i < sizeof ids / sizeof *ids; ++i) {
        kas_device *device = (kas_device *)&ids;
        expect(kas_device_open(ids[i], &device), KAS_NOT_FOUND, "host:0");
        cr_expect_null(device);
    }
}

Test(core, listing_opens_nothing_and_has_the_host_last)
{
    const kas_driver *driver = kas_driver_at(kas_driver_count() - 1);
    kas_device_info info;
    size_t count;
    cr_expect_str_eq(kas_driver_name(driver), "host");
    ok(kas_driver_list(driver, &info, 1, &count));
    cr_expect_eq(count, 1);
    cr_expect_str_eq(info.kind, "cpu");
    cr_expect_gt(info.memory_total_bytes, 0);
    cr_expect_null(kas_driver_at(kas_driver_count()));
}

/* ---- buffers ---- */

Test(core, memory_is_counted_to_the_byte)
{
    kas_device *device;
    kas_buffer *a, *b;
    kas_device_info info;
    ok(kas_device_open("host:0", &device));
    ok(kas_buffer_create(device, 1001, NULL, &a));
    ok(kas_buffer_create(device, 7, "b", &b));
    kas_device_get_info(device, &info);
    cr_expect_eq(info.memory_used_bytes, 1008);
    kas_buffer_release(kas_buffer_retain(a));
    kas_buffer_release(a);
    kas_device_get_info(device, &info);
    cr_expect_eq(info.memory_used_bytes, 7);
    cr_expect_eq(kas_buffer_size(b), 7);
    cr_expect_eq(kas_buffer_device(b), device);
    kas_buffer_release(b);
    kas_buffer_release(NULL);
    kas_device_get_info(device, &info);
    cr_expect_eq(info.memory_used_bytes, 0);
    kas_device_release(device);
}

Test(core, a_buffer_keeps_its_device)
{
    kas_device *device;
    kas_buffer *buffer;
    ok(kas_device_open("host:0", &device));
    ok(kas_buffer_create(device, 64, "kept", &buffer));
    kas_device_release(device);
    memset(kas_buffer_host(buffer), 1, 64);
    cr_expect_str_eq(kas_device_id(kas_buffer_device(buffer)), "host:0");
    kas_buffer_release(buffer);
}

Test(core, weights_of_16_bits_are_words_of_two_in_rows_of_outputs)
{
    enum { INPUTS = 2, OUTPUTS = 3, WORDS = INPUTS * (OUTPUTS + 1) / 2 };
    static const float weight[OUTPUTS * INPUTS] = {1, -2, 0.5f, 0x1p-24f, INFINITY, 65504};
    static const uint32_t half[WORDS] = {0x38003c00, 0x7c00, 0x0001c000, 0x7bff};
    kas_device *device;
    uint32_t out[WORDS];
    ok(kas_device_open("host:0", &device));
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_F16, INPUTS, OUTPUTS), sizeof out);
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_BF16, INPUTS, OUTPUTS), sizeof out);
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_F16, SIZE_MAX / 2, 5), 0);
    kas_device_pack(device, KAS_WEIGHT_F16, weight, INPUTS, OUTPUTS, out);
    cr_expect_eq(memcmp(out, half, sizeof half), 0);
    kas_device_release(device);
}

Test(core, values_are_stored_in_16_bits_only_where_each_comes_back)
{
    static const struct {
        float values[3];
        kas_weight_type want;
    } cases[] = {
        {{1, -0.0f, INFINITY}, KAS_WEIGHT_BF16},     {{1, 0x1p-133f, 3e38f}, KAS_WEIGHT_F32},
        {{0x1p-133f, 0x1p127f, 1}, KAS_WEIGHT_BF16}, {{0x1.004p0f, 65504, 0x1.8p-23f}, KAS_WEIGHT_F16},
        {{0x1.004p0f, 65536, 0}, KAS_WEIGHT_F32},    {{0x1.004p0f, 0x1.8p-24f, 0}, KAS_WEIGHT_F32},
        {{0x1.004p0f, NAN, 0}, KAS_WEIGHT_F16},      {{0, 0, 0x1.002p0f}, KAS_WEIGHT_F32},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i)
        cr_expect_eq(kas_weight_type_of(cases[i].values, 3), cases[i].want, "case %zu", i);
    cr_expect_eq(kas_weight_type_of(NULL, 0), KAS_WEIGHT_BF16);
}

Test(core, sizes_that_cannot_be_are_refused_with_the_label)
{
    kas_device *device;
    kas_buffer *buffer;
    ok(kas_device_open("host:0", &device));
    expect(kas_buffer_create(device, 0, "weights of x", &buffer), KAS_INVALID_ARGUMENT, "weights of x");
    cr_expect_null(buffer);
    expect(kas_buffer_create(device, SIZE_MAX, "weights of x", &buffer), KAS_OUT_OF_MEMORY, "weights of x");
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_F32, SIZE_MAX / 2, 3), 0);
    cr_expect_eq(kas_device_packed_bytes(device, KAS_WEIGHT_F32, 3, SIZE_MAX - 1), 0);
    kas_device_release(device);
}

Test(core, traffic_stays_within_bounds)
{
    rig r;
    char bytes[RIG_ROWS * RIG_WIDTH * 4 + 8] = {0};
    ok(rig_open(&r, "host:0", 1));
    size_t size = kas_buffer_size(r.x);
    expect(kas_queue_upload(r.queue, r.x, 0, bytes, size + 1), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_upload(r.queue, r.x, size, bytes, 1), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_upload(r.queue, r.x, SIZE_MAX, bytes, 2), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_download(r.queue, r.x, 4, bytes, size), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_fill(r.queue, r.x, 0, 0, size + 4), KAS_INVALID_ARGUMENT, "input");
    expect(kas_queue_fill(r.queue, r.x, 0, 0, 3), KAS_INVALID_ARGUMENT, "whole words");
    ok(kas_queue_upload(r.queue, r.x, size, bytes, 0));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    rig_close(&r);
}

Test(core, traffic_and_submissions_run_in_order)
{
    rig r;
    float before[RIG_ROWS * RIG_WIDTH], after[RIG_ROWS * RIG_WIDTH];
    ok(rig_open(&r, "host:0", 1));
    kas_submission submission = rig_submission(&r);
    ok(kas_queue_submit(r.queue, &submission, 1, RIG_ROWS));
    ok(kas_queue_download(r.queue, r.y, 0, before, sizeof before));
    ok(kas_queue_fill(r.queue, r.x, 0, 0x40400000, sizeof before)); /* 3.0 */
    ok(kas_queue_submit(r.queue, &submission, 1, RIG_ROWS));
    ok(kas_queue_download(r.queue, r.y, 0, after, sizeof after));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    cr_expect_eq(before[21], 42.0f);
    cr_expect_eq(after[21], 6.0f);
    rig_close(&r);
}

Test(core, a_list_that_runs_at_once_comes_after_what_was_submitted)
{
    rig r;
    float out[RIG_ROWS * RIG_WIDTH] = {0};
    ok(rig_open(&r, "host:0", 1));
    kas_submission submission = rig_submission(&r);
    void *slots[KAS_SLOT_COUNT] = {0};
    for (size_t s = 0; s < KAS_SLOT_COUNT; ++s)
        if (submission.slots[s].buffer) slots[s] = kas_buffer_host(submission.slots[s].buffer);
    slots[KAS_SLOT_Y] = out;
    ok(kas_queue_submit(r.queue, &submission, 1, RIG_ROWS));
    ok(kas_queue_run(r.queue, r.list, slots, RIG_ROWS, KAS_NEVER));
    cr_expect_eq(out[21], 42.0f);
    expect_doubled(&r);
    cr_expect(kas_queue_idle(r.queue));
    rig_close(&r);
}

/* ---- lists ---- */

static void refused(rig *r, const kas_launch *launch, const char *why)
{
    kas_list *list;
    expect(kas_list_create(r->device, launch, 1, "crooked", &list), KAS_INVALID_ARGUMENT, why);
    cr_expect_null(list);
}

Test(core, crooked_launches_are_refused)
{
    rig r;
    ok(rig_open(&r, "host:0", 1));
    kas_launch launch = r.launch;
    launch.kernel = KAS_KERNEL_COUNT;
    refused(&r, &launch, "no such kernel");
    launch = r.launch;
    launch.grid_x.divisor = 0;
    refused(&r, &launch, "divisor");
    launch = r.launch;
    launch.grid_y.fixed = UINT32_MAX;
    refused(&r, &launch, "groups");
    launch = r.launch;
    launch.bindings[0].slot = KAS_SLOT_X;
    refused(&r, &launch, "parameter block");
    launch = r.launch;
    launch.bindings[2].slot = KAS_SLOT_COUNT;
    refused(&r, &launch, "no such slot");
    launch = r.launch;
    launch.bindings[2].offset_bytes = 4;
    refused(&r, &launch, "not aligned");
    launch = r.launch;
    launch.bindings[2].slot = KAS_SLOT_FIXED;
    refused(&r, &launch, "without a buffer");
    launch.bindings[2].buffer = r.x;
    launch.bindings[2].offset_bytes = 256;
    refused(&r, &launch, "beyond its buffer");
    rig_close(&r);
}

Test(core, grids_are_rules_of_rows)
{
    kas_grid_rule rule = {.per_row = 3, .fixed = 2, .divisor = 4};
    cr_expect_eq(kas_grid_groups(&rule, 1), 2);
    cr_expect_eq(kas_grid_groups(&rule, 2), 2);
    cr_expect_eq(kas_grid_groups(&rule, 3), 3);
    rule = (kas_grid_rule){.per_row = 0, .fixed = 0, .divisor = 64};
    cr_expect_eq(kas_grid_groups(&rule, 9), 1);
    rule = (kas_grid_rule){.per_row = UINT32_MAX, .fixed = UINT32_MAX, .divisor = 1};
    cr_expect_eq(kas_grid_groups(&rule, UINT32_MAX), 0);
}

/* ---- submissions ---- */

Test(core, a_pass)
{
    rig r;
    kas_progress progress;
    ok(rig_open(&r, "host:0", 1));
    cr_expect(kas_queue_idle(r.queue));
    ok(run_rig(&r, &progress));
    expect_doubled(&r);
    cr_expect_eq(progress.completed, 1);
    cr_expect_gt(progress.elapsed_ns[0], 0);
    cr_expect_eq(kas_list_length(r.list), 1);
    rig_close(&r);
}

Test(core, a_pass_allocates_nothing)
{
    rig r;
    ok(rig_open(&r, "host:0", 1));
    ok(run_rig(&r, NULL)); /* the first one makes room */
    uint64_t before = kas_alloc_count();
    for (int i = 0; i < 3; ++i)
        ok(run_rig(&r, NULL));
    cr_expect_eq(kas_alloc_count(), before);
    rig_close(&r);
}

Test(core, crooked_submissions_are_refused)
{
    rig r;
    kas_buffer *small;
    ok(rig_open(&r, "host:0", 1));
    ok(kas_buffer_create(r.device, 64, "small", &small));
    kas_submission s = rig_submission(&r);
    expect(kas_queue_submit(r.queue, &s, 1, 0), KAS_INVALID_ARGUMENT, "0 rows");
    expect(kas_queue_submit(r.queue, &s, KAS_SUBMISSIONS_MAX + 1, 1), KAS_INVALID_ARGUMENT, "submissions");
    s.slots[KAS_SLOT_X].buffer = NULL;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "slot X: nothing is bound");
    s = rig_submission(&r);
    s.slots[KAS_SLOT_Y].offset_bytes = 4;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "slot Y: unaligned");
    s = rig_submission(&r);
    s.slots[KAS_SLOT_Y].buffer = small;
    s.slots[KAS_SLOT_Y].offset_bytes = 64;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "ends before");
    s = rig_submission(&r);
    s.slots[KAS_SLOT_X].host = &s;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "host memory and a buffer");
    s.slots[KAS_SLOT_X].buffer = NULL;
    s.slots[KAS_SLOT_X].host = (char *)&s + 1;
    expect(kas_queue_submit(r.queue, &s, 1, 1), KAS_INVALID_ARGUMENT, "not aligned");
    ok(run_rig(&r, NULL));
    expect_doubled(&r);
    kas_buffer_release(small);
    rig_close(&r);
}

Test(core, slots_may_be_any_floats_of_the_caller)
{
    rig r;
    float memory[2 * RIG_ROWS * RIG_WIDTH + 3];
    ok(rig_open(&r, "host:0", 1));
    kas_submission s = rig_submission(&r);
    float *x = memory + 1, *y = x + RIG_ROWS * RIG_WIDTH + 1; /* at odd places of a vector */
    memcpy(x, kas_buffer_host(r.x), RIG_ROWS * RIG_WIDTH * sizeof *x);
    s.slots[KAS_SLOT_X] = (kas_slot){.host = x};
    s.slots[KAS_SLOT_Y] = (kas_slot){.host = y};
    ok(kas_queue_submit(r.queue, &s, 1, RIG_ROWS));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    for (size_t i = 0; i < RIG_ROWS * RIG_WIDTH; ++i)
        cr_expect_eq(y[i], 2.0f * (float)i);
    rig_close(&r);
}

Test(core, work_in_flight_keeps_lists_and_buffers)
{
    rig r;
    ok(rig_open(&r, "host:0", 1));
    kas_submission s = rig_submission(&r);
    float y[RIG_ROWS * RIG_WIDTH];
    ok(kas_queue_submit(r.queue, &s, 1, RIG_ROWS));
    ok(kas_queue_download(r.queue, r.y, 0, y, sizeof y));
    kas_list_release(r.list);
    kas_buffer_release(r.x);
    kas_buffer_release(r.y);
    r.list = NULL;
    r.x = r.y = NULL;
    cr_expect_not(kas_queue_idle(r.queue));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    cr_expect_eq(y[17], 34.0f);
    rig_close(&r);
}

Test(core, a_list_keeps_what_it_fixes)
{
    rig r;
    ok(rig_open(&r, "host:0", 1));
    r.launch.bindings[1] = (kas_binding){.slot = KAS_SLOT_FIXED, .buffer = r.x};
    kas_list_release(r.list);
    ok(kas_list_create(r.device, &r.launch, 1, "fixed", &r.list));
    kas_submission s = rig_submission(&r);
    kas_buffer_release(r.x);
    r.x = NULL;
    s.slots[KAS_SLOT_X].buffer = NULL;
    s.slots[KAS_SLOT_BLEND].buffer = r.y;
    ok(kas_queue_submit(r.queue, &s, 1, RIG_ROWS));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    expect_doubled(&r);
    rig_close(&r);
}

Test(core, as_many_submissions_as_promised)
{
    rig r;
    kas_submission all[KAS_SUBMISSIONS_MAX];
    kas_progress progress;
    ok(rig_open(&r, "host:0", 1));
    for (size_t i = 0; i < KAS_SUBMISSIONS_MAX; ++i)
        all[i] = rig_submission(&r);
    ok(kas_queue_submit(r.queue, all, KAS_SUBMISSIONS_MAX, RIG_ROWS));
    expect(kas_queue_submit(r.queue, all, 1, RIG_ROWS), KAS_INVALID_ARGUMENT, "160");
    for (size_t i = 0; i < 200; ++i) /* beyond what the queue was made for */
        ok(kas_queue_fill(r.queue, r.x, 0, 0, 4));
    ok(kas_queue_wait(r.queue, KAS_NEVER, &progress));
    cr_expect_eq(progress.completed, KAS_SUBMISSIONS_MAX);
    rig_close(&r);
}

/* ---- deadlines and faults ---- */

Test(core, a_passed_deadline_leaves_the_queue_usable)
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

Test(core, injected_faults_hit_once_and_where_asked)
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

Test(core, a_lost_device_stays_lost_until_it_is_opened_anew)
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
Test(core, every_allocation_fails_in_turn)
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

/* ---- kernels ---- */

/* What defines the kernel's entry: those that are built for several types of weights have one text. */
static void entry_of(kas_kernel kernel, char *out, size_t size)
{
    static const char *const suffixes[] = {"", "_f16", "_bf16"};
    const kas_weight_type type = kas_kernel_weight_type(kernel);
    const char *name = kas_kernel_get_info(kernel)->name;
    int base = (int)(strlen(name) - strlen(suffixes[type]));
    bool stored = type != KAS_WEIGHT_F32 ||
                  (kernel + 1 < KAS_KERNEL_COUNT && kas_kernel_weight_type(kernel + 1) == KAS_WEIGHT_F16);
    snprintf(out, size, stored ? "KERNEL(STORED_NAME(%.*s))" : "KERNEL(%.*s)", base, name);
}

Test(core, every_kernel_has_its_text_in_one_piece)
{
    for (int kernel = 0; kernel < KAS_KERNEL_COUNT; ++kernel) {
        const kas_kernel_info *info = kas_kernel_get_info((kas_kernel)kernel);
        size_t length;
        const char *text = kas_kernel_source((kas_kernel)kernel, &length);
        char entry[64];
        entry_of((kas_kernel)kernel, entry, sizeof entry);
        cr_expect_eq(strlen(text), length);
        cr_expect(strstr(text, entry), "%s is not in its text", entry);
        cr_expect_null(strstr(text, "#include \""), "%s includes a file", info->name);
        cr_expect_geq(info->buffers, 2);
    }
}
