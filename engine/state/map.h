/* Hash tables of objects that carry their own node, changed under the undo log.
 *
 * Chained, so that a table never needs to grow to work; it grows between changes (kas_map_settle), when no
 * saved image points into it, and stays as it is when there is no memory for that. */
#ifndef KAS_STATE_MAP_H
#define KAS_STATE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/state/undo.h"

typedef struct kas_map_node {
    struct kas_map_node *next;
    uint64_t hash;
} kas_map_node;

typedef struct kas_map {
    kas_map_node **buckets;
    size_t bucket_count; /* a power of two */
    size_t count;
} kas_map;

kas_status kas_map_init(kas_map *map) KAS_MUST_USE;
void kas_map_finish(kas_map *map);
void kas_map_settle(kas_map *map); /* outside any change only */

kas_status kas_map_insert(kas_map *map, kas_undo *undo, kas_map_node *node, uint64_t hash) KAS_MUST_USE;
kas_status kas_map_remove(kas_map *map, kas_undo *undo,
                          kas_map_node *node) KAS_MUST_USE; /* it must be in it */

/* The first node with this hash, and the next one with the same; NULL at the end. */
kas_map_node *kas_map_first(const kas_map *map, uint64_t hash);
kas_map_node *kas_map_next(const kas_map_node *node);

/* Hash of a number: spreads the bits of counters. */
uint64_t kas_map_hash_number(uint64_t number);

#endif
