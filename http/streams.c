#include "http/streams.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/serving.h"

enum { PAGE = 16, TEXT_MAX = 1 << 20, BLOCK_BYTES = 4096 };

static const int64_t quiet_ns = 15 * KAS_NS_PER_S; /* after which a stream gives a sign of life */

typedef struct stream {
    kas_http_server *server;
    struct MHD_Connection *connection;
    struct stream *next, **link; /* in streams->first */
    bool suspended;              /* these four: guarded by the streams' lock */
    int64_t told_ns;             /* when it was last given something to send */
    uint64_t after;              /* the last event that is in `text` or was; serving thread only, as below */
    kas_text text;
    size_t sent; /* of text */
} stream;

struct kas_http_streams {
    pthread_mutex_t lock; /* guards all below */
    stream *first;
    uint64_t wakes; /* how often there was news */
    bool ended;
};

/* ---- waking: lock held ---- */

static void resume(stream *one)
{
    if (!one->suspended) return;
    one->suspended = false;
    MHD_resume_connection(one->connection);
}

static void on_events(void *user) /* on the engine's control thread */
{
    kas_http_streams *streams = ((kas_http_server *)user)->streams;
    pthread_mutex_lock(&streams->lock);
    ++streams->wakes;
    for (stream *one = streams->first; one; one = one->next)
        resume(one);
    pthread_mutex_unlock(&streams->lock);
}

void kas_http_streams_tick(kas_http_server *server)
{
    kas_http_streams *streams = server->streams;
    int64_t now_ns = kas_monotonic_ns();
    pthread_mutex_lock(&streams->lock);
    for (stream *one = streams->first; one; one = one->next) {
        if (now_ns - one->told_ns >= quiet_ns) resume(one);
    }
    pthread_mutex_unlock(&streams->lock);
}

void kas_http_streams_end(kas_http_server *server)
{
    kas_http_streams *streams = server->streams;
    pthread_mutex_lock(&streams->lock);
    streams->ended = true;
    for (stream *one = streams->first; one; one = one->next)
        resume(one);
    pthread_mutex_unlock(&streams->lock);
}

kas_status kas_http_streams_create(kas_http_server *server)
{
    kas_http_streams *streams = kas_calloc(1, sizeof *streams);
    if (!streams) return kas_out_of_memory();
    pthread_mutex_init(&streams->lock, NULL);
    server->streams = streams;
    kas_engine_on_events(server->engine, on_events, server);
    return NULL;
}

void kas_http_streams_destroy(kas_http_server *server)
{
    if (!server->streams) return;
    kas_engine_on_events(server->engine, NULL, NULL);
    pthread_mutex_destroy(&server->streams->lock);
    kas_free(server->streams);
}

/* ---- sending: on the stream's serving thread ---- */

static uint64_t wakes_of(kas_http_streams *streams)
{
    pthread_mutex_lock(&streams->lock);
    uint64_t wakes = streams->wakes;
    pthread_mutex_unlock(&streams->lock);
    return wakes;
}

/* Fills the text with what there is to tell. */
static void collect(stream *one)
{
    kas_event events[PAGE];
    uint64_t missed = 0;
    kas_text_finish(&one->text);
    kas_text_init(&one->text, TEXT_MAX);
    one->sent = 0;
    size_t count = kas_engine_events(one->server->engine, one->after, events, PAGE, &missed);
    if (missed) kas_http_write_missed(&one->text, missed);
    for (size_t i = 0; i < count; ++i) {
        kas_http_write_event(&one->text, one->server->engine, &events[i]);
        one->after = events[i].sequence;
    }
}

typedef enum turn { TURN_SEND, TURN_AGAIN, TURN_REST, TURN_END } turn;

/* With nothing to tell: a sign of life, another look if there was news meanwhile, the end, or rest. */
static turn idle(stream *one, uint64_t wakes)
{
    kas_http_streams *streams = one->server->streams;
    turn next = TURN_REST;
    pthread_mutex_lock(&streams->lock);
    int64_t now_ns = kas_monotonic_ns();
    if (streams->ended) {
        next = TURN_END;
    } else if (now_ns - one->told_ns >= quiet_ns) {
        one->told_ns = now_ns;
        kas_text_printf(&one->text, ":\n\n");
        next = TURN_SEND;
    } else if (streams->wakes != wakes) {
        next = TURN_AGAIN;
    } else {
        one->suspended = true;
        MHD_suspend_connection(one->connection);
    }
    pthread_mutex_unlock(&streams->lock);
    return next;
}

static void note_told(stream *one)
{
    kas_http_streams *streams = one->server->streams;
    pthread_mutex_lock(&streams->lock);
    one->told_ns = kas_monotonic_ns();
    pthread_mutex_unlock(&streams->lock);
}

static turn refill(stream *one)
{
    turn next = TURN_AGAIN;
    while (next == TURN_AGAIN) {
        uint64_t wakes = wakes_of(one->server->streams);
        collect(one);
        if (one->text.failed) return TURN_END; /* the client comes back with Last-Event-ID */
        if (one->text.length) {
            note_told(one);
            return TURN_SEND;
        }
        next = idle(one, wakes);
    }
    return next;
}

static ssize_t read_stream(void *user, uint64_t position, char *out, size_t room)
{
    stream *one = user;
    (void)position;
    if (one->sent == one->text.length) {
        turn next = refill(one);
        if (next == TURN_END) return MHD_CONTENT_READER_END_OF_STREAM;
        if (next == TURN_REST) return 0;
    }
    size_t left = one->text.length - one->sent, size = left < room ? left : room;
    memcpy(out, one->text.bytes + one->sent, size);
    one->sent += size;
    return (ssize_t)size;
}

static void close_stream(void *user)
{
    stream *one = user;
    kas_http_streams *streams = one->server->streams;
    pthread_mutex_lock(&streams->lock);
    *one->link = one->next;
    if (one->next) one->next->link = one->link;
    pthread_mutex_unlock(&streams->lock);
    kas_text_finish(&one->text);
    kas_free(one);
}

static stream *open_stream(kas_http_request *request, uint64_t after)
{
    kas_http_streams *streams = request->server->streams;
    stream *one = kas_calloc(1, sizeof *one);
    if (!one) return NULL;
    one->server = request->server;
    one->connection = request->connection;
    one->after = after;
    kas_text_init(&one->text, TEXT_MAX);
    kas_text_printf(&one->text, ":\n\n"); /* so that the client sees at once that it is connected */
    pthread_mutex_lock(&streams->lock);
    one->told_ns = kas_monotonic_ns();
    one->link = &streams->first;
    one->next = streams->first;
    if (one->next) one->next->link = &one->next;
    streams->first = one;
    pthread_mutex_unlock(&streams->lock);
    return one;
}

void kas_http_respond_events(kas_http_request *request, uint64_t after)
{
    kas_http_add_header(request, "Cache-Control", "no-store");
    if (strcmp(request->method, "HEAD") ==
        0) { /* of a stream, libmicrohttpd would send the last chunk all the same */
        kas_http_respond_static(request, 200, "text/event-stream", "");
        return;
    }
    stream *one = open_stream(request, after);
    if (!one) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, one, close_stream);
    if (!response) close_stream(one);
    kas_http_respond_stream(request, 200, "text/event-stream", response);
}
