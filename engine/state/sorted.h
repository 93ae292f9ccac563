/* Objects in order of their names, for paging: an array, so that inserting moves what comes after. Only
 * things that are made seldom (layers, ids of artifacts) are kept in one. Changed under the undo log. */
#ifndef KAS_STATE_SORTED_H
#define KAS_STATE_SORTED_H

#include <stdbool.h>

#include "engine/state/undo.h"

typedef struct kas_sorted_item {
    const char *name; /* inside the object */
    void *object;
} kas_sorted_item;

typedef struct kas_sorted {
    kas_sorted_item *items;
    size_t count, capacity;
} kas_sorted;

/* Room for one more; outside any change only. */
kas_status kas_sorted_reserve(kas_sorted *sorted) KAS_MUST_USE;
void kas_sorted_finish(kas_sorted *sorted);

/* At most one insertion in a change: room must have been reserved. */
kas_status kas_sorted_insert(kas_sorted *sorted, kas_undo *undo, const char *name, void *object) KAS_MUST_USE;
kas_status kas_sorted_remove(kas_sorted *sorted, kas_undo *undo, const char *name) KAS_MUST_USE;

/* Index of the first item whose name is greater than `name` ("": the first of all). */
size_t kas_sorted_after(const kas_sorted *sorted, const char *name);

#endif
