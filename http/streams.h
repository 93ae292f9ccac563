/* Open streams of server-sent events. A stream with nothing to tell is suspended; new events, a sign of life
 * now and then (which also finds out who has gone) and the server's end resume it. */
#ifndef KAS_HTTP_STREAMS_H
#define KAS_HTTP_STREAMS_H

#include "base/text.h"
#include "http/request.h"

typedef struct kas_http_streams kas_http_streams;

kas_status kas_http_streams_create(kas_http_server *server) KAS_MUST_USE;
void kas_http_streams_destroy(kas_http_server *server); /* after the daemon has stopped; accepts none */
void kas_http_streams_tick(kas_http_server *server);    /* once a second: signs of life */
void kas_http_streams_end(kas_http_server *server);     /* every stream ends, and none begins */

/* Answers with a stream of the events after `after`; the request is over but for the sending. */
void kas_http_respond_events(kas_http_request *request, uint64_t after);

/* events.c: appends one event in the form of the stream. */
void kas_http_write_event(kas_text *text, kas_engine *engine, const kas_event *event);
void kas_http_write_missed(kas_text *text, uint64_t missed);

#endif
