/* Refusals: RFC 9457 problems, how the engine's failures become them, and the pages that explain them. */
#ifndef KAS_HTTP_PROBLEMS_H
#define KAS_HTTP_PROBLEMS_H

#include "http/json_write.h"
#include "http/request.h"

/* Refuses the request; what a step does afterwards is return. The first refusal stands. */
void kas_http_refuse(kas_http_request *request, kas_http_problem problem, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Refuses the request for a failure of the engine; takes the status. With request->reply for state and
 * allowed. */
void kas_http_fail(kas_http_request *request, kas_status status);
/* True, and the request refused, when the engine answered with a failure (request->status). */
bool kas_http_failed(kas_http_request *request);

unsigned kas_http_problem_status(kas_http_problem problem);
const char *kas_http_problem_name(kas_http_problem problem); /* "illegal-transition" */

/* Answers with request->fault. */
void kas_http_respond_problem(kas_http_request *request);

/* The problem object of an operation that did not succeed, as member `name`; null for one that did. */
void kas_http_write_operation_error(kas_json *json, const char *name, const kas_operation_info *operation);
/* Refuses the request for what ended the operation. */
void kas_http_fail_operation(kas_http_request *request, const kas_operation_info *operation);

bool kas_http_problem_exists(const char *name);
void kas_http_get_problem(kas_http_request *request);

#endif
