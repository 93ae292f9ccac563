#include "http/budget.h"

#include "http/problems.h"
#include "http/serving.h"

enum { VALUE_TEXT_BYTES = 20 }; /* "-0.0000123456789," and the like */

static bool take(kas_http_server *server, size_t bytes)
{
    uint64_t held = atomic_load_explicit(&server->held_bytes, memory_order_relaxed);
    do {
        if (bytes > server->options.in_flight_bytes || held > server->options.in_flight_bytes - bytes)
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&server->held_bytes, &held, held + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

static void refuse(kas_http_request *request, size_t bytes)
{
    const size_t budget = request->server->options.in_flight_bytes;
    if (bytes > kas_http_most(request))
        kas_http_refuse(request, KAS_PROBLEM_TOO_LARGE,
                        "this takes %zu bytes of memory; all requests and answers together may have %zu",
                        request->held + bytes, budget);
    else
        kas_http_refuse(
            request, KAS_PROBLEM_UNAVAILABLE,
            "requests and answers that are under way hold %llu of the %zu bytes that they may "
            "have together, and this takes %zu more; try again later",
            (unsigned long long)atomic_load_explicit(&request->server->held_bytes, memory_order_relaxed),
            budget, bytes);
}

static bool hold(kas_http_request *request, size_t bytes)
{
    if (!take(request->server, bytes)) {
        refuse(request, bytes);
        return false;
    }
    request->held += bytes;
    return true;
}

bool kas_http_hold(kas_http_request *request, size_t bytes)
{
    return bytes <= KAS_HTTP_UNCOUNTED || hold(request, bytes);
}

bool kas_http_hold_body(kas_http_request *request, size_t bytes)
{
    kas_http_body *body = &request->body;
    if (bytes <= body->held || bytes <= KAS_HTTP_UNCOUNTED) return true;
    if (!hold(request, (bytes - body->held) * body->weight)) return false;
    body->held = bytes;
    return true;
}

bool kas_http_hold_answer(kas_http_request *request, size_t bytes)
{
    if (bytes <= request->answer_held || bytes <= KAS_HTTP_UNCOUNTED) return true;
    if (!hold(request, bytes - request->answer_held)) return false;
    request->answer_held = bytes;
    return true;
}

bool kas_http_hold_answer_text(kas_http_request *request, size_t values)
{
    return kas_http_hold_answer(request, values * VALUE_TEXT_BYTES);
}

bool kas_http_count_answer(kas_http_request *request, size_t bytes)
{
    if (bytes <= request->answer_held || bytes <= KAS_HTTP_UNCOUNTED || request->fault.problem) return true;
    if (request->route && request->route->method == KAS_HTTP_GET) return kas_http_hold_answer(request, bytes);
    const size_t more = bytes - request->answer_held;
    atomic_fetch_add_explicit(&request->server->held_bytes, more, memory_order_relaxed);
    request->held += more;
    request->answer_held = bytes;
    return true;
}

size_t kas_http_most(const kas_http_request *request)
{
    const size_t budget = request->server->options.in_flight_bytes;
    return budget > request->held ? budget - request->held : 0;
}

void kas_http_give_back(kas_http_request *request, size_t bytes)
{
    if (!bytes) return;
    atomic_fetch_sub_explicit(&request->server->held_bytes, bytes, memory_order_relaxed);
    request->held -= bytes;
}
