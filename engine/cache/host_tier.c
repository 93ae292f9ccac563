/* The host tier: a list in order of last use, the most recent first. It is walked to find an entry: with at
 * most 1,024 of them that is far below the cost of what a hit saves. */
#include "engine/cache/host_tier.h"

#include <pthread.h>

#include "base/alloc.h"

enum { DEFAULT_ENTRIES = 1024 };
#define DEFAULT_BYTES (256ull << 20)

typedef struct entry {
    struct entry *next, *previous;
    kas_decoded *decoded;
    bool only_copy; /* never evicted */
} entry;

struct kas_host_tier {
    pthread_mutex_t lock; /* guards all below but max_bytes and max_entries, which are constant */
    entry *first, *last;
    uint64_t bytes, max_bytes;
    uint32_t entries, max_entries;
    uint64_t hits, misses, evictions;
};

static uint64_t size_of(const kas_decoded *decoded)
{
    return kas_decoded_artifact(decoded)->memory_bytes;
}

kas_status kas_host_tier_create(const kas_host_tier_limits *limits, kas_host_tier **out)
{
    kas_host_tier *tier = kas_calloc(1, sizeof *tier);
    if (!tier) return kas_out_of_memory();
    tier->max_bytes = limits->max_bytes ? limits->max_bytes : DEFAULT_BYTES;
    tier->max_entries = limits->max_entries ? limits->max_entries : DEFAULT_ENTRIES;
    pthread_mutex_init(&tier->lock, NULL);
    *out = tier;
    return NULL;
}

static void unlink_entry(kas_host_tier *tier, entry *item)
{
    if (item->previous)
        item->previous->next = item->next;
    else
        tier->first = item->next;
    if (item->next)
        item->next->previous = item->previous;
    else
        tier->last = item->previous;
    item->next = item->previous = NULL;
}

static void push_front(kas_host_tier *tier, entry *item)
{
    item->next = tier->first;
    if (tier->first)
        tier->first->previous = item;
    else
        tier->last = item;
    tier->first = item;
}

static void drop(kas_host_tier *tier, entry *item)
{
    unlink_entry(tier, item);
    tier->bytes -= size_of(item->decoded);
    --tier->entries;
    kas_decoded_release(item->decoded);
    kas_free(item);
}

void kas_host_tier_destroy(kas_host_tier *tier)
{
    if (!tier) return;
    while (tier->first)
        drop(tier, tier->first);
    pthread_mutex_destroy(&tier->lock);
    kas_free(tier);
}

static entry *find(kas_host_tier *tier, const kas_sha256 *checksum)
{
    for (entry *item = tier->first; item; item = item->next)
        if (kas_sha256_equal(&kas_decoded_artifact(item->decoded)->checksum, checksum)) return item;
    return NULL;
}

kas_decoded *kas_host_tier_find(kas_host_tier *tier, const kas_sha256 *checksum)
{
    kas_decoded *found = NULL;
    pthread_mutex_lock(&tier->lock);
    entry *item = find(tier, checksum);
    if (item) {
        found = kas_decoded_retain(item->decoded);
        unlink_entry(tier, item);
        push_front(tier, item);
        ++tier->hits;
    } else {
        ++tier->misses;
    }
    pthread_mutex_unlock(&tier->lock);
    return found;
}

bool kas_host_tier_has(kas_host_tier *tier, const kas_sha256 *checksum)
{
    pthread_mutex_lock(&tier->lock);
    bool found = find(tier, checksum);
    pthread_mutex_unlock(&tier->lock);
    return found;
}

static bool fits(const kas_host_tier *tier, uint64_t size_bytes)
{
    return tier->entries < tier->max_entries && size_bytes <= tier->max_bytes &&
           tier->bytes <= tier->max_bytes - size_bytes;
}

/* Evicts from the cold end until it fits; false when what must stay leaves no room. */
static bool make_room(kas_host_tier *tier, uint64_t size_bytes)
{
    entry *item = tier->last;
    while (!fits(tier, size_bytes) && item) {
        entry *warmer = item->previous;
        if (!item->only_copy) {
            drop(tier, item);
            ++tier->evictions;
        }
        item = warmer;
    }
    return fits(tier, size_bytes);
}

static kas_status insert(kas_host_tier *tier, kas_decoded *decoded, bool only_copy)
{
    if (!make_room(tier, size_of(decoded))) {
        if (!only_copy) return NULL;
        return kas_fail(
            KAS_NO_ROOM, CALLER,
            "the host tier cannot keep %llu bytes more: %llu of %llu bytes and %u of %u entries are taken",
            (unsigned long long)size_of(decoded), (unsigned long long)tier->bytes,
            (unsigned long long)tier->max_bytes, tier->entries, tier->max_entries);
    }
    entry *item = kas_calloc(1, sizeof *item);
    if (!item) return kas_out_of_memory();
    *item = (entry){.decoded = kas_decoded_retain(decoded), .only_copy = only_copy};
    push_front(tier, item);
    tier->bytes += size_of(decoded);
    ++tier->entries;
    return NULL;
}

kas_status kas_host_tier_put(kas_host_tier *tier, kas_decoded *decoded, bool only_copy)
{
    kas_status status = NULL;
    pthread_mutex_lock(&tier->lock);
    entry *item = find(tier, &kas_decoded_artifact(decoded)->checksum);
    if (item)
        item->only_copy |= only_copy;
    else
        status = insert(tier, decoded, only_copy);
    pthread_mutex_unlock(&tier->lock);
    return status;
}

void kas_host_tier_remove(kas_host_tier *tier, const kas_sha256 *checksum)
{
    pthread_mutex_lock(&tier->lock);
    entry *item = find(tier, checksum);
    if (item) drop(tier, item);
    pthread_mutex_unlock(&tier->lock);
}

void kas_host_tier_stats(kas_host_tier *tier, kas_tier_stats *out)
{
    pthread_mutex_lock(&tier->lock);
    *out = (kas_tier_stats){
        .entries = tier->entries,
        .max_entries = tier->max_entries,
        .total_bytes = tier->bytes,
        .max_bytes = tier->max_bytes,
        .hits = tier->hits,
        .misses = tier->misses,
        .evictions = tier->evictions,
    };
    pthread_mutex_unlock(&tier->lock);
}
