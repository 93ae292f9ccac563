/* The ring of events. */
#include "engine/control/events.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"

enum { EVENTS_MIN = 64, EVENTS_MAX = 4096 };

void kas_events_init(kas_events *events)
{
    *events = (kas_events){0};
    pthread_mutex_init(&events->lock, NULL);
    pthread_mutex_init(&events->listener_lock, NULL);
}

void kas_events_finish(kas_events *events)
{
    kas_free(events->ring);
    pthread_mutex_destroy(&events->lock);
    pthread_mutex_destroy(&events->listener_lock);
}

/* Doubles the ring while it is full and below its maximum: a new place for every event that it holds. */
static void grow(kas_events *events)
{
    if (events->count < events->capacity || events->capacity == EVENTS_MAX) return;
    size_t capacity = events->capacity ? 2 * events->capacity : EVENTS_MIN;
    assert(events->count <= events->capacity); /* none without room */
    kas_event *ring = kas_alloc_array(capacity, sizeof *ring);
    if (!ring) return;
    for (size_t i = 0; i < events->count; ++i) {
        const uint64_t at = events->last - events->count + i;
        ring[at % capacity] = events->ring[at % events->capacity];
    }
    kas_free(events->ring);
    events->ring = ring;
    events->capacity = capacity;
}

void kas_events_push(kas_events *events, const kas_event *event)
{
    pthread_mutex_lock(&events->lock);
    grow(events);
    ++events->last;
    if (events->capacity) {
        kas_event *place = &events->ring[(events->last - 1) % events->capacity];
        *place = *event;
        place->size = sizeof *place;
        place->sequence = events->last;
        if (events->count < events->capacity) ++events->count;
    }
    pthread_mutex_unlock(&events->lock);
}

size_t kas_events_list(kas_events *events, uint64_t after, kas_event *out, size_t capacity, uint64_t *missed)
{
    pthread_mutex_lock(&events->lock);
    uint64_t first = events->last - events->count + 1, from = after + 1 > first ? after + 1 : first;
    size_t count = 0;
    for (uint64_t s = from; s <= events->last && count < capacity; ++s)
        out[count++] = events->ring[(s - 1) % events->capacity];
    if (missed) *missed = after < events->last ? from - after - 1 : 0;
    pthread_mutex_unlock(&events->lock);
    return count;
}

void kas_events_listen(kas_events *events, void (*wake)(void *user), void *user)
{
    pthread_mutex_lock(&events->listener_lock);
    events->wake = wake;
    events->user = user;
    pthread_mutex_unlock(&events->listener_lock);
}

uint64_t kas_events_last(kas_events *events)
{
    pthread_mutex_lock(&events->lock);
    uint64_t last = events->last;
    pthread_mutex_unlock(&events->lock);
    return last;
}

void kas_events_tell(kas_events *events)
{
    uint64_t last = kas_events_last(events);
    if (last == events->told) return;
    events->told = last;
    pthread_mutex_lock(&events->listener_lock);
    if (events->wake) events->wake(events->user);
    pthread_mutex_unlock(&events->listener_lock);
}
