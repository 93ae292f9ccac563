/* kasmina health, errors, operation …, quarantine …: what an operator looks at when something is wrong. */
#include <stdio.h>
#include <string.h>

#include "cli/pages.h"
#include "cli/remote.h"
#include "cli/table.h"

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const cli_column degraded_columns[] = {
    {"COMPONENT", "component", false}, {"SINCE", "since", false}, {"REASON", "reason", false}};
static const cli_column error_columns[] = {
    {"AT", "at", false},    {"TYPE", "error_type", false},      {"LAYER", "layer", false},
    {"SEED", "seed", true}, {"ARTIFACT", "artifact_id", false}, {"DETAIL", "detail", false},
};
static const cli_column operation_columns[] = {
    {"ID", "id", false},
    {"KIND", "kind", false},
    {"STATE", "state", false},
    {"STAGE", "stage", false},
    {"LAYER", "layer", false},
    {"SEED", "seed", true},
    {"ARTIFACT", "artifact_id", false},
    {"TO", "device", false},
    {"CREATED", "created_at", false},
    {"ERROR", "error.detail", false},
};
static const cli_column quarantine_columns[] = {
    {"CHECKSUM", "checksum", false},
    {"ARTIFACTS", "artifact_ids", false},
    {"SINCE", "since", false},
    {"REASON", "reason", false},
};

static int print_health(json_t *health)
{
    json_t *degraded = json_object_get(health, "degraded");
    printf("%s, %s, up %.0f s\n", json_string_value(json_object_get(health, "status")),
           json_is_true(json_object_get(health, "ready")) ? "ready" : "not ready",
           json_number_value(json_object_get(health, "uptime_s")));
    return json_array_size(degraded) ? cli_print_table(degraded, degraded_columns, COUNT_OF(degraded_columns))
                                     : CLI_OK;
}

static int health(const cli_arguments *arguments)
{
    json_t *answer;
    int result = cli_send_json(arguments, "GET", "/v1/health", NULL, &answer);
    if (result != CLI_OK) return result;
    if (!arguments->json) result = print_health(answer);
    if (result == CLI_OK && !json_is_true(json_object_get(answer, "ready"))) result = CLI_FAILED;
    json_decref(answer);
    return result;
}

static int errors(const cli_arguments *arguments)
{
    long long limit = 20;
    json_t *answer;
    if (!cli_integer(arguments, "limit", 1, 1000, &limit)) return CLI_USAGE;
    char path[64];
    snprintf(path, sizeof path, "/v1/errors?limit=%lld", limit);
    int result = cli_send_json(arguments, "GET", path, NULL, &answer);
    if (result != CLI_OK) return result;
    if (!arguments->json)
        result = cli_print_table(json_object_get(answer, "errors"), error_columns, COUNT_OF(error_columns));
    json_decref(answer);
    return result;
}

static int list(const cli_arguments *arguments, const char *path, const char *member,
                const cli_column *columns, size_t count)
{
    json_t *rows;
    int result = cli_list(arguments, path, member, &rows);
    if (result != CLI_OK) return result;
    if (!arguments->json) result = cli_print_table(rows, columns, count);
    json_decref(rows);
    return result;
}

static int list_operations(const cli_arguments *arguments)
{
    return list(arguments, "/v1/operations", "operations", operation_columns, COUNT_OF(operation_columns));
}

static int show_operation(const cli_arguments *arguments)
{
    json_t *answer;
    int result =
        cli_send_json(arguments, "GET", cli_path("/v1/operations/%s", arguments->operands[0]), NULL, &answer);
    if (result != CLI_OK) return result;
    if (!arguments->json) result = cli_print_object(answer);
    json_decref(answer);
    return result;
}

static int cancel_operation(const cli_arguments *arguments)
{
    return cli_send_json(arguments, "DELETE", cli_path("/v1/operations/%s", arguments->operands[0]), NULL,
                         NULL);
}

static int list_quarantine(const cli_arguments *arguments)
{
    return list(arguments, "/v1/quarantine", "quarantine", quarantine_columns, COUNT_OF(quarantine_columns));
}

static int lift_quarantine(const cli_arguments *arguments)
{
    return cli_send_json(arguments, "DELETE", cli_path("/v1/quarantine/%s", arguments->operands[0]), NULL,
                         NULL);
}

static const cli_option error_options[] = {{"limit", "N", NULL, "how many, the newest (20)"}};

const cli_command cli_health = {
    "health",
    "",
    "Says whether the server is well, and what is degraded; exit code 1 when it is not ready",
    "  kasmina health\n",
    true,
    NULL,
    0,
    health};
const cli_command cli_errors = {
    "errors", "", "Lists the errors of late", "  kasmina errors --limit 5\n", true, error_options, 1, errors};
const cli_command cli_operation_list = {"operation list",
                                        "",
                                        "Lists loads, preloads, moves and what replicas are made",
                                        "  kasmina operation list\n",
                                        true,
                                        NULL,
                                        0,
                                        list_operations};
const cli_command cli_operation_show = {
    "operation show", "ID", "Shows an operation", "  kasmina operation show op-17\n", true, NULL, 0,
    show_operation};
const cli_command cli_operation_cancel = {
    "operation cancel", "ID", "Ends an operation", "  kasmina operation cancel op-17\n", true, NULL, 0,
    cancel_operation};
const cli_command cli_quarantine_list = {"quarantine list",
                                         "",
                                         "Lists the kernels that are not loaded any more, and why",
                                         "  kasmina quarantine list\n",
                                         true,
                                         NULL,
                                         0,
                                         list_quarantine};
const cli_command cli_quarantine_lift = {"quarantine lift",
                                         "CHECKSUM",
                                         "Lets a quarantined kernel be loaded again",
                                         "  kasmina quarantine lift 4a3ddb04…\n",
                                         true,
                                         NULL,
                                         0,
                                         lift_quarantine};
