/* Reading a subcommand's command line. */
#ifndef KAS_CLI_ARGUMENTS_H
#define KAS_CLI_ARGUMENTS_H

#include "cli/command.h"

/* argv[0] is ignored. CLI_OK, with *help set when --help was asked for; CLI_USAGE after a message. */
int cli_parse(const cli_command *command, int argc, char **argv, cli_arguments *out, bool *help);

#endif
