/* Where engines of tests get their devices from: imitation:0, which no one may choose, remote:0
 * (tests/unit/remote_device.h), and host:0. All compute the same bits. */
#ifndef KAS_TESTS_TWO_DEVICES_H
#define KAS_TESTS_TWO_DEVICES_H

#include "engine/control/env.h"

typedef struct two_devices {
    kas_device_source source; /* for kas_env.devices */
    bool without_host;        /* host:0 is not listed */
    uint64_t fast_acts;       /* remote:0, once opened, has a fast product that ends in these */
    kas_device *remote; /* the opened remote:0, borrowed of the engine that opened it; NULL: it is not */
    unsigned opened;    /* how many devices were */
} two_devices;

void two_devices_init(two_devices *devices);

#endif
