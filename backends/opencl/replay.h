/* Longer lists as command buffers: recorded at the first submission in a queue, then replayed by one call,
 * after the kernels whose memory or grid differ from the last time were told so. Only on devices that can
 * change what was recorded (cl_khr_command_buffer_mutable_dispatch): otherwise a recorded list would serve
 * one binding of slots and one number of rows. Without that, on PoCL 3.1 (cl_khr_command_buffer 0.9.0), which
 * replays by enqueuing, it took 1.02 to 1.8 times as long as plain enqueues of 1 to 24 launches.
 *
 * A queue keeps the lists that it ran last. One that is under way is not touched: what is submitted twice
 * before it is waited for is enqueued plainly the second time. A driver that fails at any of this is not
 * asked again; passes go on by plain enqueues.
 *
 * Drivers need not keep the memory that a recorded kernel names, so what names a buffer goes with it. */
#ifndef KAS_OPENCL_REPLAY_H
#define KAS_OPENCL_REPLAY_H

#include "backends/opencl/launch.h"

enum {
    KAS_OPENCL_REPLAY_FROM = 2,   /* launches that make recording worth it */
    KAS_OPENCL_RECORDED_MAX = 16, /* lists of a queue */
    KAS_OPENCL_CHANGES_MAX = 8    /* kernels that are told of in one call */
};

typedef struct kas_opencl_recorded {
    uint64_t list_id; /* 0: the place is free */
    uint64_t last_use;
    kas_opencl_command_buffer *commands;
    kas_opencl_command **kernels; /* one a launch */
    kas_opencl_bound *bound;      /* as they are now */
    size_t count;
    bool under_way;
} kas_opencl_recorded;

/* Of a queue. The next one is of the same device. */
typedef struct kas_opencl_replays {
    pthread_mutex_t lock; /* guards places: buffers end on other threads than the queue's */
    kas_opencl_recorded places[KAS_OPENCL_RECORDED_MAX];
    uint64_t uses;
    struct kas_opencl_replays *next;
} kas_opencl_replays;

/* Between the creation of a queue and its end. */
void kas_opencl_replays_begin(kas_opencl_device *device, kas_opencl_replays *replays);
void kas_opencl_replays_end(kas_opencl_device *device, kas_opencl_replays *replays);

/* Enqueues a submission's launches as one command, whose event is *event. False: nothing was enqueued, and
 * plain enqueues have to do. */
bool kas_opencl_replay(kas_opencl_device *device, kas_opencl_replays *replays, cl_command_queue queue,
                       kas_opencl_kernels *kernels, const kas_submission *submission, uint32_t rows,
                       cl_event *event);
/* Nothing that this queue was given is under way any more. */
void kas_opencl_replays_settled(kas_opencl_replays *replays);
/* The buffer is about to end. */
void kas_opencl_replays_forget(kas_opencl_device *device, const kas_buffer *buffer);

#endif
