/* An in-order command queue. Each submission is its launches, enqueued one by one; the events of its first
 * and last one tell when it ran and for how long. Waiting polls, so that a deadline always holds: OpenCL's
 * own waits have none.
 *
 * Longer lists are replayed where the device can change what was recorded (replay.h).
 *
 * What small passes take on PoCL is one of two figures. It runs launches on threads that sleep as soon as
 * there is nothing to do. On another core such a thread is still awake when the next launch comes; on the
 * caller's own each launch wakes it and it takes the core: three launches were 18 switches of context and
 * 66 µs there, otherwise 4 and 43 µs, as one list and as three alike. The scheduler decides, and stays with
 * it for a while: two such figures tell something of each other only when they were taken side by side. */

#include "backends/core/poll.h"
#include "backends/opencl/replay.h"
#include "base/clock.h"

typedef struct submission_events {
    cl_event first, last; /* the same one where there is a single launch */
} submission_events;

typedef struct opencl_queue {
    kas_queue base;
    cl_command_queue queue;
    kas_opencl_kernels kernels;
    kas_opencl_replays replays;
    submission_events events[KAS_SUBMISSIONS_MAX];
    uint32_t event_count;
    cl_event
        latest; /* of whatever was enqueued last, NULL when idle; a traffic's own, or borrowed from events */
    bool latest_owned;
} opencl_queue;

static kas_opencl_device *device_of(opencl_queue *queue)
{
    return kas_opencl_device_of(queue->base.device);
}

static kas_status init(kas_queue *base)
{
    opencl_queue *queue = (opencl_queue *)base;
    kas_opencl_device *device = device_of(queue);
    cl_int code;
    queue->queue =
        device->cl->clCreateCommandQueue(device->context, device->id, CL_QUEUE_PROFILING_ENABLE, &code);
    if (code != CL_SUCCESS) return kas_opencl_fail(code, "clCreateCommandQueue");
    kas_opencl_replays_begin(device, &queue->replays);
    return NULL;
}

static void forget_latest(opencl_queue *queue)
{
    if (queue->latest_owned) device_of(queue)->cl->clReleaseEvent(queue->latest);
    queue->latest = NULL;
    queue->latest_owned = false;
}

static void forget_events(opencl_queue *queue)
{
    const kas_opencl_symbols *cl = device_of(queue)->cl;
    forget_latest(queue);
    for (uint32_t i = 0; i < queue->event_count; ++i) {
        if (queue->events[i].first != queue->events[i].last) cl->clReleaseEvent(queue->events[i].first);
        cl->clReleaseEvent(queue->events[i].last);
    }
    queue->event_count = 0;
    kas_opencl_replays_settled(&queue->replays);
}

static void finish(kas_queue *base)
{
    opencl_queue *queue = (opencl_queue *)base;
    kas_opencl_device *device = device_of(queue);
    const bool lost = atomic_load(&base->device->lost);
    if (!lost) forget_events(queue);
    kas_opencl_replays_end(device, &queue->replays);
    if (lost) return; /* releasing may wait for work that never ends */
    kas_opencl_kernels_release(device->cl, &queue->kernels);
    device->cl->clReleaseCommandQueue(queue->queue);
}

/* The event is the queue's from now on. */
static void await(opencl_queue *queue, cl_event event)
{
    forget_latest(queue);
    queue->latest = event; /* wait */
    queue->latest_owned = true;
}

static kas_status note_traffic(opencl_queue *queue, cl_int code, cl_event event, const char *what)
{
    if (code != CL_SUCCESS) return kas_opencl_fail(code, what);
    await(queue, event);
    return NULL;
}

static kas_status upload(kas_queue *base, kas_buffer *to, size_t offset, const void *host, size_t size_bytes)
{
    opencl_queue *queue = (opencl_queue *)base;
    cl_event event = NULL;
    cl_int code = device_of(queue)->cl->clEnqueueWriteBuffer(
        queue->queue, ((kas_opencl_buffer *)to)->memory, CL_FALSE, offset, size_bytes, host, 0, NULL, &event);
    return note_traffic(queue, code, event, "clEnqueueWriteBuffer");
}

static kas_status download(kas_queue *base, kas_buffer *from, size_t offset, void *host, size_t size_bytes)
{
    opencl_queue *queue = (opencl_queue *)base;
    cl_event event = NULL;
    cl_int code =
        device_of(queue)->cl->clEnqueueReadBuffer(queue->queue, ((kas_opencl_buffer *)from)->memory, CL_FALSE,
                                                  offset, size_bytes, host, 0, NULL, &event);
    return note_traffic(queue, code, event, "clEnqueueReadBuffer");
}

static kas_status fill(kas_queue *base, kas_buffer *to, size_t offset, uint32_t word, size_t size_bytes)
{
    opencl_queue *queue = (opencl_queue *)base;
    cl_event event = NULL;
    cl_int code =
        device_of(queue)->cl->clEnqueueFillBuffer(queue->queue, ((kas_opencl_buffer *)to)->memory, &word,
                                                  sizeof word, offset, size_bytes, 0, NULL, &event);
    return note_traffic(queue, code, event, "clEnqueueFillBuffer");
}

static kas_status enqueue(opencl_queue *queue, const kas_list *list, size_t index,
                          const kas_submission *submission, uint32_t rows, cl_event *event)
{
    const kas_opencl_symbols *cl = device_of(queue)->cl;
    kas_opencl_bound bound;
    cl_kernel kernel;
    KAS_TRY(kas_opencl_kernel_of(cl, &queue->kernels, list->programs[index], &kernel));
    KAS_TRY(kas_opencl_bind(submission, index, rows, &bound));
    KAS_TRY(kas_opencl_set_arguments(cl, kernel, &list->launches[index], &bound));
    cl_int code =
        cl->clEnqueueNDRangeKernel(queue->queue, kernel, 2, NULL, bound.global, bound.local, 0, NULL, event);
    return code == CL_SUCCESS ? NULL : kas_opencl_fail(code, "clEnqueueNDRangeKernel");
}

/* Nobody can tell what is still under way. */
static kas_status lose_sight(opencl_queue *queue, cl_int code, const char *what)
{
    return kas_with_native(
        kas_fail(KAS_DEVICE_LOST, DEVICE, "%s: %s: OpenCL error %d", queue->base.device->info.id, what, code),
        code);
}

/* Part of a submission is under way and the rest never will be: a marker stands for what must be waited for.
 */
static kas_status abandon_submission(opencl_queue *queue, cl_event first, kas_status status)
{
    if (!first) return status;
    const kas_opencl_symbols *cl = device_of(queue)->cl;
    cl->clReleaseEvent(first);
    cl_event marker = NULL;
    cl_int code = cl->clEnqueueMarkerWithWaitList(queue->queue, 0, NULL, &marker);
    if (code != CL_SUCCESS) return kas_join(lose_sight(queue, code, "clEnqueueMarkerWithWaitList"), status);
    await(queue, marker); /* wait */
    return status;
}

static kas_status enqueue_all(opencl_queue *queue, const kas_submission *submission, uint32_t rows,
                              submission_events *events)
{
    const kas_list *list = submission->list;
    for (size_t i = 0; i < list->count; ++i) {
        const bool first = i == 0, last = i + 1 == list->count;
        cl_event event = NULL;
        kas_status status = enqueue(queue, list, i, submission, rows, first || last ? &event : NULL);
        if (status) return abandon_submission(queue, events->first, status);
        if (first) events->first = event;
        if (last) events->last = event;
    }
    return NULL;
}

static kas_status submit(kas_queue *base, const kas_submission *submission, uint32_t rows)
{
    opencl_queue *queue = (opencl_queue *)base;
    submission_events events = {0};
    if (kas_opencl_replay(device_of(queue), &queue->replays, queue->queue, &queue->kernels, submission, rows,
                          &events.last))
        events.first = events.last;
    else
        KAS_TRY(enqueue_all(queue, submission, rows, &events));
    forget_latest(queue);
    queue->latest = events.last; /* wait */
    queue->events[queue->event_count++] = events;
    return NULL;
}

/* CL_COMPLETE, a state before it (> 0), or an error (< 0). */
static cl_int state_of(opencl_queue *queue, cl_event event)
{
    cl_int state = CL_QUEUED;
    cl_int code = device_of(queue)->cl->clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state,
                                                       &state, NULL);
    return code == CL_SUCCESS ? state : code;
}

static uint32_t elapsed_ns(opencl_queue *queue, const submission_events *events)
{
    const kas_opencl_symbols *cl = device_of(queue)->cl;
    cl_ulong start = 0, end = 0;
    if (cl->clGetEventProfilingInfo(events->first, CL_PROFILING_COMMAND_START, sizeof start, &start, NULL) !=
            CL_SUCCESS ||
        cl->clGetEventProfilingInfo(events->last, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL) !=
            CL_SUCCESS ||
        end < start)
        return 0;
    return end - start > UINT32_MAX ? UINT32_MAX : (uint32_t)(end - start);
}

static void report(opencl_queue *queue, kas_progress *progress)
{
    while (progress->completed < queue->event_count) {
        const submission_events *events = &queue->events[progress->completed];
        if (state_of(queue, events->last) != CL_COMPLETE) return; /* wait */
        progress->elapsed_ns[progress->completed++] = elapsed_ns(queue, events);
    }
}

static kas_status flush(opencl_queue *queue)
{
    cl_int code = device_of(queue)->cl->clFlush(queue->queue);
    return code == CL_SUCCESS ? NULL : lose_sight(queue, code, "clFlush");
}

/* Until all is done. */
static kas_status poll(opencl_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    const char *id = queue->base.device->info.id;
    const int64_t start = kas_monotonic_ns();
    for (int64_t now = start;; now = kas_monotonic_ns()) {
        cl_int state = state_of(queue, queue->latest);
        if (state <= CL_COMPLETE) {
            report(queue, progress);
            if (state < 0)
                return kas_with_native(
                    kas_fail(KAS_DEVICE_LOST, DEVICE, "%s: work ended with OpenCL error %d", id, state),
                    state);
            return NULL;
        }
        if (now >= deadline_ns) {
            report(queue, progress);
            if (state_of(queue, queue->latest) <= CL_COMPLETE) continue; /* just now */
            return kas_fail(KAS_DEADLINE, KERNEL, "%s: submission %u of %u was not done in time", id,
                            progress->completed + 1, queue->event_count);
        }
        kas_poll_pause(now - start);
    }
}

static kas_status wait(kas_queue *base, int64_t deadline_ns, kas_progress *progress)
{
    opencl_queue *queue = (opencl_queue *)base;
    if (!queue->latest) return NULL;
    KAS_TRY(flush(queue));                       /* wait */
    KAS_TRY(poll(queue, deadline_ns, progress)); /* wait */
    forget_events(queue);
    return NULL;
}

static bool idle(kas_queue *base)
{
    opencl_queue *queue = (opencl_queue *)base;
    if (!queue->latest) return true;
    if (state_of(queue, queue->latest) > CL_COMPLETE) return false; /* wait */
    forget_events(queue);
    return true;
}

const kas_queue_ops kas_opencl_queue_ops = {
    .size_bytes = sizeof(opencl_queue),
    .init = init,
    .finish = finish,
    .upload = upload,
    .download = download,
    .fill = fill,
    .submit = submit,
    .wait = wait,
    .idle = idle,
};
