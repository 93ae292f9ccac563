/* Memory of one request, given back all at once when it has ended: its body, its handler's work, its answer.
 * What is small comes out of one block, which the next request uses again while it is warm; what is large is
 * allocated. */
#ifndef KAS_HTTP_SCRATCH_H
#define KAS_HTTP_SCRATCH_H

#include <stddef.h>

enum { KAS_SCRATCH_BYTES = 16 << 10 }; /* of the block */

typedef struct kas_http_scratch {
    unsigned char *block; /* KAS_SCRATCH_BYTES, aligned to KAS_CACHE_LINE; not owned */
    size_t used;
    struct kas_scratch_large *large; /* owned */
} kas_http_scratch;

void kas_http_scratch_init(kas_http_scratch *scratch, void *block);
/* Aligned to KAS_CACHE_LINE, not initialised; NULL when memory is out. */
void *kas_http_scratch_take(kas_http_scratch *scratch, size_t bytes) __attribute__((alloc_size(2)));
void kas_http_scratch_reset(kas_http_scratch *scratch); /* all that was taken is gone */

#endif
