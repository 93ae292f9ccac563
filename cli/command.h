/* What a subcommand is. One table (cli/commands.c) lists them all; parsing, --help, the man page and shell
 * completion are made from it. */
#ifndef KAS_CLI_COMMAND_H
#define KAS_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

enum { CLI_OPTIONS_MAX = 24, CLI_OPERANDS_MAX = 4 };
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2 }; /* exit codes */

typedef struct cli_option {
    const char *name;     /* "at-epoch" */
    const char *value;    /* "N"; NULL: a switch */
    const char *variable; /* environment variable that stands in for it; NULL: none */
    const char *help;     /* one line, with the default */
} cli_option;

struct cli_arguments;

typedef struct cli_command {
    const char *name;     /* "layer create" */
    const char *operands; /* "NAME"; "[NAME]" is optional; "" for none */
    const char *summary;  /* one line */
    const char *examples; /* whole lines */
    bool remote;          /* speaks HTTP: cli_remote_options are added */
    const cli_option *options;
    size_t option_count;
    int (*run)(const struct cli_arguments *arguments);
} cli_command;

typedef struct cli_arguments {
    const cli_command *command;
    const char *operands[CLI_OPERANDS_MAX];
    size_t operand_count;
    const char *values[CLI_OPTIONS_MAX]; /* by index in command->options; NULL: not given; "" for a switch */
    const char *url, *token;             /* of a remote command */
    bool json;
} cli_arguments;

extern const cli_command *const cli_commands[];
extern const size_t cli_command_count;
/* Whether it is one of a group's, as "layer create" is of "layer": the first `length` bytes of `group`. */
bool cli_is_in_group(const cli_command *command, const char *group, size_t length);

extern const cli_option cli_remote_options[];
extern const size_t cli_remote_option_count;

/* An option's value, from the command line or its environment variable; NULL when neither has it. */
const char *cli_value(const cli_arguments *arguments, const char *name);
bool cli_switch(const cli_arguments *arguments, const char *name);

/* A switch that the environment can set as well, to true or false; false after a message when it is neither
 * there. *out is unchanged when neither has it. */
bool cli_setting(const cli_arguments *arguments, const char *name, bool *out);

/* A whole number in [min, max]; false after a message when it is not one. *out is unchanged when the option
 * is absent. */
bool cli_integer(const cli_arguments *arguments, const char *name, long long min, long long max,
                 long long *out);
bool cli_real(const cli_arguments *arguments, const char *name, double *out);

/* "kasmina: …" on stderr; returns CLI_USAGE, and CLI_FAILED. */
int cli_usage_error(const cli_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int cli_failure(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
