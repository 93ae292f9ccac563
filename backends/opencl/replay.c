#include "backends/opencl/replay.h"

#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

/* ---- lists ---- */

static kas_status init_list(kas_list *list)
{
    kas_opencl_device *device = kas_opencl_device_of(list->device);
    ((kas_opencl_list *)list)->id = atomic_fetch_add_explicit(&device->lists, 1, memory_order_relaxed) + 1;
    return NULL;
}

static void finish_list(kas_list *list)
{
    (void)list; /* what queues recorded of it names its buffers, and goes with them */
}

const kas_list_ops kas_opencl_list_ops = {
    .size_bytes = sizeof(kas_opencl_list),
    .init = init_list,
    .finish = finish_list,
};

/* ---- what was recorded ---- */

/* Nothing of it is under way, or the device is lost and must not be called. */
static void drop(const kas_opencl_device *device, kas_opencl_recorded *place)
{
    if (place->commands && !atomic_load(&device->base.lost))
        (void)device->command_buffers.release(place->commands);
    kas_free((void *)place->kernels);
    kas_free(place->bound);
    *place = (kas_opencl_recorded){0};
}

static uint32_t buffers_of(const kas_list *list, size_t index)
{
    return kas_kernel_get_info(list->launches[index].kernel)->buffers;
}

/* Kernels as they are bound now. The queue works in order, and so does what was recorded for it. */
static kas_status record_kernels(const kas_opencl_device *device, kas_opencl_recorded *place,
                                 cl_command_queue queue, kas_opencl_kernels *kernels,
                                 const kas_submission *submission, uint32_t rows)
{
    static const cl_ulong properties[] = {KAS_CL_UPDATABLE_FIELDS,
                                          KAS_CL_UPDATABLE_ARGUMENTS | KAS_CL_UPDATABLE_GLOBAL_SIZE, 0};
    const kas_list *list = submission->list;
    for (size_t i = 0; i < list->count; ++i) {
        kas_opencl_bound *bound = &place->bound[i];
        cl_kernel kernel;
        KAS_TRY(kas_opencl_kernel_of(device->cl, kernels, list->programs[i], &kernel));
        KAS_TRY(kas_opencl_bind(submission, i, rows, bound));
        KAS_TRY(kas_opencl_set_arguments(device->cl, kernel, &list->launches[i], bound));
        cl_int code = device->command_buffers.command_kernel(place->commands, queue, properties, kernel, 2,
                                                             NULL, bound->global, bound->local, 0, NULL, NULL,
                                                             &place->kernels[i]);
        if (code != CL_SUCCESS) return kas_opencl_fail(code, "clCommandNDRangeKernelKHR");
    }
    return NULL;
}

static kas_status record(const kas_opencl_device *device, kas_opencl_recorded *place, cl_command_queue queue,
                         kas_opencl_kernels *kernels, const kas_submission *submission, uint32_t rows)
{
    static const cl_ulong properties[] = {KAS_CL_COMMAND_BUFFER_FLAGS, KAS_CL_COMMAND_BUFFER_MUTABLE, 0};
    cl_int code;
    place->count = submission->list->count;
    place->kernels = kas_alloc_array(place->count, sizeof *place->kernels);
    place->bound = kas_calloc(place->count, sizeof *place->bound);
    if (!place->kernels || !place->bound) return kas_out_of_memory();
    place->commands = device->command_buffers.create(1, &queue, properties, &code);
    if (!place->commands) return kas_opencl_fail(code, "clCreateCommandBufferKHR");
    KAS_TRY(record_kernels(device, place, queue, kernels, submission, rows));
    code = device->command_buffers.finalize(place->commands);
    if (code != CL_SUCCESS) return kas_opencl_fail(code, "clFinalizeCommandBufferKHR");
    place->list_id = ((const kas_opencl_list *)submission->list)->id;
    return NULL;
}

/* ---- what differs ---- */

/* Changes that are told in one call. */
typedef struct changes {
    kas_opencl_change all[KAS_OPENCL_CHANGES_MAX];
    kas_opencl_bound bound[KAS_OPENCL_CHANGES_MAX];
    kas_opencl_argument arguments[KAS_OPENCL_CHANGES_MAX][KAS_KERNEL_MAX_BUFFERS];
    size_t which[KAS_OPENCL_CHANGES_MAX]; /* of the recorded kernels */
    size_t count;
} changes;

/* Notes how a kernel differs from what it is bound to now, where it does. */
static void compare(changes *c, const kas_opencl_recorded *place, size_t index, uint32_t buffers)
{
    const kas_opencl_bound *now = &c->bound[c->count], *before = &place->bound[index];
    kas_opencl_argument *arguments = c->arguments[c->count];
    cl_uint count = 0;
    for (cl_uint i = 0; i < buffers; ++i)
        if (now->memory[i] != before->memory[i])
            arguments[count++] = (kas_opencl_argument){i, sizeof now->memory[i], &now->memory[i]};
    const bool resized = memcmp(now->global, before->global, sizeof now->global) != 0;
    if (count == 0 && !resized) return;
    c->all[c->count] = (kas_opencl_change){
        .command = place->kernels[index],
        .argument_count = count,
        .arguments = count > 0 ? arguments : NULL,
        .dimensions = resized ? 2 : 0,
        .global = resized ? now->global : NULL,
    };
    c->which[c->count++] = index;
}

static kas_status tell(const kas_opencl_device *device, kas_opencl_recorded *place, changes *c)
{
    static const cl_uint types[KAS_OPENCL_CHANGES_MAX] = {KAS_CL_CHANGE_TYPE};
    const void *pointers[KAS_OPENCL_CHANGES_MAX];
    if (c->count == 0) return NULL;
    for (size_t i = 0; i < c->count; ++i)
        pointers[i] = &c->all[i];
    cl_int code = device->command_buffers.update(place->commands, (cl_uint)c->count, types, pointers);
    if (code != CL_SUCCESS) return kas_opencl_fail(code, "clUpdateMutableCommandsKHR");
    for (size_t i = 0; i < c->count; ++i)
        place->bound[c->which[i]] = c->bound[i];
    c->count = 0;
    return NULL;
}

static kas_status update(const kas_opencl_device *device, kas_opencl_recorded *place,
                         const kas_submission *submission, uint32_t rows)
{
    changes c;
    c.count = 0;
    for (size_t i = 0; i < place->count; ++i) {
        KAS_TRY(kas_opencl_bind(submission, i, rows, &c.bound[c.count]));
        compare(&c, place, i, buffers_of(submission->list, i));
        if (c.count == KAS_OPENCL_CHANGES_MAX) KAS_TRY(tell(device, place, &c));
    }
    return tell(device, place, &c);
}

/* ---- replays ---- */

/* The list's place, or the one that was used longest ago of those that may be had; NULL: none may. */
static kas_opencl_recorded *find(kas_opencl_replays *replays, uint64_t list_id)
{
    kas_opencl_recorded *oldest = NULL;
    for (size_t i = 0; i < KAS_OPENCL_RECORDED_MAX; ++i) {
        kas_opencl_recorded *place = &replays->places[i];
        if (place->list_id == list_id) return place->under_way ? NULL : place;
        if (!place->under_way && (!oldest || place->last_use < oldest->last_use)) oldest = place;
    }
    return oldest;
}

static kas_status prepare(const kas_opencl_device *device, kas_opencl_recorded *place, cl_command_queue queue,
                          kas_opencl_kernels *kernels, const kas_submission *submission, uint32_t rows)
{
    if (place->list_id == ((const kas_opencl_list *)submission->list)->id)
        return update(device, place, submission, rows);
    drop(device, place);
    return record(device, place, queue, kernels, submission, rows);
}

static kas_status enqueue(const kas_opencl_device *device, kas_opencl_recorded *place, cl_event *event)
{
    cl_int code = device->command_buffers.enqueue(0, NULL, place->commands, 0, NULL, event);
    return code == CL_SUCCESS ? NULL : kas_opencl_fail(code, "clEnqueueCommandBufferKHR");
}

/* Under the lock of the queue's replays. */
static bool replay(kas_opencl_device *device, kas_opencl_replays *replays, cl_command_queue queue,
                   kas_opencl_kernels *kernels, const kas_submission *submission, uint32_t rows,
                   cl_event *event)
{
    kas_opencl_recorded *place = find(replays, ((const kas_opencl_list *)submission->list)->id);
    if (!place) return false;
    kas_status status = prepare(device, place, queue, kernels, submission, rows);
    if (!status) status = enqueue(device, place, event);
    if (!status) {
        place->under_way = true; /* wait */
        place->last_use = ++replays->uses;
        return true;
    }
    drop(device, place);
    if (atomic_exchange(&device->replays_lists, false))
        kas_warning("opencl", "%s: lists are no longer recorded but enqueued launch by launch: %s",
                    device->base.info.id, kas_status_message(status));
    kas_status_free(status);
    return false;
}

bool kas_opencl_replay(kas_opencl_device *device, kas_opencl_replays *replays, cl_command_queue queue,
                       kas_opencl_kernels *kernels, const kas_submission *submission, uint32_t rows,
                       cl_event *event)
{
    if (submission->list->count < KAS_OPENCL_REPLAY_FROM || !atomic_load(&device->replays_lists))
        return false;
    pthread_mutex_lock(&replays->lock);
    const bool replayed = replay(device, replays, queue, kernels, submission, rows, event);
    pthread_mutex_unlock(&replays->lock);
    return replayed;
}

void kas_opencl_replays_settled(kas_opencl_replays *replays)
{
    if (replays->uses == 0) return;
    pthread_mutex_lock(&replays->lock);
    for (size_t i = 0; i < KAS_OPENCL_RECORDED_MAX; ++i)
        replays->places[i].under_way = false;
    pthread_mutex_unlock(&replays->lock);
}

/* ---- queues and buffers that end ---- */

void kas_opencl_replays_begin(kas_opencl_device *device, kas_opencl_replays *replays)
{
    pthread_mutex_init(&replays->lock, NULL);
    pthread_mutex_lock(&device->queues_lock);
    replays->next = device->queues;
    device->queues = replays;
    pthread_mutex_unlock(&device->queues_lock);
}

void kas_opencl_replays_end(kas_opencl_device *device, kas_opencl_replays *replays)
{
    pthread_mutex_lock(&device->queues_lock);
    kas_opencl_replays **link = &device->queues;
    while (*link != replays)
        link = &(*link)->next;
    *link = replays->next;
    pthread_mutex_unlock(&device->queues_lock);
    for (size_t i = 0; i < KAS_OPENCL_RECORDED_MAX; ++i)
        drop(device, &replays->places[i]);
    pthread_mutex_destroy(&replays->lock);
}

static bool names(const kas_opencl_recorded *place, const kas_buffer *buffer)
{
    for (size_t i = 0; i < place->count; ++i)
        for (size_t b = 0; b < KAS_KERNEL_MAX_BUFFERS; ++b)
            if (place->bound[i].buffers[b] == buffer) return true;
    return false;
}

void kas_opencl_replays_forget(kas_opencl_device *device, const kas_buffer *buffer)
{
    pthread_mutex_lock(&device->queues_lock);
    for (kas_opencl_replays *replays = device->queues; replays; replays = replays->next) {
        pthread_mutex_lock(&replays->lock);
        for (size_t i = 0; i < KAS_OPENCL_RECORDED_MAX; ++i)
            if (names(&replays->places[i], buffer)) drop(device, &replays->places[i]);
        pthread_mutex_unlock(&replays->lock);
    }
    pthread_mutex_unlock(&device->queues_lock);
}
