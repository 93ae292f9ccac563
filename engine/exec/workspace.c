/* Pools of arenas; see workspace.h. */
#include "engine/exec/workspace.h"

enum { SMALLEST_ARENA_BYTES = 64 << 10 };

static size_t round_up_to_power(size_t bytes)
{
    size_t power = SMALLEST_ARENA_BYTES;
    while (power < bytes && power <= SIZE_MAX / 4)
        power *= 2;
    return power < bytes ? bytes : power;
}

static void pool_destroy(kas_workspace_pool *pool)
{
    for (uint32_t i = 0; i < pool->count; ++i) {
        if (pool->mirror_bytes > 0) kas_free(pool->workspaces[i].host);
        kas_buffer_release(pool->workspaces[i].arena);
    }
    kas_free(pool);
}

static kas_status workspace_init(kas_workspace_pool *pool, kas_workspace *workspace)
{
    KAS_TRY(kas_buffer_create(pool->set->device, pool->arena_bytes, "workspace", &workspace->arena));
    if (pool->mirror_bytes == 0) {
        workspace->host = kas_buffer_host(workspace->arena);
        return NULL;
    }
    workspace->host = kas_alloc_aligned(KAS_CACHE_LINE, pool->mirror_bytes);
    return workspace->host ? NULL : kas_out_of_memory();
}

static kas_status pool_create(kas_context_set *set, size_t arena_bytes, size_t mirror_bytes,
                              kas_workspace_pool **out)
{
    kas_workspace_pool *pool = kas_calloc(1, sizeof *pool + set->count * sizeof(kas_workspace));
    if (!pool) return kas_out_of_memory();
    pool->set = set;
    pool->arena_bytes = arena_bytes;
    pool->mirror_bytes = mirror_bytes;
    pool->count = set->count;
    kas_status status = NULL;
    for (uint32_t i = 0; i < pool->count && !status; ++i)
        status = workspace_init(pool, &pool->workspaces[i]);
    if (status) {
        pool_destroy(pool);
        return kas_annotate(status, "%u workspaces of %zu bytes on %s", set->count, arena_bytes,
                            kas_device_id(set->device));
    }
    *out = pool;
    return NULL;
}

kas_status kas_workspace_pool_get(kas_workspace_pool **pools, kas_context_set *set, size_t arena_bytes,
                                  size_t mirror_bytes, kas_workspace_pool **out)
{
    kas_workspace_pool *best = NULL;
    for (kas_workspace_pool *pool = *pools; pool; pool = pool->next) {
        if (pool->set != set || pool->arena_bytes < arena_bytes || pool->mirror_bytes < mirror_bytes)
            continue;
        if (!best || pool->arena_bytes < best->arena_bytes) best = pool;
    }
    if (!best) {
        size_t most = set->limits->max_buffer_bytes, wanted = round_up_to_power(arena_bytes);
        if (most != 0 && wanted > most) wanted = arena_bytes;
        size_t mirror = mirror_bytes > 0 ? round_up_to_power(mirror_bytes) : 0;
        KAS_TRY(pool_create(set, wanted, mirror, &best));
        best->next = *pools;
        *pools = best;
    }
    ++best->uses;
    *out = best;
    return NULL;
}

void kas_workspace_pool_release(kas_workspace_pool **pools, kas_workspace_pool *pool)
{
    if (!pool || --pool->uses > 0) return;
    while (*pools != pool)
        pools = &(*pools)->next;
    *pools = pool->next;
    pool_destroy(pool);
}
