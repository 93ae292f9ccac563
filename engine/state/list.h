/* Doubly linked lists of objects that carry their own link, changed under the undo log. */
#ifndef KAS_STATE_LIST_H
#define KAS_STATE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/state/undo.h"

/* A head points to itself when empty; a link in no list is all zero. */
typedef struct kas_link {
    struct kas_link *next, *prev;
} kas_link;

/* The object that carries `member` at `pointer`. */
#define KAS_OWNER(pointer, type, member) ((type *)(void *)((uintptr_t)(pointer)-offsetof(type, member)))

static inline void kas_list_init(kas_link *head)
{
    head->next = head->prev = head;
}

static inline bool kas_list_empty(const kas_link *head)
{
    return head->next == head;
}

static inline bool kas_list_linked(const kas_link *link)
{
    return link->next != NULL;
}

kas_status kas_list_insert_before(kas_undo *undo, kas_link *where, kas_link *link) KAS_MUST_USE;
kas_status kas_list_remove(kas_undo *undo, kas_link *link) KAS_MUST_USE; /* nothing when it is in no list */

/* At the end of the list. */
static inline kas_status kas_list_append(kas_undo *undo, kas_link *head, kas_link *link)
{
    return kas_list_insert_before(undo, head, link);
}

#endif
