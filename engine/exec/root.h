/* Publication: the one root that all plans hang off, how a pass holds on to what it uses, and when what was
 * replaced is freed. How and why it is safe stands at the head of root.c.
 *
 * Threads: kas_root_find from any thread; the rest from the control thread. */
#ifndef KAS_EXEC_ROOT_H
#define KAS_EXEC_ROOT_H

#include "engine/exec/context.h"

typedef struct kas_root_entry {
    uint64_t hash;
    kas_plan *plan; /* NULL: free */
} kas_root_entry;

typedef struct kas_root { /* immutable once it is published */
    uint64_t sequence;    /* 1 for the first */
    uint32_t epoch;
    bool closed; /* the executor stops: there is nothing to be found any more */
    size_t plan_count;
    struct kas_root *next_retired;
    size_t mask; /* of the table: open addressing by hash of the layer's name */
    kas_root_entry table[];
} kas_root;

typedef struct kas_publication {
    _Atomic(kas_root *) root;
    atomic_uint_fast64_t sequence; /* of the root that is published, or is about to be */
    kas_root *retired_roots;
    kas_plan *retired_plans;
    uint32_t ramping; /* plans of the present root with running ramps */
} kas_publication;

/* What a pass found: valid until the context is freed. */
typedef struct kas_sight {
    kas_plan *plan; /* NULL: no such layer */
    uint32_t epoch;
    bool closed;
} kas_sight;

uint64_t kas_name_hash(const char *name, size_t length);

/* The plan of a layer in a root that `context` has announced; noted in it. */
kas_plan *kas_root_find(const kas_root *root, kas_context *context, const char *name);

kas_status kas_publication_init(kas_publication *publication) KAS_MUST_USE;
/* No context announces anything any more. */
void kas_publication_finish(kas_exec *exec);
/* Publishes an empty root that says so; what was there is retired. */
void kas_publication_close(kas_exec *exec, kas_root *closed);
kas_root *kas_root_create_closed(void); /* NULL: memory */

#endif
