#include "bench/devices/contest.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static unsigned rounds = 9;
static int64_t turn_ns = 20000000;

void contest_set_turns(unsigned wanted_rounds, unsigned milliseconds)
{
    rounds = wanted_rounds == 0 ? 1 : wanted_rounds < CONTEST_ROUNDS_MAX ? wanted_rounds : CONTEST_ROUNDS_MAX;
    turn_ns = (int64_t)milliseconds * 1000000;
}

static double turn_us(const contestant *one)
{
    const int64_t begin = kas_monotonic_ns();
    int64_t now;
    unsigned count = 0;
    do {
        one->run(one->user);
        ++count;
        now = kas_monotonic_ns();
    } while (now - begin < turn_ns);
    return (double)(now - begin) * 1e-3 / count;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values)
{
    double sorted[CONTEST_ROUNDS_MAX];
    memcpy(sorted, values, rounds * sizeof *sorted);
    qsort(sorted, rounds, sizeof *sorted, by_value);
    return sorted[rounds / 2];
}

void contest(contestant *all, size_t count)
{
    for (size_t i = 0; i < count; ++i)
        all[i].run(all[i].user); /* what is made at first use */
    for (unsigned r = 0; r < rounds; ++r)
        for (size_t i = 0; i < count; ++i)
            all[i].turns[r] = turn_us(&all[i]);
    for (size_t i = 0; i < count; ++i)
        all[i].us = median(all[i].turns);
}

double contest_us_beside(const contestant *self, const contestant *other)
{
    double ratios[CONTEST_ROUNDS_MAX];
    for (unsigned r = 0; r < rounds; ++r)
        ratios[r] = other->turns[r] / self->turns[r];
    return self->us * median(ratios);
}

static bool first_figure;

/* A vendor's name of a device may hold anything. */
static void print_string(const char *text)
{
    putchar('"');
    for (; *text; ++text)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text >= ' ')
            putchar(*text);
    putchar('"');
}

void figures_begin(const char *device, const char *name)
{
    printf("{\"device\": \"%s\", \"name\": ", device);
    print_string(name);
    printf(", \"figures\": [");
    first_figure = true;
}

void figure(const char *name, double value, const char *unit, const char *against, double reference)
{
    printf("%s\n{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"", first_figure ? "" : ",", name, value,
           unit);
    if (against) printf(", \"against\": \"%s\", \"reference\": %.6g", against, reference);
    putchar('}');
    first_figure = false;
}

void figures_end(void)
{
    puts("\n]}");
}

void must(kas_status status, const char *what)
{
    if (!status) return;
    fprintf(stderr, "kas_device_bench: %s: %s\n", what, kas_status_message(status));
    exit(1);
}

void *must_alloc(size_t size_bytes)
{
    const size_t lines = (size_bytes + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, lines);
    if (!memory) {
        fprintf(stderr, "kas_device_bench: no memory for %zu bytes\n", size_bytes);
        exit(1);
    }
    return memset(memory, 0, lines);
}
