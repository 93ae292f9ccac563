/* backends/cuda over the driver's test double: what it asks of the driver, and what it makes of each way to
 * fail. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/clock.h"
#include "tests/cuda/doubles.h"
#include "tests/devices/doubling_rig.h"

/* As much of the driver's is alive as before. */
static void expect_left(const double_counts *before, const char *after_what)
{
    double_counts now = counts();
#define SAME(what) cr_expect_eq(now.what, before->what, "%s: %zu " #what, after_what, now.what - before->what)
    SAME(allocations);
    SAME(pinned);
    SAME(streams);
    SAME(events);
    SAME(modules);
    SAME(graphs);
    SAME(execs);
    SAME(contexts);
    SAME(pools);
#undef SAME
}

static void expect_nothing_left(void)
{
    expect_left(&(double_counts){0}, "at the end");
}

static void ok(kas_status status)
{
    cr_assert_null(status, "%s", kas_status_message(status));
}

static void expect(kas_status status, kas_code code, const char *part)
{
    cr_expect_eq(kas_status_code(status), code, "%s, not %s: %s", kas_code_name(code),
                 kas_code_name(kas_status_code(status)), kas_status_message(status));
    cr_expect(strstr(kas_status_message(status), part), "\"%s\" is not in: %s", part,
              kas_status_message(status));
    kas_status_free(status);
}

TestSuite(cuda, .init = use_doubles, .timeout = 60);

/* ---- devices ---- */

Test(cuda, listing_tells_of_the_device_and_opens_none)
{
    kas_device_info info;
    size_t count;
    for (size_t i = 0; i < kas_driver_count(); ++i) {
        if (strcmp(kas_driver_name(kas_driver_at(i)), "cuda") != 0) continue;
        ok(kas_driver_list(kas_driver_at(i), &info, 1, &count));
        cr_assert_eq(count, 1);
        cr_expect_str_eq(info.id, "cuda:0");
        cr_expect_str_eq(info.kind, "cuda");
        cr_expect_str_eq(info.name, "Test double");
        cr_expect_str_eq(info.uuid, "01020304-0506-0708-090a-0b0c0d0e0f10");
        cr_expect_eq(info.memory_total_bytes, (size_t)1 << 30);
    }
    cr_expect_eq(counts().calls, 0, "another process has asked");
}

Test(cuda, a_device_that_is_not_there_is_named)
{
    kas_device *device;
    expect(kas_device_open("cuda:7", &device), KAS_NOT_FOUND, "no device \"cuda:7\"; there is: cuda:0");
    expect_nothing_left();
}

Test(cuda, memory_is_counted_and_bounded)
{
    kas_device *device;
    kas_buffer *first, *second;
    kas_device_info info;
    doubles.limit_memory(1 << 20);
    ok(kas_device_open("cuda:0", &device));
    ok(kas_buffer_create(device, 600 << 10, "first", &first));
    kas_device_get_info(device, &info);
    cr_expect_eq(info.memory_used_bytes, 600 << 10);
    cr_expect_eq(info.memory_free_bytes, 424 << 10);
    expect(kas_buffer_create(device, 600 << 10, "second", &second), KAS_OUT_OF_MEMORY,
           "CUDA_ERROR_OUT_OF_MEMORY");
    kas_buffer_release(first);
    kas_device_release(device);
    expect_nothing_left();
}

/* Freed memory stays in the pool, where it still is free; what the pool cannot use is given back first. */
Test(cuda, memory_that_the_pool_keeps_is_free)
{
    kas_device *device;
    kas_buffer *buffer;
    kas_device_info info;
    doubles.limit_memory(1 << 20);
    ok(kas_device_open("cuda:0", &device));
    for (int i = 0; i < 2; ++i) { /* the second is larger than what is kept, and than what else is left */
        ok(kas_buffer_create(device, (size_t)(600 + 100 * i) << 10, "first", &buffer));
        kas_buffer_release(buffer);
        ok(kas_buffer_create(device, 4, "makes the free happen", &buffer));
        kas_device_get_info(device, &info);
        cr_expect_gt(counts().kept, 500 << 10);
        cr_expect_eq(info.memory_used_bytes, 4);
        cr_expect_eq(info.memory_free_bytes, (1 << 20) - 4);
        kas_buffer_release(buffer);
    }
    kas_device_release(device);
    cr_expect_eq(counts().kept, 0, "closing gives all back");
    expect_nothing_left();
}

Test(cuda, what_is_out_of_memory_twice_is_told)
{
    static const char *const symbols[] = {"cuMemAllocFromPoolAsync", "cuModuleLoadData"};
    for (size_t i = 0; i < 2; ++i) {
        rig r;
        doubles.fail(symbols[i], 1, CUDA_ERROR_OUT_OF_MEMORY, true);
        kas_status status = rig_open(&r, "cuda:0", 1);
        doubles.reset();
        expect(status, KAS_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY");
        rig_close(&r);
        expect_nothing_left();
    }
}

/* ---- passes ---- */

static void expect_passes(size_t launches)
{
    rig r;
    kas_progress progress;
    ok(rig_open(&r, "cuda:0", launches));
    for (uint32_t rows = 1; rows <= RIG_ROWS; ++rows) {
        ok(rig_run(&r, rows, KAS_NEVER, &progress));
        cr_expect(rig_is_doubled(&r, rows), "%u rows", rows);
        cr_expect_eq(progress.completed, 1);
        cr_expect_eq(progress.elapsed_ns[0], 250000, "the double's events are 0.25 ms apart");
    }
    rig_close(&r);
    expect_nothing_left();
}

Test(cuda, a_short_list_is_launched)
{
    expect_passes(2);
    cr_expect_eq(counts().graph_launches, 0);
    cr_expect_eq(counts().launches, 2 * RIG_ROWS);
}

Test(cuda, a_longer_list_is_recorded_once_and_replayed)
{
    expect_passes(5);
    double_counts now = counts();
    cr_expect_eq(now.launches, 0);
    cr_expect_eq(now.instantiations, 1);
    cr_expect_eq(now.graph_launches, RIG_ROWS);
    cr_expect_eq(now.node_updates, 0, "one group does for all these rows");
}

Test(cuda, a_replay_tells_nodes_of_other_memory)
{
    rig r;
    ok(rig_open(&r, "cuda:0", 4));
    ok(rig_run(&r, 2, KAS_NEVER, NULL));
    kas_buffer *other, *first = r.y;
    ok(kas_buffer_create(r.device, sizeof r.out, "another output", &other));
    r.y = other;
    ok(rig_run(&r, 2, KAS_NEVER, NULL));
    cr_expect(rig_is_doubled(&r, 2));
    cr_expect_eq(counts().instantiations, 1);
    cr_expect_eq(counts().node_updates, 4);
    kas_buffer_release(first);
    rig_close(&r);
    expect_nothing_left();
}

Test(cuda, graphs_of_many_lists_are_dropped_when_their_places_are_needed)
{
    enum { MANY = 40 };
    rig r;
    ok(rig_open(&r, "cuda:0", 3));
    for (int i = 0; i < MANY; ++i) {
        rig next;
        ok(rig_run(&r, 3, KAS_NEVER, NULL));
        cr_expect(rig_is_doubled(&r, 3));
        ok(rig_open(&next, "cuda:0", 3));
        kas_list *list = next.list;
        next.list = r.list;
        r.list = list;
        rig_close(&next);
    }
    cr_expect_eq(counts().instantiations, MANY);
    cr_expect_lt(counts().execs, MANY);
    rig_close(&r);
    expect_nothing_left();
}

Test(cuda, a_device_without_pools_allocates_all_the_same)
{
    doubles.without_pools(true);
    expect_passes(3);
}

Test(cuda, large_traffic_arrives)
{
    enum { WORDS = 5 << 20 };
    kas_device *device;
    kas_queue *queue;
    kas_buffer *buffer;
    uint32_t *out = malloc(WORDS * sizeof *out), *back = malloc(WORDS * sizeof *back);
    cr_assert(out && back);
    for (uint32_t i = 0; i < WORDS; ++i)
        out[i] = i * 2654435761u;
    ok(kas_device_open("cuda:0", &device));
    ok(kas_queue_create(device, "traffic", &queue));
    ok(kas_buffer_create(device, WORDS * sizeof *out, "much", &buffer));
    ok(kas_queue_upload(queue, buffer, 0, out, WORDS * sizeof *out));
    ok(kas_queue_download(queue, buffer, 0, back, WORDS * sizeof *back));
    ok(kas_queue_wait(queue, KAS_NEVER, NULL));
    cr_expect_eq(memcmp(out, back, WORDS * sizeof *out), 0);
    kas_queue_destroy(queue);
    kas_buffer_release(buffer);
    kas_device_release(device);
    free(out);
    free(back);
    expect_nothing_left();
}

/* ---- faults ---- */

/* Opens, runs and closes once; the status of what failed first. */
static kas_status live_once(void)
{
    rig r;
    kas_status status = rig_open(&r, "cuda:0", 4);
    if (!status) status = rig_run(&r, 2, KAS_NEVER, NULL);
    if (!status) cr_expect(rig_is_doubled(&r, 2));
    rig_close(&r);
    return status;
}

/* Calls whose failure costs something, but fails nobody: how long a pass took, and giving back. */
static bool may_be_swallowed(const char *symbol)
{
    static const char *const symbols[] = {"cuEventElapsedTime",      "cuEventQuery",
                                          "cuEventDestroy_v2",       "cuStreamDestroy_v2",
                                          "cuGraphDestroy",          "cuGraphExecDestroy",
                                          "cuMemFreeHost",           "cuMemFreeAsync",
                                          "cuModuleUnload",          "cuCtxPopCurrent_v2",
                                          "cuMemGetInfo_v2",         "cuDevicePrimaryCtxRelease_v2",
                                          "cuCtxPushCurrent_v2", /* in giving back */
                                          "cuDeviceGetAttribute",    "cuMemPoolDestroy",
                                          "cuMemPoolGetAttribute",   "cuMemPoolTrimTo",
                                          "cuMemAllocFromPoolAsync", "cuModuleLoadData" /* tried again */};
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; ++i)
        if (strcmp(symbols[i], symbol) == 0) return true;
    return false;
}

static bool gives_back(const char *symbol)
{
    return strstr(symbol, "Destroy") || strstr(symbol, "Free") || strstr(symbol, "Unload") ||
           strstr(symbol, "Release");
}

/* Each call of an entry point fails in turn: the failure is told, nothing is left, and the next life is
 * whole. */
static void fail_each_call(const char *symbol)
{
    for (unsigned nth = 1; nth < 400; ++nth) {
        const double_counts before = counts();
        doubles.fail(symbol, nth, CUDA_ERROR_OUT_OF_MEMORY, false);
        kas_status status = live_once();
        bool fired = doubles.fired();
        doubles.reset();
        if (!fired) {
            cr_expect_null(status, "%s: %s", symbol, kas_status_message(status));
            return;
        }
        cr_expect(status || may_be_swallowed(symbol), "%s: failure %u went unnoticed", symbol, nth);
        kas_status_free(status);
        if (gives_back(symbol) || strcmp(symbol, "cuCtxPushCurrent_v2") == 0)
            continue; /* could not give back */
        expect_left(&before, symbol);
    }
    cr_assert_fail("%s: there is no end of calls", symbol);
}

static const char *const all_symbols[] = {
#define NAME(member, symbol, parameters) #symbol,
    KAS_CUDA_SYMBOLS(NAME)
#undef NAME
};

Test(cuda, each_call_fails_in_turn)
{
    ok(live_once()); /* the driver is initialised once a process */
    expect_nothing_left();
    for (size_t i = 0; i < sizeof all_symbols / sizeof *all_symbols; ++i)
        fail_each_call(all_symbols[i]);
    ok(live_once());
}

Test(cuda, a_driver_that_does_not_start_has_no_devices)
{
    kas_device *device;
    doubles.fail("cuInit", 1, CUDA_ERROR_NO_DEVICE, false);
    expect(kas_device_open("cuda:0", &device), KAS_NOT_FOUND, "cuda:0");
}

Test(cuda, an_illegal_address_loses_the_device_for_good)
{
    static const char *const sites[] = {"cuGraphLaunch", "cuStreamQuery", "cuMemcpyHtoDAsync_v2",
                                        "cuEventRecord"};
    for (size_t i = 0; i < sizeof sites / sizeof *sites; ++i) {
        rig r, next;
        ok(rig_open(&r, "cuda:0", 4));
        doubles.fail(sites[i], 1, CUDA_ERROR_ILLEGAL_ADDRESS, true);
        expect(rig_run(&r, 2, KAS_NEVER, NULL), KAS_DEVICE_LOST, "CUDA_ERROR_ILLEGAL_ADDRESS");
        kas_buffer *buffer;
        doubles.reset();
        expect(kas_buffer_create(r.device, 4, "late", &buffer), KAS_DEVICE_LOST, "is lost");
        ok(rig_open(&next, "cuda:0", 1)); /* another device object: opening starts anew */
        cr_expect_neq(next.device, r.device);
        rig_close(&next);
        rig_close(&r); /* touches nothing of a lost device */
    }
}

Test(cuda, a_launch_that_the_driver_refuses_is_a_failure_of_that_submission_only)
{
    rig r;
    ok(rig_open(&r, "cuda:0", 2));
    doubles.fail("cuLaunchKernel", 2, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, false);
    expect(rig_run(&r, 2, KAS_NEVER, NULL), KAS_OUT_OF_MEMORY, "launch 1");
    ok(rig_run(&r, 2, KAS_NEVER, NULL));
    cr_expect(rig_is_doubled(&r, 2));
    rig_close(&r);
    expect_nothing_left();
}

Test(cuda, work_that_never_ends_is_left_at_its_deadline)
{
    static const size_t lengths[] = {1, 4}; /* launched, and replayed */
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; ++i) {
        rig r;
        kas_progress progress;
        ok(rig_open(&r, "cuda:0", lengths[i]));
        doubles.hang(1);
        expect(rig_run(&r, 2, kas_monotonic_ns() + 2000000, &progress), KAS_DEADLINE, "submission 1 of 1");
        cr_expect_eq(progress.completed, 0);
        cr_expect_not(kas_queue_idle(r.queue));
        expect(kas_queue_wait(r.queue, KAS_NEVER, NULL), KAS_UNAVAILABLE, "still running");
        doubles.release();
        while (!kas_queue_idle(r.queue)) {
        }
        ok(rig_run(&r, 3, KAS_NEVER, NULL));
        cr_expect(rig_is_doubled(&r, 3));
        rig_close(&r);
        expect_nothing_left();
    }
}

/* Of four launches that are a piece each, the second never ends: the others are not even asked for. */
Test(cuda, one_piece_at_most_is_in_flight_at_the_deadline)
{
    rig r;
    kas_progress progress;
    ok(rig_open(&r, "cuda:0", 4));
    const size_t before = counts().launches;
    kas_use_piece_ns(1);
    doubles.hang(2);
    expect(rig_run(&r, 2, kas_monotonic_ns() + 2000000, &progress), KAS_DEADLINE, "1 of 1");
    cr_expect_eq(progress.completed, 0);
    doubles.release();
    while (!kas_queue_idle(r.queue)) {
    }
    cr_expect_eq(counts().launches, before + 2);
    ok(rig_run(&r, 3, KAS_NEVER, &progress));
    cr_expect_eq(progress.completed, 1);
    cr_expect_eq(counts().launches, before + 6);
    cr_expect(rig_is_doubled(&r, 3));
    rig_close(&r);
    expect_nothing_left();
}

Test(cuda, a_piece_that_is_refused_ends_the_pass_and_leaves_the_queue_usable)
{
    for (unsigned nth = 1; nth <= 4; ++nth) {
        rig r;
        kas_progress progress;
        ok(rig_open(&r, "cuda:0", 4));
        kas_use_piece_ns(1);
        doubles.fail("cuLaunchKernel", nth, CUDA_ERROR_OUT_OF_MEMORY, false);
        expect(rig_run(&r, 2, KAS_NEVER, &progress), KAS_OUT_OF_MEMORY, "queue \"rig\"");
        cr_expect_eq(progress.completed, 0);
        ok(rig_run(&r, 3, KAS_NEVER, &progress));
        cr_expect(rig_is_doubled(&r, 3));
        rig_close(&r);
        expect_nothing_left();
    }
}
