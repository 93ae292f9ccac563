#include "engine/state/list.h"

kas_status kas_list_insert_before(kas_undo *undo, kas_link *where, kas_link *link)
{
    kas_link *before = where->prev;
    KAS_TRY(kas_undo_save(undo, where, sizeof *where));
    KAS_TRY(kas_undo_save(undo, before, sizeof *before));
    KAS_TRY(kas_undo_save(undo, link, sizeof *link));
    link->prev = before;
    link->next = where;
    before->next = link;
    where->prev = link;
    return NULL;
}

kas_status kas_list_remove(kas_undo *undo, kas_link *link)
{
    if (!kas_list_linked(link)) return NULL;
    KAS_TRY(kas_undo_save(undo, link->prev, sizeof *link));
    KAS_TRY(kas_undo_save(undo, link->next, sizeof *link));
    KAS_TRY(kas_undo_save(undo, link, sizeof *link));
    link->prev->next = link->next;
    link->next->prev = link->prev;
    *link = (kas_link){0};
    return NULL;
}
