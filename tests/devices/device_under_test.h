/* The device that a program of this folder is run on: KASMINA_TEST_DEVICES, one id; host:0 without it.
 * Failures end the Criterion test; where the machine has no such device it is skipped, loudly. */
#ifndef KAS_TESTS_DEVICES_DEVICE_UNDER_TEST_H
#define KAS_TESTS_DEVICES_DEVICE_UNDER_TEST_H

#include "tests/unit/affine_rig.h"

/* "opencl:0"; asks no driver. */
const char *device_under_test(void);
const kas_driver *driver_under_test(void);
/* What its driver tells of it without opening it. */
kas_device_info listed_device(void);
void open_rig_under_test(rig *r);

#endif
