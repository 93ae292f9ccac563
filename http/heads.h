/* Clients that open a connection and send a request's head byte by byte, or never: each would hold a
 * connection for good, since every byte restarts the idle time. A head must be complete within a time; a
 * thread looks once a second and shuts the connections that are late. And clients that open too many, or go
 * while they send. */
#ifndef KAS_HTTP_HEADS_H
#define KAS_HTTP_HEADS_H

#include "http/request.h"

typedef struct kas_http_heads kas_http_heads;

kas_status kas_http_heads_start(kas_http_server *server) KAS_MUST_USE;
void kas_http_heads_stop(kas_http_server *server); /* after the daemon has stopped; accepts none */

/* libmicrohttpd's notification of a connection's beginning and end. */
void kas_http_heads_on_connection(void *server, struct MHD_Connection *connection, void **context,
                                  enum MHD_ConnectionNotificationCode code);
/* Beyond the limit of connections a few are taken, to be told so; any more are closed at once: whoever were
 * left in the system's queue would wait for an answer that does not come. libmicrohttpd's question of each.
 */
enum { KAS_HTTP_SURPLUS_CONNECTIONS = 32 };
enum MHD_Result kas_http_heads_accept(void *server, const struct sockaddr *address, socklen_t size);

/* The head is in; false: the connection is beyond the limit. */
bool kas_http_heads_received(kas_http_request *request);
/* A body has begun to come in that is large enough to be shut out when its client goes in the middle of it;
 * or it is in. */
void kas_http_heads_arriving(kas_http_request *request, bool arriving);
void kas_http_heads_expect(kas_http_request *request); /* the request has ended; another may come */

#endif
