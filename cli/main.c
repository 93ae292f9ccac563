/* kasmina: finds the subcommand that the first words name, and runs it. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/arguments.h"
#include "cli/commands.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "kasmina/kasmina.h"

static size_t word_count(const char *text)
{
    size_t count = 1;
    for (; *text; ++text)
        count += *text == ' ';
    return count;
}

/* Whether argv[1…] begin with the words of a command's name. */
static bool is_named(const cli_command *command, int argc, char **argv)
{
    const char *name = command->name;
    for (int i = 1; i < argc; ++i) {
        size_t length = strcspn(name, " ");
        if (strlen(argv[i]) != length || strncmp(argv[i], name, length) != 0) return false;
        if (!name[length]) return true;
        name += length + 1;
    }
    return false;
}

static int run(const cli_command *command, int argc, char **argv)
{
    cli_arguments arguments;
    bool help;
    int skipped = (int)word_count(command->name);
    int result = cli_parse(command, argc - skipped, argv + skipped, &arguments, &help);
    if (result != CLI_OK) return result;
    if (help) {
        cli_print_help(stdout, command);
        return CLI_OK;
    }
    return command->run(&arguments);
}

static int print_completion(const cli_arguments *arguments)
{
    (void)arguments;
    cli_print_completion(stdout);
    return CLI_OK;
}

static int print_manual(const cli_arguments *arguments)
{
    (void)arguments;
    cli_print_manual(stdout);
    return CLI_OK;
}

const cli_command cli_completion = {
    "completion",    "", "Prints completion for bash", "  source <(kasmina completion)\n", false, NULL, 0,
    print_completion};
const cli_command cli_manual = {
    "manual", "", "Prints the manual page", "  kasmina manual | man -l -\n", false, NULL, 0, print_manual};

/* Whether a word is only a group of commands, as in "kasmina layer". */
static bool is_group(const char *word)
{
    for (size_t i = 0; i < cli_command_count; ++i)
        if (cli_is_in_group(cli_commands[i], word, strlen(word))) return true;
    return false;
}

/* False: there is no such group. */
static bool print_group(FILE *out, const char *word)
{
    if (!is_group(word)) return false;
    fprintf(out, "Usage: kasmina %s COMMAND [options]\n\n", word);
    for (size_t i = 0; i < cli_command_count; ++i)
        if (cli_is_in_group(cli_commands[i], word, strlen(word)))
            fprintf(out, "  %-18s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    fprintf(out, "\n'kasmina help %s COMMAND' tells more.\n", word);
    return true;
}

static bool asks_for_help(const char *word)
{
    return !strcmp(word, "--help") || !strcmp(word, "-h");
}

/* No command's name: a group of them, of which help may be asked, or a mistake. */
static int run_none(int argc, char **argv)
{
    const char *word = argv[1];
    if (argc == 2 && print_group(stderr, word)) return CLI_USAGE;
    if (argc > 2 && asks_for_help(argv[2]) && print_group(stdout, word)) return CLI_OK;
    if (*word == '-')
        cli_failure("options come after the command: '%s' is before it", word);
    else if (argc > 2 && is_group(word))
        cli_failure("no command '%s %s'; 'kasmina help %s' lists those that there are", word, argv[2], word);
    else
        cli_failure("no command '%s'; 'kasmina help' lists those that there are", word);
    return CLI_USAGE;
}

/* "kasmina help WORD…" is "kasmina WORD… --help". */
static int run_help(int argc, char **argv)
{
    if (argc == 2) {
        cli_print_overview(stdout);
        return CLI_OK;
    }
    for (size_t i = 0; i < cli_command_count; ++i)
        if (is_named(cli_commands[i], argc - 1, argv + 1)) {
            cli_print_help(stdout, cli_commands[i]);
            return CLI_OK;
        }
    if (argc == 3 && print_group(stdout, argv[2])) return CLI_OK;
    return run_none(argc - 1, argv + 1);
}

/* Whoever starts us with a standard stream closed would find our messages in the first file that we open. */
static bool open_standard_streams(void)
{
    int fd = STDIN_FILENO;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd < 0) return false;
    close(fd);
    return true;
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        cli_print_overview(stderr);
        return CLI_USAGE;
    }
    if (asks_for_help(argv[1]) || !strcmp(argv[1], "help")) return run_help(argc, argv);
    if (!strcmp(argv[1], "--version")) return printf("kasmina %s\n", kas_version()) < 0 ? CLI_FAILED : CLI_OK;
    for (size_t i = 0; i < cli_command_count; ++i)
        if (is_named(cli_commands[i], argc, argv)) return run(cli_commands[i], argc, argv);
    return run_none(argc, argv);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    if (!open_standard_streams()) return CLI_FAILED;
    int code = dispatch(argc, argv);
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    return code == CLI_OK ? cli_failure("cannot write to standard output: %s", strerror(errno)) : code;
}
