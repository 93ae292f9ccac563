/* Lazy streams, and events. */
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/state.h"

cuda_code double_enqueue(cuda_stream stream, const operation *what)
{
    operation *new = malloc(sizeof *new);
    if (!stream || !new) {
        free(new);
        return stream ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_ERROR_INVALID_VALUE;
    }
    *new = *what;
    new->next = NULL;
    *stream->last = new;
    stream->last = &new->next;
    return CUDA_SUCCESS;
}

static cuda_code run_fill(const operation *what)
{
    unsigned char *to = double_host(what->address, what->bytes);
    for (size_t i = 0; to && i < what->bytes; i += sizeof what->word)
        memcpy(to + i, &what->word, sizeof what->word);
    return to ? CUDA_SUCCESS : double_stick(CUDA_ERROR_ILLEGAL_ADDRESS);
}

static cuda_code run_copy(const operation *what)
{
    void *device = double_host(what->address, what->bytes);
    if (!device) return double_stick(CUDA_ERROR_ILLEGAL_ADDRESS);
    if (what->kind == COPY_IN)
        memcpy(device, what->from, what->bytes);
    else
        memcpy(what->to, device, what->bytes);
    return CUDA_SUCCESS;
}

static cuda_code run_function(const operation *what)
{
    if (what->hangs && !double_world.released) return CUDA_ERROR_NOT_READY;
    cuda_code code = what->function(what->to);
    free(what->to);
    return code == CUDA_SUCCESS ? code : double_stick(code);
}

static cuda_code run(const operation *what)
{
    switch (what->kind) {
    case COPY_IN:
    case COPY_OUT:
        return run_copy(what);
    case FILL:
        return run_fill(what);
    case KERNEL:
        return what->hangs && !double_world.released ? CUDA_ERROR_NOT_READY : double_run_call(&what->call);
    case RECORD:
        what->event->done = true;
        return CUDA_SUCCESS;
    case ALLOCATE:
        return double_use_memory(what->address);
    case FREE:
        return double_release_memory(what->address);
    case CALL:
        return run_function(what);
    }
    return CUDA_ERROR_UNKNOWN;
}

EXPORT cuda_code double_call(cuda_stream stream, cuda_code (*function)(void *data), void *data)
{
    pthread_mutex_lock(&double_world.lock);
    return double_leave(double_enqueue(
        stream, &(operation){.kind = CALL, .hangs = double_hangs_now(), .function = function, .to = data}));
}

EXPORT void *double_address(cuda_address address, size_t bytes)
{
    return double_host(address, bytes);
}

/* Runs the stream's next operation; NOT_READY while there are more. */
static cuda_code step(cuda_stream stream)
{
    operation *next = stream->first;
    if (!next) return CUDA_SUCCESS;
    cuda_code code = run(next);
    if (code == CUDA_ERROR_NOT_READY) return code;
    stream->first = next->next;
    if (!stream->first) stream->last = &stream->first;
    free(next);
    return code != CUDA_SUCCESS ? code : stream->first ? CUDA_ERROR_NOT_READY : CUDA_SUCCESS;
}

EXPORT cuda_code cuStreamCreate(cuda_stream *stream, unsigned flags)
{
    ENTER(true);
    if (flags != CUDA_STREAM_NON_BLOCKING) LEAVE(CUDA_ERROR_INVALID_VALUE);
    *stream = calloc(1, sizeof **stream);
    if (!*stream) LEAVE(CUDA_ERROR_OUT_OF_MEMORY);
    (*stream)->last = &(*stream)->first;
    (*stream)->next = double_world.streams;
    double_world.streams = *stream;
    ++double_world.counts.streams;
    LEAVE(CUDA_SUCCESS);
}

static void forget(cuda_stream stream)
{
    cuda_stream *link = &double_world.streams;
    while (*link != stream)
        link = &(*link)->next;
    *link = stream->next;
}

EXPORT void double_run_on(void)
{
    pthread_mutex_lock(&double_world.lock);
    for (cuda_stream stream = double_world.streams; stream; stream = stream->next)
        while (stream->first && (!stream->first->hangs || double_world.released))
            (void)step(stream);
    pthread_mutex_unlock(&double_world.lock);
}

EXPORT cuda_code cuStreamDestroy_v2(cuda_stream stream)
{
    ENTER(true);
    while (step(stream) == CUDA_ERROR_NOT_READY) {
        if (!stream->first->hangs || double_world.released) continue;
        abort(); /* the driver would block for ever: a defect of the caller */
    }
    forget(stream);
    free(stream);
    --double_world.counts.streams;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuStreamQuery(cuda_stream stream)
{
    ENTER(true);
    LEAVE(step(stream));
}

EXPORT cuda_code cuEventCreate(cuda_event *event, unsigned flags)
{
    ENTER(true);
    (void)flags;
    *event = calloc(1, sizeof **event);
    if (*event) ++double_world.counts.events;
    LEAVE(*event ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
}

EXPORT cuda_code cuEventDestroy_v2(cuda_event event)
{
    ENTER(true);
    free(event);
    --double_world.counts.events;
    LEAVE(CUDA_SUCCESS);
}

EXPORT cuda_code cuEventRecord(cuda_event event, cuda_stream stream)
{
    ENTER(true);
    event->stream = stream;
    event->recorded = true;
    event->done = false;
    LEAVE(double_enqueue(stream, &(operation){.kind = RECORD, .event = event}));
}

EXPORT cuda_code cuEventQuery(cuda_event event)
{
    ENTER(true);
    if (!event->recorded || event->done) LEAVE(CUDA_SUCCESS);
    cuda_code code = step(event->stream);
    if (code != CUDA_SUCCESS && code != CUDA_ERROR_NOT_READY) LEAVE(code);
    LEAVE(event->done ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
}

EXPORT cuda_code cuEventElapsedTime(float *milliseconds, cuda_event start, cuda_event end)
{
    ENTER(true);
    if (!start->recorded || !end->recorded) LEAVE(CUDA_ERROR_INVALID_VALUE);
    if (!start->done || !end->done) LEAVE(CUDA_ERROR_NOT_READY);
    *milliseconds = 0.25f;
    LEAVE(CUDA_SUCCESS);
}
