/* Records of layers; see layer.h. */
#include "engine/exec/layer.h"

static void record_destroy(kas_layer_record *record)
{
    for (uint32_t i = 0; i < KAS_CONTEXT_SETS_MAX; ++i)
        kas_free(record->blocks[i]);
    kas_free(record);
}

/* From calloc, aligned by hand: pages of a histogram that nobody has written take no memory. */
static kas_status make_counters(kas_layer_record *record, const kas_context_set *set)
{
    if (record->counters[set->index]) return NULL;
    size_t size_bytes;
    if (!kas_mul(set->count, sizeof(kas_counters), &size_bytes) ||
        !kas_add(size_bytes, KAS_CACHE_LINE, &size_bytes))
        return kas_out_of_memory();
    void *block = kas_calloc(1, size_bytes);
    if (!block) return kas_out_of_memory();
    record->blocks[set->index] = block;
    record->counts[set->index] = set->count;
    record->counters[set->index] = (kas_counters *)kas_align_up((uintptr_t)block, KAS_CACHE_LINE);
    return NULL;
}

kas_status kas_layer_record_get(kas_id_map *records, uint64_t uid, const kas_context_set *set,
                                kas_layer_record **out)
{
    uintptr_t *place = kas_id_map_add(records, uid);
    if (!place) return kas_out_of_memory();
    kas_layer_record *record = (kas_layer_record *)*place;
    if (!record) {
        record = kas_calloc(1, sizeof *record);
        if (!record) {
            kas_id_map_remove(records, uid);
            return kas_out_of_memory();
        }
        record->uid = uid;
        *place = (uintptr_t)record;
    }
    ++record->uses;
    kas_status status = make_counters(record, set);
    if (status) {
        kas_layer_record_release(records, record);
        return status;
    }
    *out = record;
    return NULL;
}

void kas_layer_record_release(kas_id_map *records, kas_layer_record *record)
{
    if (--record->uses > 0) return;
    kas_id_map_remove(records, record->uid);
    record_destroy(record);
}

void kas_layer_record_stats(const kas_layer_record *record, kas_exec_stats *out)
{
    kas_counter_sum sum = {0};
    for (uint32_t set = 0; set < KAS_CONTEXT_SETS_MAX; ++set)
        for (uint32_t i = 0; i < record->counts[set]; ++i)
            kas_counter_sum_add(&sum, &record->counters[set][i]);
    kas_counter_sum_stats(&sum, out);
    out->failed_calls = atomic_load_explicit(&record->failed_calls, memory_order_relaxed);
}
