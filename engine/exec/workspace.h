/* Memory for passes with seeds, fossils, workspaces or staging: one arena a context, in a pool that plans
 * share.
 *
 * A plan says how many bytes it needs; the smallest pool that has them is used, or one of the next power of
 * two is made. So what is held is at most twice the largest need, twice over, however many plans there are.
 * Where the device does not take host pointers each arena has a mirror in host memory, of the part that is
 * uploaded and downloaded.
 *
 * Threads: pools are found, made and released under the executor's control lock; an arena belongs to who has
 * taken the context of the same index. */
#ifndef KAS_EXEC_WORKSPACE_H
#define KAS_EXEC_WORKSPACE_H

#include "engine/exec/context.h"

typedef struct kas_workspace {
    kas_buffer *arena;
    unsigned char *host; /* the arena's own memory, or its mirror */
} kas_workspace;

typedef struct kas_workspace_pool {
    struct kas_workspace_pool *next;
    kas_context_set *set;
    size_t arena_bytes, mirror_bytes; /* mirror: 0 where the device takes host pointers */
    uint32_t uses;                    /* plans */
    uint32_t count;
    kas_workspace workspaces[]; /* one a context of the set */
} kas_workspace_pool;

/* A pool of `*pools` for this need, retained. */
kas_status kas_workspace_pool_get(kas_workspace_pool **pools, kas_context_set *set, size_t arena_bytes,
                                  size_t mirror_bytes, kas_workspace_pool **out) KAS_MUST_USE;
/* Accepts NULL. */
void kas_workspace_pool_release(kas_workspace_pool **pools, kas_workspace_pool *pool);

#endif
