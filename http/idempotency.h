/* Idempotency-Key: a client that does not know whether its request was carried out sends it again under the
 * same key, and gets the first answer again without a second effect. Kept in memory for 24 hours, bounded;
 * the oldest go first. */
#ifndef KAS_HTTP_IDEMPOTENCY_H
#define KAS_HTTP_IDEMPOTENCY_H

#include "http/request.h"

typedef struct kas_http_answers kas_http_answers; /* thread-safe */

kas_status kas_http_answers_create(kas_http_answers **out) KAS_MUST_USE;
void kas_http_answers_destroy(kas_http_answers *answers); /* accepts NULL */

/* With the whole body in: true when the request is new, or has no key. False when it was answered with an
 * earlier answer, or refused because the key belongs to another request or to one that is still running. */
bool kas_http_answers_begin(kas_http_request *request);
/* An answer is about to be sent: keeps it if the request has a key. A failure of the server's is not kept, so
 * that trying again makes sense. */
void kas_http_answers_keep(kas_http_request *request, unsigned status, const char *media_type,
                           const void *bytes, size_t size);
/* The request has ended; without an answer its key is free again. */
void kas_http_answers_end(kas_http_request *request);

#endif
