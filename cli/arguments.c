/* The command line of a subcommand, read by its table. */
#include "cli/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const cli_option cli_remote_options[] = {
    {"url", "URL", "KASMINA_URL", "the server (http://127.0.0.1:8080)"},
    {"token", "TOKEN", "KASMINA_TOKEN",
     "bearer token; better given by the environment, which other users cannot see"},
    {"json", NULL, NULL, "print what the server answered, for programs"},
};
const size_t cli_remote_option_count = sizeof cli_remote_options / sizeof *cli_remote_options;

/* What a server said is no command for the terminal. */
static int complain(const char *format, va_list list)
{
    char *text;
    if (vasprintf(&text, format, list) < 0) text = NULL;
    for (char *at = text; at && *at; ++at)
        if (((unsigned char)*at < 0x20 && *at != '\n') || *at == 0x7f) *at = '?';
    fprintf(stderr, "kasmina: %s\n", text ? text : "out of memory");
    free(text);
    return CLI_FAILED;
}

int cli_failure(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int code = complain(format, list);
    va_end(list);
    return code;
}

int cli_usage_error(const cli_command *command, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    complain(format, list);
    va_end(list);
    fprintf(stderr, "Try 'kasmina %s --help'.\n", command->name);
    return CLI_USAGE;
}

static const cli_option *find_option(const cli_arguments *arguments, const char *name, size_t *index)
{
    for (*index = 0; *index < arguments->command->option_count; ++*index)
        if (strcmp(arguments->command->options[*index].name, name) == 0)
            return &arguments->command->options[*index];
    return NULL;
}

const char *cli_value(const cli_arguments *arguments, const char *name)
{
    size_t index;
    const cli_option *option = find_option(arguments, name, &index);
    if (!option) return NULL;
    if (arguments->values[index] || !option->variable) return arguments->values[index];
    const char *value = getenv(option->variable);
    return value && *value ? value : NULL;
}

bool cli_switch(const cli_arguments *arguments, const char *name)
{
    return cli_value(arguments, name) != NULL;
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; ++words)
        if (strcasecmp(text, *words) == 0) return true;
    return false;
}

bool cli_setting(const cli_arguments *arguments, const char *name, bool *out)
{
    static const char *const on[] = {"",    "1",  "true",
                                     "yes", "on", NULL}; /* "": the switch itself was given */
    static const char *const off[] = {"0", "false", "no", "off", NULL};
    const char *text = cli_value(arguments, name);
    if (!text) return true;
    *out = is_one_of(text, on);
    if (*out || is_one_of(text, off)) return true;
    cli_usage_error(arguments->command, "%s is '%s' by the environment: true or false is wanted", name, text);
    return false;
}

bool cli_integer(const cli_arguments *arguments, const char *name, long long min, long long max,
                 long long *out)
{
    const char *text = cli_value(arguments, name);
    if (!text) return true;
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max) {
        cli_usage_error(arguments->command, "--%s '%s': a whole number from %lld to %lld is wanted", name,
                        text, min, max);
        return false;
    }
    *out = value;
    return true;
}

bool cli_real(const cli_arguments *arguments, const char *name, double *out)
{
    const char *text = cli_value(arguments, name);
    if (!text) return true;
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value)) {
        cli_usage_error(arguments->command, "--%s '%s': a number is wanted", name, text);
        return false;
    }
    *out = value;
    return true;
}

enum { OPTION_HELP = 1000, OPTION_REMOTE = 2000 };

static size_t describe(const cli_command *command, struct option *out)
{
    size_t count = 0;
    for (size_t i = 0; i < command->option_count; ++i)
        out[count++] =
            (struct option){command->options[i].name,
                            command->options[i].value ? required_argument : no_argument, NULL, (int)i};
    for (size_t i = 0; command->remote && i < cli_remote_option_count; ++i)
        out[count++] = (struct option){cli_remote_options[i].name,
                                       cli_remote_options[i].value ? required_argument : no_argument, NULL,
                                       OPTION_REMOTE + (int)i};
    out[count++] = (struct option){"help", no_argument, NULL, OPTION_HELP};
    out[count] = (struct option){0};
    return count;
}

static void take_remote(cli_arguments *arguments, int index)
{
    if (index == 0) arguments->url = optarg;
    if (index == 1) arguments->token = optarg;
    if (index == 2) arguments->json = true;
}

/* How many operands the text of a command asks for: words, and of those the ones in brackets are optional. */
static void operand_range(const char *text, size_t *min, size_t *max)
{
    *min = *max = 0;
    for (const char *at = text; *at; at += strcspn(at, " "), at += strspn(at, " ")) {
        ++*max;
        *min += *at != '[';
    }
}

/* The word of a command's operands at that place. */
static const char *operand_at(const char *text, size_t place)
{
    for (; place > 0; --place) {
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
    return text;
}

static int take_operands(cli_arguments *out, int argc, char **argv)
{
    size_t min, max;
    operand_range(out->command->operands, &min, &max);
    const size_t given = (size_t)(argc - optind);
    if (max == 0 && given > 0)
        return cli_usage_error(out->command, "%s takes no operand; '%s' is one", out->command->name,
                               argv[optind]);
    if (given > max)
        return cli_usage_error(out->command, "%s takes %s; '%s' is one too many", out->command->name,
                               out->command->operands, argv[optind + (int)max]);
    if (given < min) {
        const char *missing = operand_at(out->command->operands, given);
        return cli_usage_error(out->command, "%s %s: %.*s is missing", out->command->name,
                               out->command->operands, (int)strcspn(missing, " "), missing);
    }
    for (size_t i = 0; i < given; ++i)
        out->operands[i] = argv[optind + (int)i];
    out->operand_count = given;
    return CLI_OK;
}

static void take_environment(cli_arguments *out)
{
    if (!out->url) out->url = getenv("KASMINA_URL");
    if (!out->url || !*out->url) out->url = "http://127.0.0.1:8080";
    if (!out->token) out->token = getenv("KASMINA_TOKEN");
}

int cli_parse(const cli_command *command, int argc, char **argv, cli_arguments *out, bool *help)
{
    struct option options[CLI_OPTIONS_MAX + 8];
    *out = (cli_arguments){.command = command};
    *help = false;
    describe(command, options);
    optind = 1;
    opterr = 0;
    int found;
    while ((found = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (found == OPTION_HELP)
            *help = true;
        else if (found == '?')
            return cli_usage_error(command, "no option '%s'", argv[optind - 1]);
        else if (found == ':')
            return cli_usage_error(command, "'%s' needs a value", argv[optind - 1]);
        else if (found >= OPTION_REMOTE)
            take_remote(out, found - OPTION_REMOTE);
        else
            out->values[found] = optarg ? optarg : "";
    }
    if (*help) return CLI_OK;
    if (command->remote) take_environment(out);
    return take_operands(out, argc, argv);
}
