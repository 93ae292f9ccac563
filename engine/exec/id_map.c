/* Open addressing with linear probing, at most half full; removal moves later entries up, so there are no
 * tombstones. */
#include "engine/exec/id_map.h"

#include "base/alloc.h"

static size_t home_of(const kas_id_map *map, uint64_t id)
{
    return (size_t)((id * 0x9e3779b97f4a7c15ull) >> 32) & (map->capacity - 1);
}

void kas_id_map_finish(kas_id_map *map)
{
    kas_free(map->entries);
    *map = (kas_id_map){0};
}

static kas_id_entry *probe(const kas_id_map *map, uint64_t id)
{
    size_t at = home_of(map, id);
    while (map->entries[at].id != 0 && map->entries[at].id != id)
        at = (at + 1) & (map->capacity - 1);
    return &map->entries[at];
}

uintptr_t *kas_id_map_find(const kas_id_map *map, uint64_t id)
{
    if (map->capacity == 0) return NULL;
    kas_id_entry *entry = probe(map, id);
    return entry->id == id ? &entry->value : NULL;
}

static bool grow(kas_id_map *map)
{
    kas_id_map wider = {.capacity = map->capacity ? 2 * map->capacity : 16, .count = map->count};
    wider.entries = kas_calloc(wider.capacity, sizeof *wider.entries);
    if (!wider.entries) return false;
    for (size_t i = 0; i < map->capacity; ++i)
        if (map->entries[i].id != 0) *probe(&wider, map->entries[i].id) = map->entries[i];
    kas_free(map->entries);
    *map = wider;
    return true;
}

uintptr_t *kas_id_map_add(kas_id_map *map, uint64_t id)
{
    uintptr_t *present = kas_id_map_find(map, id);
    if (present) return present;
    if (2 * (map->count + 1) > map->capacity && !grow(map)) return NULL;
    kas_id_entry *entry = probe(map, id);
    *entry = (kas_id_entry){.id = id};
    ++map->count;
    return &entry->value;
}

void kas_id_map_remove(kas_id_map *map, uint64_t id)
{
    if (!kas_id_map_find(map, id)) return;
    size_t mask = map->capacity - 1, hole = (size_t)(probe(map, id) - map->entries);
    for (size_t at = (hole + 1) & mask; map->entries[at].id != 0; at = (at + 1) & mask) {
        size_t distance = (at - home_of(map, map->entries[at].id)) & mask;
        if (distance < ((at - hole) & mask)) continue; /* it would stand before its home */
        map->entries[hole] = map->entries[at];
        hole = at;
    }
    map->entries[hole] = (kas_id_entry){0};
    --map->count;
}
