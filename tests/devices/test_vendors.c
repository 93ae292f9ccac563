/* Drivers that vendors bring: listing devices wakes none in this process, and none takes it along. Run once
 * for each API that has a loader of drivers (CMakeLists.txt). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/devices/device_under_test.h"

/* How an API's loader is told of a vendor's library. */
typedef struct loader {
    const char *api, *library;
    const char *variable; /* of the environment: a file, or the folder that it is in */
    bool takes_folder;
    const char *file;           /* its name */
    const char *before, *after; /* what it says around the library's path */
} loader;

static const loader loaders[] = {
    {"opencl", "libOpenCL", "OCL_ICD_VENDORS", true, "test.icd", "", "\n"},
    {"vulkan", "libvulkan", "VK_ICD_FILENAMES", false, "test.json",
     "{\"file_format_version\": \"1.0.0\", \"ICD\": {\"library_path\": \"",
     "\", \"api_version\": \"1.1.0\"}}"},
};

static const loader *loader_under_test(void)
{
    const char *api = kas_driver_name(driver_under_test());
    for (size_t i = 0; i < sizeof loaders / sizeof *loaders; ++i)
        if (strcmp(loaders[i].api, api) == 0) return &loaders[i];
    cr_assert_fail("%s has no loader of vendors' drivers", api);
    return NULL;
}

static bool is_mapped(const char *library)
{
    char line[4096];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    cr_assert_not_null(maps);
    while (fgets(line, sizeof line, maps))
        found = found || strstr(line, library);
    fclose(maps);
    return found;
}

Test(vendors, listing_wakes_no_driver)
{
    kas_device_info info = listed_device();
    const char *library = loader_under_test()->library;
    kas_device *device;
    cr_expect_not(is_mapped(library));
    ok(kas_device_open(device_under_test(), &device));
    cr_expect(is_mapped(library));
    kas_device_info again = listed_device(); /* told by the driver in this process */
    cr_expect_str_eq(again.name, info.name);
    cr_expect_eq(again.memory_total_bytes, info.memory_total_bytes);
    kas_device_release(device);
}

/* ---- other vendors ---- */

static char folder[] = "/tmp/kasmina-vendor-XXXXXX";
static char path[sizeof folder + 16];

/* Names the vendors' drivers that the loader of this process knows of: none, or one library. */
static void use_vendor(const char *library)
{
    const loader *told = loader_under_test();
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/%s", folder, told->file);
    if (library) {
        FILE *file = fopen(path, "w");
        cr_assert_not_null(file);
        fprintf(file, "%s%s%s", told->before, library, told->after);
        cr_assert_eq(fclose(file), 0);
    }
    setenv(told->variable, told->takes_folder ? folder : path, 1);
}

static void forget_vendor(void)
{
    unlink(path);
    rmdir(folder);
}

Test(vendors, without_one_there_are_no_devices, .fini = forget_vendor)
{
    size_t count = 7;
    kas_device *device;
    use_vendor(NULL);
    ok(kas_driver_list(driver_under_test(), NULL, 0, &count));
    cr_expect_eq(count, 0u);
    expect(kas_device_open(device_under_test(), &device), KAS_NOT_FOUND, "host:0");
}

Test(vendors, one_that_crashes_takes_nobody_along, .fini = forget_vendor)
{
    char listing[64];
    size_t count = 7;
    use_vendor(KASMINA_CRASHING_VENDOR);
    snprintf(listing, sizeof listing, "listing %s devices", loader_under_test()->api);
    for (int again = 0; again < 2; ++again)
        expect(kas_driver_list(driver_under_test(), NULL, 0, &count), KAS_UNAVAILABLE, listing);
    cr_expect_eq(count, 0u);
}
