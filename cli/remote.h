/* Requests to a server, by libcurl. */
#ifndef KAS_CLI_REMOTE_H
#define KAS_CLI_REMOTE_H

#include <jansson.h>
#include <stdint.h>

#include "cli/command.h"

typedef struct cli_body { /* empty: none */
    const void *bytes;
    size_t size;
    const char *type; /* media type */
} cli_body;

typedef struct cli_answer {
    long status;
    unsigned char *bytes; /* NUL-terminated, owned; cli_answer_free */
    size_t size;
} cli_answer;

void cli_answer_free(cli_answer *answer); /* accepts empty */

/* Sends one request; `path` begins with "/". A failure (no connection, or a status of 400 and more, whose
 * problem is told) gives CLI_FAILED after its message; *out is then empty. */
int cli_send(const cli_arguments *arguments, const char *method, const char *path, const cli_body *body,
             cli_answer *out);

/* The same with JSON both ways. `request` may be NULL (it is released); *answer may be NULL where nothing is
 * wanted; else it is the caller's. With --json the answer is printed. */
int cli_send_json(const cli_arguments *arguments, const char *method, const char *path, json_t *request,
                  json_t **answer);

/* What cli_send_json does with an answer, for one that cli_send got. */
int cli_take_json(const cli_arguments *arguments, const cli_answer *got, json_t **answer);
/* With --json: prints a document of the command's own. */
void cli_print_json(const cli_arguments *arguments, const json_t *value);
/* The arguments without --json, for requests whose answers are not what the command prints. */
cli_arguments cli_quiet(const cli_arguments *arguments);

/* Streams a GET's body to `take` until it returns false or the server ends it. */
int cli_stream(const cli_arguments *arguments, const char *path,
               bool (*take)(void *user, const char *bytes, size_t size), void *user);

/* "/v1/layers/%s/…" with each %s percent-encoded, in static memory; NULL when it is too long. */
const char *cli_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A whole file, or standard input for "-". False after a message, also when there is nothing in it: what is
 * read here is rows, weights or a kernel, and no command has a use for none. Freed with free. */
bool cli_read_file(const char *name, unsigned char **bytes, size_t *size);
/* The other way; "-" is standard output. */
bool cli_write_file(const char *name, const void *bytes, size_t size);

#endif
