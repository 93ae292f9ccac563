/* A stream. Copies go through pinned memory; an event after each submission tells when it was done and for
 * how long it ran. Waiting polls, so that a deadline always holds: CUDA's own waits have none. */
#include <string.h>

#include "backends/core/poll.h"
#include "backends/cuda/product.h"
#include "backends/cuda/replay.h"
#include "backends/cuda/staging.h"
#include "base/clock.h"

enum { EVENTS_MAX = 2 * KAS_SUBMISSIONS_MAX, DOWNLOADS_MAX = 64 };
static const size_t staged_upload_max =
    (size_t)16 << 20; /* larger ones are of weights, in queues that nobody waits behind */

typedef struct timed_submission {
    uint16_t start, end; /* events; the end of one is the start of the next where nothing lies between */
} timed_submission;

typedef struct pending_download { /* lies in staging memory once the stream is idle */
    void *host;
    const void *staged;
    size_t size_bytes;
} pending_download;

typedef struct cuda_queue {
    kas_queue base;
    cuda_stream stream;
    cuda_event events[EVENTS_MAX]; /* made as they are needed, kept */
    uint32_t event_count, events_used;
    timed_submission timed[KAS_SUBMISSIONS_MAX];
    uint32_t timed_count;
    bool after_submission; /* nothing was enqueued since the last submission's end */
    bool busy;             /* something was enqueued since the last wait */
    pending_download downloads[DOWNLOADS_MAX];
    size_t download_count;
    cuda_staging staging;
    cuda_graphs graphs;
    cuda_products products;
} cuda_queue;

static kas_cuda_device *device_of(cuda_queue *queue)
{
    return kas_cuda_device_of(queue->base.device);
}

/* ---- life ---- */

static kas_status enter(const kas_cuda_device *device)
{
    return kas_cuda_enter(device)
               ? NULL
               : kas_cuda_fail(device->cuda, CUDA_ERROR_CONTEXT_IS_DESTROYED, "cuCtxPushCurrent");
}

static kas_status init(kas_queue *base)
{
    cuda_queue *queue = (cuda_queue *)base;
    const kas_cuda_device *device = device_of(queue);
    KAS_TRY(enter(device));
    cuda_code code = device->cuda->stream_create(&queue->stream, CUDA_STREAM_NON_BLOCKING);
    kas_cuda_leave(device);
    return code == CUDA_SUCCESS ? NULL : kas_cuda_fail(device->cuda, code, "cuStreamCreate");
}

static void finish(kas_queue *base)
{
    cuda_queue *queue = (cuda_queue *)base;
    const kas_cuda_device *device = device_of(queue);
    kas_cuda_products_finish(device, &queue->products); /* nothing of the device's, but for a buffer */
    if (atomic_load(&base->device->lost) || !kas_cuda_enter(device)) { /* it may wait for what never ends */
        kas_cuda_graphs_forget(&queue->graphs);
        return;
    }
    (void)device->cuda->stream_destroy(queue->stream); /* first: what it still holds needs the rest */
    kas_cuda_graphs_finish(device, &queue->graphs);
    for (uint32_t i = 0; i < queue->event_count; ++i)
        (void)device->cuda->event_destroy(queue->events[i]);
    kas_cuda_staging_finish(device, &queue->staging);
    kas_cuda_leave(device);
}

/* ---- traffic ---- */

static kas_status note_traffic(cuda_queue *queue, cuda_code code, const char *what)
{
    if (code != CUDA_SUCCESS) return kas_cuda_fail(device_of(queue)->cuda, code, what);
    queue->busy = true; /* wait */
    queue->after_submission = false;
    return NULL;
}

static kas_status upload_staged(cuda_queue *queue, cuda_address to, const void *host, size_t size_bytes)
{
    const kas_cuda_device *device = device_of(queue);
    if (size_bytes <= staged_upload_max) {
        void *staged;
        KAS_TRY(kas_cuda_staging_take(device, &queue->staging, size_bytes, &staged));
        memcpy(staged, host, size_bytes);
        host = staged;
    }
    return note_traffic(queue, device->cuda->copy_in(to, host, size_bytes, queue->stream),
                        "cuMemcpyHtoDAsync");
}

static kas_status upload(kas_queue *base, kas_buffer *to, size_t offset, const void *host, size_t size_bytes)
{
    cuda_queue *queue = (cuda_queue *)base;
    const kas_cuda_device *device = device_of(queue);
    KAS_TRY(enter(device));
    kas_status status = upload_staged(queue, kas_cuda_address_of(to) + offset, host, size_bytes);
    kas_cuda_leave(device);
    return status;
}

static kas_status download_staged(cuda_queue *queue, cuda_address from, void *host, size_t size_bytes)
{
    const kas_cuda_device *device = device_of(queue);
    void *staged;
    if (queue->download_count == DOWNLOADS_MAX)
        return kas_fail(KAS_TOO_LARGE, ENGINE, "%s: more than %d downloads between two waits",
                        device->base.info.id, (int)DOWNLOADS_MAX);
    KAS_TRY(kas_cuda_staging_take(device, &queue->staging, size_bytes, &staged));
    KAS_TRY(note_traffic(queue, device->cuda->copy_out(staged, from, size_bytes, queue->stream),
                         "cuMemcpyDtoHAsync"));
    queue->downloads[queue->download_count++] = (pending_download){host, staged, size_bytes};
    return NULL;
}

static kas_status download(kas_queue *base, kas_buffer *from, size_t offset, void *host, size_t size_bytes)
{
    cuda_queue *queue = (cuda_queue *)base;
    const kas_cuda_device *device = device_of(queue);
    KAS_TRY(enter(device));
    kas_status status = download_staged(queue, kas_cuda_address_of(from) + offset, host, size_bytes);
    kas_cuda_leave(device);
    return status;
}

static kas_status fill(kas_queue *base, kas_buffer *to, size_t offset, uint32_t word, size_t size_bytes)
{
    cuda_queue *queue = (cuda_queue *)base;
    const kas_cuda_device *device = device_of(queue);
    KAS_TRY(enter(device));
    cuda_code code =
        device->cuda->fill(kas_cuda_address_of(to) + offset, word, size_bytes / sizeof word, queue->stream);
    kas_cuda_leave(device);
    return note_traffic(queue, code, "cuMemsetD32Async");
}

/* ---- submissions ---- */

/* Records the next event into the stream; *index names it. */
static kas_status mark(cuda_queue *queue, uint16_t *index)
{
    const kas_cuda_symbols *cuda = device_of(queue)->cuda;
    cuda_code code = CUDA_SUCCESS;
    if (queue->events_used == queue->event_count) {
        code = cuda->event_create(&queue->events[queue->event_count], CUDA_EVENT_DEFAULT);
        if (code == CUDA_SUCCESS) ++queue->event_count;
    }
    if (code == CUDA_SUCCESS) code = cuda->event_record(queue->events[queue->events_used], queue->stream);
    if (code != CUDA_SUCCESS) return kas_cuda_fail(cuda, code, "recording an event");
    *index = (uint16_t)queue->events_used++;
    return NULL;
}

static kas_status launch_one(cuda_queue *queue, const kas_submission *submission, size_t i, uint32_t rows)
{
    kas_cuda_device *device = device_of(queue);
    const cuda_stream stream = queue->stream; /* wait */
    cuda_bound_launch launch;
    bool done = false;
    kas_cuda_bind(submission, i, rows, &launch);
    if (kas_cuda_is_fast(submission->list, i))
        KAS_TRY(kas_cuda_multiply(device, &queue->products, &submission->list->launches[i], &launch, rows,
                                  stream, &done));
    if (done) return NULL;
    cuda_code code = device->cuda->launch(launch.function, launch.grid_x, launch.grid_y, 1, launch.block_x, 1,
                                          1, 0, stream, launch.parameters, NULL);
    return code == CUDA_SUCCESS ? NULL : kas_cuda_fail(device->cuda, code, "cuLaunchKernel");
}

static kas_status launch_each(cuda_queue *queue, const kas_submission *submission, uint32_t rows)
{
    for (size_t i = 0; i < submission->list->count; ++i)
        KAS_TRY(kas_annotate(launch_one(queue, submission, i, rows), "launch %zu", i));
    return NULL;
}

static kas_status enqueue(cuda_queue *queue, const kas_submission *submission, uint32_t rows)
{
    timed_submission timed;
    if (queue->after_submission)
        timed.start = queue->timed[queue->timed_count - 1].end;
    else
        KAS_TRY(mark(queue, &timed.start));
    queue->after_submission = false;
    queue->busy = true; /* wait */
    if (submission->list->count < CUDA_REPLAY_FROM || ((const cuda_list *)submission->list)->fast)
        KAS_TRY(launch_each(queue, submission, rows));
    else
        KAS_TRY(kas_cuda_replay(device_of(queue), &queue->graphs, submission, rows, queue->stream));
    KAS_TRY(mark(queue, &timed.end));
    queue->timed[queue->timed_count++] = timed;
    queue->after_submission = true;
    return NULL;
}

static kas_status submit(kas_queue *base, const kas_submission *submission, uint32_t rows)
{
    cuda_queue *queue = (cuda_queue *)base;
    const kas_cuda_device *device = device_of(queue);
    KAS_TRY(enter(device));
    kas_status status = enqueue(queue, submission, rows);
    kas_cuda_leave(device);
    return status;
}

/* ---- waiting ---- */

static uint32_t elapsed_ns(cuda_queue *queue, const timed_submission *timed)
{
    float milliseconds = 0;
    cuda_code code = device_of(queue)->cuda->event_elapsed(&milliseconds, queue->events[timed->start],
                                                           queue->events[timed->end]);
    if (code != CUDA_SUCCESS || !(milliseconds > 0)) return 0;
    double ns = (double)milliseconds * 1e6;
    return ns > (double)UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
}

/* Submissions that are done, as far as the device still tells. */
static void report(cuda_queue *queue, kas_progress *progress)
{
    while (progress->completed < queue->timed_count) {
        const timed_submission *timed = &queue->timed[progress->completed];
        if (device_of(queue)->cuda->event_query(queue->events[timed->end]) != CUDA_SUCCESS) return; /* wait */
        progress->elapsed_ns[progress->completed++] = elapsed_ns(queue, timed);
    }
}

static void hand_over_downloads(cuda_queue *queue)
{
    for (size_t i = 0; i < queue->download_count; ++i)
        memcpy(queue->downloads[i].host, queue->downloads[i].staged, queue->downloads[i].size_bytes);
}

static void forget(cuda_queue *queue)
{
    queue->download_count = 0;
    queue->timed_count = queue->events_used = 0;
    queue->busy = queue->after_submission = false;
    kas_cuda_staging_reset(&queue->staging);
}

/* The stream does not tell: an error that CUDA holds against the device, or one of the call itself, after
 * which work may run on. */
static kas_status lose_sight(const cuda_queue *queue, cuda_code code)
{
    const kas_cuda_symbols *cuda = kas_cuda_device_of(queue->base.device)->cuda;
    kas_status status = kas_cuda_fail(cuda, code, "work ended in an error");
    if (kas_status_code(status) == KAS_DEVICE_LOST) return status;
    kas_status lost = kas_fail(KAS_DEVICE_LOST, DEVICE, "%s does not tell what it does: %s",
                               queue->base.device->info.id, kas_status_message(status));
    kas_status_free(status);
    return kas_with_native(lost, code);
}

static kas_status late(const cuda_queue *queue, const kas_progress *progress)
{
    const char *id = queue->base.device->info.id;
    if (progress->completed == queue->timed_count)
        return kas_fail(KAS_DEADLINE, KERNEL, "%s: copies were not done in time", id);
    return kas_fail(KAS_DEADLINE, KERNEL, "%s: submission %u of %u was not done in time", id,
                    progress->completed + 1, queue->timed_count);
}

/* Until all is done. */
static kas_status poll(cuda_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    const kas_cuda_device *device = device_of(queue);
    const int64_t start = kas_monotonic_ns();
    for (int64_t now = start;; now = kas_monotonic_ns()) {
        cuda_code code = device->cuda->stream_query(queue->stream);
        if (code == CUDA_SUCCESS || code == CUDA_ERROR_NOT_READY) report(queue, progress);
        if (code == CUDA_SUCCESS) return NULL;
        if (code != CUDA_ERROR_NOT_READY) return lose_sight(queue, code);
        if (now >= deadline_ns) {
            if (device->cuda->stream_query(queue->stream) != CUDA_ERROR_NOT_READY) continue; /* just now */
            return late(queue, progress);
        }
        kas_poll_pause(now - start);
    }
}

static kas_status complete(cuda_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    KAS_TRY(poll(queue, deadline_ns, progress)); /* wait */
    hand_over_downloads(queue);
    forget(queue);
    return NULL;
}

static kas_status wait(kas_queue *base, int64_t deadline_ns, kas_progress *progress)
{
    cuda_queue *queue = (cuda_queue *)base;
    const kas_cuda_device *device = device_of(queue);
    if (!queue->busy) return NULL;
    KAS_TRY(enter(device));
    kas_status status = complete(queue, deadline_ns, progress);
    kas_cuda_leave(device);
    return status;
}

static bool idle(kas_queue *base)
{
    cuda_queue *queue = (cuda_queue *)base;
    const kas_cuda_device *device = device_of(queue);
    if (!queue->busy) return true;
    if (!kas_cuda_enter(device)) return false;
    bool done = device->cuda->stream_query(queue->stream) == CUDA_SUCCESS; /* wait */
    kas_cuda_leave(device);
    if (done) forget(queue);
    return done;
}

const kas_queue_ops kas_cuda_queue_ops = {
    .size_bytes = sizeof(cuda_queue),
    .init = init,
    .finish = finish,
    .upload = upload,
    .download = download,
    .fill = fill,
    .submit = submit,
    .wait = wait,
    .idle = idle,
};
