/* Graphs on a device, from tests: lowered to a segment, run on rows in host memory. Every call ends the test
 * where it fails. */
#ifndef KAS_SELFTEST_SEGMENT_RUNNER_H
#define KAS_SELFTEST_SEGMENT_RUNNER_H

#include "engine/graph/segment.h"

typedef struct segment_runner {
    kas_device *device;
    kas_queue *queue;
    kas_segment *segment; /* NULL: none loaded */
    kas_buffer *x, *y, *work, *params;
    uint32_t rows;    /* that the buffers hold */
    bool fast;        /* run the segment's fast list */
    uint32_t weights; /* bit of each kas_weight_type that the segment's kernels read */
} segment_runner;

void segment_runner_open(segment_runner *runner, const char *device_id);
void segment_runner_close(segment_runner *runner);

/* Makes the graph's segment, for up to `rows` rows at once. `what` names the graph in messages. */
void segment_runner_load(segment_runner *runner, const kas_graph *graph, uint32_t rows, const char *what);
void segment_runner_unload(segment_runner *runner);

/* x: rows × inputs, y: rows × outputs; more rows than the segment takes at once go one part after another. */
void segment_runner_run(segment_runner *runner, const float *x, uint32_t rows, float *y);

#endif
