/* The memory of one type, had from the driver in large blocks and given out in parts: drivers bound the
 * number of allocations (4096 on many), and each takes them long. Blocks grow from 4 MiB to 64 MiB; what
 * would take a good part of one has an allocation of its own. A block that becomes empty goes back, except
 * for one. Any thread. */
#ifndef KAS_VULKAN_ARENA_H
#define KAS_VULKAN_ARENA_H

#include <pthread.h>

#include "backends/vulkan/ranges.h"
#include "backends/vulkan/symbols.h"

typedef struct kas_vulkan_block kas_vulkan_block;

typedef struct kas_vulkan_arena_counts {
    uint64_t reserved_bytes; /* had from the driver */
    uint64_t used_bytes;     /* of those, given out */
    uint32_t allocations;    /* the driver's */
} kas_vulkan_arena_counts;

typedef struct kas_vulkan_arena {
    const kas_vulkan_symbols *vk;
    VkDevice device;
    uint32_t type;            /* of memory */
    bool map;                 /* the host sees all of it */
    uint64_t block_max;       /* bytes; a power of two */
    pthread_mutex_t lock;     /* guards what follows, and the blocks */
    kas_vulkan_block *blocks; /* the newest first */
    uint64_t next_bytes;      /* of the next block */
    kas_vulkan_arena_counts counts;
} kas_vulkan_arena;

typedef struct kas_vulkan_part {
    VkDeviceMemory memory;
    VkDeviceSize offset, size_bytes;
    char *host;              /* of the part's first byte; NULL unless arena->map */
    kas_vulkan_block *block; /* whose it is */
    uint32_t node;           /* in the block; unused where a part has all of it */
} kas_vulkan_part;

/* heap_bytes: of the heap that the type is of; blocks stay a small share of it. */
void kas_vulkan_arena_init(kas_vulkan_arena *arena, const kas_vulkan_symbols *vk, VkDevice device,
                           uint32_t type, bool map, uint64_t heap_bytes);
/* Everything that is still there goes. lost: nothing of the driver's is touched. */
void kas_vulkan_arena_finish(kas_vulkan_arena *arena, bool lost);

/* As the buffer asks for it (VkMemoryRequirements). KAS_OUT_OF_MEMORY when there is no room. */
kas_status kas_vulkan_arena_take(kas_vulkan_arena *arena, const VkMemoryRequirements *needs,
                                 kas_vulkan_part *out) KAS_MUST_USE;
void kas_vulkan_arena_give(kas_vulkan_arena *arena, const kas_vulkan_part *part);

void kas_vulkan_arena_count(kas_vulkan_arena *arena, kas_vulkan_arena_counts *out);

#endif
