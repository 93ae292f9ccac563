/* ETags over what is controlled, and If-Match. */
#ifndef KAS_HTTP_REVISIONS_H
#define KAS_HTTP_REVISIONS_H

#include "http/request.h"

enum { KAS_HTTP_ETAG_SIZE = 64 };

/* Of a layer, or of one of its seeds. The layer's birth is in it, so that one of the same name made later
 * differs. */
void kas_http_layer_etag(const kas_layer_info *layer, char out[KAS_HTTP_ETAG_SIZE]);
void kas_http_seed_etag(const kas_layer_info *layer, const kas_seed_info *seed, char out[KAS_HTTP_ETAG_SIZE]);
void kas_http_kernel_etag(const kas_cached_kernel *kernel, char out[KAS_HTTP_ETAG_SIZE]);
void kas_http_operation_etag(const kas_operation_info *operation, char out[KAS_HTTP_ETAG_SIZE]);

/* Whether If-Match (if there is one) allows a change of what has this ETag (NULL: it does not exist); else
 * the request is refused. */
bool kas_http_if_match(kas_http_request *request, const char *etag);

/* The same for the layer or seed in the path; *revision is what kas_request.revision must say then (0: any).
 */
bool kas_http_if_layer_matches(kas_http_request *request, uint64_t *revision);
bool kas_http_if_seed_matches(kas_http_request *request, uint64_t *revision);

#endif
