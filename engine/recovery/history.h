/* What went wrong lately: a ring of the last 1,000 errors, rates over five minutes, and what recovered.
 * Windows are measured by monotonic time, so that a clock which is set neither hides errors nor keeps old
 * ones. Any thread.
 */
#ifndef KAS_RECOVERY_HISTORY_H
#define KAS_RECOVERY_HISTORY_H

#include <kasmina/kasmina.h>

typedef struct kas_history kas_history;

kas_status kas_history_create(kas_history **out) KAS_MUST_USE;
void kas_history_destroy(kas_history *history); /* accepts NULL */

/* Notes an error at now_ns, monotonic (record->at_ns, which is only shown, is wall time). Where the default
 * strategy answers by fallback or by doing less, that is a recovery that succeeded at once. When memory is
 * out the oldest record makes room. */
void kas_history_note_error(kas_history *history, const kas_error_record *record, int64_t now_ns);

/* A seed changed its lifecycle state: entering ERROR_RECOVERY begins a recovery, a load that ends it well or
 * badly, an unload or a reset ends it. */
void kas_history_note_transition(kas_history *history, uint64_t layer_uid, uint32_t seed, kas_lifecycle from,
                                 kas_lifecycle to, int64_t now_ns);
void kas_history_forget_layer(kas_history *history, uint64_t layer_uid); /* it was deleted */

/* The newest first. */
size_t kas_history_list(kas_history *history, kas_error_record *out, size_t capacity);
void kas_history_stats(kas_history *history, int64_t now_ns, kas_recovery_stats *out);

#endif
