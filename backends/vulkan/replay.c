/* A queue's recordings. A list is recorded once for each binding of its slots, and replayed from then on; an
 * execution context binds a list's slots to the same memory pass after pass. Dynamic offsets would not do
 * instead: a command buffer holds them, too. What does change from pass to pass, the rows, is in memory that
 * the device reads (indirect dispatch). On lavapipe, handing over 20 lists of 20 launches takes a ninth of
 * the time that recording them each pass took, one such list half of it; the pass as a whole, which the
 * software device dominates, is the same within its noise.
 *
 * A recording names its list and buffers by serial number and keeps none of them alive: once one of them is
 * gone nobody can ask for the recording again, and it ends as the one that was longest unused. A command
 * buffer runs once at a time; a list that is in flight already gets a second recording. */
#include <string.h>

#include "backends/vulkan/queue.h"
#include "base/alloc.h"

static kas_vulkan_replay_key key_of(const kas_submission *submission)
{
    kas_vulkan_replay_key key;
    memset(&key, 0, sizeof key); /* compared as bytes */
    key.list = ((const kas_vulkan_list *)submission->list)->serial;
    for (size_t s = 0; s < KAS_SLOT_COUNT; ++s) {
        if (!(submission->list->slots >> s & 1)) continue;
        key.buffers[s] = ((const kas_vulkan_buffer *)submission->slots[s].buffer)->serial;
        key.offsets[s] = submission->slots[s].offset_bytes;
    }
    return key;
}

static kas_vulkan_replay **bucket_of(kas_vulkan_replays *replays, const kas_vulkan_replay_key *key)
{
    return &replays->buckets[key->list % KAS_VULKAN_REPLAY_BUCKETS];
}

static kas_vulkan_replay *find_idle(kas_vulkan_replays *replays, const kas_vulkan_replay_key *key)
{
    for (kas_vulkan_replay *replay = *bucket_of(replays, key); replay; replay = replay->next) {
        if (replay->busy) continue; /* wait */
        if (!memcmp(&replay->key, key, sizeof *key)) return replay;
    }
    return NULL;
}

static void unlink_replay(kas_vulkan_replays *replays, kas_vulkan_replay *replay)
{
    for (kas_vulkan_replay **link = bucket_of(replays, &replay->key); *link; link = &(*link)->next) {
        if (*link != replay) continue;
        *link = replay->next;
        break;
    }
}

/* There are more recordings than can be in flight, and those were used last: this one is idle. */
static kas_vulkan_replay *longest_unused(const kas_vulkan_replays *replays)
{
    kas_vulkan_replay *oldest = NULL;
    for (size_t i = 0; i < KAS_VULKAN_REPLAYS_MAX; ++i) {
        kas_vulkan_replay *replay = replays->all[i];
        if (!oldest || replay->used_at < oldest->used_at) oldest = replay;
    }
    return oldest;
}

/* An empty recording, in no bucket. */
static kas_status get_vacant(kas_vulkan_queue *queue, kas_vulkan_replay **out)
{
    kas_vulkan_replays *replays = &queue->replays;
    kas_vulkan_replay *replay = replays->vacant;
    if (replay) {
        replays->vacant = replay->next;
    } else if (replays->count < KAS_VULKAN_REPLAYS_MAX) {
        replay = kas_calloc(1, sizeof *replay);
        if (!replay) return kas_out_of_memory();
        replay->query = 2 * (uint32_t)replays->count;
        replays->all[replays->count++] = replay;
    } else {
        replay = longest_unused(replays);
        unlink_replay(replays, replay);
        kas_vulkan_unrecord(queue, replay);
    }
    *out = replay;
    return NULL;
}

static kas_status add(kas_vulkan_queue *queue, const kas_submission *submission,
                      const kas_vulkan_replay_key *key, kas_vulkan_replay **out)
{
    kas_vulkan_replays *replays = &queue->replays;
    kas_vulkan_replay *replay;
    KAS_TRY(get_vacant(queue, &replay));
    replay->key = *key;
    replay->rows = 0;
    kas_status status = kas_vulkan_record(queue, submission, replay);
    kas_vulkan_replay **head = status ? &replays->vacant : bucket_of(replays, key);
    replay->next = *head;
    *head = replay;
    *out = replay;
    return status;
}

kas_status kas_vulkan_get_replay(kas_vulkan_queue *queue, const kas_submission *submission, uint32_t rows,
                                 kas_vulkan_replay **out)
{
    const kas_vulkan_replay_key key = key_of(submission);
    *out = find_idle(&queue->replays, &key);
    if (!*out) KAS_TRY(add(queue, submission, &key, out));
    (*out)->used_at = ++queue->replays.clock;
    kas_vulkan_set_rows(*out, submission->list, rows);
    return NULL;
}

kas_status kas_vulkan_replays_init(kas_vulkan_queue *queue)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .queueFamilyIndex = device->family};
    const VkQueryPoolCreateInfo stamps = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                          .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                          .queryCount = 2 * KAS_VULKAN_REPLAYS_MAX};
    KAS_VULKAN_TRY(device->vk, vkCreateCommandPool, device->device, &pool, NULL, &queue->replays.pool);
    if (device->timestamp_bits)
        KAS_VULKAN_TRY(device->vk, vkCreateQueryPool, device->device, &stamps, NULL, &queue->replays.stamps);
    return NULL;
}

void kas_vulkan_replays_finish(kas_vulkan_queue *queue, bool keep)
{
    kas_vulkan_device *device = kas_vulkan_queue_device(queue);
    kas_vulkan_replays *replays = &queue->replays;
    for (size_t i = 0; i < replays->count; ++i) {
        if (!keep) kas_vulkan_unrecord(queue, replays->all[i]);
        kas_free(replays->all[i]);
    }
    if (keep) return;
    device->vk->vkDestroyQueryPool(device->device, replays->stamps, NULL);
    device->vk->vkDestroyCommandPool(device->device, replays->pool, NULL);
}

/* ---- lists ---- */

static kas_status init_list(kas_list *base)
{
    ((kas_vulkan_list *)base)->serial = kas_vulkan_next_serial(kas_vulkan_device_of(base->device));
    return NULL;
}

static void finish_list(kas_list *base)
{
    (void)base; /* queues' recordings of it are never asked for again */
}

const kas_list_ops kas_vulkan_list_ops = {
    .size_bytes = sizeof(kas_vulkan_list),
    .init = init_list,
    .finish = finish_list,
};
