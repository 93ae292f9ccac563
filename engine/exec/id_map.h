/* A small hash table from numbers (layer uids, resources) to pointers or counts. Not thread-safe. */
#ifndef KAS_EXEC_ID_MAP_H
#define KAS_EXEC_ID_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kas_id_entry {
    uint64_t id; /* 0: free */
    uintptr_t value;
} kas_id_entry;

typedef struct kas_id_map { /* zero: empty */
    kas_id_entry *entries;
    size_t capacity; /* a power of two */
    size_t count;
} kas_id_map;

void kas_id_map_finish(kas_id_map *map);

/* The value of an id, to be changed in place until the map changes; NULL when it is not there. */
uintptr_t *kas_id_map_find(const kas_id_map *map, uint64_t id);
/* As above; a new one has value 0. NULL when memory is out. `id` is not 0. */
uintptr_t *kas_id_map_add(kas_id_map *map, uint64_t id);
void kas_id_map_remove(kas_id_map *map, uint64_t id);

#endif
