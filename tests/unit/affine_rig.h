/* A device with a queue and a list of one launch over parts of one buffer, for tests of a backend's glue; and
 * how statuses are checked. Failures end the Criterion test. */
#ifndef KAS_TESTS_UNIT_AFFINE_RIG_H
#define KAS_TESTS_UNIT_AFFINE_RIG_H

#include "backends/core/device.h"

void ok(kas_status status);
/* Takes the status: of this code, with `part` in its message. */
void expect(kas_status status, kas_code code, const char *part);

/* The driver of that name; every build has it. */
const kas_driver *driver_named(const char *name);

enum { ROWS = 70, WIDTH = 37, PLACES = 3 };

/* A queue, and one buffer with PLACES inputs and outputs; a launch computes Y = 3 X − 1. */
typedef struct rig {
    kas_device *device;
    kas_queue *queue;
    kas_buffer *params, *arena;
    size_t place_bytes;
    kas_list *list;
} rig;

void open_rig(rig *r, const char *device_id);
void open_rig_on(rig *r, kas_device *device); /* takes the reference */
void close_rig(rig *r);
/* A list of launches that compute Y = 3 X − 1 and X = 3 Y − 1 in turn. */
kas_list *chain(const rig *r, size_t launches);
kas_submission at_place(const rig *r, size_t place);
/* One pass at a place, on a queue of the rig's device; true when all of it is right. Any thread. */
bool pass_is_right(const rig *r, kas_queue *queue, size_t place, float start);

#endif
