/* Queues: bounds, what is kept alive while in flight, and what a passed deadline means. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "backends/core/backend.h"
#include "backends/core/fault.h"
#include "backends/core/lost.h"
#include "backends/core/pieces.h"
#include "base/alloc.h"
#include "base/clock.h"

enum { HOLDS_AT_FIRST = KAS_SUBMISSIONS_MAX + 32, HOLDS_MAX = 1 << 20 };

kas_status kas_queue_create(kas_device *device, const char *label, kas_queue **out)
{
    *out = NULL;
    KAS_TRY(kas_device_check(device));
    kas_queue *queue = kas_calloc(1, device->ops->queue->size_bytes);
    kas_hold *holds = kas_alloc_array(HOLDS_AT_FIRST, sizeof *holds);
    kas_status status = queue && holds ? NULL : kas_out_of_memory();
    if (!status) {
        queue->device = device;
        queue->holds = holds;
        queue->hold_capacity = HOLDS_AT_FIRST;
        kas_label_copy(queue->label, label);
        status = kas_device_outcome(device, device->ops->queue->init(queue));
    }
    if (status) {
        kas_free(holds);
        kas_free(queue);
        return kas_annotate(status, "a queue on %s", device->info.id);
    }
    kas_device_retain(device);
    *out = queue;
    return NULL;
}

/* ---- what is in flight ---- */

static kas_status hold(kas_queue *queue, kas_hold **out)
{
    if (!kas_grow((void **)&queue->holds, &queue->hold_capacity, queue->hold_count + 1, HOLDS_MAX,
                  sizeof *queue->holds))
        return kas_out_of_memory();
    *out = &queue->holds[queue->hold_count++];
    memset(*out, 0, sizeof **out);
    return NULL;
}

static void drop_last_hold(kas_queue *queue)
{
    kas_hold *last = &queue->holds[--queue->hold_count];
    kas_list_release(last->list);
    for (size_t s = 0; s < KAS_SLOT_COUNT; ++s)
        kas_buffer_release(last->buffers[s]);
}

static void drop_holds(kas_queue *queue)
{
    while (queue->hold_count)
        drop_last_hold(queue);
}

/* ---- hangs ---- */

#define DEFAULT_GRACE_NS (30 * KAS_NS_PER_S)

static _Atomic int64_t grace_ns = DEFAULT_GRACE_NS;

void kas_device_use_grace(int64_t ns)
{
    atomic_store(&grace_ns, ns ? ns : DEFAULT_GRACE_NS);
}

void kas_queue_give_up(kas_queue *queue)
{
    if (!queue->abandoned || kas_device_is_silent(queue->device)) return;
    char reason[sizeof queue->device->lost_reason];
    int64_t late_ms = (kas_monotonic_ns() - queue->abandoned_ns) / KAS_NS_PER_MS;
    snprintf(reason, sizeof reason,
             "work of queue \"%s\" that passed its deadline has not ended after another %lld ms; the device "
             "is left alone, with all that it was given",
             queue->label, (long long)late_ms);
    kas_device_lose(queue->device, reason, true);
}

/* Whether what was abandoned has ended. One that is late for too long is not waited for any more. */
static bool has_come_back(kas_queue *queue)
{
    if (kas_device_is_silent(queue->device)) return false;
    const kas_queue_ops *ops = queue->device->ops->queue;
    if (!ops->idle || ops->idle(queue)) return true;
    if (kas_monotonic_ns() - queue->abandoned_ns > atomic_load(&grace_ns)) kas_queue_give_up(queue);
    return false;
}

bool kas_queue_idle(kas_queue *queue)
{
    if (!queue->abandoned) return queue->submitted == 0 && queue->hold_count == 0;
    if (!has_come_back(queue)) return false; /* wait */
    queue->abandoned = false;
    queue->submitted = 0;
    drop_holds(queue);
    kas_device_came_back(queue->device);
    return true;
}

static void free_queue(kas_kept *kept)
{
    kas_queue *queue = (kas_queue *)((char *)kept - offsetof(kas_queue, kept));
    kas_device *device = queue->device;
    device->ops->queue->finish(queue);
    drop_holds(queue);
    kas_pieces_finish(queue);
    kas_free(queue->holds);
    kas_free(queue);
    kas_device_release(device);
}

void kas_queue_destroy(kas_queue *queue)
{
    if (!queue) return;
    if (queue->abandoned) (void)kas_queue_idle(queue); /* it may have come back */
    assert(!queue->hold_count || queue->abandoned || kas_device_is_lost(queue->device)); /* waited for */
    if (!kas_device_keeps(queue->device, &queue->kept, free_queue)) free_queue(&queue->kept);
}

static kas_status check_usable(kas_queue *queue)
{
    KAS_TRY(kas_device_check(queue->device));
    if (!queue->abandoned) return NULL;
    return kas_fail(KAS_UNAVAILABLE, DEVICE,
                    "queue \"%s\" on %s: work that passed its deadline is still running", queue->label,
                    queue->device->info.id);
}

/* ---- memory traffic ---- */

static kas_status begin_traffic(kas_queue *queue, kas_buffer *buffer, size_t offset, size_t size_bytes)
{
    KAS_TRY(check_usable(queue));
    if (buffer->device != queue->device)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "queue \"%s\" is on %s, buffer \"%s\" on %s",
                        queue->label, queue->device->info.id, buffer->label, buffer->device->info.id);
    if (offset > buffer->size_bytes || size_bytes > buffer->size_bytes - offset)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE,
                        "buffer \"%s\": %zu bytes at offset %zu, but it has %zu", buffer->label, size_bytes,
                        offset, buffer->size_bytes);
    kas_hold *held;
    KAS_TRY(hold(queue, &held));
    held->buffers[0] = kas_buffer_retain(buffer);
    return NULL;
}

static kas_status end_traffic(kas_queue *queue, const kas_buffer *buffer, const char *what, kas_status status)
{
    if (!status) return NULL;
    status = kas_annotate(kas_device_outcome(queue->device, status), "%s buffer \"%s\"", what, buffer->label);
    drop_last_hold(queue);
    return status;
}

static kas_status move(kas_queue *queue, const kas_traffic *traffic, const char *what)
{
    if (traffic->size_bytes == 0) return check_usable(queue);
    KAS_TRY(begin_traffic(queue, traffic->buffer, traffic->offset, traffic->size_bytes));
    return end_traffic(queue, traffic->buffer, what, kas_pieces_move(queue, traffic));
}

kas_status kas_queue_upload(kas_queue *queue, kas_buffer *to, size_t offset_bytes, const void *host,
                            size_t size_bytes)
{
    return move(queue,
                &(kas_traffic){.kind = KAS_TRAFFIC_UPLOAD,
                               .buffer = to,
                               .offset = offset_bytes,
                               .size_bytes = size_bytes,
                               .from = host},
                "uploading to");
}

kas_status kas_queue_download(kas_queue *queue, kas_buffer *from, size_t offset_bytes, void *host,
                              size_t size_bytes)
{
    return move(queue,
                &(kas_traffic){.kind = KAS_TRAFFIC_DOWNLOAD,
                               .buffer = from,
                               .offset = offset_bytes,
                               .size_bytes = size_bytes,
                               .to = host},
                "downloading from");
}

kas_status kas_queue_fill(kas_queue *queue, kas_buffer *to, size_t offset_bytes, uint32_t word,
                          size_t size_bytes)
{
    if (size_bytes % 4 || offset_bytes % 4)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE,
                        "buffer \"%s\": a fill of %zu bytes at %zu, not whole words", to->label, size_bytes,
                        offset_bytes);
    return move(queue,
                &(kas_traffic){.kind = KAS_TRAFFIC_FILL,
                               .buffer = to,
                               .offset = offset_bytes,
                               .size_bytes = size_bytes,
                               .word = word},
                "filling");
}

/* ---- submissions ---- */

static const char *const slot_names[KAS_SLOT_COUNT] = {"PARAMS", "X", "Y", "WORK", "BLEND", "RESULT"};

static kas_status refuse_slot(const kas_queue *queue, const kas_list *list, size_t s, const char *what)
{
    return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "queue \"%s\", list \"%s\", slot %s: %s", queue->label,
                    list->label, slot_names[s], what);
}

static kas_status check_slot(const kas_queue *queue, const kas_list *list, size_t s, const kas_slot *slot)
{
    const kas_device *device = queue->device;
    if (slot->host) {
        if (!device->limits.host_pointers)
            return refuse_slot(queue, list, s, "this device takes no host memory");
        if ((uintptr_t)slot->host % sizeof(float))
            return refuse_slot(queue, list, s, "not aligned for a float");
        if (slot->offset_bytes || slot->buffer)
            return refuse_slot(queue, list, s, "host memory and a buffer");
        return NULL;
    }
    if (!slot->buffer) return refuse_slot(queue, list, s, "nothing is bound");
    if (slot->buffer->device != device) return refuse_slot(queue, list, s, "a buffer of another device");
    if (slot->offset_bytes % device->limits.buffer_alignment)
        return refuse_slot(queue, list, s, "unaligned offset");
    size_t size = slot->buffer->size_bytes;
    if (slot->offset_bytes >= size || list->slot_bytes[s] >= size - slot->offset_bytes)
        return refuse_slot(queue, list, s, "the buffer ends before what the list uses");
    return NULL;
}

static kas_status check_submission(const kas_queue *queue, const kas_submission *submission, uint32_t rows)
{
    const kas_list *list = submission->list;
    if (list->device != queue->device)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "queue \"%s\" is on %s, list \"%s\" on %s",
                        queue->label, queue->device->info.id, list->label, list->device->info.id);
    if (rows > list->rows_max)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "list \"%s\" takes at most %u rows, not %u",
                        list->label, list->rows_max, rows);
    for (size_t s = 0; s < KAS_SLOT_COUNT; ++s)
        if (list->slots >> s & 1) KAS_TRY(check_slot(queue, list, s, &submission->slots[s]));
    return NULL;
}

static kas_status submit_one(kas_queue *queue, const kas_submission *submission, uint32_t rows)
{
    kas_hold *held;
    KAS_TRY(kas_fault_check(KAS_FAULT_SUBMISSION, queue->device->info.id));
    KAS_TRY(hold(queue, &held));
    held->list = kas_list_retain(submission->list);
    for (size_t s = 0; s < KAS_SLOT_COUNT; ++s)
        if (submission->list->slots >> s & 1 && submission->slots[s].buffer)
            held->buffers[s] = kas_buffer_retain(submission->slots[s].buffer);
    kas_status status = kas_pieces_submit(queue, submission, rows);
    if (status)
        drop_last_hold(queue);
    else
        ++queue->submitted;
    return status;
}

kas_status kas_queue_submit(kas_queue *queue, const kas_submission *submissions, size_t count, uint32_t rows)
{
    KAS_TRY(check_usable(queue));
    if (rows == 0)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE, "queue \"%s\": a pass of 0 rows", queue->label);
    if (count > KAS_SUBMISSIONS_MAX - queue->submitted)
        return kas_fail(KAS_INVALID_ARGUMENT, ENGINE,
                        "queue \"%s\": %zu submissions, but %u of at most %d are there", queue->label, count,
                        queue->submitted, KAS_SUBMISSIONS_MAX);
    for (size_t i = 0; i < count; ++i)
        KAS_TRY(check_submission(queue, &submissions[i], rows));
    for (size_t i = 0; i < count; ++i) {
        kas_status status = kas_device_outcome(queue->device, submit_one(queue, &submissions[i], rows));
        if (status)
            return kas_annotate(status, "queue \"%s\", submitting \"%s\"", queue->label,
                                submissions[i].list->label);
    }
    return NULL;
}

static kas_status wait_for(kas_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    kas_status injected = kas_fault_check(KAS_FAULT_WAIT, queue->device->info.id);
    kas_status status = kas_pieces_wait(queue, injected ? KAS_NEVER : deadline_ns, progress); /* wait */
    if (!injected) return status;
    progress->completed = 0;
    return kas_join(injected, status);
}

kas_status kas_queue_wait(kas_queue *queue, int64_t deadline_ns, kas_progress *progress)
{
    kas_progress unasked;
    if (!progress) progress = &unasked;
    progress->completed = 0;
    KAS_TRY(check_usable(queue));
    kas_status status = kas_device_outcome(queue->device, wait_for(queue, deadline_ns, progress));
    if (kas_status_code(status) == KAS_DEADLINE && !queue->device->limits.immediate) {
        queue->abandoned_ns = kas_monotonic_ns();
        kas_device_late(queue->device);
        queue->abandoned = true; /* wait */
    } else {
        queue->submitted = 0;
        drop_holds(queue);
    }
    return status ? kas_annotate(status, "queue \"%s\" on %s", queue->label, queue->device->info.id) : NULL;
}

/* ---- at once ---- */

static kas_status submit_and_wait(kas_queue *queue, kas_list *list, void *const *slots, uint32_t rows,
                                  int64_t deadline_ns)
{
    kas_submission submission = {.list = list};
    for (size_t s = 0; s < KAS_SLOT_COUNT; ++s)
        if (list->slots >> s & 1) submission.slots[s].host = slots[s];
    KAS_TRY(kas_queue_submit(queue, &submission, 1, rows));
    return kas_queue_wait(queue, deadline_ns, NULL);
}

/* What kas_queue_submit would refuse is left to it. */
static inline bool may_run(const kas_queue *queue, const kas_list *list, uint32_t rows)
{
    if (queue->submitted > 0) return false; /* wait */
    return rows - 1 < list->rows_max && list->device == queue->device;
}

kas_status kas_queue_run(kas_queue *queue, kas_list *list, void *const slots[KAS_SLOT_COUNT], uint32_t rows,
                         int64_t deadline_ns)
{
    const kas_queue_ops *ops = queue->device->ops->queue;
    kas_status status = NULL;
    if (queue->abandoned || atomic_load_explicit(&queue->device->lost, memory_order_acquire))
        return check_usable(queue);
    if (ops->run && !kas_fault_may_fire() && may_run(queue, list, rows) &&
        ops->run(queue, list, slots, rows, deadline_ns, &status)) {
        if (!status) return NULL;
        return kas_annotate(kas_device_outcome(queue->device, status), "queue \"%s\" on %s", queue->label,
                            queue->device->info.id);
    }
    return submit_and_wait(queue, list, slots, rows, deadline_ns);
}
