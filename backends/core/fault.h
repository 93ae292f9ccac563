/* Faults on demand, for tests of every backend: the n-th device allocation, submission or wait from now on
 * fails with a chosen code. Process-wide; where nothing is armed the cost is one relaxed load. Any thread. */
#ifndef KAS_CORE_FAULT_H
#define KAS_CORE_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef enum kas_fault_site {
    KAS_FAULT_ALLOCATION = 0, /* kas_buffer_create */
    KAS_FAULT_SUBMISSION,     /* each submission of kas_queue_submit */
    KAS_FAULT_WAIT,           /* kas_queue_wait, after the work has run; nothing counts as completed */
    KAS_FAULT_SITE_COUNT
} kas_fault_site;

extern atomic_bool kas_fault_any_armed; /* for kas_fault_may_fire */

/* nth = 1: the next one. nth = 0 disarms. Only that one fails. KAS_DEVICE_LOST makes the device lost for
 * good. */
void kas_fault_arm(kas_fault_site site, uint64_t nth, kas_code code);
/* Whether it has failed since it was armed. */
bool kas_fault_fired(kas_fault_site site);

/* For core: whether any site may be armed. */
static inline bool kas_fault_may_fire(void)
{
    return atomic_load_explicit(&kas_fault_any_armed, memory_order_relaxed);
}
/* For core: counts a call at this site; the failure when it is this one's turn. */
kas_status kas_fault_check(kas_fault_site site, const char *device_id) KAS_MUST_USE;

#endif
