/* Writing JSON into a growing text. Members are written in order; one that cannot be written (memory out,
 * beyond the limit) marks the text as failed, and the caller checks once. `name` is the member's name, a
 * literal that needs no escaping, or NULL inside an array. */
#ifndef KAS_HTTP_JSON_WRITE_H
#define KAS_HTTP_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

typedef struct kas_json {
    kas_text text;
    bool comma; /* a member stands before the next one */
} kas_json;

void kas_json_init(kas_json *json);
/* Into memory of the caller's: a text that does not fit there has failed. Not to be finished. */
void kas_json_init_in(kas_json *json, char *memory, size_t size);
void kas_json_finish(kas_json *json);

void kas_json_open(kas_json *json, const char *name, char bracket); /* '{' or '[' */
void kas_json_close(kas_json *json, char bracket);                  /* '}' or ']' */
void kas_json_null(kas_json *json, const char *name);
void kas_json_bool(kas_json *json, const char *name, bool value);
void kas_json_int(kas_json *json, const char *name, int64_t value);
void kas_json_uint(kas_json *json, const char *name, uint64_t value);
void kas_json_real(kas_json *json, const char *name,
                   double value); /* shortest that reads back; non-finite: null */
void kas_json_float(kas_json *json, const char *name, float value);      /* the same for a float */
void kas_json_text(kas_json *json, const char *name, const char *value); /* NULL: null */
/* A string that is escaped already. */
void kas_json_escaped(kas_json *json, const char *name, const char *value, size_t length);
void kas_json_text_or_null(kas_json *json, const char *name, const char *value); /* NULL or "": null */
void kas_json_time(kas_json *json, const char *name, int64_t wall_ns);           /* RFC 3339; 0: null */
void kas_json_raw(kas_json *json, const char *name, const char *value); /* JSON already; NULL: null */

#endif
