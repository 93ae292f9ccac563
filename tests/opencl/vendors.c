#include "tests/opencl/vendors.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char system_folder[] = "/etc/OpenCL/vendors";
static char folder[] = "/tmp/kasmina-icd-XXXXXX";

static bool read_line(const char *path, char out[256])
{
    FILE *file = fopen(path, "r");
    if (!file) return false;
    const bool read = fgets(out, 256, file) != NULL;
    fclose(file);
    if (read) out[strcspn(out, "\n")] = 0;
    return read && *out;
}

static bool find_first(char out[256])
{
    DIR *listing = opendir(system_folder);
    bool found = false;
    if (!listing) return false;
    for (const struct dirent *entry; !found && (entry = readdir(listing));) {
        char path[512];
        const char *ending = strrchr(entry->d_name, '.');
        if (!ending || strcmp(ending, ".icd") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", system_folder, entry->d_name);
        found = read_line(path, out);
    }
    closedir(listing);
    return found;
}

static void name_vendor(const char *name, const char *library)
{
    char path[sizeof folder + 16];
    snprintf(path, sizeof path, "%s/%s.icd", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fprintf(file, "%s\n", library);
    cr_assert_eq(fclose(file), 0);
}

vendor_control *use_vendors(bool both)
{
    char first[256];
    if (!find_first(first)) cr_skip_test("no OpenCL driver on this machine");
    cr_assert_not_null(mkdtemp(folder));
    name_vendor("second", KASMINA_SECOND_VENDOR);
    if (both) name_vendor("first", first);
    setenv("OCL_ICD_VENDORS", folder, 1);
    setenv("KASMINA_FIRST_VENDOR", first, 1);
    void *library = dlopen(KASMINA_SECOND_VENDOR, RTLD_NOW | RTLD_LOCAL);
    cr_assert_not_null(library, "%s", dlerror());
    vendor_control *control = dlsym(library, "vendor");
    cr_assert_not_null(control);
    return control;
}

size_t objects_of(const vendor_control *vendor)
{
    size_t count = 0;
    for (size_t i = 0; i < VENDOR_KINDS; ++i)
        count += atomic_load(&vendor->objects[i]);
    return count;
}

void expect_no_objects(const vendor_control *vendor, const char *after)
{
    static const char *const names[VENDOR_KINDS] = {[VENDOR_CONTEXT] = "contexts",
                                                    [VENDOR_QUEUE] = "queues",
                                                    [VENDOR_MEMORY] = "memory objects",
                                                    [VENDOR_PROGRAM] = "programs",
                                                    [VENDOR_KERNEL] = "kernels",
                                                    [VENDOR_EVENT] = "events",
                                                    [VENDOR_COMMAND_BUFFER] = "command buffers"};
    for (size_t i = 0; i < VENDOR_KINDS; ++i) {
        size_t count = atomic_load(&vendor->objects[i]);
        cr_expect_eq(count, 0u, "%zu %s are left after %s", count, names[i], after);
    }
}

void forget_vendors(void)
{
    static const char *const names[] = {"first", "second"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        char path[sizeof folder + 16];
        snprintf(path, sizeof path, "%s/%s.icd", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}
