#include "tests/devices/device_under_test.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED_MAX = 64 };

const char *device_under_test(void)
{
    const char *id = getenv("KASMINA_TEST_DEVICES");
    return id ? id : "host:0";
}

const kas_driver *driver_under_test(void)
{
    char name[KAS_DEVICE_ID_SIZE];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(device_under_test(), ":"), device_under_test());
    return driver_named(name);
}

kas_device_info listed_device(void)
{
    kas_device_info infos[LISTED_MAX];
    size_t count;
    ok(kas_driver_list(driver_under_test(), infos, LISTED_MAX, &count));
    for (size_t i = 0; i < count && i < LISTED_MAX; ++i)
        if (strcmp(infos[i].id, device_under_test()) == 0) return infos[i];
    cr_skip_test("no %s on this machine", device_under_test());
    return (kas_device_info){0};
}

void open_rig_under_test(rig *r)
{
    listed_device();
    open_rig(r, device_under_test());
}
