#include "tests/sim/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct parser {
    const char *program, *purpose;
    sim_options defaults;
} parser;

static _Noreturn void misuse(const parser *p, const char *what)
{
    fprintf(stderr,
            "%s: %s\n"
            "Usage: %s [--seed N] [--runs N] [--steps N] [--verbose]\n"
            "\n"
            "%s\n"
            "  --seed N    of the first run (%llu); the others have the seeds after it\n"
            "  --runs N    how many (%u)\n"
            "  --steps N   of each run (%u, at most %u)\n"
            "  --verbose   print all that happens\n",
            p->program, what, p->program, p->purpose, (unsigned long long)p->defaults.seed, p->defaults.runs,
            p->defaults.steps, p->defaults.steps_max);
    exit(2);
}

static uint64_t number(const parser *p, const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (!text || errno || end == text || *end || *text == '-' || value > max) misuse(p, "a number is needed");
    return value;
}

sim_options sim_options_parse(char **arguments, const char *program, const char *purpose,
                              sim_options defaults)
{
    const parser p = {.program = program, .purpose = purpose, .defaults = defaults};
    sim_options o = defaults;
    for (char **at = arguments + 1; *at; ++at) {
        if (!strcmp(*at, "--verbose"))
            o.verbose = true;
        else if (!strcmp(*at, "--seed"))
            o.seed = number(&p, *++at, UINT64_MAX);
        else if (!strcmp(*at, "--runs"))
            o.runs = (uint32_t)number(&p, *++at, UINT32_MAX);
        else if (!strcmp(*at, "--steps"))
            o.steps = (uint32_t)number(&p, *++at, defaults.steps_max);
        else
            misuse(&p, "no such option");
    }
    return o;
}
