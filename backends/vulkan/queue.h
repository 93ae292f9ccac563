/* A Vulkan queue's parts. Private to queue.c and its neighbours: step.c, record.c, replay.c,
 * staging.c, traffic.c. */
#ifndef KAS_VULKAN_QUEUE_H
#define KAS_VULKAN_QUEUE_H

#include "backends/vulkan/vulkan.h"

/* What a recording holds true for; serial numbers of the device. */
typedef struct kas_vulkan_replay_key {
    uint64_t list;
    uint64_t buffers[KAS_SLOT_COUNT], offsets[KAS_SLOT_COUNT]; /* 0 for slots that the list does not name */
} kas_vulkan_replay_key;

/* A list's launches with its slots bound, recorded. */
typedef struct kas_vulkan_replay {
    struct kas_vulkan_replay *next; /* in its bucket, or of the vacant ones */
    kas_vulkan_replay_key key;
    VkCommandBuffer commands;
    VkDescriptorPool sets;
    kas_vulkan_memory grids; /* a VkDispatchIndirectCommand for each launch */
    uint32_t rows;           /* that grids are for; 0: none */
    uint32_t query;          /* the first of its two timestamps */
    bool busy;               /* in flight */
    uint64_t used_at;        /* replays->clock at that time */
} kas_vulkan_replay;

enum { KAS_VULKAN_REPLAYS_MAX = 512, KAS_VULKAN_REPLAY_BUCKETS = 64 };
_Static_assert((int)KAS_VULKAN_REPLAYS_MAX > (int)KAS_SUBMISSIONS_MAX, "one of them is always idle");

typedef struct kas_vulkan_replays {
    VkCommandPool pool;
    VkQueryPool stamps; /* null where there are no timestamps */
    kas_vulkan_replay *all[KAS_VULKAN_REPLAYS_MAX];
    size_t count;
    kas_vulkan_replay *buckets[KAS_VULKAN_REPLAY_BUCKETS];
    kas_vulkan_replay *vacant;
    uint64_t clock;
} kas_vulkan_replays;

/* One vkQueueSubmit: the traffic enqueued since the one before, then at most one submission. Made at first
 * use, used again after every successful wait. */
typedef struct kas_vulkan_step {
    VkCommandBuffer commands; /* of the traffic */
    VkFence fence;
    kas_vulkan_replay *replay; /* the submission; NULL: traffic only */
} kas_vulkan_step;

enum {
    KAS_VULKAN_STEPS_MAX = KAS_SUBMISSIONS_MAX + 1
}; /* the last one for traffic after the last submission */

/* Host-visible memory that traffic goes through; what lies in it is valid until the queue is idle. */
typedef struct kas_vulkan_staging {
    kas_vulkan_memory *blocks;
    size_t *block_bytes;
    size_t count, capacity, sizes_capacity;
    size_t used; /* bytes of the last block */
} kas_vulkan_staging;

typedef struct kas_vulkan_place {
    VkBuffer buffer;
    size_t offset;
    char *host;
} kas_vulkan_place;

/* What is copied to the caller's memory once the queue is idle: from staging, or from the buffer's own memory
 * where the host sees that and nothing was enqueued after the download. */
typedef struct kas_vulkan_download {
    VkBuffer buffer;
    size_t offset;
    const char *from;
    void *to;
    size_t size_bytes;
} kas_vulkan_download;

typedef struct kas_vulkan_queue {
    kas_queue base;
    VkCommandPool traffic;
    kas_vulkan_replays replays;
    kas_vulkan_step steps[KAS_VULKAN_STEPS_MAX];
    uint32_t step_count;       /* handed to the device since the last wait */
    uint32_t submission_count; /* the same, of submissions: they are the first steps */
    bool recording;            /* steps[step_count] is being recorded */
    kas_vulkan_staging staging;
    kas_vulkan_download *downloads;
    size_t download_count, download_capacity;
    size_t staged_count; /* the first ones, which staging holds */
} kas_vulkan_queue;

static inline kas_vulkan_device *kas_vulkan_queue_device(const kas_vulkan_queue *queue)
{
    return kas_vulkan_device_of(queue->base.device);
}

/* Opens the next step for recording traffic. */
kas_status kas_vulkan_begin(kas_vulkan_queue *queue) KAS_MUST_USE;
/* The device as lost: what was recorded would be missing, or what is under way is not told any more, so that
 * nobody could go on. */
kas_status kas_vulkan_refuse(const kas_vulkan_queue *queue, VkResult result, const char *what) KAS_MUST_USE;
/* Closes the step and hands it to the device, with a submission behind its traffic unless that is NULL. */
kas_status kas_vulkan_flush(kas_vulkan_queue *queue, kas_vulkan_replay *replay) KAS_MUST_USE;
/* What the device's queue is given next sees what it was given before, and the host sees it once the fence is
 * signalled. Follows every command, so that none needs one before it. */
void kas_vulkan_barrier(const kas_vulkan_symbols *vk, VkCommandBuffer commands);

/* An idle recording of the submission with its grids for `rows`: one that is there, or a new one. */
kas_status kas_vulkan_get_replay(kas_vulkan_queue *queue, const kas_submission *submission, uint32_t rows,
                                 kas_vulkan_replay **out) KAS_MUST_USE;
/* On failure the caller calls kas_vulkan_replays_finish, too. */
kas_status kas_vulkan_replays_init(kas_vulkan_queue *queue) KAS_MUST_USE;
/* keep: the device may still use them, so nothing of Vulkan's is touched. */
void kas_vulkan_replays_finish(kas_vulkan_queue *queue, bool keep);

/* Fills in an empty recording; on failure it is empty. */
kas_status kas_vulkan_record(kas_vulkan_queue *queue, const kas_submission *submission,
                             kas_vulkan_replay *replay) KAS_MUST_USE;
/* Empties a recording that is not in flight. */
void kas_vulkan_unrecord(kas_vulkan_queue *queue, kas_vulkan_replay *replay);
/* The grids of a recording that is not in flight. */
void kas_vulkan_set_rows(kas_vulkan_replay *replay, const kas_list *list, uint32_t rows);

/* As kas_queue_ops. */
kas_status kas_vulkan_upload(kas_queue *base, kas_buffer *to, size_t offset, const void *host,
                             size_t size_bytes) KAS_MUST_USE;
kas_status kas_vulkan_download_to(kas_queue *base, kas_buffer *from, size_t offset, void *host,
                                  size_t size_bytes) KAS_MUST_USE;
kas_status kas_vulkan_fill(kas_queue *base, kas_buffer *to, size_t offset, uint32_t word,
                           size_t size_bytes) KAS_MUST_USE;
/* Before anything is enqueued that could change what was asked for: all downloads are in staging. */
kas_status kas_vulkan_stage_downloads(kas_vulkan_queue *queue) KAS_MUST_USE;
/* The queue is idle: callers get their downloads. */
void kas_vulkan_deliver(kas_vulkan_queue *queue);

/* A place of `size_bytes` in staging memory; its host address is aligned to 16 bytes. */
kas_status kas_vulkan_stage(kas_vulkan_queue *queue, size_t size_bytes, kas_vulkan_place *out) KAS_MUST_USE;
/* All places are free again. Keeps one block. */
void kas_vulkan_staging_reset(kas_vulkan_queue *queue);
void kas_vulkan_staging_finish(kas_vulkan_queue *queue, bool lost);

#endif
