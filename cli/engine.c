/* kasmina epoch, stats, events, devices: what concerns the whole engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/remote.h"
#include "cli/table.h"

static int epoch(const cli_arguments *arguments)
{
    json_t *answer, *request = NULL;
    if (arguments->operand_count) {
        char *end;
        long long to = strtoll(arguments->operands[0], &end, 10);
        if (*end || to < 1)
            return cli_usage_error(arguments->command, "'%s' is no epoch", arguments->operands[0]);
        request = json_pack("{s:I, s:s}", "epoch", (json_int_t)to, "on_unready",
                            cli_switch(arguments, "skip-unready") ? "skip" : "refuse");
    }
    int result = cli_send_json(arguments, request ? "POST" : "GET", "/v1/epoch", request, &answer);
    if (result != CLI_OK) return result;
    if (!arguments->json) result = cli_print_object(answer);
    json_decref(answer);
    return result;
}

static int stats(const cli_arguments *arguments)
{
    json_t *answer, *part;
    const char *name;
    int result = cli_send_json(
        arguments, "GET",
        arguments->operand_count ? cli_path("/v1/layers/%s/stats", arguments->operands[0]) : "/v1/stats",
        NULL, &answer);
    if (result != CLI_OK) return result;
    if (!arguments->json) {
        json_object_foreach(answer, name, part)
        {
            if (!json_is_object(part)) continue;
            printf("%s\n", name);
            result = cli_print_object(part);
            putchar('\n');
        }
    }
    json_decref(answer);
    return result;
}

typedef struct event_reader {
    const char *filter; /* only events of this name; NULL: all */
    char line[16384];
    size_t length;
    char name[64];
} event_reader;

static void take_line(event_reader *reader)
{
    reader->line[reader->length] = 0;
    if (strncmp(reader->line, "event: ", 7) == 0)
        snprintf(reader->name, sizeof reader->name, "%s", reader->line + 7);
    if (strncmp(reader->line, "data: ", 6) == 0 &&
        (!reader->filter || strcmp(reader->filter, reader->name) == 0)) {
        printf("%-18s %s\n", reader->name, reader->line + 6);
        fflush(stdout);
    }
    reader->length = 0;
}

static bool take_events(void *user, const char *bytes, size_t size)
{
    event_reader *reader = user;
    for (size_t i = 0; i < size; ++i) {
        if (bytes[i] == '\n')
            take_line(reader);
        else if (reader->length + 1 < sizeof reader->line)
            reader->line[reader->length++] = bytes[i];
    }
    return !ferror(stdout);
}

static int events(const cli_arguments *arguments)
{
    event_reader reader = {.filter = cli_value(arguments, "only")};
    return cli_stream(arguments, "/v1/events", take_events, &reader);
}

static int forward(const cli_arguments *arguments)
{
    const char *input = cli_value(arguments, "input"), *output = cli_value(arguments, "output");
    unsigned char *bytes;
    size_t size;
    if (!cli_read_file(input ? input : "-", &bytes, &size)) return CLI_FAILED;
    cli_body body = {.bytes = bytes, .size = size, .type = "application/octet-stream"};
    if (arguments->json) body.type = "application/json";
    cli_answer answer;
    int result = cli_send(arguments, "POST", cli_path("/v1/layers/%s/forward", arguments->operands[0]), &body,
                          &answer);
    free(bytes);
    if (result == CLI_OK && !cli_write_file(output ? output : "-", answer.bytes, answer.size))
        result = CLI_FAILED;
    cli_answer_free(&answer);
    return result;
}

static const cli_option epoch_options[] = {
    {"skip-unready", NULL, NULL, "drop staged loads that are not ready instead of refusing"}};
static const cli_option event_options[] = {
    {"only", "NAME", NULL, "seed.transition, operation.update, error, alert, layer.update"}};
static const cli_option forward_options[] = {
    {"input", "FILE", NULL, "raw little-endian float32 rows, or JSON with --json (standard input)"},
    {"output", "FILE", NULL, "where the answer goes (standard output)"},
};

const cli_command cli_epoch = {"epoch",
                               "[N]",
                               "Shows the epoch, or advances it and applies what is staged",
                               "  kasmina epoch\n  kasmina epoch 5\n",
                               true,
                               epoch_options,
                               1,
                               epoch};
const cli_command cli_stats = {"stats",
                               "[LAYER]",
                               "Shows the statistics of the engine or of a layer",
                               "  kasmina stats digits\n",
                               true,
                               NULL,
                               0,
                               stats};
const cli_command cli_events = {"events",
                                "",
                                "Follows what happens, a line an event",
                                "  kasmina events --only alert\n",
                                true,
                                event_options,
                                1,
                                events};
const cli_command cli_forward = {"forward",
                                 "LAYER",
                                 "Sends rows through a layer",
                                 "  kasmina forward digits --input images.f32 --output answers.f32\n"
                                 "  echo '{\"shape\":[1,2],\"data\":[1,2]}' | kasmina forward xor --json\n",
                                 true,
                                 forward_options,
                                 2,
                                 forward};
