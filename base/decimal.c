#include "base/decimal.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

/* glibc's own object: made of nothing, and never freed. */
static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

double kas_parse_real(const char *text, char **end)
{
    return strtod_l(text, end, c_locale());
}

void kas_format_real(double value, char out[KAS_REAL_SIZE])
{
    locale_t before = uselocale(c_locale());
    snprintf(out, KAS_REAL_SIZE, "%.17g", value);
    uselocale(before);
}
