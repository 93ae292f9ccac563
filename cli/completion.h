/* What bash is told about the command line. */
#ifndef KAS_CLI_COMPLETION_H
#define KAS_CLI_COMPLETION_H

#include <stdio.h>

void cli_print_completion(FILE *out); /* a script for bash to source */

#endif
