/* Lists that a server gives page by page. */
#ifndef KAS_CLI_PAGES_H
#define KAS_CLI_PAGES_H

#include <jansson.h>

#include "cli/command.h"

/* Everything of the list at `path` ("/v1/layers", without a query), whose pages have it under `member`. *out
 * is an array, the caller's. With --json it is printed as one page that holds them all. Returns an exit code.
 */
int cli_list(const cli_arguments *arguments, const char *path, const char *member, json_t **out);

#endif
