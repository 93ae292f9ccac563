/* Texts made from the table of commands. */
#ifndef KAS_CLI_HELP_H
#define KAS_CLI_HELP_H

#include <stdio.h>

#include "cli/command.h"

void cli_print_overview(FILE *out);
void cli_print_help(FILE *out, const cli_command *command);
void cli_print_manual(FILE *out); /* kasmina(1), in man's macros */

#endif
