#include "http/idempotency.h"

#include <pthread.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"
#include "http/problems.h"
#include "http/respond.h"
#include "http/serving.h"

enum {
    BUCKETS = 1024,
    ENTRIES_MAX = 10000,
    BYTES_MAX = 64 << 20, /* of answers, all together */
    ANSWER_MAX = 1 << 20, /* of one; a larger one is not kept */
    KEY_MAX = 255,
};

static const int64_t lifetime_ns = 24 * 3600 * KAS_NS_PER_S;

typedef struct answer {
    struct answer *next;          /* in its bucket */
    struct answer *newer, *older; /* in order of age */
    kas_http_request *owner;      /* that is being carried out; NULL: answered */
    kas_sha256 request;           /* digest of what was asked for */
    int64_t since_ns;
    unsigned status;
    const char *media_type; /* static storage */
    char *headers;
    void *bytes;
    size_t headers_size, size;
    char key[];
} answer;

struct kas_http_answers {
    pthread_mutex_t lock; /* guards all below */
    answer *buckets[BUCKETS];
    answer *newest, *oldest;
    size_t count, bytes;
};

kas_status kas_http_answers_create(kas_http_answers **out)
{
    *out = kas_calloc(1, sizeof **out);
    if (!*out) return kas_out_of_memory();
    pthread_mutex_init(&(*out)->lock, NULL);
    return NULL;
}

static answer **bucket_of(kas_http_answers *answers, const char *key)
{
    return &answers->buckets[kas_fnv1a(key, strlen(key)) % BUCKETS];
}

static void drop(kas_http_answers *answers, answer *item)
{
    answer **link = bucket_of(answers, item->key);
    while (*link != item)
        link = &(*link)->next;
    *link = item->next;
    *(item->newer ? &item->newer->older : &answers->newest) = item->older;
    *(item->older ? &item->older->newer : &answers->oldest) = item->newer;
    --answers->count;
    answers->bytes -= item->size + item->headers_size;
    kas_free(item->headers);
    kas_free(item->bytes);
    kas_free(item);
}

void kas_http_answers_destroy(kas_http_answers *answers)
{
    if (!answers) return;
    while (answers->oldest)
        drop(answers, answers->oldest);
    pthread_mutex_destroy(&answers->lock);
    kas_free(answers);
}

/* Makes room: what is too old, then the oldest that are answered. */
static void trim(kas_http_answers *answers, int64_t now_ns)
{
    answer *item = answers->oldest;
    while (item) {
        answer *newer = item->newer;
        bool old = now_ns - item->since_ns > lifetime_ns;
        if (!old && answers->count < ENTRIES_MAX && answers->bytes <= BYTES_MAX) return;
        if (!item->owner) drop(answers, item);
        item = newer;
    }
}

static answer *find(kas_http_answers *answers, const char *key)
{
    answer *item = *bucket_of(answers, key);
    while (item && strcmp(item->key, key) != 0)
        item = item->next;
    return item;
}

static answer *add(kas_http_answers *answers, kas_http_request *request, const char *key,
                   const kas_sha256 *digest)
{
    size_t length = strlen(key);
    answer *item = kas_calloc(1, sizeof *item + length + 1);
    if (!item) return NULL;
    memcpy(item->key, key, length + 1);
    item->owner = request;
    item->request = *digest;
    item->since_ns = kas_monotonic_ns();
    answer **bucket = bucket_of(answers, key);
    item->next = *bucket;
    *bucket = item;
    item->older = answers->newest;
    *(answers->newest ? &answers->newest->newer : &answers->oldest) = item;
    answers->newest = item;
    ++answers->count;
    return item;
}

/* ---- a request ---- */

static enum MHD_Result append_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                       const char *value)
{
    kas_text *text = context;
    (void)kind;
    kas_text_printf(text, "&%s=%s", name, value ? value : "");
    return MHD_YES;
}

/* Who asks, method, path, precondition, query and body, each told apart from the next. */
static bool digest_of(const kas_http_request *request, kas_sha256 *out)
{
    char hex[KAS_SHA256_HEX_SIZE];
    kas_sha256 body =
        kas_sha256_of(request->body.bytes ? (const void *)request->body.bytes : "", request->body.size);
    kas_text text;
    kas_text_init(&text, 1 << 20);
    kas_sha256_hex(&body, hex);
    const char *condition = kas_http_header(request, KAS_FIELD_IF_MATCH);
    kas_text_printf(&text, "%s %s %s %s %s", hex, request->client ? request->client : "", request->method,
                    request->path, condition ? condition : "");
    MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, append_argument, &text);
    bool whole = !text.failed;
    if (whole) *out = kas_sha256_of(text.bytes, text.length);
    kas_text_finish(&text);
    return whole;
}

static void replay(kas_http_request *request, const answer *item)
{
    void *bytes = item->size ? kas_memdup(item->bytes, item->size) : NULL;
    if (item->size && !bytes) {
        kas_http_fail(request, kas_out_of_memory());
        return;
    }
    memcpy(request->headers, item->headers, item->headers_size);
    request->headers_size = item->headers_size;
    kas_http_add_header(request, "Idempotency-Replayed", "true");
    kas_http_respond_bytes(request, item->status, item->media_type, bytes, item->size);
}

static bool meet(kas_http_request *request, const answer *item, const kas_sha256 *digest)
{
    if (!kas_sha256_equal(&item->request, digest)) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "Idempotency-Key '%s' was sent with another request before; choose a new one",
                        item->key);
    } else if (item->owner) {
        kas_http_refuse(request, KAS_PROBLEM_CONFLICT,
                        "the request with Idempotency-Key '%s' is still being carried out", item->key);
        request->fault.reason = "in-progress";
    } else {
        replay(request, item);
    }
    return false;
}

static bool is_key(const char *key)
{
    size_t length = strlen(key);
    for (size_t i = 0; i < length; ++i) {
        if (key[i] <= 0x20 || key[i] >= 0x7f) return false;
    }
    return length > 0 && length <= KEY_MAX;
}

bool kas_http_answers_begin(kas_http_request *request)
{
    kas_http_answers *answers = request->server->answers;
    const char *key = kas_http_header(request, KAS_FIELD_IDEMPOTENCY_KEY);
    kas_sha256 digest;
    if (!key || request->route->method == KAS_HTTP_GET || request->route->tensor) return true;
    if (!is_key(key)) {
        kas_http_refuse(request, KAS_PROBLEM_INVALID_VALUE,
                        "Idempotency-Key must have 1 to %d visible ASCII characters", KEY_MAX);
        return false;
    }
    if (!digest_of(request, &digest)) {
        kas_http_fail(request, kas_out_of_memory());
        return false;
    }
    pthread_mutex_lock(&answers->lock);
    trim(answers, kas_monotonic_ns());
    const answer *known = find(answers, key);
    bool is_new = known ? meet(request, known, &digest) : true;
    if (!known) {
        request->keyed = add(answers, request, key, &digest);
        is_new = request->keyed != NULL;
    }
    pthread_mutex_unlock(&answers->lock);
    if (!known && !is_new) kas_http_fail(request, kas_out_of_memory());
    return is_new;
}

void kas_http_answers_keep(kas_http_request *request, unsigned status, const char *media_type,
                           const void *bytes, size_t size)
{
    kas_http_answers *answers = request->server->answers;
    answer *item = request->keyed;
    if (!item || status >= 500 || size > ANSWER_MAX) return;
    void *copy = size ? kas_memdup(bytes, size) : NULL;
    char *headers = kas_memdup(request->headers, request->headers_size + 1);
    if ((size && !copy) || !headers) {
        kas_free(copy);
        kas_free(headers);
        return; /* then the key is free again: better a second try than none */
    }
    pthread_mutex_lock(&answers->lock);
    item->status = status;
    item->media_type = media_type;
    item->bytes = copy;
    item->size = size;
    item->headers = headers;
    item->headers_size = request->headers_size;
    item->owner = NULL;
    answers->bytes += item->size + item->headers_size;
    pthread_mutex_unlock(&answers->lock);
    request->keyed = NULL;
}

void kas_http_answers_end(kas_http_request *request)
{
    kas_http_answers *answers = request->server->answers;
    if (!request->keyed) return;
    pthread_mutex_lock(&answers->lock);
    drop(answers, request->keyed);
    pthread_mutex_unlock(&answers->lock);
    request->keyed = NULL;
}
