/* Sub-allocation: parts of one large range, whose memory is never touched here. Two-level segregated fit:
 * free parts are listed by size class (16 classes a power of two), neighbours are joined as soon as both are
 * free. Taking and giving back cost the same however many parts there are, but for the last search before a
 * refusal; a refusal means that no free part is large enough. Not thread-safe. */
#ifndef KAS_VULKAN_RANGES_H
#define KAS_VULKAN_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KAS_RANGE_UNIT = 64, /* bytes; sizes are rounded up to it, offsets are multiples of it */
    KAS_RANGE_LEVELS = 29,
    KAS_RANGE_CLASSES = 16 /* of a level */
};

typedef struct kas_range_node kas_range_node;

typedef struct kas_ranges {
    kas_range_node *nodes; /* of all parts, free and taken */
    size_t count, capacity;
    uint32_t spare; /* the first of the nodes that stand for nothing */
    uint32_t size_units, free_units;
    uint32_t taken;  /* parts */
    uint32_t levels; /* bit of each level with a free part */
    uint16_t classes[KAS_RANGE_LEVELS];
    uint32_t heads[KAS_RANGE_LEVELS][KAS_RANGE_CLASSES];
} kas_ranges;

typedef struct kas_range {
    uint64_t offset_bytes;
    uint32_t node; /* what to give back */
} kas_range;

/* The largest range there can be. */
#define KAS_RANGES_BYTES_MAX ((uint64_t)UINT32_MAX / 4 * KAS_RANGE_UNIT)

/* size_bytes: a multiple of the unit, 0 < size_bytes <= KAS_RANGES_BYTES_MAX. False: host memory is out. */
bool kas_ranges_init(kas_ranges *ranges, uint64_t size_bytes);
void kas_ranges_finish(kas_ranges *ranges);

/* size_bytes > 0; alignment_bytes: a power of two. False, and nothing has changed: no free part is large
 * enough, or host memory is out. */
bool kas_ranges_take(kas_ranges *ranges, uint64_t size_bytes, uint64_t alignment_bytes, kas_range *out);
void kas_ranges_give(kas_ranges *ranges, uint32_t node);

/* Of all free parts together; what is taken counts in whole units. */
static inline uint64_t kas_ranges_free_bytes(const kas_ranges *ranges)
{
    return (uint64_t)ranges->free_units * KAS_RANGE_UNIT;
}

#endif
