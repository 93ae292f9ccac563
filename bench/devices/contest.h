/* Measuring things beside each other: they take turns, so that what else the machine does meets all of them,
 * and what a device's figures are printed with. For a program of one thread. */
#ifndef BENCH_CONTEST_H
#define BENCH_CONTEST_H

#include <stddef.h>

#include "base/status.h"

enum { CONTEST_ROUNDS_MAX = 101 };

typedef struct contestant {
    const char *name;
    void (*run)(void *user); /* once, and done when it returns */
    void *user;
    double us; /* what one run takes: the median of the turns' means; written by contest() */
    double turns[CONTEST_ROUNDS_MAX];
} contestant;

/* Of the turns that each contestant gets; each lasts that long, or one run. */
void contest_set_turns(unsigned rounds, unsigned milliseconds);
void contest(contestant *all, size_t count);
/* What one run of `other` takes, had its turns been those beside self's median one: the median of the
 * rounds' ratios is kept. For what goes faster or slower for a while, with whatever runs then. */
double contest_us_beside(const contestant *self, const contestant *other);

/* {"device": …, "figures": [{"name", "value", "unit", "against", "reference"}, …]} on stdout; against may be
 * NULL. */
void figures_begin(const char *device, const char *name);
void figure(const char *name, double value, const char *unit, const char *against, double reference);
void figures_end(void);

/* No failure: it ends the program. */
void must(kas_status status, const char *what);
void *must_alloc(size_t size_bytes); /* zeroed, in whole cache lines; free() */

#endif
