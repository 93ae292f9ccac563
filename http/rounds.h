/* Small passes of requests that have come in together. A serving thread reads all requests that lie ready
 * before it computes: those of one layer then run as one batch, and its weights go through the cache once and
 * not once a request. The answers are the same to the bit.
 *
 * A request whose pass is put off is simply not answered: libmicrohttpd calls again, after one more look at
 * the sockets that does not wait. So nobody waits for a batch to fill, and where requests have lately come
 * one at a time their passes are not put off at all. */
#ifndef KAS_HTTP_ROUNDS_H
#define KAS_HTTP_ROUNDS_H

#include "http/request.h"

kas_status kas_http_rounds_create(kas_http_server *server) KAS_MUST_USE;
void kas_http_rounds_destroy(kas_http_server *server); /* when all requests have ended */

/* A pass that is small enough for a serving thread: computes it, now or with others; then `next` runs with
 * request->status. All that it points to must live as long as the request. */
void kas_http_forward_small(kas_http_request *request, const kas_forward_request *pass,
                            kas_forward_result *result, kas_http_step next);
/* For a request that ends: its pass, if it was put off, is not computed any more. */
void kas_http_leave_round(kas_http_request *request);

#endif
