/* Pages of lists: ?limit= and ?cursor=. A cursor is opaque to clients: what the last item of a page was
 * called. */
#ifndef KAS_HTTP_PAGING_H
#define KAS_HTTP_PAGING_H

#include "http/json_write.h"
#include "http/request.h"

enum { KAS_HTTP_PAGE_DEFAULT = 100, KAS_HTTP_PAGE_MAX = 1000 };

typedef struct kas_http_page {
    uint32_t limit;
    char after[KAS_NAME_SIZE]; /* "": from the start */
} kas_http_page;

bool kas_http_read_page(kas_http_request *request, kas_http_page *out); /* false: refused */
/* The member next_cursor: after `last`, or null where `last` is NULL. */
void kas_http_write_cursor(kas_json *json, const char *last);

#endif
