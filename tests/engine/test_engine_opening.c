/* A device takes its driver seconds to open; who looks for one that is open already does not wait for that,
 * and a device that several want at once is opened once. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>

#include "engine/control/devices.h"
#include "tests/engine/two_devices.h"

typedef struct slow_source {
    two_devices inner;
    kas_device_source source;
    kas_devices *devices;
    atomic_uint entered;
} slow_source;

static kas_status list(void *self, kas_device_info *infos, size_t capacity, size_t *count)
{
    const slow_source *slow = self;
    return slow->inner.source.list(slow->inner.source.self, infos, capacity, count);
}

static void *look(void *self)
{
    slow_source *slow = self;
    char lost[KAS_DEVICES_MAX][KAS_DEVICE_ID_SIZE];
    cr_expect_eq(kas_devices_list_lost(slow->devices, lost), 0);
    return kas_devices_find(slow->devices, "host:0");
}

/* Returns only when another thread has looked about: never, where opening shuts it out. */
static kas_status open_slowly(void *self, const char *id, kas_device **out)
{
    slow_source *slow = self;
    pthread_t looker;
    void *found = NULL;
    if (atomic_fetch_add(&slow->entered, 1) > 0) {
        cr_assert_eq(pthread_create(&looker, NULL, look, slow), 0);
        cr_assert_eq(pthread_join(looker, &found), 0);
        cr_expect_not_null(found, "host:0 is open");
    }
    return slow->inner.source.open(slow->inner.source.self, id, out);
}

static void start(slow_source *slow, kas_devices *devices)
{
    *slow = (slow_source){.devices = devices};
    two_devices_init(&slow->inner);
    slow->source = (kas_device_source){.list = list, .open = open_slowly, .self = slow};
    cr_assert_null(kas_devices_init(devices, NULL, &slow->source));
    kas_device *host;
    cr_assert_null(kas_devices_open(devices, "host:0", &host));
}

Test(engine_opening, those_who_look_do_not_wait)
{
    kas_devices devices;
    slow_source slow;
    start(&slow, &devices);
    kas_device *remote;
    cr_assert_null(kas_devices_open(&devices, "remote:0", &remote));
    cr_expect_eq(atomic_load(&slow.entered), 2);
    kas_devices_finish(&devices);
}

static void *open_remote(void *devices)
{
    kas_device *remote = NULL;
    cr_expect_null(kas_devices_open(devices, "remote:0", &remote));
    return remote;
}

Test(engine_opening, each_device_is_opened_once)
{
    kas_devices devices;
    slow_source slow;
    start(&slow, &devices);
    enum { OPENERS = 4 };
    pthread_t openers[OPENERS];
    void *opened[OPENERS];
    for (int i = 0; i < OPENERS; ++i)
        cr_assert_eq(pthread_create(&openers[i], NULL, open_remote, &devices), 0);
    for (int i = 0; i < OPENERS; ++i)
        cr_assert_eq(pthread_join(openers[i], &opened[i]), 0);
    for (int i = 0; i < OPENERS; ++i)
        cr_expect_eq(opened[i], kas_devices_find(&devices, "remote:0"));
    cr_expect_eq(atomic_load(&slow.entered), 2);
    kas_devices_finish(&devices);
}
