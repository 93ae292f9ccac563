/* Every kernel on every device of this machine, against float64. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/conformance/devices.h"
#include "tests/conformance/runner.h"

static void run_on(const char *device_id, const char *label)
{
    conformance_runner runner;
    fprintf(stderr, "kernels on %s\n", label);
    conformance_device_runner(&runner, device_id);
    cr_expect(conformance_run_cases(&runner, NULL));
    cr_expect_eq(runner.failures, 0, "%u results on %s are wrong", runner.failures, label);
    conformance_device_runner_finish(&runner);
}

Test(conformance, every_device)
{
    conformance_on_every_device(run_on);
    conformance_at_the_least(run_on);
}
