/* Bearer tokens (RFC 6750): who may do what. A file has one a line, `ROLE SHA256-HEX NAME`; empty lines and
 * those that begin with '#' are passed over. Only the tokens' digests are known here. */
#ifndef KAS_HTTP_TOKENS_H
#define KAS_HTTP_TOKENS_H

#include "http/request.h"

typedef struct kas_http_tokens kas_http_tokens; /* immutable once read: any thread */

/* KAS_INVALID_ARGUMENT names the line that makes no sense (a file without a token makes none either) or the
 * two that have the same token, or says that everybody can write the file. */
kas_status kas_http_tokens_read(const char *path, kas_http_tokens **out) KAS_MUST_USE;
void kas_http_tokens_destroy(kas_http_tokens *tokens); /* accepts NULL */

/* Whether the request's credentials are known: else it is refused. Everybody is where no token is asked for.
 */
bool kas_http_is_known(kas_http_request *request);
/* Whether they allow what needs this role: else it is refused. */
bool kas_http_is_allowed(kas_http_request *request, kas_http_role needed);

#endif
