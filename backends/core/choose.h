/* Which device a name stands for. For core. */
#ifndef KAS_CORE_CHOOSE_H
#define KAS_CORE_CHOOSE_H

#include "backends/core/backend.h"

/* A device as its driver lists it. */
typedef struct kas_choice {
    const kas_driver *driver;
    uint32_t index;
} kas_choice;

/* As kas_device_open reads a name. An id is not looked up: its driver refuses what it does not have. */
kas_status kas_choose(const char *name, kas_choice *out) KAS_MUST_USE;

/* KAS_NOT_FOUND: what there is instead. */
kas_status kas_no_such_device(const char *name) KAS_MUST_USE;

#endif
