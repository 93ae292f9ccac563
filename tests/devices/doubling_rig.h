/* A device with a queue and a list of a few launches over small buffers, for tests of a backend's glue. */
#ifndef KAS_TESTS_DOUBLING_RIG_H
#define KAS_TESTS_DOUBLING_RIG_H

#include "backends/core/device.h"

enum { RIG_ROWS = 3, RIG_WIDTH = 20, RIG_LAUNCHES_MAX = 8 };

typedef struct rig {
    kas_device *device;
    kas_queue *queue;
    kas_buffer *params, *x, *result, *y;
    kas_launch launch; /* Y = 2 X: `blend` with no contribution but a coefficient */
    kas_list *list;
    float out[RIG_ROWS * RIG_WIDTH];
} rig;

/* A list of `launches` times the same launch; parameters for RIG_ROWS rows. What it made stays for rig_close,
 * also after a failure. */
kas_status rig_open(rig *r, const char *device_id, size_t launches) KAS_MUST_USE;
kas_submission rig_submission(const rig *r);
/* Empties Y, submits the list for `rows` rows, downloads Y and waits; after a failure for what came before
 * it. */
kas_status rig_run(rig *r, uint32_t rows, int64_t deadline_ns, kas_progress *progress) KAS_MUST_USE;
/* The first `rows` rows of what was downloaded are 2 X, the rest is empty. */
bool rig_is_doubled(const rig *r, uint32_t rows);
void rig_close(rig *r);

#endif
