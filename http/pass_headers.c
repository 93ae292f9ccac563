/* What a pass used and took, as headers of its answer. They are many and written for every one: without
 * formats. */
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "http/handlers.h"
#include "http/respond.h"

enum { SEED_LIST_SIZE = 3 * KAS_MAX_SEEDS + KAS_DECIMAL_SIZE, TIMING_SIZE = 128 };

static void add_seeds(kas_http_request *request, const char *name, uint64_t seeds)
{
    char list[SEED_LIST_SIZE];
    size_t used = 0;
    for (; seeds; seeds &= seeds - 1) {
        if (used > 0) list[used++] = ',';
        used += kas_format_decimal((uint64_t)__builtin_ctzll(seeds), list + used);
    }
    kas_http_add_text_header(request, name, list, used);
}

/* "queue;dur=12.345", milliseconds; where it ends. */
static char *put_duration(char *at, const char *what, uint64_t ns)
{
    const uint64_t us = ns / KAS_NS_PER_US;
    const size_t length = strlen(what);
    memcpy(at, what, length);
    at += length;
    at += kas_format_decimal(us / 1000, at);
    *at++ = '.';
    *at++ = (char)('0' + us / 100 % 10);
    *at++ = (char)('0' + us / 10 % 10);
    *at++ = (char)('0' + us % 10);
    return at;
}

static void add_timing(kas_http_request *request, const kas_forward_result *result)
{
    char text[TIMING_SIZE];
    char *at = put_duration(text, "queue;dur=", result->queue_ns);
    at = put_duration(at, ", compute;dur=", result->compute_ns);
    at = put_duration(at, ", total;dur=", result->total_ns);
    kas_http_add_text_header(request, "Server-Timing", text, (size_t)(at - text));
}

void kas_http_add_pass(kas_http_request *request, const kas_forward_result *result)
{
    kas_http_add_count_header(request, "X-Kasmina-Queue-Us", result->queue_ns / KAS_NS_PER_US);
    kas_http_add_count_header(request, "X-Kasmina-Compute-Us", result->compute_ns / KAS_NS_PER_US);
    kas_http_add_count_header(request, "X-Kasmina-Total-Us", result->total_ns / KAS_NS_PER_US);
    add_seeds(request, "X-Kasmina-Seeds-Used", result->seeds_used);
    add_seeds(request, "X-Kasmina-Seeds-Failed", result->seeds_failed);
    kas_http_add_count_header(request, "X-Kasmina-Rows-Failed", result->rows_failed);
    kas_http_add_count_header(request, "X-Kasmina-Generation", result->generation);
    kas_http_add_count_header(request, "X-Kasmina-Epoch", result->epoch);
    add_timing(request, result);
}

void kas_http_add_inference(kas_http_request *request, const kas_forward_result *result)
{
    if (result->seeds_used) add_seeds(request, "X-Kasmina-Seeds-Used", result->seeds_used);
    if (result->seeds_failed) add_seeds(request, "X-Kasmina-Seeds-Failed", result->seeds_failed);
    if (result->rows_failed) kas_http_add_count_header(request, "X-Kasmina-Rows-Failed", result->rows_failed);
    kas_http_add_count_header(request, "X-Kasmina-Generation", result->generation);
    kas_http_add_count_header(request, "X-Kasmina-Epoch", result->epoch);
    add_timing(request, result);
}
