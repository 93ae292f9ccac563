/* The listening socket: an address that is safe without credentials, or a clear refusal. */
#ifndef KAS_HTTP_LISTEN_H
#define KAS_HTTP_LISTEN_H

#include <stddef.h>

#include "http/server.h"

/* `listen` is "127.0.0.1:8080", "localhost:8080" or "[::1]:8080". Writes the URL with the port that was
 * bound. KAS_INVALID_ARGUMENT: not an address, or one that others can reach while
 * nobody is asked for credentials. KAS_IO: it cannot be bound. */
kas_status kas_http_listen(const kas_http_options *options, int *out, char *url,
                           size_t url_size) KAS_MUST_USE;

#endif
