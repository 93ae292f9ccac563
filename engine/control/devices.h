/* The devices that the engine has opened: each once, at first use, kept until the engine goes. Any thread. */
#ifndef KAS_CONTROL_DEVICES_H
#define KAS_CONTROL_DEVICES_H

#include <kasmina/kasmina.h>
#include <pthread.h>

#include "backends/core/device.h"

typedef struct kas_devices {
    pthread_mutex_t lock; /* guards all below but `automatic`, which is constant */
    kas_device *opened[KAS_DEVICES_MAX];
    size_t count;
    kas_queue *stranded[KAS_DEVICES_MAX]; /* queues of work that a device has not come back from */
    size_t stranded_count;
    char automatic[KAS_DEVICE_ID_SIZE]; /* what "auto" means */
} kas_devices;

/* automatic: NULL: the first device there is. */
kas_status kas_devices_init(kas_devices *devices, const char *automatic) KAS_MUST_USE;
void kas_devices_finish(kas_devices *devices);

/* Borrowed: lives as long as `devices`. id: NULL and "" mean "auto". */
kas_status kas_devices_open(kas_devices *devices, const char *id, kas_device **out) KAS_MUST_USE;
kas_device *kas_devices_find(kas_devices *devices, const char *id); /* an opened one; NULL: none */
/* Destroys a queue that is done with. One whose device has not come back (KAS_DEADLINE) must be left alone
 * until it has: it is kept, and destroyed by a later call. */
void kas_devices_put_away(kas_devices *devices, kas_queue *queue);
bool kas_devices_any_lost(kas_devices *devices, char id[KAS_DEVICE_ID_SIZE]);

uint32_t kas_device_kind_bit(kas_device *device); /* KAS_KIND_… */

#endif
