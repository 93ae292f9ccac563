/* The fields of a request's head that this server reads, found in one walk over it. */
#ifndef KAS_HTTP_FIELDS_H
#define KAS_HTTP_FIELDS_H

#include <microhttpd.h>
#include <stdbool.h>

typedef enum kas_http_field {
    KAS_FIELD_ACCEPT = 0,
    KAS_FIELD_ACCEPT_ENCODING,
    KAS_FIELD_AUTHORIZATION,
    KAS_FIELD_CONTENT_ENCODING,
    KAS_FIELD_CONTENT_LENGTH,
    KAS_FIELD_CONTENT_TYPE,
    KAS_FIELD_EXPECT,
    KAS_FIELD_IDEMPOTENCY_KEY,
    KAS_FIELD_IF_MATCH,
    KAS_FIELD_INFERENCE_HEADER_CONTENT_LENGTH,
    KAS_FIELD_LAST_EVENT_ID,
    KAS_FIELD_PREFER,
    KAS_FIELD_SHAPE, /* X-Kasmina-Shape */
    KAS_FIELD_TRACEPARENT,
    KAS_FIELD_TRANSFER_ENCODING,
    KAS_FIELD_REQUEST_ID, /* X-Request-Id */
    KAS_FIELD_COUNT
} kas_http_field;

typedef struct kas_http_fields {
    const char *values[KAS_FIELD_COUNT]; /* NULL: not there. The connection's, while the request lasts */
    unsigned lengths;                    /* how often the head says how long the body is */
} kas_http_fields;

/* Of a field that is there more than once, the first. */
void kas_http_fields_read(struct MHD_Connection *connection, kas_http_fields *out);

#endif
