/* What passes have to do with devices that hang or are lost. */
#ifndef KAS_EXEC_LOSS_H
#define KAS_EXEC_LOSS_H

#include "engine/exec/exec.h"
#include "engine/exec/pass.h"

/* Abandons a context that hangs (kas_context_hang), and says that somebody has to look after it. Any thread.
 */
void kas_exec_abandon(kas_exec *exec, kas_context *context);

/* Its device is lost; the first to find out says so. Any thread. */
void kas_exec_note_lost(kas_exec *exec, kas_context_set *set);

/* Until when passes of layers on a lost device wait for them to be elsewhere; past: they do not. */
int64_t kas_exec_hold_until(const kas_exec *exec, const kas_context_set *set);

/* Whether a pass that failed is to be computed again, on another device or in a later root than that which it
 * was in, of that sequence: then pass->again and pass->after are set, and it has not failed. `plan` is still
 * announced. */
bool kas_exec_sends_elsewhere(kas_exec *exec, const kas_plan *plan, uint64_t sequence, kas_pass *pass);

/* On the control thread: frees contexts that have come back, and finds out which devices are lost. True when
 * something hangs. */
bool kas_exec_look_after(kas_exec *exec);
/* At the end, on the control thread: whatever hangs is lost. */
void kas_exec_give_up(kas_exec *exec);

#endif
