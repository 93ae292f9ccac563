#include "cli/operation.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/remote.h"

static const char *text_of(json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static void draw(json_t *operation)
{
    enum { WIDTH = 30 };
    if (!isatty(STDERR_FILENO)) return;
    json_int_t done = json_integer_value(json_object_get(operation, "bytes_done"));
    json_int_t total = json_integer_value(json_object_get(operation, "bytes_total"));
    int filled = total > 0 ? (int)(WIDTH * done / total) : 0;
    fprintf(stderr, "\r%-10s [%.*s%*s] %lld of %lld kB\033[K", text_of(operation, "stage"), filled,
            "##############################", WIDTH - filled, "", (long long)done / 1024,
            (long long)total / 1024);
}

static bool has_ended(json_t *operation)
{
    const char *state = text_of(operation, "state");
    return strcmp(state, "queued") != 0 && strcmp(state, "running") != 0;
}

static int conclude(const cli_arguments *arguments, json_t *operation)
{
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
    cli_print_json(arguments, operation);
    const char *state = text_of(operation, "state"), *artifact = text_of(operation, "artifact_id");
    if (strcmp(state, "succeeded") != 0)
        return cli_failure("%s of %s %s: %s", text_of(operation, "kind"), artifact, state,
                           text_of(json_object_get(operation, "error"), "detail"));
    if (arguments->json) return CLI_OK;
    const char *epoch = cli_value(arguments, "at-epoch");
    if (strcmp(text_of(operation, "kind"), "preload") == 0)
        printf("%s: on the device", artifact);
    else if (epoch)
        printf("%s: ready, live at epoch %s", artifact, epoch);
    else
        printf("%s: live", artifact);
    printf(", found in the %s tier, %lld µs\n", text_of(operation, "tier"),
           (long long)json_integer_value(json_object_get(operation, "duration_us")));
    return CLI_OK;
}

int cli_follow_operation(const cli_arguments *arguments, json_t *operation)
{
    char id[64];
    const cli_arguments quiet = cli_quiet(arguments);
    snprintf(id, sizeof id, "%s", text_of(operation, "id"));
    json_t *now = json_incref(operation);
    while (!has_ended(now)) {
        draw(now);
        json_decref(now);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        int result = cli_send_json(&quiet, "GET", cli_path("/v1/operations/%s", id), NULL, &now);
        if (result != CLI_OK) return result;
    }
    int result = conclude(arguments, now);
    json_decref(now);
    return result;
}
