/* One request, from its head to its answer.
 *
 * A request lives on one serving thread. Its life: the head arrives and is judged (router.c); the body is
 * received (request.c); then its steps run. A step either answers (respond.h), refuses (problems.h), or
 * suspends the connection and lets the engine answer (async.h), upon which the next step runs on the serving
 * thread again. No step blocks. Between suspension and resumption the request belongs to whoever holds the
 * callback. */
#ifndef KAS_HTTP_REQUEST_H
#define KAS_HTTP_REQUEST_H

#include <jansson.h>
#include <kasmina/kasmina.h>
#include <microhttpd.h>
#include <stdbool.h>

#include "http/fields.h"
#include "http/scratch.h"
#include "http/server.h"

typedef struct kas_http_request kas_http_request;
typedef struct kas_http_round kas_http_round;
typedef void (*kas_http_step)(kas_http_request *request);

enum {
    KAS_HTTP_PARAMS = 2,                     /* most ids in a path */
    KAS_HTTP_PARAM_SIZE = KAS_NAME_SIZE + 1, /* room to see that one is too long */
    KAS_HTTP_HEADER_TEXT = 2560,             /* bytes of all headers that a handler adds */
    KAS_HTTP_TRACE_SIZE = 33,                /* 32 hex digits and a NUL */
    KAS_HTTP_ID_SIZE = 65,                   /* of a request */
    KAS_HTTP_DETAIL_SIZE = 1024,
};

/* ---- refusals ---- */

typedef enum kas_http_problem {
    KAS_PROBLEM_NONE = 0,
    KAS_PROBLEM_MALFORMED,
    KAS_PROBLEM_INVALID_VALUE,
    KAS_PROBLEM_UNKNOWN_MEMBER,
    KAS_PROBLEM_NOT_FOUND,
    KAS_PROBLEM_METHOD_NOT_ALLOWED,
    KAS_PROBLEM_NOT_ACCEPTABLE,
    KAS_PROBLEM_UNSUPPORTED_MEDIA_TYPE,
    KAS_PROBLEM_CONFLICT,
    KAS_PROBLEM_ILLEGAL_TRANSITION,
    KAS_PROBLEM_PRECONDITION_FAILED,
    KAS_PROBLEM_TOO_LARGE,
    KAS_PROBLEM_INCOMPATIBLE_KERNEL,
    KAS_PROBLEM_INVALID_ARTIFACT,
    KAS_PROBLEM_UNAUTHORIZED,
    KAS_PROBLEM_FORBIDDEN,
    KAS_PROBLEM_RATE_LIMITED,
    KAS_PROBLEM_UNAVAILABLE,
    KAS_PROBLEM_NO_ROOM,
    KAS_PROBLEM_DEADLINE,
    KAS_PROBLEM_INTERNAL,
    KAS_PROBLEM_NOT_ENABLED,
    KAS_PROBLEM_COUNT
} kas_http_problem;

typedef struct kas_http_fault { /* why a request is refused; static storage but for `detail` */
    kas_http_problem problem;   /* KAS_PROBLEM_NONE: it is not */
    const char *reason;         /* a short stable word, or NULL */
    const char *error_type;     /* the engine's classification, or NULL */
    const char *state;          /* the seed's, or NULL */
    const char
        *allowed[KAS_ALLOWED_MAX]; /* what it allows, or NULLs; of a refused method see `allowed_methods` */
    uint32_t allowed_methods;      /* kas_http_method bits; 0: not about methods */
    const kas_epoch_failure *unready; /* loads that hold an epoch up; the request's reply owns them */
    uint32_t unready_count;
    char detail[KAS_HTTP_DETAIL_SIZE]; /* last: a new request does not clear it */
} kas_http_fault;

/* ---- routes ---- */

typedef enum kas_http_method {
    KAS_HTTP_GET = 1, /* HEAD too */
    KAS_HTTP_POST = 2,
    KAS_HTTP_PUT = 4,
    KAS_HTTP_PATCH = 8,
    KAS_HTTP_DELETE = 16,
} kas_http_method;

typedef enum kas_http_media { /* bits */
                              KAS_MEDIA_NONE = 0,
                              KAS_MEDIA_JSON = 1,
                              KAS_MEDIA_OCTETS = 2,
                              KAS_MEDIA_HTML = 4,
                              KAS_MEDIA_TEXT = 8,
                              KAS_MEDIA_EVENTS = 16,
                              KAS_MEDIA_YAML = 32,
} kas_http_media;

/* What a client may do; each contains those before it. */
typedef enum kas_http_role {
    KAS_ROLE_READ = 0,
    KAS_ROLE_INFER,
    KAS_ROLE_OPERATE,
    KAS_ROLE_ADMIN,
} kas_http_role;

/* What the ids of a path name: it must exist before anything else is looked at. */
typedef enum kas_http_resource {
    KAS_RESOURCE_NONE = 0,
    KAS_RESOURCE_LAYER,
    KAS_RESOURCE_SEED,
    KAS_RESOURCE_MODEL, /* a layer, by the Open Inference Protocol; then its version */
    KAS_RESOURCE_OPERATION,
    KAS_RESOURCE_KERNEL,
    KAS_RESOURCE_KERNEL_ID, /* need not exist */
    KAS_RESOURCE_CHECKSUM,
    KAS_RESOURCE_DEVICE,
    KAS_RESOURCE_BREAKER,
    KAS_RESOURCE_PROBLEM,
} kas_http_resource;

typedef enum kas_http_limit {
    KAS_LIMIT_JSON = 0,
    KAS_LIMIT_BODY,
    KAS_LIMIT_WEIGHTS,
    KAS_LIMIT_ARTIFACT
} kas_http_limit;

typedef struct kas_http_route {
    uint8_t method;      /* kas_http_method */
    const char *pattern; /* "/v1/layers/{}/seeds/{}" */
    kas_http_step handle;
    uint8_t resource;   /* kas_http_resource */
    uint8_t accepts;    /* media of the body; KAS_MEDIA_NONE: there is none */
    uint8_t produces;   /* media of the answer */
    bool body_optional; /* no body is as good as {} */
    bool any_type;      /* whatever Content-Type says: the body is what `accepts` names */
    bool tensor;        /* a JSON body is left to the handler: too large for a tree */
    uint8_t limit;      /* kas_http_limit */
    uint8_t role;       /* kas_http_role that it needs */
    bool open;          /* to everybody, without credentials */
} kas_http_route;

/* ---- the request ---- */

typedef struct kas_http_body {
    unsigned char *bytes; /* aligned to KAS_CACHE_LINE */
    size_t size, capacity;
    void *owned; /* where the bytes lie if they outgrew the request's own memory; to be freed */
    size_t limit;
    unsigned long long declared; /* by the head; 0: nothing, or nothing is said */
    size_t held;                 /* bytes that are counted (budget.h) */
    size_t weight;               /* memory that one of them takes, with what it is turned into */
} kas_http_body;

struct kas_http_request {
    kas_http_server *server;
    kas_engine *engine;
    struct MHD_Connection *connection;
    const char *method, *path; /* the path as it came: escaped */
    kas_http_fields fields;
    kas_http_scratch scratch;
    kas_http_request *next_idle; /* once it has ended (requests.h) */
    const kas_http_route *route;
    char params[KAS_HTTP_PARAMS][KAS_HTTP_PARAM_SIZE];
    uint32_t seed;      /* of KAS_RESOURCE_SEED */
    uint64_t operation; /* of KAS_RESOURCE_OPERATION */
    int64_t started_ns;
    char request_id[KAS_HTTP_ID_SIZE];
    char trace_id[KAS_HTTP_TRACE_SIZE];

    kas_http_role role; /* of its credentials */
    const char *client; /* whose they are; NULL: none were asked for. The server's */

    uint8_t media;  /* kas_http_media of the body */
    uint8_t answer; /* what the client accepts of what the route produces; bits */
    kas_http_body body;
    bool arriving;     /* the body, and its client is watched meanwhile (heads.h) */
    bool discard_body; /* the answer is known already: what comes is dropped */
    bool ambiguous;    /* where the body ends is told in two ways */
    size_t discarded;  /* bytes */
    size_t held;       /* bytes that it counts, with those for its answer (budget.h) */
    size_t answer_held;
    json_t *json; /* the body of a JSON route; owned */

    kas_http_step next; /* to run when the connection is resumed */
    bool counted;       /* as in progress */
    bool answered;
    bool gone; /* its client: nothing can be sent, nor suspended */

    /* what the engine answered */
    kas_status status;          /* owned */
    kas_reply reply;            /* `failed` owned */
    struct kas_http_wait *wait; /* for an operation (async.c) */
    kas_http_step after_wait;
    /* a pass that is computed with others' (rounds.c) */
    const kas_forward_request *pass;
    kas_forward_result *pass_result;
    kas_http_step after_pass;
    kas_http_round *round; /* in which it waits; NULL: in none */
    kas_http_request *round_next, **round_link;
    struct answer *keyed;            /* where its answer is kept (idempotency.c) */
    void *work;                      /* a handler's own over suspensions, in the request's memory */
    void (*work_finish)(void *work); /* called before, unless NULL */

    size_t headers_size;
    unsigned http_status; /* as answered; 0: not yet */

    kas_http_fault fault;               /* what follows its detail is not cleared in a new request */
    char headers[KAS_HTTP_HEADER_TEXT]; /* "Name\0value\0…" */
    kas_layer_info layer; /* that the path names, as it was when the head came; a pass looks again */
};

/* The handlers of libmicrohttpd. */
enum MHD_Result kas_http_on_request(void *server, struct MHD_Connection *connection, const char *path,
                                    const char *method, const char *version, const char *upload,
                                    size_t *upload_size, void **request);
void kas_http_on_completed(void *server, struct MHD_Connection *connection, void **request,
                           enum MHD_RequestTerminationCode how);

/* A field of the request's head; NULL where there is none. */
static inline const char *kas_http_header(const kas_http_request *request, kas_http_field field)
{
    return request->fields.values[field];
}
/* A query parameter, unescaped into `out` and cut to fit; false where there is none. */
bool kas_http_query(const kas_http_request *request, const char *name, char *out, size_t size);

/* Query parameters that several routes take. Each refuses the request and returns false when the value is out
 * of range; `*out` keeps its value where the parameter is absent. */
bool kas_http_query_number(kas_http_request *request, const char *name, double min, double max, double *out);
bool kas_http_query_uint(kas_http_request *request, const char *name, uint32_t min, uint32_t max,
                         uint32_t *out);
bool kas_http_query_bool(kas_http_request *request, const char *name, bool *out);

/* Of a parameter that belongs in the body: refuses the request and returns false when it stands in the query,
 * since whoever wrote it there would not get what they asked for. */
bool kas_http_query_lacks(kas_http_request *request, const char *name);

/* Undoes %XX; false when an escape is broken or is %00. Writes at most size − 1 bytes and a NUL. */
bool kas_http_unescape(const char *text, size_t length, char *out, size_t size);

/* Memory until the request has ended, aligned to KAS_CACHE_LINE. NULL (and refused) when memory is out. */
void *kas_http_memory(kas_http_request *request, size_t size_bytes);
/* The same for a handler's work over suspensions, all zero; `finish` may be NULL. */
void *kas_http_work(kas_http_request *request, size_t size_bytes, void (*finish)(void *work));

#endif
