/* The table of resources. Numbers grow, so that appending keeps it sorted. */
#include "engine/control/held.h"

#include <string.h>

#include "base/alloc.h"

enum { HELD_MAX = 1 << 20 };

kas_status kas_held_create(kas_held **out)
{
    kas_held *held = kas_calloc(1, sizeof *held);
    if (!held) return kas_out_of_memory();
    atomic_init(&held->references, 1);
    *out = held;
    return NULL;
}

kas_held *kas_held_retain(kas_held *held)
{
    atomic_fetch_add_explicit(&held->references, 1, memory_order_relaxed);
    return held;
}

void kas_held_release(kas_held *held)
{
    if (!held || atomic_fetch_sub_explicit(&held->references, 1, memory_order_acq_rel) != 1) return;
    kas_segment_release(held->segment);
    kas_layer_weights_finish(&held->weights);
    kas_decoded_release(held->affine);
    kas_free(held);
}

void kas_held_table_init(kas_held_table *table)
{
    *table = (kas_held_table){0};
    pthread_mutex_init(&table->lock, NULL);
}

void kas_held_table_finish(kas_held_table *table)
{
    for (size_t i = 0; i < table->count; ++i)
        kas_held_release(table->items[i]);
    kas_free(table->items);
    pthread_mutex_destroy(&table->lock);
}

kas_status kas_held_table_add(kas_held_table *table, kas_held *held)
{
    kas_status status = NULL;
    pthread_mutex_lock(&table->lock);
    void *grown = table->items;
    if (kas_grow(&grown, &table->capacity, table->count + 1, HELD_MAX, sizeof *table->items)) {
        table->items = grown;
        table->items[table->count++] = kas_held_retain(held);
        held->number = ++table->last;
    } else {
        status = kas_out_of_memory();
    }
    pthread_mutex_unlock(&table->lock);
    return status;
}

static size_t lower_bound(const kas_held_table *table, kas_resource number) /* lock held */
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->items[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static kas_held *find(const kas_held_table *table, kas_resource number) /* lock held */
{
    size_t at = lower_bound(table, number);
    return at < table->count && table->items[at]->number == number ? table->items[at] : NULL;
}

kas_held *kas_held_table_find(kas_held_table *table, kas_resource number)
{
    pthread_mutex_lock(&table->lock);
    kas_held *held = find(table, number);
    pthread_mutex_unlock(&table->lock);
    return held;
}

kas_held *kas_held_table_retain(kas_held_table *table, kas_resource number)
{
    pthread_mutex_lock(&table->lock);
    kas_held *held = find(table, number);
    if (held) kas_held_retain(held);
    pthread_mutex_unlock(&table->lock);
    return held;
}

void kas_held_table_remove(kas_held_table *table, kas_resource number)
{
    pthread_mutex_lock(&table->lock);
    size_t at = lower_bound(table, number);
    kas_held *held = find(table, number);
    if (held) {
        --table->count;
        memmove(table->items + at, table->items + at + 1, (table->count - at) * sizeof(kas_held *));
    }
    pthread_mutex_unlock(&table->lock);
    kas_held_release(held);
}

kas_held *kas_held_table_begin_drained(kas_held_table *table, kas_resource number)
{
    pthread_mutex_lock(&table->lock);
    kas_held *held = find(table, number);
    if (held && (!held->is_kernel || held->drained_posted)) held = NULL;
    if (held) {
        held->drained_posted = true;
        kas_held_retain(held);
    }
    pthread_mutex_unlock(&table->lock);
    return held;
}

void kas_held_table_end_drained(kas_held_table *table, kas_held *held)
{
    pthread_mutex_lock(&table->lock);
    held->drained_posted = false;
    pthread_mutex_unlock(&table->lock);
    kas_held_release(held);
}
