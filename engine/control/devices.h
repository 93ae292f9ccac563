/* The devices that the engine has opened: each once, at first use, kept until the engine goes; and which one
 * "auto" means. Any thread. */
#ifndef KAS_CONTROL_DEVICES_H
#define KAS_CONTROL_DEVICES_H

#include <kasmina/kasmina.h>
#include <pthread.h>

#include "backends/core/device.h"
#include "engine/control/env.h"

typedef struct stranded_queue {
    kas_device *device;
    kas_queue *queue;
} stranded_queue;

typedef struct kas_devices {
    pthread_mutex_t opening; /* held while a device is opened, which takes seconds: each is opened once */
    pthread_mutex_t lock;    /* guards all below but `source` and `automatic`, which are constant; within
                                `opening`, and never for long */
    kas_device *opened[KAS_DEVICES_MAX];
    bool told[KAS_DEVICES_MAX]; /* that it is lost: kas_devices_set_told */
    size_t count;
    stranded_queue stranded[KAS_DEVICES_MAX]; /* of work that a device has not come back from */
    size_t stranded_count;
    const kas_device_source *source;
    char automatic[KAS_DEVICE_CHOICE_SIZE]; /* what "auto" means; "": the first that has room */
} kas_devices;

/* automatic: NULL: the first device that has room. source: NULL: this machine's drivers. */
kas_status kas_devices_init(kas_devices *devices, const char *automatic,
                            const kas_device_source *source) KAS_MUST_USE;
void kas_devices_finish(kas_devices *devices);

/* All there are, in the order in which "auto" takes them; opens none. Returns how many were filled in. */
size_t kas_devices_list(kas_devices *devices, kas_device_info *infos, size_t capacity);

/* Puts something on a device of which so many bytes are free: success keeps it there. A failure is a reason
 * not to take this device, and leaves nothing behind. */
typedef kas_status (*kas_take_fn)(void *user, kas_device *device, uint64_t free_bytes);

/* Borrowed: lives as long as `devices`. id: NULL, "" and "auto" mean the first device that is ready, is no
 * imitation by this machine's processors, and that `take` (NULL: always) succeeds on; it is opened to be
 * asked, so none is opened that comes after it. KAS_NO_ROOM tells what each lacks. */
kas_status kas_devices_choose(kas_devices *devices, const char *id, kas_take_fn take, void *user,
                              kas_device **out) KAS_MUST_USE;
/* The same where nothing is needed. */
kas_status kas_devices_open(kas_devices *devices, const char *id, kas_device **out) KAS_MUST_USE;
kas_device *kas_devices_find(kas_devices *devices, const char *id); /* an opened one; NULL: none */
/* Destroys a queue that is done with. False: its device has not come back (KAS_DEADLINE), and it must be left
 * alone until it has: it is kept for kas_devices_reap. */
bool kas_devices_put_away(kas_devices *devices, kas_device *device, kas_queue *queue);
/* Destroys those that have come back, and those of lost devices. True when some have not. */
bool kas_devices_reap(kas_devices *devices);
/* Whatever has not come back is lost: nobody waits for it any more. */
void kas_devices_give_up(kas_devices *devices);
/* A lost device that was not noted down as told of yet; NULL: there is none. */
const kas_device *kas_devices_find_lost(kas_devices *devices);
void kas_devices_set_told(kas_devices *devices, const kas_device *device);
/* Those that are lost, by their ids; returns how many. */
size_t kas_devices_list_lost(kas_devices *devices, char ids[KAS_DEVICES_MAX][KAS_DEVICE_ID_SIZE]);

uint32_t kas_device_kind_bit(kas_device *device); /* KAS_KIND_… */

#endif
