/* A visit: a taken context in which the plan of a layer is announced; and what is done in one. */
#ifndef KAS_EXEC_FORWARD_H
#define KAS_EXEC_FORWARD_H

#include "engine/exec/batcher.h"

struct kas_visit {
    kas_context *context;
    kas_sight sight;
    bool hung;         /* the context does not come back by itself */
    uint64_t sequence; /* of the root, once the layer was found to be on another device than the context's */
};

/* Takes a context of `*set` (NULL: of any device) and looks the layer up; goes on to the right device's
 * contexts. False when there is no free one: *set is then the device to wait for. */
bool kas_visit_begin(kas_exec *exec, const char *layer, kas_context_set **set, kas_visit *out);
/* Announces the layer's plan in a context that was given. False, and the context is free again, when the
 * layer is not on that device but on *set. */
bool kas_visit_begin_in(kas_exec *exec, kas_context *context, const char *layer, kas_context_set **set,
                        kas_visit *out);
void kas_visit_end(kas_exec *exec, const kas_visit *visit);

/* True when the pass, which has been started, has rows to compute; otherwise it has ended. */
bool kas_visit_admit(kas_exec *exec, const kas_visit *visit, kas_pass *pass);
/* Runs passes that were admitted and begun; each then has its status. */
void kas_visit_run(kas_exec *exec, kas_visit *visit, kas_pass *passes);

/* Runs a waiter's pass and all that wait for the same layer and fit. */
void kas_visit_lead(kas_exec *exec, kas_visit *visit, kas_waiter *leader);

#endif
