/* Watching an operation until it has ended. */
#ifndef KAS_CLI_OPERATION_H
#define KAS_CLI_OPERATION_H

#include <jansson.h>

#include "cli/command.h"

/* Follows the operation (the object that the server answered) to its end, with a progress bar where stderr is
 * a terminal; with --json it is printed as it ended. Returns an exit code; a failed operation's problem is
 * told. */
int cli_follow_operation(const cli_arguments *arguments, json_t *operation);

#endif
