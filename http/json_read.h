/* Reading JSON requests strictly: every member is named in a table, with its type and range; others are
 * refused. */
#ifndef KAS_HTTP_JSON_READ_H
#define KAS_HTTP_JSON_READ_H

#include <jansson.h>
#include <kasmina/types.h>
#include <stdbool.h>

#include "base/status.h"

typedef enum kas_json_type {
    KAS_JSON_BOOL = 0, /* bool */
    KAS_JSON_UINT32,   /* uint32_t within min … max */
    KAS_JSON_INT64,    /* int64_t within min … max */
    KAS_JSON_UINT64,   /* uint64_t; a number or, since 64 bits do not fit all clients' numbers, a string of
                          digits */
    KAS_JSON_FLOAT,    /* float within min … max */
    KAS_JSON_NAME,     /* char[KAS_NAME_SIZE]: a valid name of a layer */
    KAS_JSON_ARTIFACT, /* char[KAS_NAME_SIZE]: a valid artifact id */
    KAS_JSON_WORD,     /* uint32_t: the index in `words` */
    KAS_JSON_TEXT,     /* char[KAS_NAME_SIZE]: 1 to 128 bytes without control characters */
    KAS_JSON_OBJECT,   /* const json_t *, borrowed */
    KAS_JSON_ARRAY,    /* const json_t *, borrowed */
} kas_json_type;

typedef struct kas_json_member {
    const char *name;
    kas_json_type type;
    bool required; /* and not null; an optional one that is null is as if it were absent */
    void *out;     /* unchanged where the member is absent */
    bool *present; /* may be NULL */
    double min, max;
    const char *const *words; /* NULL-terminated */
} kas_json_member;

/* Bytes → object. KAS_MALFORMED: not UTF-8, not JSON, not an object, a name twice, NaN. KAS_INVALID_ARGUMENT:
 * a number that no double or 64-bit integer holds. */
kas_status kas_json_parse(const void *bytes, size_t size_bytes, json_t **out) KAS_MUST_USE;

/* KAS_INVALID_ARGUMENT, with reason "unknown-member" for a member that the table does not name. `where` is
 * what comes before a member's name in messages: "" or "ramp.". */
kas_status kas_json_read(const json_t *object, const char *where, const kas_json_member *members,
                         size_t count) KAS_MUST_USE;

#endif
