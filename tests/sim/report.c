/* What a run has done, kept as its last lines; and the end when something is broken. */
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/sim/sim.h"

void sim_trace(sim *s, const char *format, ...)
{
    char *line = s->lines[s->line_count++ % SIM_TRACE_LINES];
    int used = snprintf(line, SIM_LINE_SIZE, "%5u %10.3f ms  ", s->step, (double)s->now_ns / 1e6);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + used, (size_t)(SIM_LINE_SIZE - used), format, arguments);
    va_end(arguments);
    if (s->verbose) puts(line);
}

static void print_tail(const sim *s)
{
    uint64_t from = s->line_count > SIM_TRACE_LINES ? s->line_count - SIM_TRACE_LINES : 0;
    for (uint64_t i = from; i < s->line_count; ++i)
        fprintf(stderr, "%s\n", s->lines[i % SIM_TRACE_LINES]);
}

void sim_fail(sim *s, const char *format, ...)
{
    fflush(stdout);
    if (!s->verbose) print_tail(s);
    fprintf(stderr, "seed %llu, step %u: ", (unsigned long long)s->seed, s->step);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\nreplay: kas_sim --seed %llu --runs 1 --steps %u --verbose\n",
            (unsigned long long)s->seed, s->steps);
    fflush(stderr);
    _exit(1); /* not exit: what is allocated now is no leak */
}
