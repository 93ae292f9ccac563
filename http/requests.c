#include "http/requests.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"

enum { IDLE_MAX = 64 };

/* A request and the block of its scratch memory behind it. */
static const size_t block_offset =
    (sizeof(kas_http_request) + KAS_CACHE_LINE - 1) & ~(size_t)(KAS_CACHE_LINE - 1);

void kas_http_requests_init(kas_http_requests *requests)
{
    *requests = (kas_http_requests){.count = 0};
    pthread_mutex_init(&requests->lock, NULL);
}

void kas_http_requests_destroy(kas_http_requests *requests)
{
    while (requests->idle) {
        kas_http_request *request = requests->idle;
        requests->idle = request->next_idle;
        kas_free(request);
    }
    pthread_mutex_destroy(&requests->lock);
}

static kas_http_request *take_idle(kas_http_requests *requests)
{
    pthread_mutex_lock(&requests->lock);
    kas_http_request *request = requests->idle;
    if (request) {
        requests->idle = request->next_idle;
        --requests->count;
    }
    pthread_mutex_unlock(&requests->lock);
    return request;
}

kas_http_request *kas_http_requests_take(kas_http_requests *requests)
{
    kas_http_request *request = take_idle(requests);
    if (!request) request = kas_alloc_aligned(KAS_CACHE_LINE, block_offset + KAS_SCRATCH_BYTES);
    if (!request) return NULL;
    memset(request, 0, offsetof(kas_http_request, fault.detail)); /* the texts behind it are large */
    kas_http_scratch_init(&request->scratch, (unsigned char *)request + block_offset);
    return request;
}

void kas_http_requests_give(kas_http_requests *requests, kas_http_request *request)
{
    kas_http_scratch_reset(&request->scratch);
    pthread_mutex_lock(&requests->lock);
    bool kept = requests->count < IDLE_MAX;
    if (kept) {
        request->next_idle = requests->idle;
        requests->idle = request;
        ++requests->count;
    }
    pthread_mutex_unlock(&requests->lock);
    if (!kept) kas_free(request);
}
