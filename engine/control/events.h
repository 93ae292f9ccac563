/* The last 4,096 events, and the one who wants to know of new ones. Any thread, but where said otherwise. */
#ifndef KAS_CONTROL_EVENTS_H
#define KAS_CONTROL_EVENTS_H

#include <kasmina/kasmina.h>
#include <pthread.h>

typedef struct kas_events {
    pthread_mutex_t lock; /* guards ring, count, capacity, last */
    kas_event *ring;      /* event s is at (s − 1) % capacity */
    size_t capacity;      /* grows to 4,096 */
    size_t count;
    uint64_t last;                 /* sequence of the newest */
    pthread_mutex_t listener_lock; /* guards wake and user, and is held while wake is called */
    void (*wake)(void *user);
    void *user;
    uint64_t told; /* the newest that the listener was told of; control thread only */
} kas_events;

void kas_events_init(kas_events *events);
void kas_events_finish(kas_events *events);
/* Gives it its number. When memory is out the oldest make room; without any the event is lost and leaves a
 * gap. */
void kas_events_push(kas_events *events, const kas_event *event);
size_t kas_events_list(kas_events *events, uint64_t after, kas_event *out, size_t capacity, uint64_t *missed);
uint64_t kas_events_last(kas_events *events);
void kas_events_listen(kas_events *events, void (*wake)(void *user), void *user);
void kas_events_tell(kas_events *events); /* control thread: wakes the listener if there are new ones */

#endif
