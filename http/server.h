/* The HTTP server: what a program that embeds it needs. Everything else in this room is its own.
 *
 * Start makes the listening socket and the serving threads; stop ends them in an orderly way. The engine must
 * outlive the server: answers that are still owed come from it. */
#ifndef KAS_HTTP_SERVER_H
#define KAS_HTTP_SERVER_H

#include <kasmina/kasmina.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct kas_http_server kas_http_server;

typedef struct kas_http_options { /* zero: the default */
    kas_engine *engine;
    const char *listen;        /* "ADDRESS:PORT"; "127.0.0.1:8080". Port 0: a free one */
    const char *token_file;    /* bearer tokens (tokens.h); NULL: nobody is asked for credentials */
    bool allow_anyone;         /* may listen without them where others can reach it */
    uint32_t threads;          /* that serve; number of cores */
    uint32_t max_connections;  /* 10,000 */
    uint32_t idle_timeout_s;   /* 60: a connection without traffic is closed */
    uint32_t header_timeout_s; /* 10: a request's head must have come in */
    size_t header_bytes;       /* 16 KiB: of a request's head */
    size_t json_bytes;         /* 1 MiB: of a JSON body that is not a tensor */
    size_t body_bytes;         /* 64 MiB: of any other body, but for the next two */
    size_t weights_bytes;      /* 1 GiB: of a layer's weights */
    size_t artifact_bytes;     /* 256 MiB: of an uploaded artifact */
    size_t in_flight_bytes;    /* 2 GiB: of bodies and answers that are held at once, all together */
} kas_http_options;

/* KAS_INVALID_ARGUMENT: `listen` is not an address, or one that others can reach while nobody is asked for
 * credentials. Binds nothing. */
kas_status kas_http_check_address(const kas_http_options *options) KAS_MUST_USE;

/* KAS_INVALID_ARGUMENT as above. KAS_IO: the address cannot be listened on. */
kas_status kas_http_start(const kas_http_options *options, kas_http_server **out) KAS_MUST_USE;
const char *
kas_http_url(const kas_http_server *server); /* "http://127.0.0.1:8080"; lives as long as the server */

/* Stops accepting, lets what runs finish within grace_ns, closes what is left and frees the server. Waits for
 * operations are answered with what is known. KAS_DEADLINE when the engine still owes an answer afterwards:
 * then the server is left as it is, since its memory is still in use, and the process should end. Accepts
 * NULL. */
kas_status kas_http_stop(kas_http_server *server, int64_t grace_ns) KAS_MUST_USE;

#endif
