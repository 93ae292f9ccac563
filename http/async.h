/* Asking the engine without blocking a serving thread: the connection is suspended, and the engine's callback
 * resumes it. A suspended connection neither times out nor notices that the client has gone. */
#ifndef KAS_HTTP_ASYNC_H
#define KAS_HTTP_ASYNC_H

#include "http/request.h"

/* Submits a change; `next` runs with request->status and request->reply. Refused at once: the same, without
 * delay; for a client that has gone nothing is asked any more. */
void kas_http_submit(kas_http_request *request, const kas_request *change, kas_http_step next);

/* Until when the client wants to wait for what it asked for: for ?wait=SECONDS from now on, else for those of
 * Prefer: wait=SECONDS. *deadline_ns keeps its value where it has neither, and is 0 when they are 0: not at
 * all. False: refused. */
bool kas_http_wait_until(kas_http_request *request, int64_t *deadline_ns);

/* Waits until the operation has finished or the deadline has passed or the server stops; then `next` runs
 * with request->status: NULL, the failure that ended it, or KAS_DEADLINE. With deadline 0, and
 * where the client has gone, it runs at once, without. */
void kas_http_watch(kas_http_request *request, uint64_t operation, int64_t deadline_ns, kas_http_step next);

/* A pass that takes a while; all that it points to must live as long as the request. */
void kas_http_forward(kas_http_request *request, const kas_forward_request *pass, kas_forward_result *result,
                      kas_http_step next);

/* For a request that ends: its client may have gone when the wait was over. */
void kas_http_leave_wait(kas_http_request *request);

/* For a stopping server: answers all waits with what is known, and lets none begin. */
void kas_http_end_waits(kas_http_server *server);

#endif
