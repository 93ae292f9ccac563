/* What the serving threads share: the server's limits, its counts, and the list of those who wait. */
#ifndef KAS_HTTP_SERVING_H
#define KAS_HTTP_SERVING_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "http/requests.h"
#include "http/server.h"

typedef struct kas_http_counts { /* since the start; each on its own, not of one moment */
    _Atomic uint64_t requests;
    _Atomic uint64_t answers[6];                 /* by first digit of the status; [0]: none was sent */
    _Atomic uint64_t received_bytes, sent_bytes; /* of bodies */
    _Atomic uint64_t in_progress;
    _Atomic uint64_t connections;
} kas_http_counts;

struct kas_http_wait;

struct kas_http_server {
    kas_engine *engine;
    kas_http_options options; /* with defaults filled in */
    struct MHD_Daemon *daemon;
    int listener;
    char url[96];
    int64_t started_ns;
    char id_prefix[17]; /* of request ids: random, so that they differ over restarts */
    _Atomic uint64_t next_id;
    kas_http_counts counts;
    _Atomic uint64_t answering;  /* requests whose body is in and whose answer is not yet sent */
    _Atomic uint64_t suspended;  /* requests that the engine owes an answer */
    _Atomic uint64_t held_bytes; /* by requests, of options.in_flight_bytes (budget.h) */
    _Atomic bool stopping;
    kas_http_requests requests;
    kas_http_round *rounds; /* of the serving threads (rounds.h) */
    _Atomic uint32_t rounds_taken;
    pthread_mutex_t lock; /* guards `waits` */
    struct kas_http_wait *waits;
    struct kas_http_heads *heads;
    struct kas_http_tokens *tokens;   /* NULL: nobody is asked for credentials */
    struct kas_http_streams *streams; /* of events */
    struct kas_http_answers *answers; /* under their Idempotency-Keys */
};

#endif
