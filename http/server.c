#include "http/server.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "http/async.h"
#include "http/heads.h"
#include "http/idempotency.h"
#include "http/listen.h"
#include "http/request.h"
#include "http/rounds.h"
#include "http/serving.h"
#include "http/streams.h"
#include "http/tokens.h"

enum {
    OWN_FILES = 96, /* of the engine: files that are read and written, devices' */
    FILES_PER_THREAD = 4,
    CONNECTIONS_MIN = 8,
    POOL_MARGIN = 4096, /* of a connection's memory, beside the head: what is parsed, and the answer's head */
    DRAIN_MS = 250, /* for clients that send one request after the other to be told that this was the last */
    ARRIVING_MS = 3000,     /* for requests that are still coming in when the server stops */
    LAST_ANSWERS_MS = 5000, /* beyond the grace: for answers that the engine owes */
};

#define DEFAULT(field, value)                                                                                \
    if (!options->field) options->field = (value)

static void fill_defaults(kas_http_options *options)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    DEFAULT(listen, "127.0.0.1:8080");
    DEFAULT(threads, cores > 0 ? (uint32_t)cores : 1);
    DEFAULT(max_connections, 10000);
    DEFAULT(idle_timeout_s, 60);
    DEFAULT(header_timeout_s, 10);
    DEFAULT(header_bytes, (size_t)16 << 10);
    DEFAULT(json_bytes, (size_t)1 << 20);
    DEFAULT(body_bytes, (size_t)64 << 20);
    DEFAULT(weights_bytes, (size_t)1 << 30);
    DEFAULT(artifact_bytes, (size_t)256 << 20);
    DEFAULT(in_flight_bytes, (size_t)2 << 30);
}

/* A connection is an open file. The rest of the process keeps some for itself, so that loads and uploads go
 * on however many clients there are, and so that no thread meets a connection that it cannot accept: it would
 * try again and again. */
static kas_status fit_connections(kas_http_options *options)
{
    struct rlimit limit;
    const rlim_t own = OWN_FILES + (rlim_t)FILES_PER_THREAD * options->threads + KAS_HTTP_SURPLUS_CONNECTIONS;
    const rlim_t least = own + CONNECTIONS_MIN;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= own + options->max_connections)
        return NULL;
    if (limit.rlim_cur < least)
        return kas_fail(
            KAS_UNAVAILABLE, CALLER,
            "this process may open %llu files; it needs at least %llu: raise the limit (ulimit -n)",
            (unsigned long long)limit.rlim_cur, (unsigned long long)least);
    const uint32_t fitting = (uint32_t)(limit.rlim_cur - own);
    kas_warning("http", "%u connections at most, not %u: this process may open %llu files (ulimit -n)",
                fitting, options->max_connections, (unsigned long long)limit.rlim_cur);
    options->max_connections = fitting;
    return NULL;
}

static void log_line(void *context, const char *format, va_list args)
{
    char line[512];
    (void)context;
    vsnprintf(line, sizeof line, format, args);
    line[strcspn(line, "\n")] = 0;
    kas_debug("http", "%s", line);
}

/* Escapes are undone by the router, segment by segment: "%2F" is part of an id and not a separator. */
static size_t leave_escaped(void *context, struct MHD_Connection *connection, char *text)
{
    (void)context;
    (void)connection;
    return strlen(text);
}

static kas_status start_daemon(kas_http_server *server)
{
    const kas_http_options *options = &server->options;
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    /* A pool needs two threads; one alone is the daemon's own. Any of them may have all connections: their
     * number is limited where they are accepted. */
    const unsigned pool = options->threads > 1 ? options->threads : 0;
    const unsigned connections = options->threads * (options->max_connections + KAS_HTTP_SURPLUS_CONNECTIONS);
    const struct MHD_OptionItem items[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_line, NULL},
        {MHD_OPTION_LISTEN_SOCKET, server->listener, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, connections, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)(options->header_bytes + POOL_MARGIN), NULL},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)kas_http_on_completed, server},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)kas_http_heads_on_connection, server},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL}, /* a Host is required */
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL},
        {pool ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, pool, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    server->daemon = MHD_start_daemon(flags, 0, kas_http_heads_accept, server, kas_http_on_request, server,
                                      MHD_OPTION_ARRAY, items, MHD_OPTION_END);
    if (server->daemon) return NULL;
    return kas_fail(KAS_IO, ENGINE,
                    "libmicrohttpd did not start %u threads on %s; memory, threads or open files are short",
                    options->threads, server->url);
}

static kas_status begin(kas_http_server *server)
{
    uint64_t prefix;
    KAS_TRY(fit_connections(&server->options));
    KAS_TRY(kas_random_bytes(&prefix, sizeof prefix));
    snprintf(server->id_prefix, sizeof server->id_prefix, "%016llx", (unsigned long long)prefix);
    atomic_init(&server->next_id, 1);
    KAS_TRY(kas_http_listen(&server->options, &server->listener, server->url, sizeof server->url));
    if (server->options.token_file)
        KAS_TRY(kas_http_tokens_read(server->options.token_file, &server->tokens));
    KAS_TRY(kas_http_answers_create(&server->answers));
    KAS_TRY(kas_http_streams_create(server));
    KAS_TRY(kas_http_rounds_create(server));
    KAS_TRY(kas_http_heads_start(server));
    return start_daemon(server);
}

static void release(kas_http_server *server)
{
    kas_http_heads_stop(server);
    kas_http_streams_destroy(server);
    kas_http_rounds_destroy(server);
    kas_http_answers_destroy(server->answers);
    kas_http_tokens_destroy(server->tokens);
    if (server->listener >= 0) close(server->listener);
    kas_http_requests_destroy(&server->requests);
    pthread_mutex_destroy(&server->lock);
    kas_free(server);
}

kas_status kas_http_start(const kas_http_options *options, kas_http_server **out)
{
    kas_http_server *server = kas_calloc(1, sizeof *server);
    if (!server) return kas_out_of_memory();
    server->options = *options;
    fill_defaults(&server->options);
    server->engine = options->engine;
    server->listener = -1;
    server->started_ns = kas_monotonic_ns();
    pthread_mutex_init(&server->lock, NULL);
    kas_http_requests_init(&server->requests);
    kas_status status = begin(server);
    if (status) {
        release(server);
        return status;
    }
    *out = server;
    return NULL;
}

const char *kas_http_url(const kas_http_server *server)
{
    return server->url;
}

/* ---- stopping ---- */

/* False when the time is over. */
static bool becomes_zero(const _Atomic uint64_t *count, int64_t deadline_ns)
{
    while (atomic_load_explicit(count, memory_order_acquire) != 0) {
        if (kas_monotonic_ns() >= deadline_ns) return false;
        usleep(2000);
    }
    return true;
}

/* Closes the listening socket, and what has come into its queue, under the daemon: another socket, to which
 * nobody can connect, takes its number (without one, workers look at the old one in vain until the end).
 * MHD_quiesce_daemon is not for this: it and a worker that is just awake both take the socket out of epoll,
 * and libmicrohttpd aborts when the second one does not find it there any more. */
static void stop_listening(const kas_http_server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (other < 0) return;
    (void)dup3(other, server->listener, O_CLOEXEC);
    close(other);
}

/* Nobody new comes in, not even into the system's queue. Each answer from now on ends its connection, so a
 * client that is about to send its next request is better waited for a moment than cut off. */
static void turn_away(kas_http_server *server, int64_t grace_ns)
{
    stop_listening(server);
    int64_t drain_ns = DRAIN_MS * KAS_NS_PER_MS;
    becomes_zero(&server->counts.connections,
                 kas_monotonic_ns() + (grace_ns < drain_ns ? grace_ns : drain_ns));
}

/* Waits for requests that are complete, and a little for those whose client is still sending. What the engine
 * still owes must be given back before the daemon can stop, since a suspended connection cannot be
 * closed. */
kas_status kas_http_stop(kas_http_server *server, int64_t grace_ns)
{
    if (!server) return NULL;
    int64_t deadline_ns = kas_monotonic_ns() + grace_ns;
    kas_http_end_waits(server);
    kas_http_streams_end(server);
    turn_away(server, grace_ns);
    int64_t arriving_ns = grace_ns < ARRIVING_MS * KAS_NS_PER_MS ? grace_ns : ARRIVING_MS * KAS_NS_PER_MS;
    becomes_zero(&server->counts.in_progress, kas_monotonic_ns() + arriving_ns);
    if (!becomes_zero(&server->answering, deadline_ns))
        kas_warning("http", "%llu requests were not answered before the server stopped",
                    (unsigned long long)atomic_load(&server->answering));
    if (!becomes_zero(&server->suspended, deadline_ns + LAST_ANSWERS_MS * KAS_NS_PER_MS))
        return kas_fail(KAS_DEADLINE, ENGINE, "the engine still owes %llu answers",
                        (unsigned long long)atomic_load(&server->suspended));
    MHD_stop_daemon(server->daemon); /* and closes the listening socket */
    server->listener = -1;
    release(server);
    return NULL;
}
