/* kas_sim: runs of the simulation, from the options of the command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { RUNS = 200, STEPS = 150, REPEAT_EVERY = 20 };

static const char usage[] =
    "Usage: kas_sim [--seed N] [--runs N] [--steps N] [--verbose]\n"
    "\n"
    "Drives the control plane by random commands in a simulated world and checks it after each.\n"
    "  --seed N    of the first run (1); the others have the seeds after it\n"
    "  --runs N    how many (200)\n"
    "  --steps N   of each run (150)\n"
    "  --verbose   print all that happens\n";

typedef struct options {
    uint64_t seed;
    uint32_t runs, steps;
    bool verbose;
} options;

static _Noreturn void misuse(const char *what)
{
    fprintf(stderr, "kas_sim: %s\n%s", what, usage);
    exit(2);
}

static uint64_t number(const char *text, uint64_t max)
{
    char *end;
    errno = 0;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (!text || errno || end == text || *end || *text == '-' || value > max) misuse("a number is needed");
    return value;
}

static options parse(char **arguments)
{
    options o = {.seed = 1, .runs = RUNS, .steps = STEPS};
    for (char **at = arguments; *at; ++at) {
        if (!strcmp(*at, "--verbose"))
            o.verbose = true;
        else if (!strcmp(*at, "--seed"))
            o.seed = number(*++at, UINT64_MAX);
        else if (!strcmp(*at, "--runs"))
            o.runs = (uint32_t)number(*++at, UINT32_MAX);
        else if (!strcmp(*at, "--steps"))
            o.steps = (uint32_t)number(*++at, SIM_OPERATIONS / 2);
        else
            misuse("no such option");
    }
    return o;
}

int main(int count, char **arguments)
{
    (void)count;
    options o = parse(arguments + 1);
    for (uint32_t i = 0; i < o.runs; ++i) {
        kas_sha256 history = sim_run(o.seed + i, o.steps, o.verbose);
        if (i % REPEAT_EVERY) continue;
        kas_sha256 again = sim_run(o.seed + i, o.steps, false);
        if (kas_sha256_equal(&history, &again)) continue;
        fprintf(stderr, "seed %llu: the same commands gave another history\n",
                (unsigned long long)(o.seed + i));
        return 1;
    }
    printf("%u runs of %u steps from seed %llu: all that must hold held\n", o.runs, o.steps,
           (unsigned long long)o.seed);
    return 0;
}
