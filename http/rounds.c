#include "http/rounds.h"

#include "base/alloc.h"
#include "http/serving.h"

enum {
    ROUND_MAX = 32,  /* passes put off by a thread */
    TRY_PERIOD = 16, /* where they come one at a time, one in so many is put off to see if others come */
};

/* Of one serving thread, and touched by no other while requests are served. */
struct kas_http_round {
    kas_http_request *first, **end; /* put off, oldest first */
    uint32_t count;
    uint32_t last_count; /* that were computed together the last time */
    uint32_t alone;      /* passes since then that were not put off */
} __attribute__((aligned(KAS_CACHE_LINE)));

static void clear(kas_http_round *round)
{
    round->first = NULL;
    round->end = &round->first;
    round->count = 0;
}

kas_status kas_http_rounds_create(kas_http_server *server)
{
    const uint32_t threads = server->options.threads;
    server->rounds = kas_alloc_aligned(KAS_CACHE_LINE, threads * sizeof *server->rounds);
    if (!server->rounds) return kas_out_of_memory();
    for (uint32_t i = 0; i < threads; ++i) {
        server->rounds[i] = (kas_http_round){.last_count = 0};
        clear(&server->rounds[i]);
    }
    return NULL;
}

void kas_http_rounds_destroy(kas_http_server *server)
{
    kas_free(server->rounds);
}

/* A serving thread is one server's for life. */
static kas_http_round *own_round(kas_http_server *server)
{
    static _Thread_local kas_http_round *own;
    if (!own)
        own = &server->rounds[atomic_fetch_add_explicit(&server->rounds_taken, 1, memory_order_relaxed)];
    return own;
}

/* ---- the passes that were put off ---- */

static void put_off(kas_http_round *round, kas_http_request *request)
{
    request->round = round;
    request->round_link = round->end;
    request->round_next = NULL;
    *round->end = request;
    round->end = &request->round_next;
    ++round->count;
}

void kas_http_leave_round(kas_http_request *request)
{
    kas_http_round *round = request->round;
    if (!round) return;
    *request->round_link = request->round_next;
    if (request->round_next)
        request->round_next->round_link = request->round_link;
    else
        round->end = request->round_link;
    --round->count;
    request->round = NULL;
}

/* Computes all that was put off. */
static void run_round(kas_engine *engine, kas_http_round *round)
{
    kas_forward_call calls[ROUND_MAX];
    kas_http_request *first = round->first;
    size_t count = 0;
    for (kas_http_request *request = first; request; request = request->round_next, ++count) {
        calls[count] = (kas_forward_call){.request = request->pass, .result = request->pass_result};
        request->round = NULL;
    }
    round->last_count = round->count;
    clear(round);
    kas_forward_together(engine, calls, count);
    count = 0;
    for (kas_http_request *request = first; request; request = request->round_next, ++count)
        request->status = calls[count].status;
}

/* Called again: others may have been read meanwhile, or been computed with this one. */
static void go_on(kas_http_request *request)
{
    if (request->round) run_round(request->engine, request->round);
    request->after_pass(request);
}

/* ---- whether to put one off ---- */

static bool comes_with_others(const kas_http_server *server, kas_http_round *round)
{
    if (round->count > 0 || round->last_count > 1) return true;
    const uint64_t connections = atomic_load_explicit(&server->counts.connections, memory_order_relaxed);
    return connections > server->options.threads && ++round->alone % TRY_PERIOD == 0;
}

void kas_http_forward_small(kas_http_request *request, const kas_forward_request *pass,
                            kas_forward_result *result, kas_http_step next)
{
    kas_http_round *round = own_round(request->server);
    if (!comes_with_others(request->server, round)) {
        request->status = kas_forward(request->engine, pass, result);
        next(request);
        return;
    }
    request->pass = pass;
    request->pass_result = result;
    request->after_pass = next;
    put_off(round, request);
    if (round->count == ROUND_MAX)
        go_on(request);
    else
        request->next = go_on;
}
