/* backends/core/choose.c: devices by id, UUID and part of a name. What needs a Vulkan device is skipped,
 * loudly, where there is none. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/core/backend.h"
#include "tests/unit/affine_rig.h"

static kas_device_info first_of(const char *driver)
{
    kas_device_info info;
    size_t count;
    ok(kas_driver_list(driver_named(driver), &info, 1, &count));
    if (count == 0) cr_skip_test("no %s device on this machine", driver);
    return info;
}

static void is(const char *name, const char *wanted)
{
    char id[KAS_DEVICE_ID_SIZE];
    kas_device *device;
    ok(kas_device_resolve(name, id));
    cr_expect_str_eq(id, wanted, "%s is %s", name, id);
    ok(kas_device_open(name, &device));
    cr_expect_str_eq(kas_device_id(device), wanted);
    kas_device_release(device);
}

static void is_refused(const char *name, kas_code code, const char *part)
{
    char id[KAS_DEVICE_ID_SIZE];
    kas_device *device;
    expect(kas_device_resolve(name, id), code, part);
    expect(kas_device_open(name, &device), code, part);
}

Test(choose, by_id_and_by_part_of_the_name)
{
    const kas_device_info host = first_of("host");
    char name[KAS_DEVICE_NAME_SIZE + 8];
    is("host:0", "host:0");
    snprintf(name, sizeof name, "host:%s", host.name);
    is(name, "host:0");
    for (char *at = name + 5; *at; ++at)
        *at = (char)(islower((unsigned char)*at) ? toupper((unsigned char)*at) : tolower((unsigned char)*at));
    is(name, "host:0");
    cr_expect_str_eq(host.uuid, "", "processors have none");
}

Test(choose, what_is_not_there_is_refused_with_what_there_is)
{
    static const char *const names[] = {"",       "host",         "host:",
                                        "host:1", "host:63",      "host:64",
                                        "nope:0", "host:no such", "host:99999999999999999999"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i)
        is_refused(names[i], KAS_NOT_FOUND, "there is:");
    is_refused("host:1", KAS_NOT_FOUND, "host:0 (");
}

Test(choose, by_uuid)
{
    const kas_device_info info = first_of("vulkan");
    char name[64], plain[64], *to = plain;
    if (!*info.uuid) cr_skip_test("the first Vulkan device here has no UUID");
    cr_expect_eq(strlen(info.uuid), (size_t)KAS_DEVICE_UUID_SIZE - 1);
    snprintf(name, sizeof name, "vulkan:%s", info.uuid);
    is(name, "vulkan:0");
    for (const char *at = name; *at; ++at)
        if (*at != '-') *to++ = (char)(at < name + 7 ? *at : toupper((unsigned char)*at));
    *to = 0;
    is(plain, "vulkan:0");
    strcat(plain, "0");
    is_refused(plain, KAS_NOT_FOUND, "vulkan:0 (");
    plain[strlen(plain) - 2] = 0;
    is_refused(plain, KAS_NOT_FOUND, "vulkan:0 (");
}

Test(choose, uuids_as_text)
{
    char text[KAS_DEVICE_UUID_SIZE];
    uint8_t uuid[16] = {0};
    kas_device_uuid_text(uuid, text);
    cr_expect_str_eq(text, "");
    for (size_t i = 0; i < sizeof uuid; ++i)
        uuid[i] = (uint8_t)(0x11 * i);
    kas_device_uuid_text(uuid, text);
    cr_expect_str_eq(text, "00112233-4455-6677-8899-aabbccddeeff");
}

/* The same driver twice: as on a machine with two cards of one kind. */
Test(choose, a_part_of_two_names_is_refused_with_both)
{
    static const char *const lavapipe = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
    char folder[] = "/tmp/kasmina-icd-XXXXXX", command[256], drivers[256];
    size_t count;
    if (access(lavapipe, R_OK) != 0) cr_skip_test("lavapipe is not installed");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(command, sizeof command, "cp %s %s/again.json", lavapipe, folder);
    cr_assert_eq(system(command), 0);
    snprintf(drivers, sizeof drivers, "%s:%s/again.json", lavapipe, folder);
    setenv("VK_ICD_FILENAMES", drivers, 1);
    ok(kas_driver_list(driver_named("vulkan"), NULL, 0, &count));
    if (count == 2) {
        is_refused("vulkan:llvm", KAS_INVALID_ARGUMENT, "vulkan:0 (");
        is_refused("vulkan:LLVM", KAS_INVALID_ARGUMENT, "vulkan:1 (");
        is("vulkan:1", "vulkan:1");
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
    if (count != 2) cr_skip_test("this loader makes one of a driver that is there twice");
}
