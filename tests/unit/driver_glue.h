/* Tests that the glue to every driver of devices passes: listing wakes nobody, passes over parts of buffers,
 * what fails and how. A test program of a driver makes them its own by
 *
 *     #define GLUE_TEST(name) Test(opencl, name) { glue_##name(&driver); }
 *     GLUE_TESTS(GLUE_TEST)
 *
 * They skip, loudly, where the driver has no device. */
#ifndef KAS_TESTS_UNIT_DRIVER_GLUE_H
#define KAS_TESTS_UNIT_DRIVER_GLUE_H

#include "backends/core/device.h"

typedef struct glue_driver {
    const char *name;    /* "opencl" */
    const char *device;  /* "opencl:0" */
    const char *library; /* part of the name of the file that waking it maps */
    /* Has the driver's loader know of no vendor but this library; NULL: of none. And ends that. */
    void (*use_vendor)(const char *library);
    void (*forget_vendor)(void);
} glue_driver;

kas_device_info glue_first_device(const glue_driver *driver);

#define GLUE_TESTS(X)                                                                                        \
    X(listing_wakes_no_driver)                                                                               \
    X(without_a_vendor_there_are_no_devices)                                                                 \
    X(a_vendor_that_crashes_takes_nobody_along)                                                              \
    X(a_device_beyond_the_last_is_refused_with_what_there_is)                                                \
    X(slots_may_be_any_part_of_a_buffer)                                                                     \
    X(as_many_submissions_as_promised)                                                                       \
    X(queues_of_several_threads_do_not_meet)                                                                 \
    X(memory_that_cannot_be_had_is_refused_and_nothing_else)                                                 \
    X(a_lost_device_stays_lost_until_it_is_opened_anew)                                                      \
    X(a_passed_deadline_keeps_the_queue_until_it_is_idle)

#define GLUE_DECLARE(name) void glue_##name(const glue_driver *driver);
GLUE_TESTS(GLUE_DECLARE)
#undef GLUE_DECLARE

#endif
