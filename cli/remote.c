#include "cli/remote.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cli_answer_free(cli_answer *answer)
{
    free(answer->bytes);
    *answer = (cli_answer){0};
}

enum { CONNECT_S = 10, SILENCE_S = 30 };

static char
    error_text[CURL_ERROR_SIZE]; /* of the last request; libcurl fills it. The program has one thread */

static size_t collect(char *bytes, size_t one, size_t size, void *user)
{
    (void)one;
    cli_answer *answer = user;
    unsigned char *grown = realloc(answer->bytes, answer->size + size + 1);
    if (!grown) return 0;
    memcpy(grown + answer->size, bytes, size);
    answer->bytes = grown;
    answer->size += size;
    grown[answer->size] = 0;
    return size;
}

static bool add_header(struct curl_slist **headers, const char *format, const char *value)
{
    char line[4096];
    int length = snprintf(line, sizeof line, format, value);
    struct curl_slist *grown =
        length > 0 && (size_t)length < sizeof line ? curl_slist_append(*headers, line) : NULL;
    if (!grown) return false;
    *headers = grown;
    return true;
}

/* What goes into a header's line must not end it. */
static bool check_token(const char *token)
{
    for (const char *at = token; at && *at; ++at) {
        if ((unsigned char)*at > 0x20 && *at != 0x7f) continue;
        cli_failure(
            "the token has white space or a control character in it: KASMINA_TOKEN or --token must be "
            "the token alone");
        return false;
    }
    return true;
}

/* A handle with what every request has; NULL after a message. */
static CURL *open_request(const cli_arguments *arguments, const char *path, struct curl_slist **headers)
{
    char url[4096];
    if (!check_token(arguments->token)) return NULL;
    size_t base = strlen(arguments->url);
    while (base && arguments->url[base - 1] == '/')
        --base;
    int length = snprintf(url, sizeof url, "%.*s%s", (int)base, arguments->url, path);
    CURL *curl = length > 0 && (size_t)length < sizeof url ? curl_easy_init() : NULL;
    bool ready = curl != NULL;
    if (ready && arguments->token) ready = add_header(headers, "Authorization: Bearer %s", arguments->token);
    ready = ready && curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error_text) == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S) == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK;
    error_text[0] = '\0';
    if (ready) return curl;
    cli_failure("cannot make a request to %s", arguments->url);
    curl_easy_cleanup(curl);
    return NULL;
}

static int unreachable(const cli_arguments *arguments, CURLcode code)
{
    return cli_failure("%s: %s; is 'kasmina serve' running there?", arguments->url,
                       *error_text ? error_text : curl_easy_strerror(code));
}

/* Every answer of a kasmina server has an id; one that succeeds without is of something else. */
static int check_server(const cli_arguments *arguments, CURL *curl, long status)
{
    struct curl_header *id;
    if (status >= 200 && status < 300 &&
        curl_easy_header(curl, "X-Request-Id", 0, CURLH_HEADER, -1, &id) == CURLHE_OK)
        return CLI_OK;
    return cli_failure("%s: what answers there (HTTP %ld) is no kasmina server; set KASMINA_URL or --url",
                       arguments->url, status);
}

/* A server has its answer to a GET ready; a change may take its time. */
static void limit_silence(CURL *curl, const char *method)
{
    if (strcmp(method, "GET") != 0) return;
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
}

static int tell_problem(const cli_answer *answer)
{
    json_t *problem = json_loadb((const char *)answer->bytes, answer->size, 0, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    if (!detail) detail = json_string_value(json_object_get(problem, "error"));
    if (answer->status == 401)
        cli_failure("the server asks for a token, or does not know this one: set KASMINA_TOKEN (HTTP 401)");
    else if (detail)
        cli_failure("%s (HTTP %ld)", detail, answer->status);
    else
        cli_failure("the server answered HTTP %ld", answer->status);
    json_decref(problem);
    return CLI_FAILED;
}

static int perform(const cli_arguments *arguments, CURL *curl, cli_answer *out)
{
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) return unreachable(arguments, code);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out->status);
    return out->status < 400 ? check_server(arguments, curl, out->status) : tell_problem(out);
}

int cli_send(const cli_arguments *arguments, const char *method, const char *path, const cli_body *body,
             cli_answer *out)
{
    *out = (cli_answer){0};
    struct curl_slist *headers = NULL;
    CURL *curl = path ? open_request(arguments, path, &headers) : NULL;
    if (!curl) return path ? CLI_FAILED : cli_failure("a name is too long");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    limit_silence(curl, method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
    bool ready = add_header(&headers, "%s", "Expect:"); /* no round trip before a body */
    if (body && body->type) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->bytes);
        ready = ready && add_header(&headers, "Content-Type: %s", body->type);
    }
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    int result = ready ? perform(arguments, curl, out) : cli_failure("out of memory");
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    if (result != CLI_OK) cli_answer_free(out);
    return result;
}

void cli_print_json(const cli_arguments *arguments, const json_t *value)
{
    if (!arguments->json) return;
    json_dumpf(value, stdout, JSON_INDENT(2));
    fputc('\n', stdout);
}

cli_arguments cli_quiet(const cli_arguments *arguments)
{
    cli_arguments quiet = *arguments;
    quiet.json = false;
    return quiet;
}

int cli_take_json(const cli_arguments *arguments, const cli_answer *got, json_t **answer)
{
    json_error_t error;
    json_t *value = got->size ? json_loadb((const char *)got->bytes, got->size, 0, &error) : json_null();
    if (!value) return cli_failure("the server's answer is not JSON: %s", error.text);
    if (got->size) cli_print_json(arguments, value);
    if (answer)
        *answer = value;
    else
        json_decref(value);
    return CLI_OK;
}

int cli_send_json(const cli_arguments *arguments, const char *method, const char *path, json_t *request,
                  json_t **answer)
{
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    cli_body body = {
        .bytes = text, .size = text ? strlen(text) : 0, .type = text ? "application/json" : NULL};
    cli_answer got;
    int result = cli_send(arguments, method, path, &body, &got);
    free(text);
    if (result != CLI_OK) return result;
    result = cli_take_json(arguments, &got, answer);
    cli_answer_free(&got);
    return result;
}

typedef struct stream {
    bool (*take)(void *user, const char *bytes, size_t size);
    void *user;
    bool ended;
} stream;

static size_t pass_on(char *bytes, size_t one, size_t size, void *user)
{
    (void)one;
    stream *to = user;
    to->ended = !to->take(to->user, bytes, size);
    return to->ended ? 0 : size;
}

int cli_stream(const cli_arguments *arguments, const char *path,
               bool (*take)(void *user, const char *bytes, size_t size), void *user)
{
    struct curl_slist *headers = NULL;
    CURL *curl = open_request(arguments, path, &headers);
    if (!curl) return CLI_FAILED;
    stream to = {.take = take, .user = user};
    long status = 0;
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, pass_on);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &to);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    int result = status >= 400                  ? cli_failure("the server answered HTTP %ld", status)
                 : code == CURLE_OK || to.ended ? check_server(arguments, curl, status)
                                                : unreachable(arguments, code);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return result;
}

static bool append(char *path, size_t size, size_t *length, const char *text, bool encode)
{
    for (; *text; ++text) {
        bool plain = !encode || isalnum((unsigned char)*text) || strchr("-._~", *text);
        int written = snprintf(path + *length, size - *length, plain ? "%c" : "%%%02X", (unsigned char)*text);
        *length += (size_t)written;
        if (*length >= size) return false;
    }
    return true;
}

const char *cli_path(const char *format, ...)
{
    static char path[2048];
    size_t length = 0;
    bool fits = true;
    va_list list;
    va_start(list, format);
    path[0] = 0;
    for (const char *at = format; fits && *at;) {
        if (at[0] == '%' && at[1] == 's') {
            fits = append(path, sizeof path, &length, va_arg(list, const char *), true);
            at += 2;
        } else {
            fits = append(path, sizeof path, &length, (char[2]){*at++, 0}, false);
        }
    }
    va_end(list);
    return fits ? path : NULL;
}

static bool read_all(FILE *file, cli_answer *content)
{
    char part[65536];
    size_t got;
    bool kept = true;
    while (kept && (got = fread(part, 1, sizeof part, file)) > 0)
        kept = collect(part, 1, got, content) == got;
    return kept && !ferror(file);
}

bool cli_read_file(const char *name, unsigned char **bytes, size_t *size)
{
    bool is_input = !strcmp(name, "-");
    const char *called = is_input ? "standard input" : name;
    FILE *file = is_input ? stdin : fopen(name, "rb");
    cli_answer content = {0};
    bool right = file && read_all(file, &content);
    int error = errno;
    if (file && !is_input) fclose(file);
    if (right && content.size) {
        *bytes = content.bytes;
        *size = content.size;
        return true;
    }
    if (right)
        cli_failure("%s is empty", called);
    else
        cli_failure("cannot read %s: %s", called, strerror(error));
    cli_answer_free(&content);
    return false;
}

bool cli_write_file(const char *name, const void *bytes, size_t size)
{
    FILE *file = strcmp(name, "-") ? fopen(name, "wb") : stdout;
    bool right = file && fwrite(bytes, 1, size, file) == size && fflush(file) == 0;
    if (file && file != stdout && fclose(file)) right = false;
    if (!right) cli_failure("cannot write %s: %s", name, strerror(errno));
    return right;
}
