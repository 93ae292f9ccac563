#include "backends/vulkan/ranges.h"

#include "base/alloc.h"

#define NONE UINT32_MAX

enum { NODES_MAX = 1 << 26 };

/* Offsets and sizes in units. */
struct kas_range_node {
    uint32_t offset, size;
    uint32_t before, after;  /* neighbours by offset */
    uint32_t previous, next; /* in the list of a class: of free parts; `next` also chains spare nodes */
    bool is_free;
};

/* ---- size classes ---- */

typedef struct size_class {
    uint32_t level, index;
} size_class;

static uint32_t log2_of(uint32_t size)
{
    return 31u - (uint32_t)__builtin_clz(size);
}

/* The class that a part of this size is listed in. Below 16 units each size has its own. */
static size_class class_of(uint32_t size)
{
    if (size < KAS_RANGE_CLASSES) return (size_class){0, size};
    const uint32_t log2 = log2_of(size);
    return (size_class){log2 - 3, size >> (log2 - 4) & (KAS_RANGE_CLASSES - 1)};
}

/* The first class all of whose parts are of this size at least. */
static size_class class_above(uint32_t size)
{
    return class_of(size < KAS_RANGE_CLASSES ? size : size + (1u << (log2_of(size) - 4)) - 1);
}

static void list_free(kas_ranges *ranges, uint32_t n)
{
    kas_range_node *node = &ranges->nodes[n];
    const size_class c = class_of(node->size);
    uint32_t *head = &ranges->heads[c.level][c.index];
    node->is_free = true;
    node->previous = NONE;
    node->next = *head;
    if (*head != NONE) ranges->nodes[*head].previous = n;
    *head = n;
    ranges->levels |= 1u << c.level;
    ranges->classes[c.level] |= (uint16_t)(1u << c.index);
    ranges->free_units += node->size;
}

static void unlist_free(kas_ranges *ranges, uint32_t n)
{
    kas_range_node *node = &ranges->nodes[n];
    const size_class c = class_of(node->size);
    if (node->next != NONE) ranges->nodes[node->next].previous = node->previous;
    if (node->previous != NONE)
        ranges->nodes[node->previous].next = node->next;
    else
        ranges->heads[c.level][c.index] = node->next;
    if (ranges->heads[c.level][c.index] == NONE) ranges->classes[c.level] &= (uint16_t) ~(1u << c.index);
    if (!ranges->classes[c.level]) ranges->levels &= ~(1u << c.level);
    node->is_free = false;
    ranges->free_units -= node->size;
}

/* ---- nodes ---- */

static bool reserve_nodes(kas_ranges *ranges, size_t more)
{
    return kas_grow((void **)&ranges->nodes, &ranges->capacity, ranges->count + more, NODES_MAX,
                    sizeof *ranges->nodes);
}

static uint32_t new_node(kas_ranges *ranges) /* reserved before */
{
    const uint32_t n = ranges->spare;
    if (n == NONE) return (uint32_t)ranges->count++;
    ranges->spare = ranges->nodes[n].next;
    return n;
}

static void drop_node(kas_ranges *ranges, uint32_t n)
{
    ranges->nodes[n].next = ranges->spare;
    ranges->spare = n;
}

/* Cuts a part that is not listed after `size` units; the rest, a part of its own, is not listed either. */
static uint32_t cut(kas_ranges *ranges, uint32_t n, uint32_t size)
{
    const uint32_t rest = new_node(ranges);
    kas_range_node *node = &ranges->nodes[n];
    ranges->nodes[rest] = (kas_range_node){
        .offset = node->offset + size, .size = node->size - size, .before = n, .after = node->after};
    if (node->after != NONE) ranges->nodes[node->after].before = rest;
    node->after = rest;
    node->size = size;
    return rest;
}

/* Joins two neighbours, neither of them listed; the first one stays. */
static void join(kas_ranges *ranges, uint32_t n, uint32_t after)
{
    kas_range_node *node = &ranges->nodes[n];
    node->size += ranges->nodes[after].size;
    node->after = ranges->nodes[after].after;
    if (node->after != NONE) ranges->nodes[node->after].before = n;
    drop_node(ranges, after);
}

/* ---- the range ---- */

bool kas_ranges_init(kas_ranges *ranges, uint64_t size_bytes)
{
    *ranges = (kas_ranges){.spare = NONE, .size_units = (uint32_t)(size_bytes / KAS_RANGE_UNIT)};
    for (uint32_t level = 0; level < KAS_RANGE_LEVELS; ++level)
        for (uint32_t index = 0; index < KAS_RANGE_CLASSES; ++index)
            ranges->heads[level][index] = NONE;
    if (!reserve_nodes(ranges, 1)) return false;
    const uint32_t whole = new_node(ranges);
    ranges->nodes[whole] = (kas_range_node){.size = ranges->size_units, .before = NONE, .after = NONE};
    list_free(ranges, whole);
    return true;
}

void kas_ranges_finish(kas_ranges *ranges)
{
    kas_free(ranges->nodes);
    *ranges = (kas_ranges){0};
}

static uint32_t pad_of(const kas_range_node *node, uint32_t alignment)
{
    return (alignment - node->offset % alignment) % alignment;
}

/* A free part of at least `size` units, whatever its offset: no search. */
static uint32_t find_large(const kas_ranges *ranges, uint32_t size)
{
    const size_class c = class_above(size);
    const uint32_t classes = ranges->classes[c.level] & ~0u << c.index;
    if (classes) return ranges->heads[c.level][__builtin_ctz(classes)];
    const uint32_t levels = c.level + 1 < KAS_RANGE_LEVELS ? ranges->levels & ~0u << (c.level + 1) : 0;
    if (!levels) return NONE;
    const uint32_t level = (uint32_t)__builtin_ctz(levels);
    return ranges->heads[level][__builtin_ctz(ranges->classes[level])];
}

/* Searches every part that could do. */
static uint32_t find_fitting(const kas_ranges *ranges, uint32_t size, uint32_t alignment)
{
    const size_class c = class_of(size);
    for (uint32_t level = c.level; level < KAS_RANGE_LEVELS; ++level)
        for (uint32_t index = level == c.level ? c.index : 0; index < KAS_RANGE_CLASSES; ++index)
            for (uint32_t n = ranges->heads[level][index]; n != NONE; n = ranges->nodes[n].next) {
                const kas_range_node *node = &ranges->nodes[n];
                const uint32_t pad = pad_of(node, alignment);
                if (pad < node->size && node->size - pad >= size) return n;
            }
    return NONE;
}

bool kas_ranges_take(kas_ranges *ranges, uint64_t size_bytes, uint64_t alignment_bytes, kas_range *out)
{
    if (size_bytes > kas_ranges_free_bytes(ranges) || alignment_bytes > KAS_RANGES_BYTES_MAX ||
        !reserve_nodes(ranges, 2))
        return false;
    const uint32_t size = (uint32_t)((size_bytes + KAS_RANGE_UNIT - 1) / KAS_RANGE_UNIT);
    const uint32_t alignment =
        alignment_bytes > KAS_RANGE_UNIT ? (uint32_t)(alignment_bytes / KAS_RANGE_UNIT) : 1;
    uint32_t n = find_large(ranges, size + alignment - 1);
    if (n == NONE) n = find_fitting(ranges, size, alignment);
    if (n == NONE) return false;
    unlist_free(ranges, n);
    const uint32_t pad = pad_of(&ranges->nodes[n], alignment);
    if (pad) {
        const uint32_t aligned = cut(ranges, n, pad);
        list_free(ranges, n);
        n = aligned;
    }
    if (ranges->nodes[n].size > size) list_free(ranges, cut(ranges, n, size));
    ++ranges->taken;
    *out = (kas_range){.offset_bytes = (uint64_t)ranges->nodes[n].offset * KAS_RANGE_UNIT, .node = n};
    return true;
}

void kas_ranges_give(kas_ranges *ranges, uint32_t n)
{
    const uint32_t before = ranges->nodes[n].before, after = ranges->nodes[n].after;
    if (after != NONE && ranges->nodes[after].is_free) {
        unlist_free(ranges, after);
        join(ranges, n, after);
    }
    if (before != NONE && ranges->nodes[before].is_free) {
        unlist_free(ranges, before);
        join(ranges, before, n);
        n = before;
    }
    list_free(ranges, n);
    --ranges->taken;
}
