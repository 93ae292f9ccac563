/* One budget for the memory that requests hold at once: their bodies, what is computed from them, and answers
 * until they are read. A request counts what it holds until it has ended, however that comes about; beyond
 * the budget it is refused, before its body is read or its answer made: 503, which may be tried again, or 413
 * where it would be too much for an idle server. What is small is not counted and goes on always: there is
 * some of it a connection, and connections have a limit of their own. Any thread; no lock. */
#ifndef KAS_HTTP_BUDGET_H
#define KAS_HTTP_BUDGET_H

#include "http/request.h"

enum { KAS_HTTP_UNCOUNTED = KAS_SCRATCH_BYTES }; /* what is not larger is small */

/* Counts so many bytes more. False: the request is refused. */
bool kas_http_hold(kas_http_request *request, size_t bytes);
/* The same for a body of so many bytes, all in all, and what it will be turned into. */
bool kas_http_hold_body(kas_http_request *request, size_t bytes);
/* The same for an answer of at most so many bytes that is about to be made. */
bool kas_http_hold_answer(kas_http_request *request, size_t bytes);
/* The same for so many values as JSON, beside a little. */
bool kas_http_hold_answer_text(kas_http_request *request, size_t values);
/* An answer of so many bytes is there. False, and the request refused, only where it asked for nothing but
 * this answer: what has been changed is told, and counted all the same. */
bool kas_http_count_answer(kas_http_request *request, size_t bytes);

/* What the budget could still give to this request if it were alone. */
size_t kas_http_most(const kas_http_request *request);
void kas_http_give_back(kas_http_request *request, size_t bytes); /* of what it holds */

#endif
