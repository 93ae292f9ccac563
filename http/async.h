/* Asking the engine without blocking a serving thread: the connection is suspended, and the engine's callback
 * resumes it. A suspended connection neither times out nor notices that the client has gone. */
#ifndef KAS_HTTP_ASYNC_H
#define KAS_HTTP_ASYNC_H

#include "http/request.h"

/* Submits a change; `next` runs with request->status and request->reply. Refused at once: the same, without
 * delay. */
void kas_http_submit(kas_http_request *request, const kas_request *change, kas_http_step next);

/* Waits until the operation has finished or wait_s has passed or the server stops; then `next` runs with
 * request->status: NULL, the failure that ended it, or KAS_DEADLINE. */
void kas_http_watch(kas_http_request *request, uint64_t operation, double wait_s, kas_http_step next);

/* A pass that takes a while; all that it points to must live as long as the request. */
void kas_http_forward(kas_http_request *request, const kas_forward_request *pass, kas_forward_result *result,
                      kas_http_step next);

/* How long the client wants to wait: ?wait=SECONDS, else Prefer: wait=SECONDS, else 0. False: refused. */
bool kas_http_wait_seconds(kas_http_request *request, double *out);

/* For a stopping server: answers all waits with what is known, and lets none begin. */
void kas_http_end_waits(kas_http_server *server);

#endif
