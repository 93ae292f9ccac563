/* What a resource number of the control plane stands for: a kernel or a layer's weights on a device.
 *
 * Reference-counted: the table has one reference from KERNEL_READY (or the layer's creation) until the state
 * says that it is released; tasks that read it have theirs. Plans hold the segment itself. */
#ifndef KAS_CONTROL_HELD_H
#define KAS_CONTROL_HELD_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/cache/host_tier.h"
#include "engine/control/mailbox.h"
#include "engine/graph/segment.h"
#include "engine/state/command.h"

typedef struct kas_held {
    kas_message drained; /* posted when no plan and no pass uses it any more */
    bool drained_posted; /* guarded by the table's lock */
    void *owner;         /* the engine */
    atomic_uint references;
    kas_resource number; /* 0 until it is in the table */
    bool is_kernel;
    kas_segment *segment;
    kas_layer_weights
        weights;         /* of a layer's own weights, as they were given: for folding and reading back */
    kas_decoded *affine; /* of a kernel that may be folded: what its W and b are derived from; else NULL */
} kas_held;

kas_status kas_held_create(kas_held **out) KAS_MUST_USE; /* one reference */
kas_held *kas_held_retain(kas_held *held);
void kas_held_release(kas_held *held); /* accepts NULL */

typedef struct kas_held_table {
    pthread_mutex_t lock; /* guards all below and drained_posted of each */
    kas_held **items;     /* ascending by number */
    size_t count, capacity;
    kas_resource last;
} kas_held_table;

void kas_held_table_init(kas_held_table *table);
void kas_held_table_finish(kas_held_table *table); /* releases what is left */

/* Gives it a number and retains it. */
kas_status kas_held_table_add(kas_held_table *table, kas_held *held) KAS_MUST_USE;
/* Not retained: stays valid as long as the caller knows that it is not removed. NULL: none. */
kas_held *kas_held_table_find(kas_held_table *table, kas_resource number);
kas_held *kas_held_table_retain(kas_held_table *table, kas_resource number); /* NULL: none */
void kas_held_table_remove(kas_held_table *table, kas_resource number);      /* releases it */
/* Retained, for a message that says it is drained; NULL: none, no kernel, or such a message is on its way. */
kas_held *kas_held_table_begin_drained(kas_held_table *table, kas_resource number);
void kas_held_table_end_drained(kas_held_table *table, kas_held *held); /* releases it */

#endif
