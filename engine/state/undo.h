/* What makes a change all or nothing: before memory of the state is written, its old bytes are saved here,
 * and a change that ends in a refusal or without memory is undone by writing them back, last first.
 *
 * Blocks that a change makes are freed when it is undone; blocks that it drops stay until it is kept, so that
 * everything a saved image points to is still there. Saving can fail (memory out): the caller then must not
 * write. */
#ifndef KAS_STATE_UNDO_H
#define KAS_STATE_UNDO_H

#include <stddef.h>

#include "base/status.h"

typedef struct kas_undo {
    unsigned char *bytes; /* records, each a header and (for an image) the old bytes */
    size_t used, capacity;
    size_t last; /* offset of the newest record; meaningless when used = 0 */
} kas_undo;

/* The bytes at `at` are about to change. */
kas_status kas_undo_save(kas_undo *undo, void *at, size_t size_bytes) KAS_MUST_USE;
/* A zeroed block that belongs to the state when the change is kept. */
kas_status kas_undo_alloc(kas_undo *undo, size_t size_bytes, void **out) KAS_MUST_USE;
/* `block` leaves the state: freed when the change is kept. */
kas_status kas_undo_drop(kas_undo *undo, void *block) KAS_MUST_USE;

void kas_undo_keep(kas_undo *undo);
void kas_undo_revert(kas_undo *undo);
void kas_undo_finish(kas_undo *undo); /* nothing may be pending */

#endif
