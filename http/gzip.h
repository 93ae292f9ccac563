/* Bodies in gzip (RFC 1952), both ways, within bounds. Thread-safe. */
#ifndef KAS_HTTP_GZIP_H
#define KAS_HTTP_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Unpacks one gzip stream; *out is aligned to KAS_CACHE_LINE and freed with kas_free. KAS_MALFORMED: damaged,
 * cut, or with something after its end. KAS_TOO_LARGE: more than `limit` bytes. */
kas_status kas_gunzip(const void *bytes, size_t size, size_t limit, unsigned char **out,
                      size_t *out_size) KAS_MUST_USE;

/* Packs; NULL when that gains nothing or memory is out: then the bytes go as they are. Freed with kas_free.
 */
void *kas_gzip(const void *bytes, size_t size, size_t *out_size);

/* Whether a header such as Accept-Encoding allows gzip. NULL: no. */
bool kas_gzip_is_accepted(const char *header);

#endif
