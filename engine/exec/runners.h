/* Threads of the batcher that take up passes which were submitted (kas_exec_submit): each leads a batch, or
 * waits like a caller. They end once the batcher is stopping. */
#ifndef KAS_EXEC_RUNNERS_H
#define KAS_EXEC_RUNNERS_H

#include "engine/exec/batcher.h"

/* As many as the executor's options say. On failure those that were started are in `runner_count`. */
kas_status kas_runners_start(kas_exec *exec) KAS_MUST_USE;
/* Adds a pass without a thread, unless the batcher is stopping: then it is false, and the pass still the
 * caller's. Whoever stops the batcher empties the list after it has said so. */
bool kas_runners_put(kas_batcher *batcher, kas_waiter *waiter) KAS_MUST_USE;

#endif
