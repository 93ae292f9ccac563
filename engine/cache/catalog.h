/* The records of all artifacts that the engine knows, by id. Any thread. */
#ifndef KAS_CACHE_CATALOG_H
#define KAS_CACHE_CATALOG_H

#include "engine/cache/record.h"

typedef struct kas_catalog kas_catalog;

enum { KAS_CATALOG_MAX = 65536 }; /* records; KAS_NO_ROOM beyond */

kas_status kas_catalog_create(kas_catalog **out) KAS_MUST_USE;
void kas_catalog_destroy(kas_catalog *catalog); /* accepts NULL */

/* Puts the record in, retained, in place of one of the same id. An uploaded one stays one. */
kas_status kas_catalog_put(kas_catalog *catalog, const kas_record *record) KAS_MUST_USE;
/* Holds room for the record of this id, if it is not known, until one of the two below is called.
 * KAS_NO_ROOM.
 */
kas_status kas_catalog_hold_room(kas_catalog *catalog, const char *artifact_id) KAS_MUST_USE;
/* As kas_catalog_put, into the room that is held for it. An id that was known must still be. */
void kas_catalog_put_held(kas_catalog *catalog, const kas_record *record);
void kas_catalog_give_room(kas_catalog *catalog); /* back: it is not needed */
const kas_record *kas_catalog_find(kas_catalog *catalog,
                                   const char *artifact_id); /* retained; NULL: unknown */
void kas_catalog_remove(kas_catalog *catalog, const char *artifact_id);
/* Some other id has the record's bytes. */
bool kas_catalog_has_other(kas_catalog *catalog, const kas_record *record);
size_t kas_catalog_count(kas_catalog *catalog);
/* Up to `capacity` records, retained, that come after `after` in order of id; returns how many. */
size_t kas_catalog_list(kas_catalog *catalog, const char *after, const kas_record **out, size_t capacity);

#endif
