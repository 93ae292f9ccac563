/* A device for tests that looks as far away as a graphics card: it takes no host pointers, works on its own,
 * and can hang. Within it is the host device, so that it computes the same bits. */
#ifndef KAS_TESTS_REMOTE_DEVICE_H
#define KAS_TESTS_REMOTE_DEVICE_H

#include "backends/core/device.h"

kas_device *remote_device_open(void); /* a new one, named remote:0; released like any other */
kas_status remote_device_open_as(const char *id, kas_device **out) KAS_MUST_USE;

/* One that is said to have a fast product, ending in these (limits.fast_acts): its own under another name,
 * where it is `there` once somebody asks; no control thread may be the first to. How often such a one was
 * started. */
void remote_device_say_fast(kas_device *device, uint64_t acts, bool there);
unsigned remote_device_fast_starts(void);

/* Memory of devices of this kind, each: what is beyond is refused. Without: as much as the host has. */
void remote_device_set_room(size_t bytes);

/* From now on every call on it fails, as a card's that has fallen off its bus. */
void remote_device_lose(kas_device *device);

/* The n-th wait from now on (1: the next) ends at its deadline with `completed` submissions done; the rest
 * runs only when remote_device_recover is called. */
void remote_device_hang(uint32_t nth, uint32_t completed);
/* From now on every wait does so, at once. */
void remote_device_hang_for_good(void);
/* What hung runs to its end now, late; from here on it works again. */
void remote_device_recover(void);

/* Until the next call whoever gives something back to it has done so at its peril: a driver would wait for
 * all that hangs, so the process ends. */
void remote_device_forbid_freeing(bool forbidden);

#endif
