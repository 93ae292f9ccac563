/* A Vulkan queue's parts. Private to queue.c, record.c, staging.c and traffic.c. */
#ifndef KAS_VULKAN_QUEUE_H
#define KAS_VULKAN_QUEUE_H

#include "backends/vulkan/vulkan.h"

/* One vkQueueSubmit: the traffic enqueued since the one before, then at most one submission. Made at first
 * use, used again after every successful wait. */
typedef struct kas_vulkan_step {
    VkCommandBuffer commands;
    VkFence fence;
    VkDescriptorPool sets; /* for set_capacity launches */
    uint32_t set_capacity;
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
    VkCommandPool pool;
    VkQueryPool stamps; /* two for each submission; null where there are no timestamps */
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

/* Opens the next step for recording, behind everything that the device was given before. */
kas_status kas_vulkan_begin(kas_vulkan_queue *queue) KAS_MUST_USE;
/* Closes the step and hands it to the device. */
kas_status kas_vulkan_flush(kas_vulkan_queue *queue) KAS_MUST_USE;
/* What is recorded next sees what was recorded before, and the host sees it once the fence is signalled. */
void kas_vulkan_barrier(kas_vulkan_queue *queue);
/* Records a submission's launches into the open step. On failure nothing has been recorded. */
kas_status kas_vulkan_record(kas_vulkan_queue *queue, const kas_submission *submission,
                             uint32_t rows) KAS_MUST_USE;

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
