#include "cli/pages.h"

#include <stdio.h>
#include <string.h>

#include "cli/remote.h"

enum { CURSOR_SIZE = 1024, PATH_SIZE = 2048 };

int cli_list(const cli_arguments *arguments, const char *path, const char *member, json_t **out)
{
    const cli_arguments quiet = cli_quiet(arguments);
    char cursor[CURSOR_SIZE] = "", request[PATH_SIZE];
    json_t *all = json_array();
    do {
        json_t *page;
        const char *from = cli_path("%s", cursor);
        snprintf(request, sizeof request, "%s?limit=500%s%s", path, *cursor ? "&cursor=" : "",
                 from ? from : "");
        int result = cli_send_json(&quiet, "GET", request, NULL, &page);
        if (result != CLI_OK) {
            json_decref(all);
            return result;
        }
        json_array_extend(all, json_object_get(page, member));
        const char *next = json_string_value(json_object_get(page, "next_cursor"));
        const bool again = next && strcmp(next, cursor) == 0;
        snprintf(cursor, sizeof cursor, "%s", next ? next : "");
        json_decref(page);
        if (again) {
            json_decref(all);
            return cli_failure("the server's list of %s comes to no end: cursor %s twice", member, cursor);
        }
    } while (*cursor);
    json_t *whole = json_pack("{s:O, s:n}", member, all, "next_cursor");
    cli_print_json(arguments, whole);
    json_decref(whole);
    *out = all;
    return CLI_OK;
}
