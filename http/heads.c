#include "http/heads.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/serving.h"
#include "http/streams.h"

typedef struct head { /* of one connection */
    struct head *next, **link;
    int socket;
    bool surplus;           /* beyond the limit when it came */
    _Atomic int64_t due_ns; /* monotonic time at which the head must be in; KAS_NEVER: it is */
    atomic_bool arriving;   /* a large body is */
    bool ended;             /* its client's side was, when the thread last looked, in the middle of that */
} head;

struct kas_http_heads {
    kas_http_server *server;
    pthread_mutex_t lock; /* guards all below, and that no listed socket is closed */
    pthread_cond_t wake;
    head *first;
    bool stopping;
    pthread_t thread;
};

static void shut_late(kas_http_heads *heads, int64_t now_ns)
{
    for (head *item = heads->first; item; item = item->next) {
        if (atomic_load_explicit(&item->due_ns, memory_order_relaxed) > now_ns) continue;
        atomic_store_explicit(&item->due_ns, KAS_NEVER, memory_order_relaxed);
        shutdown(item->socket, SHUT_RDWR);
    }
}

/* All that came has been read, and nothing more will. */
static bool has_ended(const head *item)
{
    struct pollfd look = {.fd = item->socket, .events = POLLRDHUP};
    int unread = 0;
    return poll(&look, 1, 0) == 1 && (look.revents & POLLRDHUP) &&
           ioctl(item->socket, FIONREAD, &unread) == 0 && unread == 0;
}

/* libmicrohttpd takes a read that brought less than it asked for as the last of what is there, and so misses
 * the end that came with it: the body would be kept until the idle time is over. What ended a second ago and
 * is still waited for was not the end of the body, of which libmicrohttpd tells at once. */
static void shut_ended(kas_http_heads *heads)
{
    for (head *item = heads->first; item; item = item->next) {
        const bool before = item->ended;
        item->ended = atomic_load_explicit(&item->arriving, memory_order_relaxed) && has_ended(item);
        if (before && item->ended) shutdown(item->socket, SHUT_RDWR);
    }
}

static void *watch(void *context)
{
    kas_http_heads *heads = context;
    pthread_mutex_lock(&heads->lock);
    while (!heads->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        ++until.tv_sec;
        pthread_cond_timedwait(&heads->wake, &heads->lock, &until);
        shut_late(heads, kas_monotonic_ns());
        shut_ended(heads);
        kas_http_streams_tick(heads->server);
    }
    pthread_mutex_unlock(&heads->lock);
    return NULL;
}

kas_status kas_http_heads_start(kas_http_server *server)
{
    kas_http_heads *heads = kas_calloc(1, sizeof *heads);
    if (!heads) return kas_out_of_memory();
    heads->server = server;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&heads->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&heads->lock, NULL);
    int error = pthread_create(&heads->thread, NULL, watch, heads);
    if (error) {
        kas_free(heads);
        return kas_fail_os(error, "starting a thread of the HTTP server");
    }
    server->heads = heads;
    return NULL;
}

void kas_http_heads_stop(kas_http_server *server)
{
    kas_http_heads *heads = server->heads;
    if (!heads) return;
    pthread_mutex_lock(&heads->lock);
    heads->stopping = true;
    pthread_cond_signal(&heads->wake);
    pthread_mutex_unlock(&heads->lock);
    pthread_join(heads->thread, NULL);
    pthread_cond_destroy(&heads->wake);
    pthread_mutex_destroy(&heads->lock);
    kas_free(heads);
    server->heads = NULL;
}

static void add(kas_http_server *server, struct MHD_Connection *connection, void **context, bool surplus)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    head *item = kas_calloc(1, sizeof *item);
    *context = item;
    if (!item) return; /* unwatched: the idle time still holds */
    item->socket = info->connect_fd;
    item->surplus = surplus;
    atomic_init(&item->due_ns, kas_monotonic_ns() + server->options.header_timeout_s * KAS_NS_PER_S);
    kas_http_heads *heads = server->heads;
    pthread_mutex_lock(&heads->lock);
    item->link = &heads->first;
    item->next = heads->first;
    if (item->next) item->next->link = &item->next;
    heads->first = item;
    pthread_mutex_unlock(&heads->lock);
}

static void drop(kas_http_heads *heads, head *item)
{
    if (!item) return;
    pthread_mutex_lock(&heads->lock);
    *item->link = item->next;
    if (item->next) item->next->link = item->link;
    pthread_mutex_unlock(&heads->lock);
    kas_free(item);
}

enum MHD_Result kas_http_heads_accept(void *cls, const struct sockaddr *address, socklen_t size)
{
    const kas_http_server *server = cls;
    (void)address;
    (void)size;
    const uint64_t present = atomic_load_explicit(&server->counts.connections, memory_order_relaxed);
    return present < (uint64_t)server->options.max_connections + KAS_HTTP_SURPLUS_CONNECTIONS ? MHD_YES
                                                                                              : MHD_NO;
}

void kas_http_heads_on_connection(void *cls, struct MHD_Connection *connection, void **context,
                                  enum MHD_ConnectionNotificationCode code)
{
    kas_http_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const uint64_t others =
            atomic_fetch_add_explicit(&server->counts.connections, 1, memory_order_relaxed);
        add(server, connection, context, others >= server->options.max_connections);
        return;
    }
    atomic_fetch_sub_explicit(&server->counts.connections, 1, memory_order_relaxed);
    drop(server->heads, *context);
}

/* Of the request's connection; NULL: there was no memory for it. */
static head *head_of(kas_http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void set_due(head *item, int64_t due_ns)
{
    if (item) atomic_store_explicit(&item->due_ns, due_ns, memory_order_relaxed);
}

bool kas_http_heads_received(kas_http_request *request)
{
    head *item = head_of(request);
    set_due(item, KAS_NEVER);
    return !item || !item->surplus;
}

void kas_http_heads_arriving(kas_http_request *request, bool arriving)
{
    head *item = head_of(request);
    if (item) atomic_store_explicit(&item->arriving, arriving, memory_order_relaxed);
}

void kas_http_heads_expect(kas_http_request *request)
{
    const kas_http_options *options = &request->server->options;
    int64_t patience_s = (int64_t)options->idle_timeout_s + options->header_timeout_s;
    set_due(head_of(request), kas_monotonic_ns() + patience_s * KAS_NS_PER_S);
}
