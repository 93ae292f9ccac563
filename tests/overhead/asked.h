/* Counts what this thread asks of the C library and of the system: memory, locks and condition variables
 * (wrapped at link time, see CMakeLists.txt) and system calls (Linux' syscall user dispatch, which turns them
 * into signals). */
#ifndef KAS_TESTS_ASKED_H
#define KAS_TESTS_ASKED_H

#include <stdbool.h>

typedef struct asked {
    unsigned long memory, locks;
    bool any_system_call;
    long first_system_call; /* its number, where there was any; reading the clock is none: that is a plain
                               call */
} asked;

bool asked_begin(void); /* false: this kernel has no syscall user dispatch */
asked asked_end(void);

#endif
