/* The devices that conformance is tested on: KASMINA_TEST_DEVICES, ids with commas between them; without it
 * the first device of every driver of this machine. */
#ifndef KAS_TESTS_CONFORMANCE_DEVICES_H
#define KAS_TESTS_CONFORMANCE_DEVICES_H

#include "backends/core/device.h"

enum { CONFORMANCE_DEVICES_MAX = 16 };

/* Fills in ids and says how many there are. Says on stderr which drivers have none; ends the test where there
 * is no device at all. */
size_t conformance_devices(char ids[CONFORMANCE_DEVICES_MAX][KAS_DEVICE_ID_SIZE]);

/* A device to be tested, once for each way in which it may be opened: the host has one for every instruction
 * set of this processor. */
typedef void conformance_on_device(const char *device_id, const char *label);
void conformance_on_every_device(conformance_on_device *run);
/* The Vulkan ones again as if they were less: memory that the host cannot see, no subgroups. */
void conformance_at_the_least(conformance_on_device *run);

#endif
