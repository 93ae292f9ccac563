#include "http/async.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "http/problems.h"
#include "http/serving.h"

static const double most_wait_s = 3600;

/* Before the engine is asked: its answer may come at once, on another thread. */
static void suspend(kas_http_request *request, kas_http_step next)
{
    kas_status_free(request->status);
    request->status = NULL;
    request->next = next;
    atomic_fetch_add_explicit(&request->server->suspended, 1, memory_order_acq_rel);
    MHD_suspend_connection(request->connection);
}

/* The request belongs to its serving thread again; the caller must not touch it any more, nor the server. */
static void resume(kas_http_request *request)
{
    kas_http_server *server = request->server;
    MHD_resume_connection(request->connection);
    atomic_fetch_sub_explicit(&server->suspended, 1, memory_order_acq_rel);
}

static void resume_with(kas_http_request *request, kas_status status)
{
    request->status = status;
    resume(request);
}

/* ---- changes ---- */

static kas_status keep_reply(kas_http_request *request, const kas_reply *reply)
{
    kas_free(request->reply.failed);
    request->reply = *reply;
    request->reply.failed = NULL;
    if (reply->failed_count == 0) return NULL;
    request->reply.failed = kas_memdup(reply->failed, reply->failed_count * sizeof *reply->failed);
    if (request->reply.failed) return NULL;
    request->reply.failed_count = 0;
    return kas_out_of_memory();
}

static void on_reply(void *user, kas_status status, const kas_reply *reply)
{
    kas_http_request *request = user;
    kas_status kept = keep_reply(request, reply);
    if (kept && status) {
        kas_status_free(kept);
        kept = NULL;
    }
    resume_with(request, status ? status : kept);
}

void kas_http_submit(kas_http_request *request, const kas_request *change, kas_http_step next)
{
    if (request->gone) {
        request->status = kas_fail(KAS_UNAVAILABLE, CALLER, "the client has gone");
        next(request);
        return;
    }
    suspend(request, next);
    kas_status status = kas_engine_submit(request->engine, change, on_reply, request);
    if (status) resume_with(request, status);
}

/* ---- passes ---- */

static void on_pass(void *user, kas_status status)
{
    resume_with(user, status);
}

void kas_http_forward(kas_http_request *request, const kas_forward_request *pass, kas_forward_result *result,
                      kas_http_step next)
{
    suspend(request, next);
    kas_status status = kas_forward_submit(request->engine, pass, result, on_pass, request);
    if (status) resume_with(request, status);
}

/* ---- waits ---- */

/* A wait may be over for the request (the server stops) before it is over for the engine, so it is an object
 * of its own, kept by both; whoever takes the request out of it resumes it. */
typedef struct kas_http_wait {
    _Atomic(kas_http_request *) request;
    atomic_uint references;
    struct kas_http_wait *next, **link; /* in server->waits */
} kas_http_wait;

static void let_go(kas_http_wait *wait)
{
    if (atomic_fetch_sub_explicit(&wait->references, 1, memory_order_acq_rel) == 1) kas_free(wait);
}

static void on_operation(void *user, kas_status status)
{
    kas_http_wait *wait = user;
    kas_http_request *request = atomic_exchange(&wait->request, NULL);
    if (request)
        resume_with(request, status);
    else
        kas_status_free(status);
    let_go(wait);
}

/* False when the server is stopping: then nobody waits any more. */
static bool list_wait(kas_http_server *server, kas_http_wait *wait)
{
    pthread_mutex_lock(&server->lock);
    bool open = !atomic_load(&server->stopping);
    if (open) {
        wait->link = &server->waits;
        wait->next = server->waits;
        if (wait->next) wait->next->link = &wait->next;
        server->waits = wait;
    }
    pthread_mutex_unlock(&server->lock);
    return open;
}

void kas_http_leave_wait(kas_http_request *request)
{
    kas_http_wait *wait = request->wait;
    if (!wait) return;
    pthread_mutex_lock(&request->server->lock);
    *wait->link = wait->next;
    if (wait->next) wait->next->link = wait->link;
    pthread_mutex_unlock(&request->server->lock);
    request->wait = NULL;
    let_go(wait);
}

/* First step after a wait: takes it out of the list, then goes on with the handler's. */
static void after_wait(kas_http_request *request)
{
    kas_http_step then = request->after_wait;
    kas_http_leave_wait(request);
    then(request);
}

void kas_http_watch(kas_http_request *request, uint64_t operation, int64_t deadline_ns, kas_http_step next)
{
    if (deadline_ns == 0 || request->gone) {
        next(request);
        return;
    }
    kas_http_wait *wait = kas_calloc(1, sizeof *wait);
    if (!wait) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    atomic_init(&wait->request, request);
    atomic_init(&wait->references, 2);
    request->after_wait = next;
    suspend(request, after_wait);
    if (!list_wait(request->server, wait)) {
        kas_free(wait);
        resume_with(request, kas_fail(KAS_DEADLINE, CALLER, "the server is stopping"));
        return;
    }
    request->wait = wait;
    kas_status status =
        kas_engine_watch_operation(request->engine, operation, deadline_ns, on_operation, wait);
    if (status) on_operation(wait, status);
}

void kas_http_end_waits(kas_http_server *server)
{
    pthread_mutex_lock(&server->lock);
    atomic_store(&server->stopping, true);
    for (kas_http_wait *wait = server->waits; wait; wait = wait->next) {
        kas_http_request *request = atomic_exchange(&wait->request, NULL);
        if (request) resume_with(request, kas_fail(KAS_DEADLINE, CALLER, "the server is stopping"));
    }
    pthread_mutex_unlock(&server->lock);
}

/* "wait=5" among the preferences (RFC 7240); one that is not understood is as if it were not there. */
static void read_preference(const kas_http_request *request, double *out)
{
    const char *prefer = kas_http_header(request, KAS_FIELD_PREFER);
    const char *wait = prefer ? strstr(prefer, "wait=") : NULL;
    if (!wait || (wait > prefer && !strchr(", ;\t", wait[-1]))) return;
    char *end;
    double value = strtod(wait + strlen("wait="), &end);
    if (end > wait + strlen("wait=") && value >= 0 && value <= most_wait_s) *out = value;
}

bool kas_http_wait_until(kas_http_request *request, int64_t *deadline_ns)
{
    double wait_s = -1; /* nothing is said */
    read_preference(request, &wait_s);
    if (!kas_http_query_number(request, "wait", 0, most_wait_s, &wait_s)) return false;
    if (wait_s == 0) *deadline_ns = 0;
    if (wait_s > 0) *deadline_ns = kas_monotonic_ns() + (int64_t)(wait_s * (double)KAS_NS_PER_S);
    return true;
}
