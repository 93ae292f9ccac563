/* kasmina version: this program's, and the server's that its other commands would speak to. */
#include <kasmina/kasmina.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/remote.h"

static int version(const cli_arguments *arguments)
{
    const cli_arguments quiet = cli_quiet(arguments);
    json_t *server;
    if (!arguments->json) {
        printf("kasmina %s\n", kas_version());
        fflush(stdout); /* before what may be said of the server */
    }
    int result = cli_send_json(&quiet, "GET", "/v2", NULL, &server);
    if (result != CLI_OK) return result;
    const char *text = json_string_value(json_object_get(server, "version"));
    if (!arguments->json) printf("server  %s at %s\n", text ? text : "of no version", arguments->url);
    json_t *both = json_pack("{s:s, s:s?}", "client", kas_version(), "server", text);
    cli_print_json(arguments, both);
    json_decref(both);
    json_decref(server);
    return result;
}

const cli_command cli_version = {
    "version",
    "",
    "Prints the version of this program and of the server",
    "  kasmina version\n"
    "  kasmina --version                  # of this program alone\n",
    true,
    NULL,
    0,
    version,
};
