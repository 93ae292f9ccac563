/* The device tier of the kernel cache: what is resident, what may be evicted, and whether there is room.
 *
 * Every entry counts against the limits from the moment its memory is reserved until its release is asked
 * for, or its device is lost. An entry is cold, and only then in the list that eviction takes from, when it
 * is on the device and nothing needs it: no seed, staged load or fossil holds it, no view shows it, no pass
 * that began under an older view may still run it (draining), and no operator has pinned it. It becomes the
 * most recently used of the cold ones at that moment, as it was in use until then. So the least recently used
 * one is always the head, and whether room can be made is known from two sums without looking at any entry.
 */
#include <stdio.h>
#include <string.h>

#include "engine/state/rules.h"

kas_entry *kas_cache_find(const kas_content *content, const char *device)
{
    for (const kas_link *link = content->entries.next; link != &content->entries; link = link->next) {
        kas_entry *entry = KAS_OWNER(link, kas_entry, of_content);
        if (!strcmp(entry->device, device)) return entry;
    }
    return NULL;
}

kas_status kas_entry_edit(kas_state *state, kas_entry *entry)
{
    if (entry->touched == state->pending.serial) return NULL;
    KAS_TRY(kas_undo_save(&state->undo, entry, sizeof *entry));
    entry->touched = state->pending.serial;
    return NULL;
}

static bool is_idle(const kas_entry *entry)
{
    return entry->kernel && !entry->uses && !entry->published && !entry->draining;
}

kas_status kas_entry_settle(kas_state *state, kas_entry *entry)
{
    if (entry->doomed) return is_idle(entry) ? kas_cache_remove(state, entry) : NULL;
    bool cold = is_idle(entry) && !entry->content->pins;
    if (cold == kas_list_linked(&entry->cold)) return NULL;
    if (cold) {
        state->now.cold_bytes += entry->device_bytes;
        ++state->now.cold_entries;
        return kas_list_append(&state->undo, &state->cold, &entry->cold);
    }
    state->now.cold_bytes -= entry->device_bytes;
    --state->now.cold_entries;
    return kas_list_remove(&state->undo, &entry->cold);
}

kas_status kas_cache_hit(kas_state *state, kas_entry *entry)
{
    KAS_TRY(kas_entry_edit(state, entry));
    ++entry->hits;
    entry->last_accessed_ns = state->now.wall_ns;
    return NULL;
}

/* ---- holds ---- */

kas_status kas_hold_take(kas_state *state, kas_hold *hold, kas_entry *entry)
{
    KAS_TRY(kas_entry_edit(state, entry));
    KAS_TRY(kas_undo_save(&state->undo, hold, sizeof *hold));
    KAS_TRY(kas_list_append(&state->undo, &entry->users, &hold->link));
    hold->entry = entry;
    ++entry->uses;
    return kas_entry_settle(state, entry);
}

kas_status kas_hold_drop(kas_state *state, kas_hold *hold)
{
    kas_entry *entry = hold->entry;
    if (!entry) return NULL;
    KAS_TRY(kas_entry_edit(state, entry));
    KAS_TRY(kas_undo_save(&state->undo, hold, sizeof *hold));
    KAS_TRY(kas_list_remove(&state->undo, &hold->link));
    hold->entry = NULL;
    --entry->uses;
    return kas_entry_settle(state, entry);
}

/* ---- room ---- */

kas_status kas_cache_remove(kas_state *state, kas_entry *entry)
{
    kas_undo *undo = &state->undo;
    if (kas_list_linked(&entry->cold)) {
        state->now.cold_bytes -= entry->device_bytes;
        --state->now.cold_entries;
        KAS_TRY(kas_list_remove(undo, &entry->cold));
    }
    if (!entry->lost) {
        state->now.cache_bytes -= entry->device_bytes;
        --state->now.cache_entries;
    }
    KAS_TRY(kas_list_remove(undo, &entry->all));
    KAS_TRY(kas_list_remove(undo, &entry->of_content));
    if (entry->kernel) {
        KAS_TRY(kas_map_remove(&state->entries_by_kernel, undo, &entry->by_kernel));
        kas_effect *effect;
        KAS_TRY(kas_emit(state, KAS_EFFECT_RELEASE_KERNEL, NULL, 0, &effect));
        effect->kernel.kernel = entry->kernel;
    }
    return kas_undo_drop(undo, entry);
}

static kas_status check_room(const kas_state *state, const kas_make *make, uint64_t bytes)
{
    const kas_counters *now = &state->now;
    uint64_t kept_bytes = now->cache_bytes - now->cold_bytes;
    if (bytes > state->limits.cache_bytes || kept_bytes > state->limits.cache_bytes - bytes)
        return kas_with_reason(kas_fail(KAS_NO_ROOM, CALLER,
                                        "artifact %s needs %llu bytes on %s; the kernel cache may hold %llu, "
                                        "and %llu of them are in use and cannot be evicted",
                                        make->artifact_id, (unsigned long long)bytes, make->device,
                                        (unsigned long long)state->limits.cache_bytes,
                                        (unsigned long long)kept_bytes),
                               "cache_bytes");
    if (now->cache_entries - now->cold_entries >= state->limits.cache_entries)
        return kas_with_reason(
            kas_fail(KAS_NO_ROOM, CALLER,
                     "artifact %s: the kernel cache may hold %u kernels, all of them are in use",
                     make->artifact_id, state->limits.cache_entries),
            "cache_entries");
    return NULL;
}

static bool has_room(const kas_state *state, uint64_t bytes)
{
    return state->now.cache_bytes + bytes <= state->limits.cache_bytes &&
           state->now.cache_entries < state->limits.cache_entries;
}

kas_status kas_cache_reserve(kas_state *state, kas_make *make, const kas_kernel_facts *facts,
                             uint64_t device_bytes)
{
    KAS_TRY(check_room(state, make, device_bytes));
    while (!has_room(state, device_bytes)) {
        KAS_TRY(kas_cache_remove(state, KAS_OWNER(state->cold.next, kas_entry, cold)));
        ++state->now.evictions;
    }
    void *block;
    KAS_TRY(kas_undo_alloc(&state->undo, sizeof(kas_entry), &block));
    kas_entry *entry = block;
    kas_list_init(&entry->users);
    entry->number = ++state->now.last_entry;
    entry->content = make->content;
    entry->make = make;
    entry->device_bytes = device_bytes;
    entry->facts = *facts;
    entry->hits = make->hits;
    entry->last_accessed_ns = state->now.wall_ns;
    memcpy(entry->device, make->device, sizeof entry->device);
    KAS_TRY(kas_list_append(&state->undo, &state->entries_in_order, &entry->all));
    KAS_TRY(kas_list_append(&state->undo, &make->content->entries, &entry->of_content));
    state->now.cache_bytes += device_bytes;
    ++state->now.cache_entries;
    KAS_TRY(kas_make_edit(state, make));
    make->entry = entry;
    return NULL;
}

/* ---- loss ---- */

/* No load finds it any more. */
static kas_status doom(kas_state *state, kas_entry *entry)
{
    entry->doomed = true;
    return kas_list_remove(&state->undo, &entry->of_content);
}

static kas_status lose(kas_state *state, kas_entry *entry)
{
    KAS_TRY(kas_entry_edit(state, entry));
    if (kas_list_linked(&entry->cold)) {
        state->now.cold_bytes -= entry->device_bytes;
        --state->now.cold_entries;
        KAS_TRY(kas_list_remove(&state->undo, &entry->cold));
    }
    state->now.cache_bytes -= entry->device_bytes;
    --state->now.cache_entries;
    entry->lost = true;
    KAS_TRY(doom(state, entry));
    return kas_entry_settle(state, entry);
}

kas_status kas_cache_device_lost(kas_state *state, const char *device)
{
    for (kas_link *link = state->entries_in_order.next, *next; link != &state->entries_in_order;
         link = next) {
        kas_entry *entry = KAS_OWNER(link, kas_entry, all);
        next = link->next;
        if (entry->kernel && !entry->lost && !strcmp(entry->device, device)) KAS_TRY(lose(state, entry));
    }
    return NULL;
}

/* ---- commands ---- */

static kas_status check_evict(const kas_content *content, const char *artifact_id)
{
    for (const kas_link *link = content->entries.next; link != &content->entries; link = link->next) {
        const kas_entry *entry = KAS_OWNER(link, kas_entry, of_content);
        if (!entry->make && !entry->uses) continue;
        return kas_fail(KAS_CONFLICT, CALLER,
                        "artifact %s is in use on %s, by %u seed%s%s: unload it there first", artifact_id,
                        entry->device, entry->uses, entry->uses == 1 ? "" : "s",
                        entry->make ? " and a load that runs" : "");
    }
    if (content->pins && !kas_list_empty(&content->entries))
        return kas_fail(KAS_CONFLICT, CALLER, "artifact %s is pinned: unpin it first", artifact_id);
    return NULL;
}

kas_status kas_evict(kas_state *state, const kas_command *command)
{
    const kas_binding *binding = kas_binding_find(state, command->artifact_id);
    if (!binding) return NULL;
    kas_content *content = binding->content;
    KAS_TRY(check_evict(content, command->artifact_id));
    while (!kas_list_empty(&content->entries)) {
        kas_entry *entry = KAS_OWNER(content->entries.next, kas_entry, of_content);
        KAS_TRY(kas_entry_edit(state, entry));
        KAS_TRY(doom(state, entry));
        KAS_TRY(kas_entry_settle(state, entry));
    }
    return NULL;
}

kas_status kas_kernel_drained(kas_state *state, const kas_command *command)
{
    kas_map_node *node =
        kas_map_first(&state->entries_by_kernel, kas_map_hash_number(command->drained.kernel));
    for (; node; node = kas_map_next(node)) {
        kas_entry *entry = KAS_OWNER(node, kas_entry, by_kernel);
        if (entry->kernel != command->drained.kernel) continue;
        if (!entry->draining) return NULL;
        KAS_TRY(kas_entry_edit(state, entry));
        entry->draining = false;
        return kas_entry_settle(state, entry);
    }
    return NULL;
}
