#include "tests/engine/two_devices.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/remote_device.h"

static void describe(kas_device_info *info, const char *id, const char *kind, bool software)
{
    *info = (kas_device_info){.software = software};
    snprintf(info->id, sizeof info->id, "%s", id);
    snprintf(info->kind, sizeof info->kind, "%s", kind);
    snprintf(info->api, sizeof info->api, "%s", kind);
    snprintf(info->name, sizeof info->name, "%s", id);
}

static kas_status list(void *self, kas_device_info *infos, size_t capacity, size_t *count)
{
    const two_devices *devices = self;
    kas_device_info all[3];
    describe(&all[0], "imitation:0", "vulkan", true);
    describe(&all[1], "remote:0", "cpu", false);
    describe(&all[2], "host:0", "cpu", false);
    *count = devices->without_host ? 2 : 3;
    memcpy(infos, all, (*count < capacity ? *count : capacity) * sizeof *infos);
    return NULL;
}

static kas_status open_device(void *self, const char *id, kas_device **out)
{
    two_devices *devices = self;
    bool remote = !strcmp(id, "remote:0");
    KAS_TRY(remote ? remote_device_open_as(id, out) : kas_device_open(id, out));
    if (remote) {
        devices->remote = *out;
        remote_device_say_fast(*out, devices->fast_acts, true);
    }
    ++devices->opened;
    return NULL;
}

void two_devices_init(two_devices *devices)
{
    *devices = (two_devices){.source = {.list = list, .open = open_device, .self = devices}};
    remote_device_set_room(SIZE_MAX);
}
