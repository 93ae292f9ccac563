#include "cli/help.h"

#include <string.h>

#include "kasmina/kasmina.h"

static const char exit_codes[] =
    "Exit codes: 0 done, 1 it failed (the message says why), 2 the command line is wrong.";

void cli_print_overview(FILE *out)
{
    fputs("Usage: kasmina COMMAND [options]\n\n", out);
    for (size_t i = 0; i < cli_command_count; ++i)
        fprintf(out, "  %-18s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    fprintf(out, "\n'kasmina help COMMAND' tells more. %s\n", exit_codes);
}

static void print_options(FILE *out, const cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", options[i].name, options[i].value ? " " : "",
                 options[i].value ? options[i].value : "");
        fprintf(out, "  %-24s %s", left, options[i].help);
        if (options[i].variable) fprintf(out, " [%s]", options[i].variable);
        fputc('\n', out);
    }
}

void cli_print_help(FILE *out, const cli_command *command)
{
    fprintf(out, "Usage: kasmina %s%s%s [options]\n\n%s.\n\n", command->name, *command->operands ? " " : "",
            command->operands, command->summary);
    print_options(out, command->options, command->option_count);
    if (command->remote) print_options(out, cli_remote_options, cli_remote_option_count);
    fprintf(out, "  %-24s %s\n\nExamples:\n%s\n%s\n", "--help", "this text", command->examples, exit_codes);
}

/* man reads '-' as a hyphen and a leading '.' or ''' as a request. */
static void print_roff(FILE *out, const char *text)
{
    for (bool line_start = true; *text; line_start = *text++ == '\n') {
        if (line_start && (*text == '.' || *text == '\'')) fputs("\\&", out);
        if (*text == '-')
            fputs("\\-", out);
        else if (*text == '\\')
            fputs("\\e", out);
        else
            fputc(*text, out);
    }
}

static void print_roff_options(FILE *out, const cli_option *options, size_t count)
{
    for (size_t i = 0; i < count; ++i) {
        fputs(".TP\n.B \\-\\-", out);
        print_roff(out, options[i].name);
        if (options[i].value) fprintf(out, " \\fI%s\\fR", options[i].value);
        fputc('\n', out);
        print_roff(out, options[i].help);
        if (options[i].variable) fprintf(out, " (environment: %s)", options[i].variable);
        fputc('\n', out);
    }
}

void cli_print_manual(FILE *out)
{
    fprintf(out,
            ".TH KASMINA 1 \"\" \"kasmina %s\" \"User Commands\"\n.SH NAME\nkasmina \\- serve layers and "
            "graft kernels into "
            "them\n.SH SYNOPSIS\n.B kasmina\n.I COMMAND\n.RI [ options ]\n.SH COMMANDS\n",
            kas_version());
    for (size_t i = 0; i < cli_command_count; ++i) {
        const cli_command *command = cli_commands[i];
        fprintf(out, ".SS \"kasmina %s %s\"\n", command->name, command->operands);
        print_roff(out, command->summary);
        fputs(".\n", out);
        print_roff_options(out, command->options, command->option_count);
        fputs(".PP\n.nf\n", out);
        print_roff(out, command->examples);
        fputs(".fi\n", out);
    }
    fputs(".SH OPTIONS OF COMMANDS THAT SPEAK TO A SERVER\n", out);
    print_roff_options(out, cli_remote_options, cli_remote_option_count);
    fprintf(out, ".SH EXIT STATUS\n%s\n", exit_codes);
}
