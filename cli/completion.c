/* The script is one `case` over the words before the cursor, each followed by a space: their beginning names
 * the command. Where it offers nothing that fits, bash offers files. */
#include "cli/completion.h"

#include <string.h>

#include "cli/command.h"

static size_t first_word(const char *name)
{
    return strcspn(name, " ");
}

/* Whether no command before this one begins with the same word. */
static bool is_first_of_its_word(size_t index)
{
    const char *name = cli_commands[index]->name;
    const size_t length = first_word(name);
    for (size_t i = 0; i < index; ++i)
        if (cli_is_in_group(cli_commands[i], name, length)) return false;
    return true;
}

/* Groups, and commands that are in none. */
static void print_first_words(FILE *out)
{
    for (size_t i = 0; i < cli_command_count; ++i)
        if (is_first_of_its_word(i))
            fprintf(out, "%.*s ", (int)first_word(cli_commands[i]->name), cli_commands[i]->name);
}

static void print_group(FILE *out, const char *group, size_t length)
{
    fprintf(out, "    \"%.*s \" | \"help %.*s \") choices=\"", (int)length, group, (int)length, group);
    for (size_t i = 0; i < cli_command_count; ++i)
        if (cli_is_in_group(cli_commands[i], group, length))
            fprintf(out, "%s ", cli_commands[i]->name + length + 1);
    fputs("\" ;;\n", out);
}

static void print_options(FILE *out, const cli_option *options, size_t count, bool valued_only)
{
    for (size_t i = 0; i < count; ++i)
        if (options[i].value || !valued_only) fprintf(out, "--%s ", options[i].name);
}

static void print_options_of(FILE *out, const cli_command *command, bool valued_only)
{
    print_options(out, command->options, command->option_count, valued_only);
    if (command->remote) print_options(out, cli_remote_options, cli_remote_option_count, valued_only);
}

static void print_command(FILE *out, const cli_command *command)
{
    fprintf(out, "    \"%s \"*) valued=\" ", command->name);
    print_options_of(out, command, true);
    fputs("\" choices=\"", out);
    print_options_of(out, command, false);
    fputs("--help\" ;;\n", out);
}

void cli_print_completion(FILE *out)
{
    fputs("# bash completion for kasmina: source <(kasmina completion)\n"
          "_kasmina() {\n"
          "    local words=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\" choices='' valued=''\n"
          "    case \"$words \" in\n"
          "    \" \") choices=\"",
          out);
    print_first_words(out);
    fputs("help --help --version\" ;;\n"
          "    \"help \") choices=\"",
          out);
    print_first_words(out);
    fputs("\" ;;\n", out);
    for (size_t i = 0; i < cli_command_count; ++i) {
        const char *name = cli_commands[i]->name;
        if (name[first_word(name)] && is_first_of_its_word(i)) print_group(out, name, first_word(name));
        print_command(out, cli_commands[i]);
    }
    fputs("    esac\n"
          "    # an option that takes a value stands before: files\n"
          "    case \"$valued\" in *\" ${COMP_WORDS[COMP_CWORD-1]} \"*) choices='' ;; esac\n"
          "    COMPREPLY=($(compgen -W \"$choices\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
          "}\n"
          "complete -o default -F _kasmina kasmina\n",
          out);
}
