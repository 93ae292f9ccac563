/* Requests that have ended, kept to be used again: the last to end is the first to be taken, and its memory
 * is still in a cache. */
#ifndef KAS_HTTP_REQUESTS_H
#define KAS_HTTP_REQUESTS_H

#include <pthread.h>

#include "http/request.h"

typedef struct kas_http_requests {
    pthread_mutex_t lock; /* guards both below */
    kas_http_request *idle;
    unsigned count;
} kas_http_requests;

void kas_http_requests_init(kas_http_requests *requests);
void kas_http_requests_destroy(kas_http_requests *requests); /* when all have ended */

/* All zero but for the texts of its fault and its headers; NULL when memory is out. */
kas_http_request *kas_http_requests_take(kas_http_requests *requests);
void kas_http_requests_give(kas_http_requests *requests, kas_http_request *request);

#endif
