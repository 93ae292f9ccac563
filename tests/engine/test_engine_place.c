/* Which device "auto" means: the first that is ready, imitates nothing and has room, to the byte. */
#include <criterion/criterion.h>

#include "engine/control/engine.h"
#include "tests/engine/engine_world.h"
#include "tests/engine/two_devices.h"
#include "tests/unit/remote_device.h"

static two_devices devices;

static kas_engine *open_automatic(void)
{
    const kas_engine_options options = {.size = sizeof options};
    const kas_env env = {.devices = &devices.source};
    kas_engine *engine;
    ok(kas_engine_create_in(&options, &env, &engine));
    return engine;
}

static const char *place(kas_engine *engine, const char *name)
{
    static kas_layer_info info;
    kas_request request = new_layer(name);
    must_call(engine, &request);
    info = layer_of(engine, name);
    return info.device;
}

Test(engine_place, the_first_that_has_room)
{
    two_devices_init(&devices);
    kas_engine *engine = open_automatic();
    cr_expect_str_eq(place(engine, "a"), "remote:0");
    cr_expect_eq(devices.opened, 1, "a device behind the one that is taken is opened too");
    remote_device_set_room(0);
    cr_expect_str_eq(place(engine, "b"), "host:0");
    kas_engine_destroy(engine);
}

static size_t used_of_remote(kas_engine *engine)
{
    kas_device_report reports[3];
    cr_assert_eq(kas_engine_list_devices(engine, reports, 3), 3);
    cr_assert_str_eq(reports[1].id, "remote:0");
    return reports[1].memory_used_bytes;
}

/* Weights and workspace of a layer, as they are reserved: with one byte less there is no room. */
Test(engine_place, room_is_counted_to_the_byte)
{
    two_devices_init(&devices);
    kas_engine *engine = open_automatic();
    cr_expect_str_eq(place(engine, "a"), "remote:0");
    size_t needed = used_of_remote(engine);
    kas_engine_destroy(engine);
    cr_assert_geq(needed, FEATURES * FEATURES * sizeof(float));
    for (size_t less = 0; less < 2; ++less) {
        remote_device_set_room(needed - less);
        engine = open_automatic();
        cr_expect_str_eq(place(engine, "a"), less ? "host:0" : "remote:0");
        cr_expect_eq(used_of_remote(engine), less ? 0 : needed, "what was tried stays on the device");
        kas_engine_destroy(engine);
    }
}

Test(engine_place, none_has_room)
{
    two_devices_init(&devices);
    devices.without_host = true;
    remote_device_set_room(16);
    kas_engine *engine = open_automatic();
    kas_request request = new_layer("a");
    must_fail(engine, &request, KAS_NO_ROOM, "no device has room: remote:0:");
    must_fail(engine, &request, KAS_NO_ROOM, "and 16 are free");
    kas_engine_destroy(engine);
}

Test(engine_place, a_lost_one_is_passed_over)
{
    two_devices_init(&devices);
    kas_engine *engine = open_automatic();
    cr_expect_str_eq(place(engine, "a"), "remote:0");
    remote_device_lose(devices.remote);
    cr_expect_str_eq(place(engine, "b"), "host:0");
    kas_engine_destroy(engine);
}

Test(engine_place, a_name_is_taken_at_its_word)
{
    two_devices_init(&devices);
    kas_engine *engine = open_automatic();
    kas_request request = new_layer("a");
    request.create_layer.device = "host:0";
    must_call(engine, &request);
    cr_expect_str_eq(layer_of(engine, "a").device, "host:0");
    request = new_layer("b");
    request.create_layer.device = "imitation:0";
    must_fail(engine, &request, KAS_NOT_FOUND, "imitation:0");
    kas_engine_destroy(engine);
}
