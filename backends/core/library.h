/* For backends: a vendor's library, opened at run time, and the addresses of what it exports. */
#ifndef KAS_CORE_LIBRARY_H
#define KAS_CORE_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>

typedef struct kas_symbol {
    const char *name;
    void *slot;    /* where the address goes: the address of a pointer to a function */
    bool optional; /* its slot is NULL where the library has none */
} kas_symbol;

/* Opens the first of `names` (ended by NULL) that is there and fills in every slot. False, with a line of
 * debug in the area `api` that says why, when there is none or it lacks a symbol that is not optional. What
 * was opened stays open for the life of the process: drivers start threads. Any thread, but the slots are the
 * caller's to guard. */
bool kas_library_load(const char *api, const char *const *names, const kas_symbol *symbols, size_t count);

#endif
