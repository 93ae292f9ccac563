/* kasmina devices: of a server, or of this machine. */
#include <stdio.h>

#include "backends/core/device.h"
#include "base/alloc.h"
#include "cli/remote.h"
#include "cli/selftest.h"
#include "cli/table.h"

static const cli_column columns[] = {
    {"ID", "id", false},
    {"KIND", "kind", false},
    {"NAME", "name", false},
    {"STATE", "state", false},
    {"MEMORY MiB", "memory_total_mib", true},
    {"USED MiB", "memory_used_mib", true},
    {"UUID", "uuid", false},
};
enum { COLUMN_COUNT = sizeof columns / sizeof *columns, LISTED_MAX = 64 };

static json_t *describe(const kas_device_info *info)
{
    static const char *const states[] = {"ready", "lost", "rebuilding"};
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I}", "id", info->id, "kind", info->kind, "name",
                     info->name, "uuid", info->uuid, "state", states[info->state], "software", info->software,
                     "memory_total_bytes", (json_int_t)info->memory_total_bytes, "memory_used_bytes",
                     (json_int_t)info->memory_used_bytes);
}

static int list_local(json_t **out)
{
    kas_device_info infos[LISTED_MAX];
    *out = json_array();
    for (size_t d = 0; d < kas_driver_count(); ++d) {
        size_t count = 0;
        kas_status status = kas_driver_list(kas_driver_at(d), infos, LISTED_MAX, &count);
        if (status) {
            cli_failure("%s: %s", kas_driver_name(kas_driver_at(d)), kas_status_message(status));
            kas_status_free(status);
            continue;
        }
        for (size_t i = 0; i < count && i < LISTED_MAX; ++i)
            json_array_append_new(*out, describe(&infos[i]));
    }
    return CLI_OK;
}

static void add_mebibytes(json_t *device)
{
    json_int_t total = json_integer_value(json_object_get(device, "memory_total_bytes"));
    json_int_t used = json_integer_value(json_object_get(device, "memory_used_bytes"));
    json_object_set_new(device, "memory_total_mib", json_integer(total >> 20));
    json_object_set_new(device, "memory_used_mib", json_integer(used >> 20));
}

static int devices(const cli_arguments *arguments)
{
    json_t *answer = NULL, *list = NULL, *device;
    size_t index;
    int result = CLI_OK;
    if (cli_switch(arguments, "selftest")) return cli_selftest(arguments->json);
    if (cli_switch(arguments, "local")) {
        result = list_local(&list);
        if (arguments->json) json_dumpf(list, stdout, JSON_INDENT(2)), putchar('\n');
    } else {
        result = cli_send_json(arguments, "GET", "/v1/devices", NULL, &answer);
        list = json_incref(json_object_get(answer, "devices"));
    }
    if (result == CLI_OK && !arguments->json) {
        json_array_foreach(list, index, device) add_mebibytes(device);
        result = cli_print_table(list, columns, COLUMN_COUNT);
    }
    json_decref(list);
    json_decref(answer);
    return result;
}

static const cli_option options[] = {
    {"local", NULL, NULL, "of this machine, without a server"},
    {"selftest", NULL, NULL, "every operator on every device of this machine, against float64"},
};
const cli_command cli_devices = {
    "devices",
    "",
    "Lists devices",
    "  kasmina devices\n  kasmina devices --local\n  kasmina devices --selftest\n",
    true,
    options,
    2,
    devices};
