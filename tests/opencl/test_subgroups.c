/* Kernels with sub-groups, on a vendor that offers them: they compute what kernels without them compute, to
 * the bit; and where sub-groups are not as they must be, those serve. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/conformance/runner.h"
#include "tests/opencl/vendors.h"
#include "tests/unit/affine_rig.h"

TestSuite(subgroups, .fini = forget_vendors, .timeout = 110);

static vendor_control *use_subgroups(bool both, const char *version, size_t size)
{
    vendor_control *vendor = use_vendors(both);
    vendor->platform_name = "AAA"; /* before others */
    vendor->version = version;
    vendor->subgroup_size = size;
    return vendor;
}

/* ---- the kernels ---- */

Test(subgroups, are_read_by_all_kernels_that_reduce_within_a_group)
{
    for (int k = 0; k < KAS_KERNEL_COUNT; ++k) {
        const char *body = NULL;
        for (const char *at = kas_kernel_source((kas_kernel)k, NULL); (at = strstr(at, "BODY {")); ++at)
            body = at;
        cr_assert_not_null(body);
        cr_expect_eq(kas_kernel_has_subgroups((kas_kernel)k), strstr(body, "GROUP_REDUCE(") != NULL, "%s",
                     kas_kernel_get_info((kas_kernel)k)->name);
    }
}

/* ---- the same bits ---- */

/* Runs each launch on two devices and gives back what the first one made of it. */
typedef struct twins {
    conformance_runner base, one, other;
    size_t launches, differing;
} twins;

static void run_on_both(conformance_runner *runner, const conformance_launch *launch)
{
    twins *both = (twins *)runner;
    conformance_launch again = *launch;
    const uint32_t count = kas_kernel_get_info(launch->kernel)->buffers;
    for (uint32_t b = 0; b < count; ++b) {
        again.buffers[b].data = conformance_alloc(1, launch->buffers[b].size_bytes);
        memcpy(again.buffers[b].data, launch->buffers[b].data, launch->buffers[b].size_bytes);
    }
    both->one.run(&both->one, launch);
    both->other.run(&both->other, &again);
    ++both->launches;
    both->differing += memcmp(launch->buffers[count - 1].data, again.buffers[count - 1].data,
                              launch->buffers[count - 1].size_bytes) != 0;
    for (uint32_t b = 0; b < count; ++b)
        kas_free(again.buffers[b].data);
}

static void open_twins(twins *both)
{
    *both = (twins){0};
    conformance_device_runner(&both->one, "opencl:0");
    conformance_device_runner(&both->other, "opencl:1");
    cr_expect(kas_device_get_limits(both->one.device)->subgroups);
    cr_expect_not(kas_device_get_limits(both->other.device)->subgroups);
    both->base = both->one;
    both->base.run = run_on_both;
}

static void close_twins(twins *both)
{
    conformance_device_runner_finish(&both->one);
    conformance_device_runner_finish(&both->other);
}

Test(subgroups, of_every_size_make_the_same_bits)
{
    static const size_t sizes[] = {2, 16, 64}; /* the least, a usual one, all of the group */
    vendor_control *vendor = use_subgroups(true, "OpenCL 3.0", 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        twins both;
        vendor->subgroup_size = sizes[i];
        vendor->subgroup_launches = 0;
        open_twins(&both);
        cr_assert(conformance_run_cases(&both.base, "softmax"));
        cr_assert(conformance_run_cases(&both.base, "layernorm"));
        cr_expect_gt(both.launches, 0u);
        cr_expect_eq(vendor->subgroup_launches, both.launches);
        cr_expect_eq(both.differing, 0u, "%zu of %zu launches differ with sub-groups of %zu", both.differing,
                     both.launches, sizes[i]);
        cr_expect_eq(both.base.failures, 0u);
        close_twins(&both);
    }
    cr_expect_eq(vendor->strangers, 0u);
    expect_no_objects(vendor, "all cases");
}

static size_t count_barriers(void)
{
    const char *source = kas_kernel_source(KAS_KERNEL_softmax, NULL);
    const char *at = strstr(source, "#define GROUP_REDUCE("), *end = strstr(at, "#endif");
    size_t count = 0;
    while ((at = strstr(at + 1, "SYNC")) != NULL && at < end)
        ++count;
    return count;
}

/* Whether sub-groups of this size do anything else than the kernel without them. */
static bool differs(void)
{
    enum { LINES = 5, SIZE = 200 };
    const struct softmax_args args = {.size = SIZE, .inner = 1};
    float *x = conformance_random(LINES * SIZE, 1), *y = conformance_random(LINES * SIZE, 2);
    conformance_launch launch = {
        .kernel = KAS_KERNEL_softmax,
        .args = &args,
        .rows = LINES,
        .grid_x = {.per_row = 1, .divisor = 1},
        .buffers = {[1] = {x, LINES * SIZE * sizeof *x}, [2] = {y, LINES * SIZE * sizeof *y}}};
    twins both;
    open_twins(&both);
    conformance_run_x(&both.base, &launch);
    close_twins(&both);
    kas_free(x);
    kas_free(y);
    return both.differing > 0;
}

Test(subgroups, need_each_of_their_barriers)
{
    vendor_control *vendor = use_subgroups(true, "OpenCL 3.0", 16);
    const size_t count = count_barriers();
    cr_assert_gt(count, 0u);
    cr_expect_not(differs());
    for (size_t n = 1; n <= count; ++n) {
        vendor->subgroup_barrier = n;
        vendor->subgroup_size = 16; /* the tree has levels above sub-groups */
        bool noticed = differs();
        vendor->subgroup_size = 64; /* it has none */
        noticed = differs() || noticed;
        cr_expect(noticed, "barrier %zu is not needed", n);
    }
}

/* ---- which devices ---- */

/* Right results of a kernel that reduces; whether the device was said to have sub-groups. */
static bool computes(void)
{
    conformance_runner runner;
    conformance_device_runner(&runner, "opencl:0");
    const bool said = kas_device_get_limits(runner.device)->subgroups;
    cr_assert(conformance_run_cases(&runner, "softmax"));
    cr_expect_eq(runner.failures, 0u);
    conformance_device_runner_finish(&runner);
    return said;
}

Test(subgroups, are_used_by_way_of_the_entry_point_of_each_version)
{
    static const char *const versions[] = {"OpenCL 2.0", "OpenCL 2.1", "OpenCL 3.0"};
    vendor_control *vendor = use_subgroups(false, NULL, 16);
    for (size_t i = 0; i < sizeof versions / sizeof *versions; ++i) {
        vendor->version = versions[i];
        vendor->subgroup_launches = 0;
        cr_expect(computes(), "%s", versions[i]);
        cr_expect_gt(vendor->subgroup_launches, 0u, "%s", versions[i]);
    }
}

Test(subgroups, are_left_alone_where_a_part_of_them_is_missing)
{
    static const struct {
        const char *version;
        size_t size;
        vendor_subgroup_fault fault;
    } devices[] = {
        {"OpenCL 1.2", 16, VENDOR_SUBGROUPS_ARE_RIGHT},
        {"OpenCL 2.0", 16, VENDOR_SUBGROUPS_DO_NOT_SHUFFLE},
        {"OpenCL 2.1", 16, VENDOR_SUBGROUPS_DO_NOT_SHUFFLE},
        {"OpenCL 3.0", 16, VENDOR_SUBGROUPS_DO_NOT_SHUFFLE},
        {"OpenCL 3.0", 0, VENDOR_SUBGROUPS_ARE_RIGHT},
    };
    vendor_control *vendor = use_subgroups(false, NULL, 0);
    for (size_t i = 0; i < sizeof devices / sizeof *devices; ++i) {
        vendor->version = devices[i].version;
        vendor->subgroup_size = devices[i].size;
        vendor->subgroup_fault = devices[i].fault;
        cr_expect_not(computes(), "device %zu", i);
        cr_expect_eq(vendor->subgroup_launches, 0u, "device %zu", i);
    }
}

Test(subgroups, are_left_alone_when_told_so)
{
    vendor_control *vendor = use_subgroups(false, "OpenCL 3.0", 16);
    setenv("KASMINA_OPENCL_SUBGROUPS", "0", 1);
    cr_expect_not(computes());
    cr_expect_eq(vendor->subgroup_launches, 0u);
    setenv("KASMINA_OPENCL_SUBGROUPS", "1", 1);
    cr_expect(computes());
    cr_expect_gt(vendor->subgroup_launches, 0u);
}

/* ---- which kernels ---- */

Test(subgroups, that_are_not_whole_or_do_not_build_leave_the_kernel_without_them)
{
    static const struct {
        size_t size;
        vendor_subgroup_fault fault;
    } kernels[] = {
        {1, VENDOR_SUBGROUPS_ARE_RIGHT},     {24, VENDOR_SUBGROUPS_ARE_RIGHT},
        {128, VENDOR_SUBGROUPS_ARE_RIGHT},   {16, VENDOR_SUBGROUPS_ARE_NOT_TOLD},
        {16, VENDOR_SUBGROUPS_ARE_NOT_FULL}, {16, VENDOR_SUBGROUPS_DO_NOT_BUILD},
    };
    vendor_control *vendor = use_subgroups(false, "OpenCL 3.0", 0);
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; ++i) {
        vendor->subgroup_size = kernels[i].size;
        vendor->subgroup_fault = kernels[i].fault;
        cr_expect(computes(), "kernel %zu", i);
        cr_expect_eq(vendor->subgroup_launches, 0u, "kernel %zu", i);
        expect_no_objects(vendor, "closing");
    }
}

/* ---- stored programs ---- */

static void live(vendor_control *vendor, size_t sources, size_t binaries, bool with_subgroups)
{
    vendor->sources = vendor->binaries = vendor->subgroup_launches = 0;
    computes();
    cr_expect_eq(vendor->sources, sources, "%zu from source, not %zu", vendor->sources, sources);
    cr_expect_eq(vendor->binaries, binaries, "%zu from binaries, not %zu", vendor->binaries, binaries);
    cr_expect_eq(vendor->subgroup_launches > 0, with_subgroups);
}

Test(subgroups, have_stored_programs_of_their_own)
{
    char cache[] = "/tmp/kasmina-subgroups-XXXXXX", clean[64];
    vendor_control *vendor = use_subgroups(false, "OpenCL 3.0", 16);
    cr_assert_not_null(mkdtemp(cache));
    ok(kas_device_use_cache_directory(cache));
    live(vendor, 1, 0, true);
    live(vendor, 0, 1, true);
    setenv("KASMINA_OPENCL_SUBGROUPS", "0", 1);
    live(vendor, 1, 0, false);
    live(vendor, 0, 1, false);
    unsetenv("KASMINA_OPENCL_SUBGROUPS");
    live(vendor, 0, 1, true);
    vendor->subgroup_fault = VENDOR_SUBGROUPS_ARE_NOT_FULL; /* both are there: nothing is compiled */
    live(vendor, 0, 2, false);
    snprintf(clean, sizeof clean, "rm -r %s", cache);
    cr_expect_eq(system(clean), 0);
}
