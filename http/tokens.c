#include "http/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hash.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/serving.h"

enum { FILE_MAX = 1 << 20, NAME_SIZE = 64, LINE_SIZE = 256 };

static const char *const role_names[] = {"read", "infer", "operate", "admin"};

typedef struct token {
    kas_sha256 digest;
    kas_http_role role;
    size_t line;          /* of the file */
    char name[NAME_SIZE]; /* for the log */
} token;

struct kas_http_tokens {
    size_t count, capacity;
    token *tokens;
};

/* ---- the file ---- */

static bool parse_role(const char *text, kas_http_role *out)
{
    for (kas_http_role role = KAS_ROLE_READ; role <= KAS_ROLE_ADMIN; ++role) {
        *out = role;
        if (strcmp(text, role_names[role]) == 0) return true;
    }
    return false;
}

static bool parse_line(const char *line, token *out)
{
    char role[16], digest[KAS_SHA256_HEX_SIZE + 1], more[2];
    return sscanf(line, "%15s %65s %63s %1s", role, digest, out->name, more) == 3 &&
           parse_role(role, &out->role) && kas_sha256_parse(digest, &out->digest);
}

static kas_status add_line(kas_http_tokens *tokens, const char *path, size_t number, const char *line)
{
    token item = {.line = number};
    line += strspn(line, " \t\r");
    if (!*line || *line == '#') return NULL;
    if (!parse_line(line, &item)) /* without the line's text: it may be a token in the clear */
        return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                        "%s:%zu: a line is ROLE SHA256-HEX NAME, with a role of read, infer, operate, admin; "
                        "printf %%s TOKEN | sha256sum makes the digest",
                        path, number);
    void *grown = tokens->tokens;
    if (!kas_grow(&grown, &tokens->capacity, tokens->count + 1, FILE_MAX, sizeof item))
        return kas_out_of_memory();
    tokens->tokens = grown;
    tokens->tokens[tokens->count++] = item;
    return NULL;
}

static kas_status add_lines(kas_http_tokens *tokens, const char *path, const char *text, size_t size)
{
    char line[LINE_SIZE];
    const char *end = text + size;
    for (size_t number = 1; text < end; ++number) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((stop ? stop : end) - text);
        if (length >= sizeof line || memchr(text, 0, length))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s:%zu: that is no line of a token file", path,
                            number);
        memcpy(line, text, length);
        line[length] = 0;
        KAS_TRY(add_line(tokens, path, number, line));
        text += length + 1;
    }
    if (tokens->count) return NULL;
    return kas_fail(KAS_INVALID_ARGUMENT, CALLER, "%s has no token: nobody could do anything", path);
}

static int compare(const void *a, const void *b)
{
    const token *first = a, *second = b;
    int order = memcmp(first->digest.bytes, second->digest.bytes, KAS_SHA256_SIZE);
    return order ? order : (first->line > second->line) - (first->line < second->line);
}

/* Which of two lines would count, with perhaps another role, is not for the server to choose. */
static kas_status check_unique(kas_http_tokens *tokens, const char *path)
{
    qsort(tokens->tokens, tokens->count, sizeof *tokens->tokens, compare);
    for (size_t i = 1; i < tokens->count; ++i) {
        const token *one = &tokens->tokens[i - 1], *other = &tokens->tokens[i];
        if (kas_sha256_equal(&one->digest, &other->digest))
            return kas_fail(KAS_INVALID_ARGUMENT, CALLER,
                            "%s:%zu: this token stands in line %zu already, as %s with the role %s: one of "
                            "the two must go",
                            path, other->line, one->line, one->name, role_names[one->role]);
    }
    return NULL;
}

/* Whoever can write the file can make itself an administrator. Reading it gives digests alone. */
static kas_status check_mode(const char *path)
{
    struct stat info;
    if (stat(path, &info) || !(info.st_mode & S_IWOTH))
        return NULL; /* reading it says why it cannot be had */
    return kas_fail(
        KAS_INVALID_ARGUMENT, CALLER,
        "%s can be written by everybody (mode %03o), who could give themselves a token: chmod o-w it", path,
        (unsigned)info.st_mode & 0777);
}

kas_status kas_http_tokens_read(const char *path, kas_http_tokens **out)
{
    kas_bytes file;
    KAS_TRY(check_mode(path));
    KAS_TRY(kas_file_read(path, FILE_MAX, &file));
    kas_http_tokens *tokens = kas_calloc(1, sizeof *tokens);
    kas_status status =
        tokens ? add_lines(tokens, path, (const char *)file.data, file.size) : kas_out_of_memory();
    kas_bytes_free(&file);
    if (!status) status = check_unique(tokens, path);
    if (!status) {
        *out = tokens;
        return NULL;
    }
    kas_http_tokens_destroy(tokens);
    return status;
}

void kas_http_tokens_destroy(kas_http_tokens *tokens)
{
    if (!tokens) return;
    kas_free(tokens->tokens);
    kas_free(tokens);
}

/* ---- a request ---- */

/* Looks at every byte of every token's digest, so that the time tells nothing of how near a guess is. */
static const token *find(const kas_http_tokens *tokens, const kas_sha256 *digest)
{
    const token *found = NULL;
    for (size_t i = 0; i < tokens->count; ++i) {
        unsigned differs = 0;
        for (size_t j = 0; j < KAS_SHA256_SIZE; ++j)
            differs |= (unsigned)(tokens->tokens[i].digest.bytes[j] ^ digest->bytes[j]);
        found = differs ? found : &tokens->tokens[i];
    }
    return found;
}

/* The token of "Bearer TOKEN"; NULL: there is none. */
static const char *bearer_of(const kas_http_request *request)
{
    const char *header = kas_http_header(request, KAS_FIELD_AUTHORIZATION);
    if (!header || strncasecmp(header, "Bearer ", 7) != 0) return NULL;
    header += 7 + strspn(header + 7, " ");
    return *header ? header : NULL;
}

bool kas_http_is_known(kas_http_request *request)
{
    const kas_http_tokens *tokens = request->server->tokens;
    const char *bearer = bearer_of(request);
    if (!tokens) return true;
    if (bearer) {
        kas_sha256 digest = kas_sha256_of(bearer, strlen(bearer));
        const token *known = find(tokens, &digest);
        if (known) {
            request->role = known->role;
            request->client = known->name;
            return true;
        }
    }
    kas_http_add_header(request, "WWW-Authenticate", "Bearer realm=\"kasmina\"%s",
                        bearer ? ", error=\"invalid_token\"" : "");
    kas_http_refuse(request, KAS_PROBLEM_UNAUTHORIZED,
                    bearer ? "the bearer token is not one that this server knows"
                           : "this server asks for credentials; send Authorization: Bearer TOKEN");
    return false;
}

bool kas_http_is_allowed(kas_http_request *request, kas_http_role needed)
{
    if (!request->server->tokens || request->role >= needed) return true;
    kas_http_add_header(request, "WWW-Authenticate",
                        "Bearer realm=\"kasmina\", error=\"insufficient_scope\", scope=\"%s\"",
                        role_names[needed]);
    kas_http_refuse(request, KAS_PROBLEM_FORBIDDEN, "this needs the role %s; the token of %s has %s",
                    role_names[needed], request->client, role_names[request->role]);
    return false;
}
