/* backends/vulkan: memory that the host sees and memory that it does not, and how it is had from the driver.
 * Skipped, loudly, where there is no Vulkan device. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "backends/vulkan/vulkan.h"
#include "base/clock.h"
#include "tests/unit/affine_rig.h"

enum { SMALL_BYTES = 1000, SMALL_COUNT = 5000 };

static void open_vulkan_rig(rig *r, const char *discrete)
{
    size_t count;
    ok(kas_driver_list(driver_named("vulkan"), NULL, 0, &count));
    if (count == 0) cr_skip_test("no Vulkan device on this machine");
    setenv("KASMINA_VULKAN_DISCRETE", discrete, 1);
    open_rig(r, "vulkan:0");
}

static kas_vulkan_arena_counts counts_of(const rig *r)
{
    kas_vulkan_arena_counts counts;
    kas_vulkan_arena_count(&kas_vulkan_device_of(r->device)->buffers, &counts);
    return counts;
}

static size_t used_bytes(const rig *r)
{
    kas_device_info info;
    kas_device_get_info(r->device, &info);
    cr_expect_leq(info.memory_free_bytes, info.memory_total_bytes);
    return info.memory_used_bytes;
}

Test(vulkan_memory, many_small_buffers_are_few_allocations)
{
    static kas_buffer *buffers[SMALL_COUNT];
    rig r;
    open_vulkan_rig(&r, "0");
    const size_t before = used_bytes(&r);
    const uint64_t taken = counts_of(&r).used_bytes;
    for (size_t i = 0; i < SMALL_COUNT; ++i)
        ok(kas_buffer_create(r.device, SMALL_BYTES, "small", &buffers[i]));
    cr_expect_eq(used_bytes(&r), before + (size_t)SMALL_COUNT * SMALL_BYTES);
    cr_expect_leq(counts_of(&r).allocations, 4u);
    cr_expect_leq(counts_of(&r).used_bytes, counts_of(&r).reserved_bytes);
    cr_expect(pass_is_right(&r, r.queue, 1, 4));
    for (size_t i = 0; i < SMALL_COUNT; ++i)
        kas_buffer_release(buffers[i]);
    cr_expect_eq(used_bytes(&r), before);
    cr_expect_eq(counts_of(&r).used_bytes, taken);
    cr_expect_leq(counts_of(&r).allocations, 2u, "one block is in use, one may wait for what comes");
    close_rig(&r);
}

Test(vulkan_memory, a_large_buffer_has_an_allocation_of_its_own)
{
    rig r;
    kas_buffer *large;
    open_vulkan_rig(&r, "0");
    const kas_vulkan_arena_counts before = counts_of(&r);
    ok(kas_buffer_create(r.device, (size_t)48 << 20, "large", &large));
    cr_expect_eq(counts_of(&r).allocations, before.allocations + 1);
    cr_expect_eq(counts_of(&r).reserved_bytes - before.reserved_bytes,
                 counts_of(&r).used_bytes - before.used_bytes);
    kas_buffer_release(large);
    cr_expect_eq(counts_of(&r).allocations, before.allocations);
    cr_expect_eq(counts_of(&r).reserved_bytes, before.reserved_bytes);
    close_rig(&r);
}

/* Neighbours in a block do not meet: each keeps what was written into it. */
static void check_contents(const char *discrete)
{
    enum { COUNT = 300 };
    static kas_buffer *buffers[COUNT];
    static uint32_t words[COUNT];
    rig r;
    open_vulkan_rig(&r, discrete);
    for (uint32_t i = 0; i < COUNT; ++i) {
        ok(kas_buffer_create(r.device, 4 + 12 * (size_t)i, "part", &buffers[i]));
        ok(kas_queue_fill(r.queue, buffers[i], 0, 1000 + i, 4 + 12 * (size_t)i));
    }
    for (uint32_t i = 0; i < COUNT; i += 2)
        ok(kas_queue_upload(r.queue, buffers[i], 0, &i, sizeof i));
    for (uint32_t i = 0; i < COUNT; ++i)
        ok(kas_queue_download(r.queue, buffers[i], 12 * (size_t)i, &words[i], sizeof words[i]));
    ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
    for (uint32_t i = 1; i < COUNT; ++i)
        cr_expect_eq(words[i], 1000 + i);
    for (uint32_t i = 0; i < COUNT; ++i) {
        ok(kas_queue_download(r.queue, buffers[i], 0, &words[i], sizeof words[i]));
        ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
        cr_expect_eq(words[i], i % 2 ? 1000 + i : i);
        kas_buffer_release(buffers[i]);
    }
    close_rig(&r);
}

Test(vulkan_memory, neighbours_do_not_meet_in_unified_memory)
{
    check_contents("0");
}

Test(vulkan_memory, neighbours_do_not_meet_in_discrete_memory)
{
    check_contents("1");
}

Test(vulkan_memory, what_the_host_cannot_see_goes_through_staging)
{
    rig r;
    open_vulkan_rig(&r, "1");
    cr_expect_not(kas_vulkan_device_of(r.device)->unified);
    cr_expect_null(((kas_vulkan_buffer *)r.arena)->memory.part.host);
    for (size_t place = 0; place < PLACES; ++place)
        cr_expect(pass_is_right(&r, r.queue, place, 10 * (float)place));
    close_rig(&r);
}

/* A download that no staging holds yet must not see what is enqueued after it. */
Test(vulkan_memory, a_download_keeps_its_place)
{
    for (int discrete = 0; discrete < 2; ++discrete) {
        rig r;
        uint32_t first = 0, second = 0, seven = 7;
        open_vulkan_rig(&r, discrete ? "1" : "0");
        ok(kas_queue_fill(r.queue, r.arena, 0, 5, 64));
        ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
        ok(kas_queue_download(r.queue, r.arena, 0, &first, sizeof first));
        ok(kas_queue_upload(r.queue, r.arena, 0, &seven, sizeof seven));
        ok(kas_queue_download(r.queue, r.arena, 0, &second, sizeof second));
        ok(kas_queue_wait(r.queue, KAS_NEVER, NULL));
        cr_expect_eq(first, 5u);
        cr_expect_eq(second, 7u);
        close_rig(&r);
    }
}
