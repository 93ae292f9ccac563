#include "backends/core/fault.h"

#include <stddef.h>

/* left: calls until the failing one, that one included; 0 when disarmed. */
static struct {
    _Atomic uint64_t left;
    atomic_int code;
    atomic_bool fired;
} faults[KAS_FAULT_SITE_COUNT];

atomic_bool kas_fault_any_armed;

static const char *const site_names[KAS_FAULT_SITE_COUNT] = {"allocation", "submission", "wait"};

void kas_fault_arm(kas_fault_site site, uint64_t nth, kas_code code)
{
    atomic_store(&faults[site].left, 0);
    atomic_store(&faults[site].code, (int)code);
    atomic_store(&faults[site].fired, false);
    atomic_store(&faults[site].left, nth);
    bool any = false;
    for (int s = 0; s < KAS_FAULT_SITE_COUNT; ++s)
        any |= atomic_load(&faults[s].left) != 0;
    atomic_store(&kas_fault_any_armed, any);
}

bool kas_fault_fired(kas_fault_site site)
{
    return atomic_load(&faults[site].fired);
}

kas_status kas_fault_check(kas_fault_site site, const char *device_id)
{
    uint64_t left = atomic_load_explicit(&faults[site].left, memory_order_relaxed);
    if (left == 0) return NULL;
    while (left != 0 && !atomic_compare_exchange_weak(&faults[site].left, &left, left - 1)) {
    }
    if (left != 1) return NULL;
    kas_code code = (kas_code)atomic_load(&faults[site].code);
    atomic_store(&faults[site].fired, true);
    return kas_fail(code, DEVICE, "device %s: injected failure of %s", device_id, site_names[site]);
}
