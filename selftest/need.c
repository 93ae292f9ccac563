#include "selftest/need.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

void selftest_need(kas_status status, const char *what)
{
    if (!status) return;
    fprintf(stderr, "self test: %s: %s\n", what, kas_status_message(status));
    exit(1);
}

void selftest_check(bool there, const char *what)
{
    if (there) return;
    fprintf(stderr, "self test: needs %s\n", what);
    exit(1);
}

void *selftest_alloc(size_t count, size_t size_bytes)
{
    void *block = kas_calloc(count ? count : 1, size_bytes);
    if (block) return block;
    fprintf(stderr, "self test: out of memory\n");
    exit(1);
}
