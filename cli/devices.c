/* kasmina devices: of a server, or of this machine. */
#include <stdio.h>
#include <string.h>

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

static int list_local(const char *only, json_t **out)
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
            if (!only || strcmp(only, infos[i].id) == 0) json_array_append_new(*out, describe(&infos[i]));
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

/* The id of this machine's device that goes by this name. */
static int find_local(const char *name, char id[KAS_DEVICE_ID_SIZE])
{
    kas_status status = kas_device_resolve(name, id);
    if (!status) return CLI_OK;
    cli_failure("%s", kas_status_message(status));
    kas_status_free(status);
    return CLI_FAILED;
}

static int list_remote(const cli_arguments *arguments, const char *name, json_t **out)
{
    json_t *answer = NULL;
    const char *path = name ? cli_path("/v1/devices/%s", name) : "/v1/devices";
    if (!path) return cli_usage_error(arguments->command, "'%.64s…' is no device", name);
    int result = cli_send_json(arguments, "GET", path, NULL, &answer);
    if (result == CLI_OK)
        *out = name ? json_pack("[O]", answer) : json_incref(json_object_get(answer, "devices"));
    json_decref(answer);
    return result;
}

static int print(json_t *list)
{
    json_t *device;
    size_t index;
    json_array_foreach(list, index, device) add_mebibytes(device);
    return cli_print_table(list, columns, COLUMN_COUNT);
}

static int devices(const cli_arguments *arguments)
{
    const char *name = arguments->operands[0];
    bool selftest = cli_switch(arguments, "selftest"), local = cli_switch(arguments, "local");
    char id[KAS_DEVICE_ID_SIZE];
    json_t *list = NULL;
    int result = name && (selftest || local) ? find_local(name, id) : CLI_OK;
    if (result != CLI_OK) return result;
    if (selftest) return cli_selftest(name ? id : NULL, arguments->json);
    result = local ? list_local(name ? id : NULL, &list) : list_remote(arguments, name, &list);
    if (local && arguments->json) json_dumpf(list, stdout, JSON_INDENT(2)), putchar('\n');
    if (result == CLI_OK && !arguments->json) result = print(list);
    json_decref(list);
    return result;
}

static const cli_option options[] = {
    {"local", NULL, NULL, "of this machine, without a server"},
    {"selftest", NULL, NULL, "every operator on the device (all of this machine), against float64"},
};
const cli_command cli_devices = {
    "devices",
    "[DEVICE]",
    "Lists devices",
    "  kasmina devices\n  kasmina devices --local\n  kasmina devices --selftest vulkan:0\n",
    true,
    options,
    2,
    devices};
