/* Every kernel on every device of this machine, against float64. A device that is not there is skipped,
 * loudly. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/host/driver.h"
#include "tests/conformance/runner.h"

static void run_on(const char *device_id)
{
    conformance_runner runner;
    conformance_device_runner(&runner, device_id);
    cr_expect(conformance_run_cases(&runner, NULL));
    cr_expect_eq(runner.failures, 0, "%u results on %s are wrong", runner.failures, runner.name);
    conformance_device_runner_finish(&runner);
}

/* The host once for each instruction set that this processor has; the portable kernels are one of them. */
Test(conformance, host)
{
    size_t count = 0;
    for (const char *isa; (isa = kas_host_isa_name(count)) != NULL; ++count) {
        setenv("KASMINA_HOST_ISA", isa, 1);
        fprintf(stderr, "host:0 with %s\n", isa);
        run_on("host:0");
    }
    cr_expect_geq(count, 2);
}

Test(conformance, host_with_helpers)
{
    kas_device_use_threads(3);
    run_on("host:0");
}

Test(conformance, other_devices)
{
    for (size_t d = 0; d < kas_driver_count(); ++d) {
        const char *name = kas_driver_name(kas_driver_at(d));
        kas_device_info infos[8];
        size_t count;
        if (!strcmp(name, "host")) continue;
        cr_assert_null(kas_driver_list(kas_driver_at(d), infos, 8, &count));
        if (count == 0) fprintf(stderr, "SKIPPED: no %s device on this machine\n", name);
        for (size_t i = 0; i < count && i < 8; ++i)
            run_on(infos[i].id);
    }
}
