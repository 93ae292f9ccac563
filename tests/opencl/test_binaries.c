/* Program binaries kept on disk (backends/opencl/program.c): what is built from them and what is not, counted
 * by a vendor that hands on to the machine's own driver. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/core/stored.h"
#include "tests/opencl/vendors.h"
#include "tests/unit/affine_rig.h"

static char cache[] = "/tmp/kasmina-binaries-XXXXXX";
static vendor_control *driver;

static void start(void)
{
    cr_assert_not_null(mkdtemp(cache));
    ok(kas_device_use_cache_directory(cache));
    driver = use_vendors(false);
}

/* Calls `use` with each file's path; how many there are. */
static size_t for_each_file(void (*use)(const char *path))
{
    char path[sizeof cache + 256];
    size_t count = 0;
    DIR *listing = opendir(cache);
    cr_assert_not_null(listing);
    for (const struct dirent *entry; (entry = readdir(listing));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", cache, entry->d_name);
        use(path);
        ++count;
    }
    closedir(listing);
    return count;
}

static void leave(const char *path)
{
    (void)path;
}

static void empty(const char *path)
{
    cr_assert_eq(truncate(path, 0), 0);
}

static void shorten(const char *path)
{
    cr_assert_eq(truncate(path, 200), 0);
}

static void damage(const char *path)
{
    FILE *file = fopen(path, "r+");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, -1, SEEK_END), 0);
    int last = fgetc(file);
    cr_assert_eq(fseek(file, -1, SEEK_END), 0);
    fputc(last ^ 1, file);
    cr_assert_eq(fclose(file), 0);
}

static void delete (const char *path)
{
    cr_assert_eq(unlink(path), 0);
}

static void end(void)
{
    for_each_file(delete);
    rmdir(cache);
    forget_vendors();
}

TestSuite(binaries, .init = start, .fini = end, .timeout = 60);

/* Opens the device, computes and closes: how many programs were built from source and from binaries. */
static void live(size_t sources, size_t binaries)
{
    rig r;
    const kas_program *program;
    driver->sources = driver->binaries = 0;
    open_rig(&r, "opencl:0");
    ok(kas_device_program(r.device, KAS_KERNEL_linear, &program));
    cr_expect(pass_is_right(&r, r.queue, 1, 3));
    close_rig(&r);
    cr_expect_eq(driver->sources, sources, "%zu from source, not %zu", driver->sources, sources);
    cr_expect_eq(driver->binaries, binaries, "%zu from binaries, not %zu", driver->binaries, binaries);
    expect_no_objects(driver, "closing");
}

enum { PROGRAMS = 2 }; /* of a life */

Test(binaries, the_second_time_nothing_is_compiled)
{
    live(PROGRAMS, 0);
    cr_expect_eq(for_each_file(leave), (size_t)PROGRAMS);
    live(0, PROGRAMS);
    cr_expect_eq(kas_stored_get_counts().writes, (size_t)PROGRAMS);
    cr_expect_eq(driver->fetched, (size_t)PROGRAMS);
}

Test(binaries, without_a_folder_none_is_fetched)
{
    ok(kas_device_use_cache_directory(NULL));
    live(PROGRAMS, 0);
    cr_expect_eq(driver->fetched, 0u);
    cr_expect_eq(for_each_file(leave), 0u);
}

Test(binaries, what_is_damaged_on_disk_is_compiled_and_stored_anew)
{
    static void (*const harms[])(const char *) = {empty, shorten, damage, delete};
    live(PROGRAMS, 0);
    for (size_t i = 0; i < sizeof harms / sizeof *harms; ++i) {
        cr_assert_eq(for_each_file(harms[i]), (size_t)PROGRAMS);
        live(PROGRAMS, 0);
        live(0, PROGRAMS);
    }
}

Test(binaries, what_the_driver_refuses_is_compiled_and_stored_anew)
{
    static const vendor_refusal refusals[] = {VENDOR_REFUSES_BINARIES, VENDOR_REFUSES_THEIR_CONTENT,
                                              VENDOR_DOES_NOT_BUILD_THEM};
    size_t writes = PROGRAMS;
    live(PROGRAMS, 0);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; ++i) {
        driver->refusal = refusals[i];
        live(PROGRAMS, 0);
        cr_expect_eq(kas_stored_get_counts().writes, writes += PROGRAMS);
        driver->refusal = VENDOR_TAKES_BINARIES;
        live(0, PROGRAMS);
    }
}

Test(binaries, another_version_of_driver_device_or_platform_is_another_binary)
{
    live(PROGRAMS, 0);
    driver->driver_version = "2";
    live(PROGRAMS, 0);
    driver->version = "OpenCL 2.0";
    live(PROGRAMS, 0);
    driver->platform_name = "Yet another vendor";
    live(PROGRAMS, 0);
    driver->driver_version = driver->version = driver->platform_name = NULL;
    live(0, PROGRAMS); /* all are kept */
}

Test(binaries, a_driver_without_binaries_compiles_each_time)
{
    driver->refusal = VENDOR_HAS_NO_BINARIES;
    live(PROGRAMS, 0);
    live(PROGRAMS, 0);
    cr_expect_eq(for_each_file(leave), 0u);
}

Test(binaries, a_driver_that_does_not_say_its_whole_version_compiles_each_time)
{
    char version[400];
    memset(version, 'x', sizeof version - 1);
    version[sizeof version - 1] = 0;
    driver->driver_version = version;
    live(PROGRAMS, 0);
    live(PROGRAMS, 0);
    cr_expect_eq(for_each_file(leave), 0u);
}

Test(binaries, a_folder_that_cannot_be_written_is_no_failure)
{
    ok(kas_device_use_cache_directory("/proc/self/binaries"));
    live(PROGRAMS, 0);
    live(PROGRAMS, 0);
    ok(kas_device_use_cache_directory(NULL));
    live(PROGRAMS, 0);
    cr_expect_eq(kas_stored_get_counts().writes, 0u);
}
