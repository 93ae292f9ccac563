#include "engine/state/map.h"

#include "base/alloc.h"

enum { FIRST_BUCKETS = 16 };

uint64_t kas_map_hash_number(uint64_t number)
{
    number *= 0x9e3779b97f4a7c15ull;
    return number ^ number >> 32;
}

kas_status kas_map_init(kas_map *map)
{
    kas_map_node **buckets = kas_calloc(FIRST_BUCKETS, sizeof *buckets);
    if (!buckets) return kas_out_of_memory();
    *map = (kas_map){.buckets = buckets, .bucket_count = FIRST_BUCKETS};
    return NULL;
}

void kas_map_finish(kas_map *map)
{
    kas_free(map->buckets);
    *map = (kas_map){0};
}

static kas_map_node **bucket_of(const kas_map *map, uint64_t hash)
{
    return &map->buckets[hash & (map->bucket_count - 1)];
}

void kas_map_settle(kas_map *map)
{
    if (map->count <= map->bucket_count) return;
    kas_map grown = {.bucket_count = map->bucket_count * 2, .count = map->count};
    grown.buckets = kas_calloc(grown.bucket_count, sizeof *grown.buckets);
    if (!grown.buckets) return;
    for (size_t i = 0; i < map->bucket_count; ++i) {
        for (kas_map_node *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            kas_map_node **bucket = bucket_of(&grown, node->hash);
            node->next = *bucket;
            *bucket = node;
        }
    }
    kas_free(map->buckets);
    *map = grown;
}

kas_status kas_map_insert(kas_map *map, kas_undo *undo, kas_map_node *node, uint64_t hash)
{
    kas_map_node **bucket = bucket_of(map, hash);
    KAS_TRY(kas_undo_save(undo, &map->count, sizeof map->count));
    KAS_TRY(kas_undo_save(undo, bucket, sizeof *bucket));
    KAS_TRY(kas_undo_save(undo, node, sizeof *node));
    *node = (kas_map_node){.next = *bucket, .hash = hash};
    *bucket = node;
    ++map->count;
    return NULL;
}

kas_status kas_map_remove(kas_map *map, kas_undo *undo, kas_map_node *node)
{
    kas_map_node **place = bucket_of(map, node->hash);
    while (*place != node)
        place = &(*place)->next;
    KAS_TRY(kas_undo_save(undo, &map->count, sizeof map->count));
    KAS_TRY(kas_undo_save(undo, place, sizeof *place));
    *place = node->next;
    --map->count;
    return NULL;
}

static kas_map_node *with_hash(kas_map_node *node, uint64_t hash)
{
    while (node && node->hash != hash)
        node = node->next;
    return node;
}

kas_map_node *kas_map_first(const kas_map *map, uint64_t hash)
{
    return with_hash(*bucket_of(map, hash), hash);
}

kas_map_node *kas_map_next(const kas_map_node *node)
{
    return with_hash(node->next, node->hash);
}
