/* Answers: headers, JSON, bytes. Exactly one answer a request. */
#ifndef KAS_HTTP_RESPOND_H
#define KAS_HTTP_RESPOND_H

#include "http/json_write.h"
#include "http/request.h"

/* A header of the answer to come. Names are literals; values must be printable ASCII. */
void kas_http_add_header(kas_http_request *request, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a value that is there, and for a number: of every answer to a pass. */
void kas_http_add_text_header(kas_http_request *request, const char *name, const char *value, size_t length);
void kas_http_add_count_header(kas_http_request *request, const char *name, uint64_t value);

/* Takes `bytes` (of kas_alloc; may be NULL when size is 0). */
void kas_http_respond_bytes(kas_http_request *request, unsigned status, const char *media_type, void *bytes,
                            size_t size);
/* Bytes of the request's own memory (kas_http_memory). */
void kas_http_respond_memory(kas_http_request *request, unsigned status, const char *media_type,
                             const void *bytes, size_t size);
/* Takes the text; when writing it failed, memory was out and the answer says so. */
void kas_http_respond_json(kas_http_request *request, unsigned status, kas_json *json);
void kas_http_respond_json_as(kas_http_request *request, unsigned status, const char *media_type,
                              kas_json *json);
void kas_http_respond_static(kas_http_request *request, unsigned status, const char *media_type,
                             const char *text);
void kas_http_respond_empty(kas_http_request *request, unsigned status);

/* Takes the response (NULL: memory was out); what of it is still to be sent holds no stopping server up. */
void kas_http_respond_stream(kas_http_request *request, unsigned status, const char *media_type,
                             struct MHD_Response *response);

/* Location: PREFIX followed by the escaped id and suffix. */
void kas_http_add_location(kas_http_request *request, const char *prefix, const char *id);

#endif
