#include "tests/conformance/devices.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/host/driver.h"

enum { HELPED_THREADS = 3 }; /* of the best instruction set; the others run alone */

static size_t named_devices(const char *names, char ids[][KAS_DEVICE_ID_SIZE])
{
    size_t count = 0;
    for (const char *end; *names; names = *end ? end + 1 : end) {
        end = strchrnul(names, ',');
        cr_assert_lt(count, (size_t)CONFORMANCE_DEVICES_MAX);
        snprintf(ids[count++], KAS_DEVICE_ID_SIZE, "%.*s", (int)(end - names), names);
    }
    return count;
}

static size_t first_devices(char ids[][KAS_DEVICE_ID_SIZE])
{
    size_t count = 0;
    for (size_t d = 0; d < kas_driver_count(); ++d) {
        kas_device_info info;
        size_t found;
        cr_assert_null(kas_driver_list(kas_driver_at(d), &info, 1, &found));
        if (found == 0)
            fprintf(stderr, "SKIPPED: no %s device on this machine\n", kas_driver_name(kas_driver_at(d)));
        else
            memcpy(ids[count++], info.id, sizeof info.id);
    }
    return count;
}

size_t conformance_devices(char ids[CONFORMANCE_DEVICES_MAX][KAS_DEVICE_ID_SIZE])
{
    const char *names = getenv("KASMINA_TEST_DEVICES");
    size_t count = names ? named_devices(names, ids) : first_devices(ids);
    cr_assert_gt(count, 0u, "no device to test");
    return count;
}

static void on_host(const char *id, conformance_on_device *run)
{
    size_t count = 0;
    for (const char *isa; (isa = kas_host_isa_name(count)) != NULL; ++count) {
        char label[64];
        unsigned threads = count == 0 ? HELPED_THREADS : 1;
        snprintf(label, sizeof label, "%s %s × %u", id, isa, threads);
        setenv("KASMINA_HOST_ISA", isa, 1);
        kas_device_use_threads(threads);
        run(id, label);
    }
    unsetenv("KASMINA_HOST_ISA");
    kas_device_use_threads(0);
    cr_expect_geq(count, 2u); /* the portable kernels and one more */
}

void conformance_on_every_device(conformance_on_device *run)
{
    char ids[CONFORMANCE_DEVICES_MAX][KAS_DEVICE_ID_SIZE];
    size_t count = conformance_devices(ids);
    for (size_t i = 0; i < count; ++i) {
        if (!strncmp(ids[i], "host:", 5))
            on_host(ids[i], run);
        else
            run(ids[i], ids[i]);
    }
}

void conformance_at_the_least(conformance_on_device *run)
{
    char ids[CONFORMANCE_DEVICES_MAX][KAS_DEVICE_ID_SIZE];
    size_t count = conformance_devices(ids);
    setenv("KASMINA_VULKAN_DISCRETE", "1", 1);
    setenv("KASMINA_VULKAN_SUBGROUPS", "0", 1);
    for (size_t i = 0; i < count; ++i) {
        char label[64];
        snprintf(label, sizeof label, "%s at the least", ids[i]);
        if (!strncmp(ids[i], "vulkan:", 7)) run(ids[i], label);
    }
    unsetenv("KASMINA_VULKAN_DISCRETE");
    unsetenv("KASMINA_VULKAN_SUBGROUPS");
}
